"""Service specs as the command line sends them."""

from collections.abc import Sequence
from typing import Any


def service_spec(
    name: str,
    networks: Sequence[str],
    *,
    replicas: int,
    constraints: Sequence[str],
    mode: str,
    image: str,
    command: Sequence[str],
    stop_grace_s: float,
    stack: str,
    ports: Sequence[tuple[int, int]],
    restarts: bool,
) -> dict[str, Any]:
    """Return the body of `POST /services/create`; `ports` are (published, target) in ingress mode."""
    labels = {"com.docker.stack.namespace": stack} if stack else {}
    alias = name.removeprefix(f"{stack}_") if stack else name
    return {
        "Name": name,
        "Labels": labels,
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": image,
                "Args": list(command),
                "Labels": labels,
                "StopGracePeriod": round(stop_grace_s * 1_000_000_000),
            },
            "Networks": [{"Target": each, "Aliases": [alias]} for each in networks],
            "Placement": {"Constraints": list(constraints)},
            "RestartPolicy": {"Condition": "any" if restarts else "none", "Delay": 1_000_000_000},
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
        "EndpointSpec": {
            "Mode": mode,
            "Ports": [
                {
                    "Protocol": "tcp",
                    "TargetPort": target,
                    "PublishedPort": published,
                    "PublishMode": "ingress",
                }
                for published, target in ports
            ],
        },
    }
