"""How the figures of the benchmarks become a page and a picture."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.line_chart import Line, line_chart
from tests.support.performance import (
    COMMANDS,
    CONSOLE,
    COUNTING,
    FULL,
    NOT_COUNTING,
    SIZES,
    Figure,
    Measurement,
    page,
    picture,
    read_figures,
    write_figures,
)


def figure(name: str, api: str, services: int, tasks: int) -> Figure:
    seconds = services / 100
    return Figure(name, api, services, tasks, 3, seconds, seconds, 40.0, seconds / 2, 0.1, 30.0, 10 * seconds)


MEASURED = Measurement(
    2,
    8.2,
    "3.11.7",
    0.5,
    tuple(
        figure(name, api, services, tasks)
        for api in (NOT_COUNTING, COUNTING)
        for services, tasks in (*((size, 2 * size) for size in SIZES), (SIZES[-1], FULL))
        for name in (*COMMANDS, "census", *CONSOLE)
    ),
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_figures(MEASURED, path)
    assert read_figures(path) == MEASURED


def test_each_figure_stands_beside_its_floor_and_the_shell() -> None:
    text = page(MEASURED)
    assert "| 200 | counts | 1.00 s | 2.00 s | 2.00 | 20 s | 10 |" in text
    assert "2 cores" in text


def test_a_figure_that_is_missing_is_named() -> None:
    with pytest.raises(LookupError, match="census"):
        page(replace(MEASURED, figures=tuple(row for row in MEASURED.figures if row.name != "census")))


def test_what_grows_linearly_is_a_straight_line() -> None:
    drawn = line_chart("seconds", "services", [Line("glance", ((50, 0.5), (500, 5), (5000, 50)))])
    (places,) = re.findall(r'<polyline points="([\d., ]+)" fill="none" stroke="#7aa2f7"', drawn)
    points = [tuple(map(float, place.split(","))) for place in places.split()]
    slopes = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairwise(points)]
    assert slopes[0] == pytest.approx(slopes[1], abs=0.01)
    assert slopes[0] < 0


def test_no_name_covers_another() -> None:
    drawn = picture(MEASURED)
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" fill="#(?!c8cde0)\w+" text-anchor="start"', drawn)]
    assert len(heights) == 6
    assert all(abs(a - b) >= 17.9 for a, b in pairwise(sorted(heights)))
