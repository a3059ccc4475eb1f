"""Reads one swarm again and again, and builds only the objects that changed.

An answer in the same bytes as before is not parsed again: the very same value is returned. Of an answer that differs,
objects that are equal to those of before are the very same too. So a caller sees by identity what changed.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from console.concurrency import together
from console.errors import Result, Unknown
from console.swarm.connection import EngineConnection
from console.swarm.reader import EngineReader, path_of
from console.swarm.values import Network, NetworkDetail, SwarmState, Task

T = TypeVar("T")

Choice = Callable[[SwarmState], Iterable[str]]
"""Given a swarm whose networks carry the details of earlier snapshots, which networks (IDs) to inspect in this one."""


LAST_S = 1.0
"""The tasks may take this long where the networks could not be listed."""


class RepeatedReader(EngineReader):
    """Reads the swarm of the engine behind a connection, for one monitor: one read at a time."""

    def __init__(self, connection: EngineConnection) -> None:
        super().__init__(connection)
        self._answers: dict[str, tuple[bytes, object]] = {}
        self._details: dict[str, Result[NetworkDetail]] = {}
        self._networks_before: tuple[Network, ...] = ()

    async def next_state(self, deadline_s: float, choose: Choice) -> SwarmState:
        """Return the swarm as it is now, its networks inspected as chosen; what was never inspected is in any case.

        Tasks are asked for after the networks: a task that is alive on a network which is not there has outlived it.
        """
        end = asyncio.get_running_loop().time() + deadline_s
        state = await self._lists(end)
        if isinstance(state.networks, Unknown):
            return state
        listed = state.networks
        overlays = [network for network in listed if network.is_overlay]
        self._forget_all_but({overlay.id for overlay in overlays})
        state = replace(state, networks=self._composed(listed))
        chosen = set(choose(state))
        wanted = [overlay for overlay in overlays if overlay.id in chosen or overlay.id not in self._details]
        if not wanted:
            return state
        found = await self._part(end, "inspect the networks", self._details_of(wanted, end))
        if isinstance(found, Unknown):
            found = dict.fromkeys((network.id for network in wanted), found)
        self._details.update(found)
        gone = {network.id for network in wanted} - found.keys()
        return replace(
            state, networks=self._composed(network for network in listed if network.id not in gone)
        )

    async def _lists(self, end: float) -> SwarmState:
        loop = asyncio.get_running_loop()
        listed: asyncio.Future[bool] = loop.create_future()

        async def networks() -> Result[tuple[Network, ...]]:
            found: Result[tuple[Network, ...]] | None = None
            try:
                found = await self._part(end, "list the networks", self._list_networks())
                return found
            finally:
                if not listed.done():
                    listed.set_result(isinstance(found, tuple))

        async def tasks() -> Result[tuple[Task, ...]]:
            # An engine that hangs is not waited for twice.
            until = end if await listed else min(end, loop.time() + LAST_S)
            return await self._part(until, "list the tasks", self._list_tasks())

        return SwarmState(
            *await together(
                self._part(end, "describe itself", self.engine()),
                networks(),
                self._part(end, "list the services", self._list_services()),
                tasks(),
                self._part(end, "list the nodes", self._list_nodes()),
            )
        )

    def _forget_all_but(self, network_ids: set[str]) -> None:
        for key in self._details.keys() - network_ids:
            del self._details[key]
            self._answers.pop(path_of(key), None)

    def _composed(self, listed: Iterable[Network]) -> tuple[Network, ...]:
        """Return networks with their details; the very same as before where nothing differs."""
        made = []
        for network in listed:
            detail = self._details.get(network.id, network.detail)
            now = network if detail is network.detail else replace(network, detail=detail)
            made.append(now)
        self._networks_before = _as_before(tuple(made), self._networks_before)
        return self._networks_before

    def _read(self, path: str, answer: bytes, read: Callable[[object], T]) -> T:
        text, value = self._answers.get(path, (b"", None))
        if text == answer:
            return value  # type: ignore[return-value] # it was read by the same function, from the same path
        made = super()._read(path, answer, read)
        if isinstance(made, tuple):
            made = _as_before(made, value)
        self._answers[path] = (answer, made)
        return made


def _as_before(made: tuple[Any, ...], before: object) -> Any:
    """Return objects with those of before in place of their equals."""
    if not isinstance(before, tuple):
        return made
    old = {each.id: each for each in before}
    same = tuple(old[each.id] if old.get(each.id) == each else each for each in made)
    # The order is the engine's own affair: local networks come in another one each time.
    is_same = len(same) == len(before) and all(old.get(each.id) is each for each in same)
    return before if is_same else same
