"""Small simulated swarms, and what holds in every one of them."""

from datetime import UTC, datetime
from typing import Any

from console.simulator.api import Request, Response, answer
from console.simulator.engine import EngineInfo, SimulatedEngine

START = datetime(2026, 6, 1, tzinfo=UTC)


def a_swarm(api_version: str = "1.52", images: frozenset[str] | None = None, **more: Any) -> SimulatedEngine:
    return SimulatedEngine(EngineInfo(api_version, images=images), START, **more)


def a_network(engine: SimulatedEngine, name: str = "proxy", subnet: str = "10.0.1.0/28", **more: Any) -> str:
    body = {
        "Name": name,
        "Driver": "overlay",
        "Attachable": True,
        "IPAM": {"Config": [{"Subnet": subnet, **more}]},
    }
    network = engine.networks.create(body)
    engine.advance(0.1)
    return network


def a_service(
    engine: SimulatedEngine,
    *networks: str,
    name: str = "app",
    replicas: int = 1,
    command: str = "sleep 86400",
    image: str = "busybox",
    grace_s: float = 2.0,
    mode: str = "vip",
    constraint: str = "",
) -> str:
    return engine.services.create(
        {
            "Name": name,
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": image,
                    "Args": ["sh", "-c", command],
                    "StopGracePeriod": round(grace_s * 1e9),
                },
                "Networks": [{"Target": each} for each in networks],
                "Placement": {"Constraints": [constraint]} if constraint else {},
            },
            "Mode": {"Replicated": {"Replicas": replicas}},
            "EndpointSpec": {"Mode": mode},
        }
    )


def states(engine: SimulatedEngine, service: str) -> list[str]:
    return [task.state for task in engine.store.tasks_of(service)]


def get(engine: SimulatedEngine, path: str, **query: str) -> Response:
    return answer(engine, Request("GET", path, query))


def check_pools(engine: SimulatedEngine) -> None:
    """Every address that an object names is held for it, once, and nothing else is held but leaks."""
    expected: dict[tuple[str, str], tuple[str, str]] = {}

    def expect(network_id: str, address: str, kind: str, identity: str) -> None:
        key = (network_id, address.partition("/")[0])
        assert key not in expected, f"{address} is held twice"
        expected[key] = (kind, identity)

    for service in engine.store.services.values():
        for network_id, address in service.vips:
            expect(network_id, address, "vip", service.id)
    for node in engine.store.nodes.values():
        for network_id, address in node.balancers.items():
            if network_id in engine.store.networks:
                expect(network_id, address, "balancer", node.id)
    for task in engine.store.tasks.values():
        for network, address in task.attachments if task.is_alive else []:
            if network.id in engine.store.networks:
                expect(network.id, address, "task", task.id)
    held = {
        (network_id, pool.address_text(at)): (holder.kind, holder.id)
        for network_id, pools in engine.allocator.pools.pools.items()
        for pool in pools
        for at, holder in pool.holders.items()
        if holder.kind not in ("reserved", "gateway", "leaked")
    }
    assert held == expected
