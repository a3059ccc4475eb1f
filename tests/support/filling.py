"""The last worker fills the time that the others leave: `pytest -n N --filler`, as `make test` does.

Tests with real engines wait for a fifth of their time. More of them at once would get in one another's way; so the others
take files from the beginning of the queue, where those are, and the last worker from its end, where the quick ones are that
need nothing but the processor. It has the lowest claim to that: the others do not notice it.
"""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped] # xdist says nothing of its types

OPTION = "--filler"
NICE = 10


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        OPTION, action="store_true", help="let the last of several workers fill the time that others leave"
    )


class FromBothEnds(LoadFileScheduling):  # type: ignore[misc] # the same
    """Gives the last worker files from the end of the queue."""

    def _assign_work_unit(self, node: Any) -> None:
        if len(self.nodes) > 1 and node is self.nodes[-1]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FromBothEnds | None:
    """Return the scheduler; that of the other options where it is not asked for."""
    return (
        FromBothEnds(config, log)
        if config.getoption(OPTION) and config.getoption("dist") == "loadfile"
        else None
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the last worker be nice, and all that it starts."""
    worker: dict[str, Any] = getattr(session.config, "workerinput", {})
    count = worker.get("workercount", 1)
    if session.config.getoption(OPTION) and count > 1 and worker["workerid"] == f"gw{count - 1}":
        os.nice(NICE)
