"""The last of several workers begins at the end of the queue, and takes only the time that the others leave."""

import os

import pytest

from tests.support.filling import NICE

pytest_plugins = "pytester"
pytestmark = pytest.mark.process

CONFTEST = """
from tests.support import filling

def pytest_addoption(parser):
    filling.add_option(parser)

def pytest_configure(config):
    config.pluginmanager.register(filling)
"""
NOTING = """
import os, pathlib, time

def test_it():
    name = pathlib.Path(__file__).stem
    (pathlib.Path({folder!r}) / name).write_text(f"{{time.monotonic()}} {{os.environ['PYTEST_XDIST_WORKER']}} {{os.nice(0)}}")
    time.sleep(0.05)
"""
FILES = 12


def order(pytester: pytest.Pytester, *options: str) -> list[tuple[str, str, int]]:
    """Run a dozen files with two workers, and return them as they were run: name, worker, and how nice it was."""
    pytester.makeconftest(CONFTEST)
    folder = pytester.mkdir("seen")
    names = [f"test_{number:02}" for number in range(FILES)]
    pytester.makepyfile(**dict.fromkeys(names, NOTING.format(folder=str(folder))))
    fixed = (
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
    )
    result = pytester.runpytest_subprocess(*fixed, *options)
    assert result.ret == 0
    rows = [(*path.read_text().split(), path.name) for path in folder.iterdir()]
    assert len(rows) == FILES
    return [
        (name, worker, int(nice)) for _, worker, nice, name in sorted(rows, key=lambda row: float(row[0]))
    ]


def test_the_last_worker_goes_from_the_end_to_the_middle(pytester: pytest.Pytester) -> None:
    seen = order(pytester, "--filler")
    first, last = ([row for row in seen if row[1] == worker] for worker in ("gw0", "gw1"))
    assert [name for name, *_ in first] == [f"test_{number:02}" for number in range(len(first))]
    assert [name for name, *_ in last] == [f"test_{FILES - 1 - number:02}" for number in range(len(last))]
    own = os.nice(0)
    assert {nice for *_, nice in first} == {own}
    assert {nice for *_, nice in last} == {min(own + NICE, 19)}


def test_without_the_option_all_workers_begin_at_the_beginning(pytester: pytest.Pytester) -> None:
    seen = order(pytester)
    assert {name for name, worker, _ in seen if worker == "gw1"} & {
        f"test_{number:02}" for number in range(4)
    }
    assert {nice for *_, nice in seen} == {os.nice(0)}
