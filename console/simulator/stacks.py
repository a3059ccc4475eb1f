"""Stacks as `docker stack deploy` and `docker stack rm` handle them, on a simulated engine."""

from console.frozen import frozen
from console.simulator.engine import SimulatedEngine

NAMESPACE = "com.docker.stack.namespace"


@frozen
class Part:
    """A service of a stack: its name there, the networks it is on besides `internal`, and what it runs."""

    name: str
    networks: tuple[str, ...] = ()
    is_internal: bool = True
    replicas: int = 1
    mode: str = "vip"
    ports: tuple[int, ...] = ()
    grace_s: float = 10.0
    image: str = "busybox:1.36"
    command: tuple[str, ...] = ("sleep", "86400")


@frozen
class DeployedStack:
    """The IDs of a deployed stack's services and of its own networks."""

    name: str
    service_ids: tuple[str, ...]
    network_ids: tuple[str, ...]


def deploy(engine: SimulatedEngine, stack: str, parts: tuple[Part, ...]) -> DeployedStack:
    """Deploy a stack, its own network `<stack>_internal` first where a part is on it. Nothing is awaited."""
    labels = {NAMESPACE: stack}
    own: list[str] = []
    if any(part.is_internal for part in parts):
        own.append(
            engine.networks.create({"Name": f"{stack}_internal", "Driver": "overlay", "Labels": labels})
        )
    services = []
    for part in parts:
        names = [*part.networks, *([f"{stack}_internal"] if part.is_internal else [])]
        services.append(
            engine.services.create(
                {
                    "Name": f"{stack}_{part.name}",
                    "Labels": labels,
                    "TaskTemplate": {
                        "ContainerSpec": {
                            "Image": part.image,
                            "Args": list(part.command),
                            "Labels": labels,
                            "StopGracePeriod": round(part.grace_s * 1e9),
                        },
                        "Networks": [{"Target": name, "Aliases": [part.name]} for name in names],
                        "RestartPolicy": {"Condition": "any", "Delay": 5_000_000_000},
                    },
                    "Mode": {"Replicated": {"Replicas": part.replicas}},
                    "EndpointSpec": {
                        "Mode": part.mode,
                        "Ports": [
                            {
                                "Protocol": "tcp",
                                "TargetPort": port,
                                "PublishedPort": port,
                                "PublishMode": "ingress",
                            }
                            for port in part.ports
                        ],
                    },
                }
            )
        )
    return DeployedStack(stack, tuple(services), tuple(own))


def remove_services(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Remove a stack's services, and leave its networks."""
    for service_id in stack.service_ids:
        engine.services.remove(service_id)


def remove_at_once(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Remove services and at once networks, as `docker stack rm` does: what still stops will leak."""
    remove_services(engine, stack)
    for network_id in stack.network_ids:
        engine.networks.remove(network_id)


def remove_safely(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Remove services, let time pass until their tasks have ended and no longer, then remove the networks."""
    remove_services(engine, stack)
    tasks = [task for service_id in stack.service_ids for task in engine.store.tasks_of(service_id)]
    while any(task.is_alive and not task.is_gone for task in tasks):
        engine.store.timeline.step()
    for network_id in stack.network_ids:
        engine.networks.remove(network_id)
