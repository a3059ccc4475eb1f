"""Reads a swarm through the Docker Engine API. Nothing in here can change anything."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from console.concurrency import together
from console.errors import EngineNotFound, MalformedReply, Result, Unknown, VipconsoleError, unknown_from
from console.swarm import parse, parse_engine
from console.swarm.client import NO_VERSION, EngineConnection
from console.swarm.failures import GARBAGE, not_a_manager, timeout_error
from console.swarm.model import (
    COUNTING_API,
    Container,
    Endpoint,
    Engine,
    Event,
    Network,
    NetworkDetail,
    Node,
    ObjectKind,
    Service,
    StackObject,
    SwarmState,
    Task,
)
from console.swarm.paths import CONTAINERS, MANAGERS, RUNNING_CONTAINERS, TASKS, events_path, path_of
from console.swarm.replies import read_events, read_rows, reply_or_error, require_reply
from console.swarm.snapshots import (
    OverlayAttachments,
    StackSnapshot,
    WholeSwarm,
    attachments_of,
    published_ports,
)

T = TypeVar("T")

STARTED_AGAIN = ("always", "unless-stopped")
"""Restart policies by which dockerd starts a container when it is started itself; `on-failure` does not
(docs.docker.com, "Start containers automatically")."""
NOT_FOUND = Unknown("The engine lists this network but does not find it.", "Try again in a moment.")


class SwarmReader(Protocol):
    """Reads a swarm.

    A `SwarmState` says for each part that fails why it is unknown. Everything else is whole: a method raises an
    `EngineError` or `SwarmError` where it cannot read what it returns.
    """

    @property
    def host(self) -> str:
        """The address of the engine that is asked."""
        ...

    async def state(self, deadline_s: float) -> SwarmState:
        """Return the swarm as it is now; parts that fail or are not there by the deadline are unknown.

        Where the engine counts addresses, its clock is read before the counts, and the holders after them.
        """
        ...

    async def events(self, since: datetime, until: datetime) -> tuple[Event, ...]:
        """Return what the engine tells of a time by its own clock: its latest 256 events at most, one call."""
        ...

    async def lists(self, deadline_s: float) -> SwarmState:
        """Return the swarm as it is now, as `state` does, but inspect no network: five calls, however many there are."""
        ...

    async def nodes(self, deadline_s: float) -> Result[tuple[Node, ...]]:
        """Return the nodes as they are now: one call; unknown where it fails or is not there by the deadline."""
        ...

    async def engine_and_nodes(self, deadline_s: float) -> tuple[Result[Engine], Result[tuple[Node, ...]]]:
        """Return the engine and the nodes of its swarm: two calls, while a change of the managers is waited for."""
        ...

    async def snapshot(self) -> WholeSwarm:
        """Return everything that overlays can be entangled with: six calls."""
        ...

    async def stack_snapshot(self) -> StackSnapshot:
        """Return everything that stacks consist of: eight calls."""
        ...

    async def engine(self) -> Engine:
        """Return the engine and its place in the swarm: one call."""
        ...

    async def service(self, service_id: str) -> Service:
        """Return one service as it is now; raise EngineNotFound where the engine does not find it."""
        ...

    async def find_service(self, service_id: str) -> Service | None:
        """Return one service as it is now; None only where the list of services lacks it too."""
        ...

    async def find_endpoint(self, container_id: str, network: str) -> Endpoint | None:
        """Return how a container of this node is attached to a network, by its name; None where it is not there."""
        ...

    async def attachments(self, network: str) -> OverlayAttachments | None:
        """Return what is attached to the overlay of this name; None where there is none."""
        ...

    async def published_ports(self) -> Mapping[int, tuple[str, ...]]:
        """Return the ports of this node that containers outside the swarm publish, with the names of those."""
        ...

    async def containers_that_stay_down(self) -> tuple[str, ...]:
        """Return the running containers outside the swarm that a restart of dockerd would leave down, by name."""
        ...

    async def manager_ids(self) -> frozenset[str]:
        """Return the nodes that are managers now, whatever their specifications ask for."""
        ...

    async def has_allocated_task(self, service_id: str) -> bool:
        """Whether the leader's allocator has had a task of a service."""
        ...


class EngineReader:
    """Reads the swarm of the engine behind a connection."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection

    @property
    def host(self) -> str:
        """The address of the engine that is asked."""
        return self._connection.host

    async def state(self, deadline_s: float) -> SwarmState:
        end = asyncio.get_running_loop().time() + deadline_s
        if self._connection.api_version == NO_VERSION:
            agreed = await self._part(end, "describe itself", self._connection.ask("describe itself", bool))
            if isinstance(agreed, Unknown):
                return SwarmState(agreed, agreed, agreed, agreed, agreed)
        if self._connection.api_version >= COUNTING_API:
            return await self._ordered_state(end)
        return await self._state(end, self._networks(end))

    async def events(self, since: datetime, until: datetime) -> tuple[Event, ...]:
        """Return what the engine tells of a time by its own clock."""
        path = events_path(since, until)
        return await self._connection.ask(
            "tell its events",
            lambda client: self._parse("its events", read_events, client.get(path)),
        )

    async def lists(self, deadline_s: float) -> SwarmState:
        end = asyncio.get_running_loop().time() + deadline_s
        return await self._state(end, self._list_networks())

    async def nodes(self, deadline_s: float) -> Result[tuple[Node, ...]]:
        end = asyncio.get_running_loop().time() + deadline_s
        return await self._part(end, "list the nodes", self._list_nodes())

    async def engine_and_nodes(self, deadline_s: float) -> tuple[Result[Engine], Result[tuple[Node, ...]]]:
        end = asyncio.get_running_loop().time() + deadline_s
        return await together(self._part(end, "describe itself", self.engine()), self.nodes(deadline_s))

    async def snapshot(self) -> WholeSwarm:
        # All are waited for, also when one fails: calls that nobody waits for would outlive their connection.
        engine, networks, services, tasks, nodes, containers = await together(
            reply_or_error(self.engine()),
            reply_or_error(self._list_networks()),
            reply_or_error(self._list_services()),
            reply_or_error(self._list_tasks()),
            reply_or_error(self._list_nodes()),
            reply_or_error(self._list_containers(CONTAINERS)),
        )
        return WholeSwarm(
            require_reply(engine),
            require_reply(networks),
            require_reply(services),
            require_reply(tasks),
            require_reply(nodes),
            require_reply(containers),
        )

    async def stack_snapshot(self) -> StackSnapshot:
        snapshot, secrets, configs = await together(
            reply_or_error(self.snapshot()),
            reply_or_error(self._list_stack_objects(ObjectKind.SECRET)),
            reply_or_error(self._list_stack_objects(ObjectKind.CONFIG)),
        )
        return StackSnapshot.of(require_reply(snapshot), require_reply(secrets), require_reply(configs))

    async def engine(self) -> Engine:
        return await self._get("describe itself", "its description of itself", "/info", self._manager)

    async def service(self, service_id: str) -> Service:
        path = f"/services/{quote(service_id, safe='')}"
        return await self._get("inspect a service", "its inspection of a service", path, parse.service)

    async def find_service(self, service_id: str) -> Service | None:
        try:
            return await self.service(service_id)
        except EngineNotFound:
            # Only the list tells that something is gone: an operation that acts on that gives it up for good.
            return next(
                (service for service in await self._list_services() if service.id == service_id), None
            )

    async def find_endpoint(self, container_id: str, network: str) -> Endpoint | None:
        read = partial(parse_engine.endpoint, network=network)
        try:
            return await self._inspect_container(container_id, read)
        except EngineNotFound:
            if any(container.id == container_id for container in await self._list_containers(CONTAINERS)):
                raise
            return None

    async def attachments(self, network: str) -> OverlayAttachments | None:
        overlays = [
            overlay
            for overlay in await self._list_networks()
            if overlay.name == network and overlay.scope == "swarm"
        ]
        if not overlays:
            return None
        services, tasks, names = await together(
            self._list_services(), self._list_tasks(), self._local_names(overlays[0])
        )
        return self._parse(
            "its list of services", lambda _: attachments_of(overlays[0], services, tasks, names), None
        )

    async def published_ports(self) -> Mapping[int, tuple[str, ...]]:
        return published_ports(await self._list_containers(RUNNING_CONTAINERS))

    async def containers_that_stay_down(self) -> tuple[str, ...]:
        containers = await self._list_containers(RUNNING_CONTAINERS)
        names = await together(
            *(self._name_if_it_stays_down(container) for container in containers if not container.task_id)
        )
        return tuple(sorted(name for name in names if name))

    async def manager_ids(self) -> frozenset[str]:
        return frozenset(node.id for node in await self._list("managers", MANAGERS, parse.node))

    async def has_allocated_task(self, service_id: str) -> bool:
        path = f"/tasks?filters={quote(json.dumps({'service': [service_id]}))}"
        return any(task.state != "new" for task in await self._list("tasks of a service", path, parse.task))

    async def _ordered_state(self, end: float) -> SwarmState:
        """Return the swarm, its clock read before the counts and the holders after them; see `console.addresses.settling`."""
        engine = await self._part(end, "describe itself", self.engine())
        networks = await self._part(end, "list the networks", self._networks(end))
        services, tasks, nodes = await together(
            self._part(end, "list the services", self._list_services()),
            self._part(end, "list the tasks", self._list_tasks()),
            self._part(end, "list the nodes", self._list_nodes()),
        )
        return SwarmState(engine, networks, services, tasks, nodes)

    async def _state(self, end: float, listing: Awaitable[tuple[Network, ...]]) -> SwarmState:
        engine, networks, services, tasks, nodes = await together(
            self._part(end, "describe itself", self.engine()),
            self._part(end, "list the networks", listing),
            self._part(end, "list the services", self._list_services()),
            self._part(end, "list the tasks", self._list_tasks()),
            self._part(end, "list the nodes", self._list_nodes()),
        )
        return SwarmState(engine, networks, services, tasks, nodes)

    async def _part(self, end: float, purpose: str, answer: Awaitable[T]) -> Result[T]:
        try:
            async with asyncio.timeout_at(end):
                return await answer
        except TimeoutError:
            return unknown_from(timeout_error(self.host, purpose))
        except VipconsoleError as error:
            return unknown_from(error)

    def _manager(self, data: Mapping[str, Any]) -> Engine:
        error = not_a_manager(data, self.host)
        if error is not None:
            raise error
        return parse_engine.engine(data, self._connection.api_version)

    async def _list_networks(self) -> tuple[Network, ...]:
        return await self._list("networks", "/networks", parse.network)

    async def _list_services(self) -> tuple[Service, ...]:
        return await self._list("services", "/services", parse.service)

    async def _list_tasks(self) -> tuple[Task, ...]:
        return await self._list("tasks", TASKS, parse.task)

    async def _list_nodes(self) -> tuple[Node, ...]:
        return await self._list("nodes", "/nodes", parse.node)

    async def _list_containers(self, path: str) -> tuple[Container, ...]:
        return await self._list("containers", path, parse_engine.container)

    async def _list_stack_objects(self, kind: ObjectKind) -> tuple[StackObject, ...]:
        return await self._list(f"{kind}s", f"/{kind}s", partial(parse.stack_object, kind))

    async def _inspect_container(self, container_id: str, read: Callable[[Mapping[str, Any]], T]) -> T:
        path = f"/containers/{quote(container_id, safe='')}/json"
        return await self._get("inspect a container", "its inspection of a container", path, read)

    async def _name_if_it_stays_down(self, container: Container) -> str:
        try:
            name, policy = await self._inspect_container(container.id, parse_engine.restart_policy)
        except EngineNotFound:
            return ""
        return "" if policy in STARTED_AGAIN else name

    async def _local_names(self, network: Network) -> Mapping[str, str]:
        """Return the names of containers on the network by ID, as far as the node that is asked knows them."""
        path = path_of(network.id)
        try:
            detail = await self._get(
                "inspect a network", "its inspection of a network", path, parse.network_detail
            )
        except EngineNotFound:
            # An engine may answer this for a healthy network; then containers are named by their ID.
            return {}
        return {endpoint.key: endpoint.name for endpoint in detail.endpoints}

    async def _list(self, what: str, path: str, parser: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
        return await self._get(f"list the {what}", f"its list of {what}", path, partial(read_rows, parser))

    async def _networks(self, end: float) -> tuple[Network, ...]:
        networks = await self._list_networks()
        details = await self._details_of([network for network in networks if network.is_overlay], end)
        return tuple(
            replace(network, detail=details[network.id]) if network.is_overlay else network
            for network in networks
            if not network.is_overlay or network.id in details
        )

    async def _details_of(
        self, networks: Iterable[Network], end: float
    ) -> Mapping[str, Result[NetworkDetail]]:
        """Return what the inspection of each network tells, by ID; those that are gone meanwhile are left out."""
        overlays = tuple(networks)
        details = dict(
            zip(
                (network.id for network in overlays),
                await together(*(self._detail(network, end) for network in overlays)),
                strict=True,
            )
        )
        missing_ids = {network_id for network_id, detail in details.items() if detail is None}
        if missing_ids:
            # An engine may answer 404 for a healthy network; only the list tells whether it is gone.
            missing_ids -= {network.id for network in await self._list_networks()}
        return {
            network_id: detail or NOT_FOUND
            for network_id, detail in details.items()
            if network_id not in missing_ids
        }

    async def _detail(self, network: Network, end: float) -> Result[NetworkDetail] | None:
        purpose, what = f"inspect the network {network.name}", f"its inspection of the network {network.name}"
        try:
            async with asyncio.timeout_at(end):
                return await self._get(purpose, what, path_of(network.id), parse.network_detail)
        except EngineNotFound:
            return None
        except TimeoutError:
            return unknown_from(timeout_error(self.host, purpose))
        except VipconsoleError as error:
            return unknown_from(error)

    async def _get(self, purpose: str, what: str, path: str, parser: Callable[[Any], T]) -> T:
        """Return what the engine answers, made a value by the thread that asked: much text takes long to read.

        `purpose` and `what` say in words what is asked and what the answer is, for errors.
        """

        def read(answer: bytes) -> T:
            return self._parse(what, parser, json.loads(answer))

        return await self._connection.ask(purpose, lambda client: self._read(path, client.get(path), read))

    def _parse(self, what: str, parser: Callable[[Any], T], data: object) -> T:
        try:
            return parser(data)
        except GARBAGE as error:
            raise MalformedReply(
                f"The engine at {self.host} sent a malformed reply: {what} ({type(error).__name__}).",
                "If a proxy is in between, bypass it. Otherwise report this with the engine's version.",
            ) from error

    def _read(self, path: str, answer: bytes, read: Callable[[bytes], T]) -> T:  # noqa: ARG002 - a reader that reads again goes by the path
        return read(answer)
