"""Asks the engines of other nodes, all at once and each within a time limit. None is required: what fails is told."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from console.clock import Clock
from console.concurrency import together
from console.errors import EngineNotFound, MalformedReply, Result, Unknown, VipconsoleError, unknown_from
from console.frozen import frozen
from console.host.identity import why_engine_is_foreign
from console.journal.reader import DaemonLog, read_recent
from console.journal.summary import summarise
from console.journal.values import Batch
from console.nodes import parse
from console.nodes.doors import engine_address, engine_of, journal_of
from console.nodes.echo import answering, sandbox_of
from console.nodes.memory import NodeMemory
from console.nodes.settings import NodeSettings
from console.nodes.values import (
    NO_NODES,
    NO_WAY,
    OWN_JOURNAL,
    NetworkCopy,
    NodeStatus,
    NodeStatuses,
    NodeView,
    OtherNodes,
    SilentNode,
    echo_targets,
    missing_peers,
    peer_names,
)
from console.settings import Settings
from console.swarm.client import EngineConnection
from console.swarm.contexts import EngineAddress
from console.swarm.failures import GARBAGE, timeout_error
from console.text import clean

T = TypeVar("T")


@frozen
class _Reading:
    """One node, and what its journal held: only when all nodes are read is it known what the others are called."""

    status: NodeStatus
    batch: Result[Batch]


class NodesReader:
    """Reads the nodes that the settings name, and with them the engine `here`, which shows the swarm.

    `state` is the state directory, where it is kept when nodes last answered; None keeps it for this process only.
    """

    def __init__(self, here: EngineConnection, settings: Settings, clock: Clock, state: Path | None) -> None:
        self._here = here
        self._nodes = settings.node
        self._unit = settings.docker_unit
        self._settings = settings.snapshot
        self._clock = clock
        self._memory = NodeMemory(state)

    async def read(self) -> OtherNodes:
        """Return the nodes as they are now; nothing where the settings name none. It takes some seconds at the most.

        Where peers differ or a node does not answer over an overlay, all are asked once more after the settling time: gossip
        takes a moment to reach every node.
        """
        if not self._nodes:
            return NO_NODES
        statuses = await self._read_all()
        missing, silent = missing_peers(statuses), await self._silent_nodes(statuses)
        if missing or silent:
            await self._clock.sleep(self._settings.settle_s)
            statuses = await self._read_all()
            missing &= missing_peers(statuses)
            if silent:
                silent &= await self._silent_nodes(statuses)
        return OtherNodes(statuses, missing, silent)

    async def _silent_nodes(self, statuses: NodeStatuses) -> frozenset[SilentNode]:
        """Return the nodes that do not answer over an overlay; none where this is not the host of the engine, or not root."""
        here = next((status.view for status in statuses if status.is_here), None)
        targets = echo_targets(statuses)
        if here is None or not targets:
            return frozenset()
        if await asyncio.to_thread(why_engine_is_foreign, self._here.host, here.hostname) is not None:
            return frozenset()
        found = await together(*(self._silent_on(copy, nodes) for copy, nodes in targets.items()))
        return frozenset(node for nodes in found for node in nodes)

    async def _silent_on(self, copy: NetworkCopy, nodes: list[SilentNode]) -> list[SilentNode]:
        try:
            answered = await answering(sandbox_of(copy), [node.load_balancer for node in nodes])
        except OSError:
            # Who may not ask knows nothing.
            return []
        return [node for node in nodes if node.load_balancer not in answered]

    async def _read_all(self) -> tuple[NodeStatus, ...]:
        limit_s = self._settings.call_timeout_s
        own, others = await together(
            _within(limit_s, self._here.host, _view_of(self._here)),
            together(*(self._node(node, limit_s) for node in self._nodes)),
        )
        readings = [*others]
        if isinstance(own, NodeView):
            # One of the named nodes may be the one whose engine shows the swarm: it stands once, under its name.
            is_named = [_is_of(reading, own.node_id) for reading in others]
            readings = [
                replace(reading, status=replace(reading.status, is_here=is_own))
                for reading, is_own in zip(others, is_named, strict=True)
            ]
            if not any(is_named):
                status = self._answered(NodeStatus(own.hostname, self._here.host, is_here=True), own)
                readings = [_Reading(status, OWN_JOURNAL), *readings]
        statuses = tuple(reading.status for reading in readings)
        await asyncio.to_thread(self._memory.keep, statuses)
        names = peer_names(statuses)
        return tuple(self._with_journal(reading, names) for reading in readings)

    async def _node(self, node: NodeSettings, limit_s: float) -> _Reading:
        try:
            address = await asyncio.to_thread(engine_address, node)
        except VipconsoleError as error:
            where = f"context {clean(node.context)}"
            return _Reading(self._failed(NodeStatus(node.name, where), unknown_from(error)), NO_WAY)
        status = NodeStatus(node.name, clean(address.host, 200))
        view, batch = await together(
            _within(limit_s, status.where, _connected(address, limit_s)),
            self._journal(node, address.host, limit_s),
        )
        status = self._answered(status, view) if isinstance(view, NodeView) else self._failed(status, view)
        return _Reading(status, batch)

    async def _journal(self, node: NodeSettings, host: str, limit_s: float) -> Result[Batch]:
        door = journal_of(node, host, self._unit, self._clock)
        if door is None:
            return NO_WAY
        window_s = self._settings.journal_s
        return await read_recent(DaemonLog(door), None, self._clock.now(), window_s, limit_s)

    def _with_journal(self, reading: _Reading, names: Mapping[str, str]) -> NodeStatus:
        status, batch = reading.status, reading.batch
        if isinstance(batch, Unknown):
            return replace(status, journal=batch)
        return replace(status, journal=summarise([batch], names, self._settings.journal_s))

    def _answered(self, status: NodeStatus, view: NodeView) -> NodeStatus:
        return replace(
            status, view=view, answered_at=self._clock.now(), node_id=view.node_id, address=view.address
        )

    def _failed(self, status: NodeStatus, why: Unknown) -> NodeStatus:
        return self._memory.with_past(replace(status, failure=why, failing_since=self._clock.now()))


def _is_of(reading: _Reading, node_id: str) -> bool:
    return bool(node_id) and reading.status.view is not None and reading.status.node_id == node_id


async def _within(limit_s: float, where: str, work: Any) -> NodeView | Unknown:
    """Return a view, or why there is none, at the latest after the time limit."""
    try:
        async with asyncio.timeout(limit_s):
            view: NodeView = await work
            return view
    except TimeoutError:
        return unknown_from(timeout_error(where, "describe itself and its networks"))
    except VipconsoleError as error:
        return unknown_from(error)


async def _connected(address: EngineAddress, limit_s: float) -> NodeView:
    async with engine_of(address, limit_s) as connection:
        return await _view_of(connection)


async def _view_of(connection: EngineConnection) -> NodeView:
    info = await _get(connection, "describe itself", "/info", parse.node_view)
    ids = await _get(connection, "list the networks", "/networks", parse.overlay_ids)
    copies = await together(*(_copy(connection, network_id) for network_id in ids))
    return replace(info, copies=tuple(copy for copy in copies if copy is not None))


async def _copy(connection: EngineConnection, network_id: str) -> NetworkCopy | None:
    # By its full ID a node answers with its own copy, even one that leads the swarm.
    path = f"/networks/{quote(network_id, safe='')}"
    try:
        return await _get(connection, "inspect a network", path, parse.network_copy)
    except EngineNotFound:
        return None


async def _get(connection: EngineConnection, purpose: str, path: str, read: Callable[[Any], T]) -> T:
    return await connection.ask(purpose, partial(_read, connection.host, path, read))


def _read(host: str, path: str, read: Callable[[Any], T], client: Any) -> T:
    try:
        return read(json.loads(client.get(path)))
    except GARBAGE as error:
        raise MalformedReply(
            f"The engine at {host} sent a malformed reply about {path.split('/')[1]} ({type(error).__name__}).",
            "If a proxy is in between, bypass it. Otherwise report this with the engine's version.",
        ) from error
