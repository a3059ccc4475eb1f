"""How a frame of the console becomes a picture: each character in its cell, boxes and bars as shapes that join."""

import re
from itertools import pairwise

import pytest

from tests.support.png import FONT, CannotDrawError, in_cells, png_of

RUN = '<text class="t-r1" x="24.4" y="20" textLength="48.8" clip-path="url(#t-line-0)">{words}</text>'


def test_each_character_stands_in_its_own_cell() -> None:
    drawn = in_cells(RUN.format(words="a&#160;&lt;b"))
    assert re.findall(r'x="([\d.]+)" y="20.00">([^<]+)<', drawn) == [
        ("24.40", "a"),
        ("48.80", "&lt;"),
        ("61.00", "b"),
    ]


def test_lines_of_a_box_are_shapes_from_edge_to_edge() -> None:
    drawn = in_cells(RUN.format(words="──█"))
    assert "<text" not in drawn
    boxes = [
        (float(x), float(width))
        for x, width in re.findall(r' x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    ]
    assert all(left + width >= following for (left, width), (following, _) in pairwise(boxes))


def test_every_picture_names_one_font_and_loads_none() -> None:
    drawn = in_cells(
        '<style>@font-face { src: url("https://x.example/f.woff") } a { font-family: arial; }</style>'
    )
    assert drawn == f"<style> a {{ font-family: {FONT}; }}</style>"


def test_what_is_missing_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CannotDrawError, match="apt-get install librsvg2-bin"):
        png_of("<svg/>")
