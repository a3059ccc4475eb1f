"""A test that starts a process has the mark `process`; one without the mark that starts a process fails.

So `make quick`, which leaves those tests out, stays quick: its selection cannot rot. A test gets the mark by itself when its
own code, a fixture or a helper of the tests speaks of `subprocess`, or of the program's doors to processes. Where a process
starts further down in the program, the test or its file is marked by hand.
"""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from inspect import unwrap
from multiprocessing.process import BaseProcess
from types import CodeType, FunctionType
from typing import Any

import pytest

MARKS = ("process", "engine", "sweep", "package", "fuzz", "benchmark")
"""A test with one of these marks may start processes."""
STARTING = frozenset(
    (
        "multiprocessing.Process",
        "subprocess.Popen",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.system",
        "os.exec",
        "os.spawn",
    )
)
"""What audit hooks are told when a process is about to start."""

DOORS = ("console.host.process", "console.host.streaming", "console.host.detached", "tests.support.forked")
"""The modules that start processes: the program's own, and that of the tests which forks it."""


class ProcessGuard:
    """Refuses processes while a test runs that has no mark for them, and keeps what was refused."""

    def __init__(self) -> None:
        self.test = ""
        """The running test that may start no process; "" for none."""
        self.refused: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """Take an event of Python's audit hooks."""
        if self.test and event in STARTING:
            self.refused.append(f"{event}({', '.join(map(repr, arguments[:2]))})")
            raise PermissionError(f"{self.test} has no mark `process` and may start none: {self.refused[-1]}")

    def watching(self, item: pytest.Item) -> Iterator[None]:
        """Refuse processes during one phase of a test, and fail it when one was refused: the program may have coped."""
        self.test = "" if any(item.get_closest_marker(mark) for mark in MARKS) else item.nodeid
        self.refused = []
        try:
            yield
        finally:
            self.test = ""
            if self.refused:
                pytest.fail(f"A test that starts a process needs the mark `process`: {self.refused[0]}")


GUARD = ProcessGuard()
# An audit hook stays until Python ends: it is added once, and refuses nothing outside tests.
sys.addaudithook(GUARD)


_start = BaseProcess.start


def _audited(self: BaseProcess) -> None:
    # Python's own audit tells nothing of these: a server that was started before forks them.
    sys.audit("multiprocessing.Process", self.name)
    _start(self)


BaseProcess.start = _audited  # type: ignore[method-assign] # the same call, told first


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests whose code, fixtures or helpers start processes."""
    for item in items:
        fixtures = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009 - pytest's, and not typed
        functions = [getattr(item, "function", None), *(each.func for found in fixtures for each in found)]
        if any(starts_processes(each) for each in functions):
            item.add_marker("process")


@cache
def starts_processes(function: Any) -> bool:
    """Return whether a function, or code of the tests that it names, speaks of `subprocess`."""
    seen, waiting = set[FunctionType](), _functions(function)
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for name in _names(current.__code__):
            value = current.__globals__.get(name)
            if value is subprocess or getattr(value, "__module__", "") in DOORS:
                return True
            waiting += _functions(value)
    return False


def _functions(value: Any) -> list[FunctionType]:
    """Return the functions of the tests that a name stands for: one, or the methods of a class."""
    module = str(getattr(value, "__module__", ""))
    # A test on a real engine has a mark of its own: a fixture may give that or a simulated one.
    if not module.startswith("tests.") or module.startswith("tests.engine."):
        return []
    members = list(vars(value).values()) if isinstance(value, type) else [value]
    bare = [
        unwrap(getattr(each, "fget", None) or getattr(each, "__func__", None) or each) for each in members
    ]
    return [each for each in bare if isinstance(each, FunctionType)]


@cache
def _names(code: CodeType) -> frozenset[str]:
    """Return the names that a code object uses, with those of the functions inside it."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return frozenset(code.co_names).union(*map(_names, inner))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Watch a test's fixtures."""
    return (yield from GUARD.watching(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Watch a test."""
    return (yield from GUARD.watching(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Watch the end of a test's fixtures."""
    return (yield from GUARD.watching(item))
