"""How seldom a monitor may look when nobody does: that of the recorder."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from console.addresses.leak_tracker import IDLE_INTERVAL_S
from console.addresses.tracked_tasks import TrackedTask
from console.frozen import frozen

MOTION_S = 5.0
"""Between two snapshots while something changes, but no removal is under way."""
CALM_S = 10.0
"""After so long without an event and without a change, only events are waited for."""


@frozen
class EarlierWatch:
    """What a recorder that has ended was following."""

    tasks: tuple[TrackedTask, ...] = ()
    """Live tasks that may leak, those that outlived a network among them."""
    until: datetime | None = None
    """Until when it watched, by the engine's clock: at least so long; None where it never did."""


@frozen
class RecorderPace:
    """The pace of the recorder: events wake it, and without one it takes a snapshot now and then.

    Whether the host is quiet is not read then.
    """

    idle_s: float
    """Between two snapshots while nothing changes and the engine's events arrive."""
    restore: Callable[[str, str], Awaitable[EarlierWatch]]
    """Returns what the last recorder was following, by cluster ID and allocator key; nothing under another allocator."""

    @property
    def longest_idle_s(self) -> float:
        """So long without a snapshot leaves nothing out while events arrive."""
        return self.idle_s + IDLE_INTERVAL_S
