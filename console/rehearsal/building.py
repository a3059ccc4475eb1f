"""Builds the shape of a swarm on a private engine: its node, networks, services and containers."""

from collections.abc import Callable, Mapping
from typing import Any

from console.clock import Clock
from console.concurrency import until
from console.rehearsal.image import IGNORES_STOP, IMAGE, REPOSITORY, STOPS_AT_ONCE, TAG, image_tar
from console.rehearsal.shape import STACK_LABEL, ContainerShape, ServiceShape, Shape, StopBehavior
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader

RUNNING_WITHIN_S, RUNNING_WITHIN_EACH_S = 60.0, 3.0
"""For how long tasks are waited for: at least, and for each of them."""
_POLL_S = 0.25
_NANOSECONDS = 1_000_000_000
Tell = Callable[[str], object]


async def build(shape: Shape, connection: EngineConnection, clock: Clock, tell: Tell) -> tuple[str, ...]:
    """Build a shape, wait until it runs, and return the names of the services that do not. Raises an EngineError."""
    changer, reader = EngineChanger(connection, lambda _: None), EngineReader(connection)
    await connection.ask(
        "make a swarm", lambda client: client.send("POST", "/swarm/init", body=_swarm(shape))
    )
    image = image_tar()
    await connection.ask(
        "import the image",
        lambda client: client.upload(
            "/images/create", image, {"fromSrc": "-", "repo": REPOSITORY, "tag": TAG}
        ),
    )
    here = (await reader.engine()).node_id
    if shape.node_labels:
        labels = dict(shape.node_labels)
        await changer.update_node(here, lambda spec: spec.update(Labels=labels))
    tell(f"building {len(shape.networks)} networks and {len(shape.services)} services")
    ids = {network.name: await changer.create_network(network.body) for network in shape.networks}
    for service in shape.services:
        await changer.create_service(service_spec(service, ids))
    for container in shape.containers:
        await _create_container(container, ids, connection, changer)
    wanted = {service.name: service.tasks() for service in shape.services}

    async def are_running() -> bool:
        return not await _not_running(reader, wanted)

    await until(are_running, clock, RUNNING_WITHIN_S + RUNNING_WITHIN_EACH_S * shape.tasks, _POLL_S)
    return await _not_running(reader, wanted)


def service_spec(service: ServiceShape, network_ids: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the specification of a service of the rehearsal."""
    command = IGNORES_STOP if service.stop is StopBehavior.WHOLE_GRACE else STOPS_AT_ONCE
    return {
        "Name": service.name,
        "Labels": {STACK_LABEL: service.stack} if service.stack else {},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": IMAGE,
                "Command": list(command),
                "StopGracePeriod": round(service.grace_s * _NANOSECONDS),
                "Labels": {STACK_LABEL: service.stack} if service.stack else {},
            },
            "RestartPolicy": dict(service.restart),
            "Placement": {"Constraints": list(service.constraints)},
            "Networks": [
                {"Target": network_ids[one.network], "Aliases": list(one.aliases)} for one in service.networks
            ],
        },
        "Mode": {"Global": {}}
        if service.mode == "global"
        else {"Replicated": {"Replicas": service.replicas}},
        **({"UpdateConfig": dict(service.update)} if service.update else {}),
        **({"RollbackConfig": dict(service.rollback)} if service.rollback else {}),
        "EndpointSpec": {"Mode": service.endpoint_mode, "Ports": [dict(port) for port in service.ports]},
    }


def _swarm(shape: Shape) -> Mapping[str, Any]:
    pools = {"DefaultAddrPool": list(shape.pools), "SubnetSize": 24} if shape.pools else {}
    return {"AdvertiseAddr": "127.0.0.1", "ListenAddr": "0.0.0.0:2377", **pools}


async def _create_container(
    shape: ContainerShape, ids: Mapping[str, str], connection: EngineConnection, changer: EngineChanger
) -> None:
    first, *others = shape.networks
    attached = {first.network: _endpoint(first.aliases, first.address)}
    body = {
        "Image": IMAGE,
        "Entrypoint": list(STOPS_AT_ONCE),
        "HostConfig": {"NetworkMode": first.network},
        "NetworkingConfig": {"EndpointsConfig": attached},
    }

    created = await connection.ask(
        f"create the container {shape.name}",
        lambda client: client.send("POST", "/containers/create", body=body, params={"name": shape.name}),
    )
    container = str(created["Id"])
    for other in others:
        await changer.connect(ids[other.network], container, _endpoint(other.aliases, other.address))
    path = f"/containers/{container}"
    await connection.ask(
        f"start the container {shape.name}", lambda client: client.send("POST", f"{path}/start")
    )
    if not shape.is_running:
        await connection.ask(
            f"stop the container {shape.name}",
            lambda client: client.send("POST", f"{path}/stop", params={"t": "1"}),
        )


def _endpoint(aliases: tuple[str, ...], address: str) -> Mapping[str, Any]:
    return {"Aliases": list(aliases), **({"IPAMConfig": {"IPv4Address": address}} if address else {})}


async def _not_running(reader: EngineReader, wanted: Mapping[str, int]) -> tuple[str, ...]:
    snapshot = await reader.snapshot()
    names = {service.id: service.name for service in snapshot.services}
    running = dict.fromkeys(wanted, 0)
    for task in snapshot.tasks:
        name = names.get(task.service_id)
        if name in running and task.state == task.desired_state == "running":
            running[name] += 1
    return tuple(name for name, count in wanted.items() if running[name] < count)
