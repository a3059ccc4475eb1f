"""What keeps a swarm and its host from being quiet, in a line."""

from console.health.quiet.values import Report, State
from console.text import listed


def what_blocks(report: Report) -> str:
    """Return what blocks, by name, the worst first; nothing where nothing does."""
    order = (State.STUCK, State.BUSY, State.UNKNOWN)
    said = []
    for check in sorted(report.blocking, key=lambda each: order.index(each.state)):
        names = [each for each in check.blockers if not each.is_accepted]
        if names:
            said.append(listed([f"{each.name} {each.what}" for each in names], 2))
        else:
            said.append(check.note.removesuffix("."))
    return listed(list(dict.fromkeys(said)), 3)
