"""In which order workers take files of tests, and which of them give way to the others."""

import os

import pytest

from tests.support.ordering import GIVES_WAY, begins_with_quick

pytest_plugins = "pytester"

CONFTEST = """
from tests.support import ordering

def pytest_configure(config):
    for mark in ("long", "engine"):
        config.addinivalue_line("markers", f"{mark}: as everywhere")
    config.pluginmanager.register(ordering)
"""
MARKS = {
    "test_b_engine": "@pytest.mark.engine",
    "test_c_long": "@pytest.mark.long",
    "test_e_engine": "@pytest.mark.engine",
}
FILE = """
import os
from pathlib import Path
import pytest

{mark}
@pytest.mark.parametrize("number", range(3))
def test_it(number, worker_id):
    with Path("{seen}").open("a") as seen:
        seen.write(f"{name} {{worker_id}} {{os.nice(0)}}\\n")
"""


@pytest.mark.parametrize(
    ("count", "those"), [(1, []), (2, []), (3, [2]), (4, [3]), (5, [4]), (6, [4, 5]), (9, [6, 7, 8])]
)
def test_a_third_of_the_workers_begins_with_quick_tests(count: int, those: list[int]) -> None:
    assert [number for number in range(count) if begins_with_quick(f"gw{number}", count)] == those


def run(pytester: pytest.Pytester, *names: str) -> set[str]:
    """Run files with three workers, and return of each: its name, its worker, and how nice that is."""
    seen = pytester.path / "seen"
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        **{name: FILE.format(mark=MARKS.get(name, ""), seen=seen, name=name) for name in names}
    )
    options = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:asyncio", *options)
    assert done.ret == 0
    return set(seen.read_text("utf-8").splitlines())


@pytest.mark.process
def test_long_files_and_engines_come_first_and_who_begins_with_the_others_gives_way(
    pytester: pytest.Pytester,
) -> None:
    usual = os.nice(0)
    lines = run(pytester, "test_a_quick", "test_b_engine", "test_c_long", "test_d_quick")
    seen = {name: (worker, int(nice)) for name, worker, nice in map(str.split, lines)}
    assert len(lines) == len(seen) == 4
    # Files are given to workers in the order in which these are ready, and that is chance.
    assert {seen["test_c_long"], seen["test_b_engine"]} == {("gw0", usual), ("gw1", usual)}
    assert seen["test_d_quick"] == ("gw2", min(usual + GIVES_WAY, 19))


@pytest.mark.process
def test_where_no_test_is_quick_nobody_gives_way(pytester: pytest.Pytester) -> None:
    lines = run(pytester, "test_b_engine", "test_c_long", "test_e_engine")
    assert {line.split()[2] for line in lines} == {str(os.nice(0))}
