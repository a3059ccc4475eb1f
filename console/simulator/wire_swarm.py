"""Services, tasks, nodes, containers and the engine itself in the words of the Engine API."""

from collections.abc import Sequence

from console.simulator.filters import LOCKED
from console.simulator.joining import AnyEngine
from console.simulator.managers import NO_LEADER
from console.simulator.objects import (
    Json,
    SimContainer,
    SimData,
    SimEndpoint,
    SimNode,
    SimService,
    SimTask,
)
from console.simulator.store import Store
from console.simulator.wire_networks import date, task_network_json

DNS_NAMES_FROM = (1, 45)
"""The API version from which the beginning of a container's ID is no longer one of its aliases."""


def service_json(service: SimService) -> Json:
    """Return a service. Its `Endpoint` is empty while it has no virtual IP, also where it wants none."""
    endpoint: Json = {"Spec": {}}
    if service.vips:
        spec = service.spec.get("EndpointSpec") or {}
        endpoint["Spec"] = {key: value for key, value in spec.items() if value}
        if service.ports:
            endpoint["Ports"] = service.ports
        endpoint["VirtualIPs"] = [
            {"NetworkID": network_id, "Addr": address} for network_id, address in service.vips
        ]
    data: Json = {
        "ID": service.id,
        "Version": {"Index": service.index},
        "CreatedAt": date(service.created),
        "UpdatedAt": date(service.updated),
        "Spec": service.spec,
        "Endpoint": endpoint,
    }
    if service.previous_spec is not None:
        data["PreviousSpec"] = service.previous_spec
    if service.update_status is not None:
        status = dict(service.update_status)
        for key in ("StartedAt", "CompletedAt"):
            if key in status:
                status[key] = date(status[key])
        data["UpdateStatus"] = status
    return data


def service_status_json(service: SimService, store: Store) -> Json:
    """Return how many tasks of a service run, and how many it wants."""
    tasks = store.tasks_of(service.id)
    desired = sum(task.is_wanted for task in tasks)
    return {
        "RunningTasks": sum(task.state == "running" for task in tasks),
        "DesiredTasks": desired if service.replicas is None else service.replicas,
        "CompletedTasks": sum(task.state == "complete" for task in tasks),
    }


def task_json(task: SimTask, network_cache: dict[str, Json]) -> Json:
    """Return a task. `network_cache` keeps the networks that were written already, by ID and version."""
    status: Json = {
        "Timestamp": date(task.since or task.created),
        "State": task.state,
        "Message": task.message,
    }
    if task.error:
        status["Err"] = task.error
    if task.container_id or task.state == "rejected":
        status["ContainerStatus"] = {
            "ContainerID": task.container_id,
            "PID": 4242 if task.state == "running" else 0,
            "ExitCode": task.exit_code,
        }
    status["PortStatus"] = {}
    data: Json = {
        "ID": task.id,
        "Version": {"Index": task.index},
        "CreatedAt": date(task.created),
        "UpdatedAt": date(task.updated),
        "Labels": {},
        "Spec": task.spec if task.is_attachment else {k: v for k, v in task.spec.items() if k != "Runtime"},
    }
    if task.service_id:
        data["ServiceID"] = task.service_id
    if task.slot:
        data["Slot"] = task.slot
    if task.node_id:
        data["NodeID"] = task.node_id
    data["Status"] = status
    data["DesiredState"] = task.desired
    if task.attachments:
        attachments = []
        for network, address in task.attachments:
            key = f"{network.id}.{network.index}"
            if key not in network_cache:
                network_cache[key] = task_network_json(network)
            attachments.append({"Network": network_cache[key], "Addresses": [address]})
        data["NetworksAttachments"] = attachments
    return data


def data_json(thing: SimData) -> Json:
    """Return a secret or a config; only a config tells what it holds."""
    spec: Json = {"Name": thing.name, "Labels": thing.labels}
    return {
        "ID": thing.id,
        "Version": {"Index": thing.index},
        "CreatedAt": date(thing.created),
        "UpdatedAt": date(thing.created),
        "Spec": {**spec, "Data": thing.data} if thing.data else spec,
    }


def node_json(engine: AnyEngine, node: SimNode) -> Json:
    """Return a node. Its load-balancer addresses are not told, as with the engine."""
    data: Json = {
        "ID": node.id,
        "Version": {"Index": node.index},
        "CreatedAt": date(engine.start),
        "UpdatedAt": date(engine.start),
        "Spec": {"Labels": node.labels, "Role": node.desired_role, "Availability": node.availability},
        "Description": {
            "Hostname": node.hostname,
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 8_000_000_000, "MemoryBytes": 33_000_000_000},
            "Engine": {"EngineVersion": engine.identity.version},
        },
        "Status": {
            "State": node.state,
            **({"Message": node.message} if node.message else {}),
            "Addr": node.address,
        },
    }
    if node.role == "manager":
        data["ManagerStatus"] = {
            **({"Leader": True} if node.is_leader else {}),
            "Reachability": "reachable" if node.is_reachable else "unreachable",
            "Addr": f"{node.address}:2377",
        }
    return data


def container_json(engine: AnyEngine, container: SimContainer) -> Json:
    """Return a container as the list shows it."""
    is_running = container.state == "running"
    return {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": container.image,
        "ImageID": "sha256:" + "5" * 64,
        "Command": " ".join(container.command),
        "Created": int(container.created.timestamp()),
        "Ports": [],
        "Labels": container.labels,
        "State": container.state,
        "Status": "Up" if is_running else f"Exited ({container.exit_code})",
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": _attachments(engine, container)},
        "Mounts": [],
    }


def container_detail_json(engine: AnyEngine, container: SimContainer) -> Json:
    """Return a container as its inspection shows it."""
    is_running = container.state == "running"
    return {
        "Id": container.id,
        "Created": date(container.created),
        "Path": container.command[0] if container.command else "",
        "Args": container.command[1:],
        "State": {
            "Status": container.state,
            "Running": is_running,
            "Paused": False,
            "Restarting": False,
            "Pid": 4242 if is_running else 0,
            "ExitCode": container.exit_code,
            "Error": "",
            "StartedAt": date(container.started) if container.started else "0001-01-01T00:00:00Z",
        },
        "Image": "sha256:" + "5" * 64,
        "Name": f"/{container.name}",
        "RestartCount": 0,
        "HostConfig": {
            "NetworkMode": container.endpoints[0].name if container.endpoints else "default",
            "RestartPolicy": {"Name": container.restart, "MaximumRetryCount": 0},
        },
        "Config": {"Hostname": container.id[:12], "Image": container.image, "Labels": container.labels},
        "NetworkSettings": {"Networks": _attachments(engine, container)},
    }


def _attachments(engine: AnyEngine, container: SimContainer) -> Json:
    addresses = {network.id: (network.name, address) for network, address in container.attachments}
    if container.task_id:
        return {
            name: _attachment(SimEndpoint(name, key), address) for key, (name, address) in addresses.items()
        }
    data: Json = {}
    for endpoint in container.endpoints:
        _, address = addresses.get(endpoint.network_id, ("", ""))
        aliases = list(endpoint.aliases)
        if endpoint.network_id and engine.identity.api < DNS_NAMES_FROM:
            aliases.append(container.id[:12])
        data[endpoint.name] = _attachment(endpoint, address if container.state == "running" else "", aliases)
    return data


def _attachment(endpoint: SimEndpoint, address: str, aliases: Sequence[str] = ()) -> Json:
    plain, _, length = address.partition("/")
    ipam_address = plain or endpoint.address
    return {
        "IPAMConfig": {"IPv4Address": ipam_address} if ipam_address else None,
        "Links": None,
        "Aliases": [*aliases] or None,
        "NetworkID": endpoint.network_id,
        "EndpointID": f"{endpoint.network_id:0<64}" if plain else "",
        "Gateway": "",
        "IPAddress": plain,
        "IPPrefixLen": int(length) if plain else 0,
        "DriverOpts": None,
    }


def version_json(engine: AnyEngine) -> Json:
    """Return the engine's version and the API versions it speaks."""
    identity = engine.identity
    return {
        "Platform": {"Name": "simulated engine"},
        "Components": [],
        "Version": identity.version,
        "ApiVersion": identity.api_version,
        "MinAPIVersion": minimum_api(engine),
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": "6.12.0",
        "GitCommit": "simulated",
        "GoVersion": "",
    }


def minimum_api(engine: AnyEngine) -> str:
    """Return the oldest API version that the engine accepts."""
    api = engine.identity.api
    return "1.12" if api < (1, 44) else "1.24" if api < (1, 52) else "1.44"


def info_json(engine: AnyEngine) -> Json:
    """Return what the engine says of itself and of its place in the swarm."""
    identity = engine.identity
    states = [container.state for container in engine.store.containers.values()]
    return {
        "ID": "SIMU:LATE:DENG:INE0",
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": 0,
        "ContainersStopped": len(states) - states.count("running"),
        "Images": len(identity.images or ()),
        "Driver": "overlay2",
        "SystemTime": date(engine.now),
        "LoggingDriver": "journald",
        "OperatingSystem": "simulated",
        "OSType": "linux",
        "Architecture": "x86_64",
        "NCPU": 8,
        "MemTotal": 33_000_000_000,
        "DockerRootDir": engine.root_dir,
        "Name": identity.host,
        "ServerVersion": identity.version,
        "LiveRestoreEnabled": False,
        "Swarm": _swarm_info(engine),
        "Warnings": None,
    }


def _swarm_info(engine: AnyEngine) -> Json:
    membership = engine.identity.membership
    data: Json = {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    }
    if membership == "none":
        return data
    if membership == "locked":
        return {**data, "NodeAddr": engine.node.address, "LocalNodeState": "locked", "Error": LOCKED}
    managers = engine.managers.all
    data.update(
        NodeID=engine.node.id,
        NodeAddr=engine.node.address,
        LocalNodeState="pending" if membership == "pending" else "active",
        RemoteManagers=[{"NodeID": node.id, "Addr": f"{node.address}:2377"} for node in managers],
    )
    if membership == "manager" and not engine.node.is_preparing:
        data["ControlAvailable"] = True
        if engine.managers.leader is None:
            data["Error"] = NO_LEADER
        else:
            data.update(Nodes=len(engine.store.nodes), Managers=len(managers), Cluster=cluster_json(engine))
    return data


def cluster_json(engine: AnyEngine) -> Json:
    """Return the swarm itself, without its join tokens."""
    return {
        "ID": engine.cluster_id,
        "Version": {"Index": engine.membership.index},
        "CreatedAt": date(engine.start),
        "UpdatedAt": date(engine.membership.updated),
        "Spec": engine.membership.spec,
        "RootRotationInProgress": False,
        "DefaultAddrPool": ["10.0.0.0/8"],
        "SubnetSize": 24,
        "DataPathPort": 4789,
    }
