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
from console.swarm.client import EngineConnection
from console.swarm.model import Network, NetworkDetail, SwarmState, Task
from console.swarm.reader import EngineReader, path_of

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
        networks = state.networks
        overlays = [network for network in networks if network.is_overlay]
        self._forget_all_but({overlay.id for overlay in overlays})
        state = replace(state, networks=self._with_details(networks))
        chosen_ids = set(choose(state))
        to_inspect = [
            overlay for overlay in overlays if overlay.id in chosen_ids or overlay.id not in self._details
        ]
        if not to_inspect:
            return state
        details = await self._part(end, "inspect the networks", self._details_of(to_inspect, end))
        if isinstance(details, Unknown):
            details = dict.fromkeys((network.id for network in to_inspect), details)
        self._details.update(details)
        missing_ids = {network.id for network in to_inspect} - details.keys()
        return replace(
            state,
            networks=self._with_details(network for network in networks if network.id not in missing_ids),
        )

    async def _lists(self, end: float) -> SwarmState:
        loop = asyncio.get_running_loop()
        are_networks_listed: asyncio.Future[bool] = loop.create_future()

        async def networks() -> Result[tuple[Network, ...]]:
            reply: Result[tuple[Network, ...]] | None = None
            try:
                reply = await self._part(end, "list the networks", self._list_networks())
                return reply
            finally:
                if not are_networks_listed.done():
                    are_networks_listed.set_result(isinstance(reply, tuple))

        async def tasks() -> Result[tuple[Task, ...]]:
            # An engine that hangs is not waited for twice.
            until = end if await are_networks_listed else min(end, loop.time() + LAST_S)
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

    def _with_details(self, networks: Iterable[Network]) -> tuple[Network, ...]:
        """Return networks with their details; the very same as before where nothing differs."""
        current = []
        for network in networks:
            detail = self._details.get(network.id, network.detail)
            now = network if detail is network.detail else replace(network, detail=detail)
            current.append(now)
        self._networks_before = _reuse_equals(tuple(current), self._networks_before)
        return self._networks_before

    def _read(self, path: str, answer: bytes, read: Callable[[object], T]) -> T:
        text, value = self._answers.get(path, (b"", None))
        if text == answer:
            return value  # type: ignore[return-value] # it was read by the same function, from the same path
        objects = super()._read(path, answer, read)
        if isinstance(objects, tuple):
            objects = _reuse_equals(objects, value)
        self._answers[path] = (answer, objects)
        return objects


def _reuse_equals(current: tuple[Any, ...], before: object) -> Any:
    """Return objects with those of before in place of their equals."""
    if not isinstance(before, tuple):
        return current
    old = {swarm_object.id: swarm_object for swarm_object in before}
    same = tuple(
        old[swarm_object.id] if old.get(swarm_object.id) == swarm_object else swarm_object
        for swarm_object in current
    )
    # The order is the engine's own affair: local networks come in another one each time.
    is_same = len(same) == len(before) and all(
        old.get(swarm_object.id) is swarm_object for swarm_object in same
    )
    return before if is_same else same
