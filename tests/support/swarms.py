"""Builders of swarm values for tests of what is pure: each takes only what a test is about."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network

from console.addresses.leaks import LeakEntry
from console.diagnosis.values import Snapshot
from console.errors import Result, Unknown
from console.host.activity import Route
from console.journal.summary import Summary, summarise
from console.swarm.model import (
    Engine,
    LocalEndpoint,
    Network,
    NetworkDetail,
    Node,
    Service,
    Subnet,
    SubnetUse,
    SwarmState,
    Task,
    TaskAttachment,
    VirtualIP,
)

NOW = datetime(2026, 6, 12, 2, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=11)
HERE = Node("node-here", "ci-host", "ready", "active", is_manager=True, is_leader=True)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def subnet(cidr: str, gateway: str | None = "", ip_range: str | None = None) -> Subnet:
    network = ip_network(cidr)
    first = str(network.network_address + 1) if gateway == "" else gateway
    return Subnet(network, ip_address(first) if first else None, ip_network(ip_range) if ip_range else None)


def network(
    name: str = "proxy",
    *cidrs: str | Subnet,
    id: str = "",  # noqa: A002 - the engine's own word
    driver: str = "overlay",
    scope: str = "swarm",
    ingress: bool = False,
    created: datetime = LONG_AGO,
    load_balancer: str = "",
    peers: int | None = None,
    use: dict[str, tuple[int, int]] | None = None,
    detail: Result[NetworkDetail] | None = None,
) -> Network:
    endpoints: tuple[LocalEndpoint, ...] = ()
    if load_balancer:
        address = ip_address(load_balancer)
        endpoints = (
            LocalEndpoint(f"lb-{name}", f"{name}-endpoint", address if address.version == 4 else None),
        )
    counted = {cidr: SubnetUse(*figures) for cidr, figures in (use or {}).items()}
    return Network(
        id=id or f"id-{name}",
        name=name,
        driver=driver,
        scope=scope,
        created=created,
        ingress=ingress,
        attachable=True,
        subnets=tuple(each if isinstance(each, Subnet) else subnet(each) for each in cidrs),
        detail=detail or NetworkDetail(endpoints, peers, counted),
    )


def service(
    name: str,
    *vips: tuple[str, str],
    networks: Iterable[str] = (),
    mode: str = "vip",
    updated: datetime = LONG_AGO,
    publishes_ingress: bool = False,
) -> Service:
    return Service(
        id=f"id-{name}",
        name=name,
        stack=name.partition("_")[0],
        created=LONG_AGO,
        updated=updated,
        endpoint_mode=mode,
        network_ids=tuple(networks) or tuple(network_id for network_id, _ in vips),
        publishes_ingress=publishes_ingress,
        virtual_ips=tuple(VirtualIP(network_id, ip_address(address)) for network_id, address in vips),
        replicas=1,
    )


def task(
    service_name: str,
    *addresses: tuple[str, str],
    slot: int = 1,
    state: str = "running",
    desired: str = "running",
    since: datetime = LONG_AGO,
    node: str = HERE.id,
    error: str = "",
    container: str = "",
) -> Task:
    return Task(
        id=f"task-{service_name}-{slot}-{state}",
        service_id="" if container else f"id-{service_name}",
        slot=slot,
        node_id=node,
        state=state,
        desired_state=desired,
        since=since,
        message="",
        error=error,
        container_id=container,
        is_standalone=bool(container),
        attachments=tuple(
            TaskAttachment(where, where, (ip_address(address),)) for where, address in addresses
        ),
    )


def engine(api: tuple[int, int] = (1, 41), node_id: str = HERE.id) -> Engine:
    version = "29.1.0" if api >= (1, 52) else "20.10.24"
    return Engine("ci-host", version, api, NOW, node_id, "cluster", 1, 1)


def swarm(
    networks: Result[tuple[Network, ...]] | Iterable[Network] = (),
    services: Result[tuple[Service, ...]] | Iterable[Service] = (),
    tasks: Result[tuple[Task, ...]] | Iterable[Task] = (),
    nodes: Result[tuple[Node, ...]] | Iterable[Node] = (HERE,),
    api: tuple[int, int] = (1, 41),
    node_id: str = HERE.id,
) -> SwarmState:
    return SwarmState(
        engine(api, node_id),
        networks if isinstance(networks, Unknown) else tuple(networks),
        services if isinstance(services, Unknown) else tuple(services),
        tasks if isinstance(tasks, Unknown) else tuple(tasks),
        nodes if isinstance(nodes, Unknown) else tuple(nodes),
    )


def entry(network_id: str, *addresses: str, stack: str = "ghost", ended_at: datetime = NOW) -> LeakEntry:
    """Return what a task of a stack was seen to leak on a network."""
    lost = tuple(map(IPv4Address, addresses))
    name = f"{stack}_app"
    task_id = f"task-{stack}-{lost[0]}"
    return LeakEntry(
        network_id, network_id, lost, task_id, f"{name}.1", name, stack, f"{stack}_internal", ended_at
    )


def snapshot(
    state: SwarmState,
    *,
    earlier: SwarmState | None = None,
    routes: Result[tuple[Route, ...]] = (),
    journal: Result[Summary] | None = None,
    host: str = "unix:///var/run/docker.sock",
) -> Snapshot:
    silent = summarise([], {}, 3600) if journal is None else journal
    return Snapshot(host, NOW, 0.1, state, earlier, routes, silent)
