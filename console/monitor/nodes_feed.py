"""Asks other nodes now and then while a swarm is monitored."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from console.clock import Clock
from console.nodes.values import NO_NODES, OtherNodes

if TYPE_CHECKING:
    from console.nodes.reader import NodesReader

PAUSE_S = 60.0
SHARE = 50
"""The pause is at least so many times as long as asking them took."""


class NodesFeed:
    """The newest that the nodes told; nothing where there is no reader, or before the first answer."""

    def __init__(self, reader: "NodesReader | None", clock: Clock, wake: Callable[[], None]) -> None:
        self.reader = reader
        self.nodes: OtherNodes = NO_NODES
        self._clock = clock
        self._wake = wake

    async def run(self) -> None:
        """Ask them until cancelled."""
        while self.reader is not None:
            start_s = self._clock.monotonic()
            self.nodes = await self.reader.read()
            self._wake()
            await self._clock.sleep(max(PAUSE_S, SHARE * (self._clock.monotonic() - start_s)))
