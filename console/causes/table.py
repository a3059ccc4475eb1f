"""The table of causes. A new one is an entry in the module of its area, or a module of its own and a line here."""

from console.causes import addresses, allocation, images, networks, ports, scheduling, storage
from console.causes.values import Cause

CAUSES: tuple[Cause, ...] = (
    *ports.CAUSES,
    *addresses.CAUSES,
    *networks.CAUSES,
    *images.CAUSES,
    *storage.CAUSES,
    *scheduling.CAUSES,
    *allocation.CAUSES,
)
"""Where two causes fit behind the same boundary of an error, the earlier one is told."""
