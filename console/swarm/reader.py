"""Reads a swarm through the Docker Engine API. Nothing in here can change anything."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from console.concurrency import together
from console.errors import (
    EngineNonsense,
    EngineNotFound,
    NoSwarm,
    NotManager,
    Part,
    SwarmError,
    Unknown,
    VipconsoleError,
    unknown_from,
)
from console.swarm import parse
from console.swarm.connection import EngineConnection, answer_of
from console.swarm.failures import timeout_error
from console.swarm.values import Engine, Network, NetworkDetail, Node, Service, SwarmState, Task
from console.text import clean, listed

T = TypeVar("T")

SHORT_ID = 12
"""Characters of an ID to inspect a network by. By its full ID a node that takes part in it answers with its own
counters instead of the leader's (docker-v29.7.2, daemon/server/router/network/network_routes.go), and by name a
healthy network can be answered 404 while another one is unallocated."""

EVERY_RUNTIME = {"runtime": ["container", "attachment", ""]}
"""Without it the engine hides the tasks behind standalone containers (moby daemon/cluster/tasks.go)."""
TASKS = f"/tasks?filters={quote(json.dumps(EVERY_RUNTIME))}"
MANAGERS = f"/nodes?filters={quote(json.dumps({'role': ['manager']}))}"
"""The filter goes by the role that a node has. What a node shows is only the role that it is to get
(moby daemon/cluster/convert/node.go)."""
NOT_FOUND = Unknown("The engine lists this network but does not find it.", "Try again in a moment.")


def path_of(network_id: str) -> str:
    """Return where a network is inspected."""
    return f"/networks/{quote(network_id[:SHORT_ID], safe='')}"


class SwarmReader(Protocol):
    """Looks at a swarm."""

    @property
    def host(self) -> str:
        """The address of the engine that is asked."""
        ...

    async def look(self, deadline_s: float) -> SwarmState:
        """Return the swarm as it is now; parts that fail or are not there by the deadline are unknown."""
        ...


class EngineReader:
    """Reads the swarm of the engine behind a connection."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection

    @property
    def host(self) -> str:
        """The address of the engine that is asked."""
        return self._connection.host

    async def look(self, deadline_s: float) -> SwarmState:
        """Return the swarm as it is now; parts that fail or are not there by the deadline are unknown."""
        end = asyncio.get_running_loop().time() + deadline_s
        return await self._state(end, self._networks(end))

    async def glimpse(self, deadline_s: float) -> SwarmState:
        """Return the swarm as it is now, as `look` does, but inspect no network: five calls, however many there are."""
        end = asyncio.get_running_loop().time() + deadline_s
        return await self._state(end, self._list_networks())

    async def service(self, service_id: str) -> Service:
        """Return one service as it is now. Raises an `EngineError`; EngineNotFound where there is none."""
        path = f"/services/{quote(service_id, safe='')}"
        return await self._asked("inspect a service", "its inspection of a service", path, parse.service)

    async def manager_ids(self) -> frozenset[str]:
        """Return the nodes that are managers now, whatever their specifications ask for. Raises an `EngineError`."""
        return frozenset(each.id for each in await self._list("managers", MANAGERS, parse.node))

    async def has_allocated_task(self, service_id: str) -> bool:
        """Whether the leader's allocator has had a task of a service. Raises an `EngineError`."""
        path = f"/tasks?filters={quote(json.dumps({'service': [service_id]}))}"
        return any(each.state != "new" for each in await self._list("tasks of a service", path, parse.task))

    async def _state(self, end: float, listing: Awaitable[tuple[Network, ...]]) -> SwarmState:
        engine, networks, services, tasks, nodes = await together(
            self._part(end, "describe itself", self.engine()),
            self._part(end, "list the networks", listing),
            self._part(end, "list the services", self._list_services()),
            self._part(end, "list the tasks", self._list_tasks()),
            self._part(end, "list the nodes", self._list_nodes()),
        )
        return SwarmState(engine, networks, services, tasks, nodes)

    async def _part(self, end: float, asked: str, answer: Awaitable[T]) -> Part[T]:
        try:
            async with asyncio.timeout_at(end):
                return await answer
        except TimeoutError:
            return unknown_from(timeout_error(self.host, asked))
        except VipconsoleError as error:
            return unknown_from(error)

    async def engine(self) -> Engine:
        """Return the engine and its place in the swarm: one call. Raises an `EngineError` or `SwarmError`."""
        return await self._asked("describe itself", "its description of itself", "/info", self._manager)

    def _manager(self, data: Mapping[str, Any]) -> Engine:
        error = _not_a_manager(data, self.host)
        if error is not None:
            raise error
        return parse.engine(data, self._connection.api_version)

    async def _list_networks(self) -> tuple[Network, ...]:
        return await self._list("networks", "/networks", parse.network)

    async def _list_services(self) -> tuple[Service, ...]:
        return await self._list("services", "/services", parse.service)

    async def _list_tasks(self) -> tuple[Task, ...]:
        return await self._list("tasks", TASKS, parse.task)

    async def _list_nodes(self) -> tuple[Node, ...]:
        return await self._list("nodes", "/nodes", parse.node)

    async def _list(self, what: str, path: str, parser: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
        def read(rows: Iterable[Mapping[str, Any]] | None) -> tuple[T, ...]:
            return tuple(parser(row) for row in rows or ())

        return await self._asked(f"list the {what}", f"its list of {what}", path, read)

    async def _networks(self, end: float) -> tuple[Network, ...]:
        listed = await self._list_networks()
        details = await self._details_of([each for each in listed if each.is_overlay], end)
        return tuple(
            replace(each, detail=details[each.id]) if each.is_overlay else each
            for each in listed
            if not each.is_overlay or each.id in details
        )

    async def _details_of(self, networks: Iterable[Network], end: float) -> Mapping[str, Part[NetworkDetail]]:
        """Return what the inspection of each network tells, by ID; those that are gone meanwhile are left out."""
        asked = tuple(networks)
        found = dict(
            zip(
                (each.id for each in asked),
                await together(*(self._detail(each, end) for each in asked)),
                strict=True,
            )
        )
        gone = {each for each, detail in found.items() if detail is None}
        if gone:
            # An engine may answer 404 for a healthy network; only the list tells whether it is gone.
            gone -= {each.id for each in await self._list_networks()}
        return {each: detail or NOT_FOUND for each, detail in found.items() if each not in gone}

    async def _detail(self, network: Network, end: float) -> Part[NetworkDetail] | None:
        asked, what = f"inspect the network {network.name}", f"its inspection of the network {network.name}"
        try:
            async with asyncio.timeout_at(end):
                return await self._asked(asked, what, path_of(network.id), parse.network_detail)
        except EngineNotFound:
            return None
        except TimeoutError:
            return unknown_from(timeout_error(self.host, asked))
        except VipconsoleError as error:
            return unknown_from(error)

    async def _asked(self, asked: str, what: str, path: str, parser: Callable[[Any], T]) -> T:
        """Return what the engine answers, made a value by the thread that asked: much text takes long to read.

        `asked` and `what` say in words what is asked and what the answer is, for errors.
        """

        def read(data: object) -> T:
            try:
                return parser(data)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise EngineNonsense(
                    f"The engine at {self.host} sent a malformed reply: {what} ({type(error).__name__}).",
                    "If a proxy is in between, bypass it. Otherwise report this with the engine's version.",
                ) from error

        return await self._connection.ask(
            asked, lambda client: self._read(path, answer_of(client, path), read)
        )

    def _read(self, path: str, answer: bytes, read: Callable[[object], T]) -> T:  # noqa: ARG002 - `RepeatedReader` caches by the path
        return read(json.loads(answer))


def _not_a_manager(info: Mapping[str, Any], host: str) -> SwarmError | None:
    """Return why the engine's answer to `GET /info` shows no swarm, or None for a working manager."""
    swarm = info.get("Swarm") or {}
    match swarm.get("LocalNodeState"):
        case "active" if swarm.get("ControlAvailable"):
            return None
        case "active":
            return NotManager(
                f"The node at {host} is a worker, and only managers see the swarm.",
                f"Run this on a manager, or name one with --host{_managers(swarm.get('RemoteManagers'))}.",
            )
        case "locked":
            return NoSwarm(
                f"The swarm at {host} is locked.", "Run `docker swarm unlock` with its unlock key."
            )
        case "error" | "pending":
            return NoSwarm(
                f"The node at {host} is in its swarm but cannot work in it (state {swarm['LocalNodeState']}).",
                "`docker info` shows the error; quorum may be lost.",
            )
    return NoSwarm(
        f"The engine at {host} is not part of a swarm.",
        "Run `docker swarm init`, or name a manager with --host.",
    )


def _managers(remote: Iterable[Mapping[str, Any]] | None) -> str:
    addresses = [clean(str(each.get("Addr", ""))) for each in remote or ()]
    return f" (managers: {listed(addresses)})" if addresses else ""
