"""Of a test with many cases only some are run, evenly spread over them: `pytest --at-most N`, as `make quick` does.

Every test is run all the same: its first case always, and from two cases on its last. The end of the output says how many were
left out, and of how many tests. `make test` leaves nothing out.
"""

from typing import Any, TypeVar

import pytest

T = TypeVar("T")

OPTION = "--at-most"
LEFT_OUT = pytest.StashKey[dict[str, int]]()
"""How many cases were left out of each test."""


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, type=int, metavar="N", help="run at most N cases of each test, evenly spread")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases of tests that have too many, after marks have chosen."""
    most = config.getoption(OPTION)
    if most is None:
        return
    if most < 1:
        raise pytest.UsageError(f"{OPTION} leaves no test at all: it takes a number from 1 on.")
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item for each in cases.values() for item in spread(each, most)}
    left_out = [item for item in items if item not in kept]
    items[:] = [item for item in items if item in kept]
    config.hook.pytest_deselected(items=left_out)
    told = {name: len(each) - most for name, each in cases.items() if len(each) > most}
    config.stash[LEFT_OUT] = told
    # A worker's own output is seen by nobody.
    getattr(config, "workeroutput", {})["left_out"] = told


def spread(cases: list[T], most: int) -> list[T]:
    """Return so many at most: the first, the last if there is room for two, and others evenly between."""
    if len(cases) <= most:
        return cases
    last = len(cases) - 1
    return [cases[round(place * last / (most - 1))] for place in range(most)] if most > 1 else cases[:1]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker left out: each worker collects the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", {})


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many cases were left out."""
    told = config.stash.get(LEFT_OUT, {})
    if told:
        number = sum(told.values())
        most = config.getoption(OPTION)
        terminalreporter.write_line(
            f"{number} cases of {len(told)} tests were left out ({OPTION} {most}); `make test` runs all.",
            yellow=True,
        )
