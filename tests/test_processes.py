"""Which tests are left out of `make quick`, and what becomes of a test that starts a process without saying so."""

import pytest

pytest_plugins = "pytester"

CONFTEST = """
from tests.support import processes

def pytest_configure(config):
    for mark in processes.MARKS:
        config.addinivalue_line("markers", f"{mark}: as everywhere")
    config.pluginmanager.register(processes)
"""
HELPER = """
import subprocess

__name__ = "tests.helper"

def start():
    subprocess.run(["true"], check=True)

def start_inside():
    return [start() for _ in range(1)]

class Program:
    def run(self):
        start_inside()

def calm():
    return 1
"""


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(f"import pytest\n{source}")
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio", *arguments)


@pytest.mark.parametrize(
    "start",
    [
        "os.system('true')",
        "multiprocessing.get_context('forkserver').Process(target=print).start()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "getattr(__import__('sub' + 'process'), 'run')(['true'])",
        "asyncio.run(asyncio.create_subprocess_exec('true'))",
    ],
)
def test_a_test_without_the_mark_that_starts_a_process_fails(pytester: pytest.Pytester, start: str) -> None:
    result = run(pytester, f"import asyncio, multiprocessing, os\ndef test_it():\n    {start}\n")
    result.stdout.fnmatch_lines(["*A test that starts a process needs the mark `process`: *"])
    result.assert_outcomes(failed=1)


def test_it_fails_too_where_the_program_copes(pytester: pytest.Pytester) -> None:
    source = (
        "import os\ndef test_it():\n    try:\n        os.system('true')\n    except OSError:\n        pass\n"
    )
    run(pytester, source).assert_outcomes(failed=1)


def test_a_fixture_is_watched_too(pytester: pytest.Pytester) -> None:
    source = "import os\n@pytest.fixture\ndef made():\n    os.system('true')\ndef test_it(made): pass\n"
    run(pytester, source).assert_outcomes(errors=1)


@pytest.mark.process
@pytest.mark.parametrize("mark", ["process", "engine"])
def test_one_with_a_mark_may(pytester: pytest.Pytester, mark: str) -> None:
    run(
        pytester, f"import os\n@pytest.mark.{mark}\ndef test_it():\n    assert os.system('true') == 0\n"
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("body", "is_marked"),
    [
        ("start()", True),
        ("start_inside()", True),
        ("Program().run()", True),
        ("list(map(lambda _: start(), [1]))", True),
        ("calm()", False),
    ],
)
def test_a_test_whose_helper_starts_processes_is_marked_by_itself(
    pytester: pytest.Pytester, body: str, *, is_marked: bool
) -> None:
    pytester.makepyfile(helper=HELPER)
    source = f"from helper import *\ndef test_it():\n    {body}\n"
    pytester.syspathinsert()
    result = run(pytester, f"__name__ = 'tests.example'\n{source}", "--collect-only", "-q", "-m", "process")
    assert ("::test_it" in result.stdout.str()) == is_marked


def test_a_test_whose_fixture_starts_processes_is_marked_by_itself(pytester: pytest.Pytester) -> None:
    source = (
        "__name__ = 'tests.example'\nimport subprocess\n@pytest.fixture\ndef made():\n    subprocess.run(['true'])\n"
        "def test_it(made): pass\ndef test_calm(): pass\n"
    )
    said = run(pytester, source, "--collect-only", "-q", "-m", "process").stdout.str()
    assert "::test_it" in said
    assert "::test_calm" not in said
