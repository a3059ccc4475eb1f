"""A failing test on a real engine is run again once, on a fresh engine, and the output says so."""

import pytest

pytest_plugins = "pytester"

CONFTEST = """
from tests.support import reruns

def pytest_configure(config):
    config.addinivalue_line("markers", "engine: as everywhere")
    config.pluginmanager.register(reruns)
"""
FLAKY = """
import pytest

engines = []

@pytest.fixture(scope="module")
def engine():
    engines.append("up")
    yield len(engines)
    engines.append("down")

@pytest.mark.engine
def test_before(engine):
    assert engine == 1

@pytest.mark.engine
def test_flaky(engine):
    assert engine == 3, "the first engine was bad"

@pytest.mark.engine
def test_after(engine):
    assert engine == 3
"""


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(source)
    options = ("-p", "no:cacheprovider", "-p", "no:asyncio", *arguments)
    return pytester.runpytest_subprocess(*options) if arguments else pytester.runpytest_inprocess(*options)


def check_flaky(result: pytest.RunResult) -> None:
    result.stdout.fnmatch_lines(
        [
            "*test_flaky (call) failed in the first attempt:",
            "*the first engine was bad*",
            "1 engine test was run again: *::test_flaky",
            "*3 passed, 1 rerun in *",
        ]
    )
    assert result.ret == 0


def test_it_passes_on_a_fresh_engine_and_the_last_lines_count_it(pytester: pytest.Pytester) -> None:
    check_flaky(run(pytester, FLAKY))


@pytest.mark.process
def test_it_is_counted_where_workers_run_the_tests(pytester: pytest.Pytester) -> None:
    check_flaky(run(pytester, FLAKY, "-n", "1"))


def test_one_that_fails_twice_has_failed(pytester: pytest.Pytester) -> None:
    result = run(pytester, "import pytest\n@pytest.mark.engine\ndef test_broken():\n    assert False\n")
    result.stdout.fnmatch_lines(["1 engine test was run again: *::test_broken", "*1 failed, 1 rerun in *"])
    assert result.ret == 1


def test_an_engine_that_does_not_start_is_started_again(pytester: pytest.Pytester) -> None:
    source = FLAKY.replace(
        '    engines.append("up")\n', '    engines.append("up")\n    assert len(engines) > 1\n'
    )
    result = run(pytester, source.replace("== 1", "== 2").replace("== 3", "== 2"))
    result.stdout.fnmatch_lines(
        ["*test_before (setup) failed in the first attempt:", "*3 passed, 1 rerun in *"]
    )


def test_other_tests_get_one_attempt_and_nothing_is_said(pytester: pytest.Pytester) -> None:
    result = run(
        pytester, "attempts = []\ndef test_once():\n    attempts.append(1)\n    assert len(attempts) > 1\n"
    )
    result.stdout.fnmatch_lines(["*1 failed in *"])
    assert "run again" not in result.stdout.str()
