"""What keeps a swarm and its host from being quiet, in a line."""

import re
from collections.abc import Iterable

from console.health.quiet.values import Check, Report, State
from console.text import listed


def what_blocks(report: Report) -> str:
    """Return what blocks, by name, the worst first; nothing where nothing does."""
    said = []
    for check in _worst_first(report):
        names = [each for each in check.blockers if not each.is_accepted]
        if names:
            said.append(listed([f"{each.name} {each.what}" for each in names], 2))
        else:
            said.append(check.note.removesuffix("."))
    return listed(list(dict.fromkeys(said)), 3)


def things_that_block(report: Report) -> tuple[tuple[str, str], ...]:
    """Return each thing that blocks, and what it does, the worst first.

    A name is the same for as long as it is the same thing. Swarm gives each task a container of its own: those of a
    service are one thing, or one service that fails again and again would be as many as it has failed times.
    """
    found: dict[str, str] = {}
    for check in _worst_first(report):
        blockers = [each for each in check.blockers if not each.is_accepted]
        if not blockers:
            found.setdefault(check.title, check.note)
        for each in blockers:
            found.setdefault(_CONTAINER_OF_TASK.sub(r"containers of \1", each.name), each.what)
    return tuple(found.items())


_CONTAINER_OF_TASK = re.compile(r"^container (.+)\.(?:\d+|[a-z0-9]{25})\.[a-z0-9]{25}$")
"""`SERVICE.SLOT.TASK`, or `SERVICE.NODE.TASK` where the service is global."""


def _worst_first(report: Report) -> Iterable[Check]:
    order = (State.STUCK, State.BUSY, State.UNKNOWN)
    return sorted(report.blocking, key=lambda each: order.index(each.state))
