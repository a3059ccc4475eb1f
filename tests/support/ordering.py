"""Files of tests in the order in which several workers finish soonest: long ones first, then real engines, then processes.

A worker takes a whole file. One that takes minutes must not begin when the others have nothing left to do, so xdist keeps
this order (`--no-loadscope-reorder`); its own puts the files with most tests first, and those are the quick ones.

Tests with real engines mostly wait, and the quick ones never do. So a third of the workers begins at the other end, and gives
way to the others: at any time somebody uses what those that wait do not.
"""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

RANKS = ("long", "engine", "process")
GIVES_WAY = 10
"""The niceness of those that begin with the quick tests. Real engines have deadlines."""


def begins_with_quick(worker: str, count: int) -> bool:
    """Return whether a worker, such as `gw3`, is of the last third."""
    return 3 * int(worker.removeprefix("gw")) >= 2 * count


class FromBothEnds(LoadFileScheduling):  # type: ignore[misc] # xdist ships no types
    """Gives the files in their order, to some workers the last ones first."""

    def _assign_work_unit(self, node: Any) -> None:
        if begins_with_quick(node.gateway.id, len(self.nodes)):
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FromBothEnds | None:
    """Let files be taken from both ends where a worker takes a whole one."""
    return FromBothEnds(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the files; the tests of one stay as they are. Those that begin with the quick ones give way from here on."""
    ranks: dict[object, int] = {}
    for item in items:
        rank = next((rank for rank, mark in enumerate(RANKS) if item.get_closest_marker(mark)), len(RANKS))
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])
    worker = getattr(config, "workerinput", None)
    has_quick = len(RANKS) in ranks.values()
    if worker is not None and has_quick and begins_with_quick(worker["workerid"], worker["workercount"]):
        os.nice(GIVES_WAY)
