"""Of a test with many cases some are left out when that is asked for, and the output says so."""

from itertools import pairwise

import pytest

from tests.support.thinning import spread

pytest_plugins = "pytester"

CONFTEST = """
from tests.support import thinning

def pytest_addoption(parser):
    thinning.add_option(parser)

def pytest_configure(config):
    config.pluginmanager.register(thinning)
"""
TESTS = """
import pytest

@pytest.mark.parametrize("number", range(10))
def test_many(number):
    pass

class TestOther:
    @pytest.mark.parametrize("number", range(10))
    def test_many(self, number):
        pass

@pytest.mark.parametrize("number", range(3))
def test_few(number):
    pass

def test_one():
    pass
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    options = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-v", *arguments)
    run_it = pytester.runpytest_subprocess if "-n" in arguments else pytester.runpytest_inprocess
    return run_it(*options)


def ran(result: pytest.RunResult) -> list[str]:
    return [
        line.split(" ")[0].partition("::")[2]
        for line in result.stdout.lines
        if line.endswith("%]") and "PASSED" in line
    ]


def test_the_first_the_last_and_some_between_are_run_of_each_test(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--at-most", "4")
    assert ran(result) == [
        *(f"test_many[{number}]" for number in (0, 3, 6, 9)),
        *(f"TestOther::test_many[{number}]" for number in (0, 3, 6, 9)),
        *(f"test_few[{number}]" for number in range(3)),
        "test_one",
    ]
    result.stdout.fnmatch_lines(
        [
            "12 cases of 2 tests were left out (--at-most 4); `make test` runs all.",
            "*12 passed, 12 deselected*",
        ]
    )


def test_what_was_not_chosen_is_not_counted(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--at-most", "4", "-k", "few or one")
    assert len(ran(result)) == 4
    assert "left out" not in result.stdout.str()


@pytest.mark.process
def test_workers_leave_out_the_same_and_it_is_counted_once(pytester: pytest.Pytester) -> None:
    result = run(pytester, "--at-most", "4", "-n", "2")
    result.stdout.fnmatch_lines(["12 cases of 2 tests were left out (--at-most 4)*", "*12 passed*"])


def test_all_are_run_where_nothing_is_asked_for(pytester: pytest.Pytester) -> None:
    result = run(pytester)
    result.stdout.fnmatch_lines(["*24 passed*"])
    assert "left out" not in result.stdout.str()


@pytest.mark.parametrize("most", ["0", "-1"])
def test_no_case_at_all_is_wrong_usage(pytester: pytest.Pytester, most: str) -> None:
    assert run(pytester, "--at-most", most).ret != 0


@pytest.mark.parametrize("most", range(1, 8))
def test_so_many_are_kept_evenly_spread(most: int) -> None:
    for number in range(1, 40):
        kept = spread(list(range(number)), most)
        assert len(kept) == len(set(kept)) == min(number, most)
        assert kept[0] == 0
        assert most == 1 or kept[-1] == number - 1
        gaps = {later - sooner for sooner, later in pairwise(kept)}
        assert not gaps or max(gaps) - min(gaps) <= 1
