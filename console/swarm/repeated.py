"""Reads one swarm again and again, and builds only the objects that changed.

An answer in the same bytes as before is not parsed again: the very same value is returned. Of an answer that differs,
objects that are equal to those of before are the very same too. So a caller sees by identity what changed.

In a swarm in motion each list differs from the one before, by a few rows of hundreds: only rows whose bytes were not in the
list before are parsed.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from console.concurrency import together
from console.errors import Result, Unknown
from console.swarm.client import EngineConnection
from console.swarm.model import Network, NetworkDetail, SwarmState, Task
from console.swarm.paths import path_of
from console.swarm.reader import EngineReader
from console.swarm.replies import read_rows

T = TypeVar("T")

Choice = Callable[[SwarmState], Iterable[str]]
"""Given a swarm whose networks carry the details of earlier snapshots, which networks (IDs) to inspect in this one."""


LAST_S = 1.0
"""The tasks may take this long where the networks could not be listed."""


ROW_BEGINS, ROW_ENDS = b'{"ID":', b"}"
BETWEEN_ROWS = ROW_ENDS + b"," + ROW_BEGINS
"""How services, tasks and nodes stand in their lists. A quote inside a string is escaped, so no text can contain this."""


class RowCache:
    """The rows of a list that is read again and again, and the objects that were made of them."""

    def __init__(self) -> None:
        self._objects: dict[bytes, Any] = {}

    def read(self, answer: bytes, parse: Callable[[Any], T]) -> tuple[T, ...]:
        """Return the objects of a list, and parse only rows that were not in the last one.

        Nothing where the rows cannot be told apart: then the list is to be parsed as a whole.
        """
        objects: dict[bytes, T] = {}
        rows = _split(answer)
        try:
            for row in rows:
                known_object = self._objects.get(row)
                objects[row] = (
                    parse(json.loads(ROW_BEGINS + row + ROW_ENDS)) if known_object is None else known_object
                )
        except json.JSONDecodeError:
            # An object inside a row began like a row. All parts are whole JSON only where each is a row.
            return ()
        self._objects = objects
        return tuple(objects[row] for row in rows)


def _split(answer: bytes) -> list[bytes]:
    """Return the rows of a list without their beginnings and ends; none where it is not written as Go writes it."""
    text = answer.strip()
    if not (text.startswith(b"[" + ROW_BEGINS) and text.endswith(ROW_ENDS + b"]")):
        return []
    return text[1 + len(ROW_BEGINS) : -1 - len(ROW_ENDS)].split(BETWEEN_ROWS)


class RepeatedReader(EngineReader):
    """Reads the swarm of the engine behind a connection, for one monitor: one read at a time."""

    def __init__(self, connection: EngineConnection) -> None:
        super().__init__(connection)
        self._answers: dict[str, tuple[bytes, object]] = {}
        self._rows: defaultdict[str, RowCache] = defaultdict(RowCache)
        """By the path of a list."""
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

    async def _list(self, what: str, path: str, parser: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
        parse = partial(self._parse, f"its list of {what}", parser)
        parse_all = partial(self._parse, f"its list of {what}", partial(read_rows, parser))

        def read(answer: bytes) -> tuple[T, ...]:
            return self._rows[path].read(answer, parse) or parse_all(json.loads(answer))

        return await self._connection.ask(
            f"list the {what}", lambda client: self._read(path, client.get(path), read)
        )

    def _read(self, path: str, answer: bytes, read: Callable[[bytes], T]) -> T:
        text, value = self._answers.get(path, (b"", None))
        if text == answer:
            return value  # type: ignore[return-value] # it was read by the same function, from the same path
        objects = read(answer)
        if isinstance(objects, tuple):
            objects = _reuse_equals(objects, value)
        self._answers[path] = (answer, objects)
        return objects


def _reuse_equals(current: tuple[Any, ...], before: object) -> Any:
    """Return objects with those of before in place of their equals."""
    if not isinstance(before, tuple):
        return current
    old = {swarm_object.id: swarm_object for swarm_object in before}
    same = tuple(_reuse_equal(swarm_object, old.get(swarm_object.id)) for swarm_object in current)
    # The order is the engine's own affair: local networks come in another one each time.
    is_same = len(same) == len(before) and all(
        old.get(swarm_object.id) is swarm_object for swarm_object in same
    )
    return before if is_same else same


def _reuse_equal(current: Any, before: Any) -> Any:
    # Dataclasses compare field by field, also one with itself.
    return before if before is current or before == current else current
