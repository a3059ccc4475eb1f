"""Builders of what goes on on a host: each takes only what a test is about."""

from typing import Any

from console.host.activity import HostActivity, OwnProcess, Process
from tests.support.swarms import LONG_AGO

OWN = OwnProcess(pid=100, session="7", unit="session-7.scope")


def process(pid: int, *argv: str, parent: int = 1, terminal: str = "") -> Process:
    return Process(pid, parent, LONG_AGO, terminal, argv)


def activity(**parts: Any) -> HostActivity:
    """Return a host on which nothing goes on but these parts."""
    nothing: dict[str, Any] = {"processes": (), "jobs": (), "units": (), "timers": (), "logins": ()}
    return HostActivity(**{"own": OWN, "lock_holder": "", **nothing, **parts})
