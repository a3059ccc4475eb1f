"""What a real engine answers, kept in files: for tests that parse answers without an engine.

`python -m tests.engine.recordings` writes them again, from a swarm made for the purpose.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.contract.world import NOWHERE, World
from tests.engine.lab import running_engine

RECORDED = Path(__file__).parents[1] / "swarm" / "recorded"
"""One directory for each engine version."""
# What describes the recording machine rather than the engine.
MACHINE: dict[str, Any] = {
    "DockerRootDir": "/var/lib/docker",
    "KernelVersion": "6.1.0",
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "NCPU": 2,
    "MemTotal": 4_294_967_296,
    "HttpProxy": "",
    "HttpsProxy": "",
    "NoProxy": "",
}


def record() -> tuple[str, dict[str, Any]]:
    """Return an engine's version, and its answers by file name.

    The swarm has three services (one publishes a port, one waits for a node, one for an address), a container
    attached by hand, and a network that never got a subnet.
    """
    with (
        running_engine("manager") as engine,
        World(engine.socket, time.sleep, engine.restart, "recorded") as world,
    ):
        populate(world)
        networks = world.client.networks()
        answers = {
            "info": without_machine(world.client.info()),
            "version": without_machine(world.client.version()),
            "networks": networks,
            "services": world.client.services(),
            "tasks": world.tasks(),
            "nodes": world.client.nodes(),
            "containers": world.client.containers(),
        }
        # As the console asks: by a shortened id.
        for each in networks:
            if each["Scope"] == "swarm":
                answers[f"network-{each['Name']}"] = world.network(each["Id"][:12])
        return answers["version"]["Version"].partition("+")[0], answers


def populate(world: World) -> None:
    """Fill a swarm with one of everything, and wait until it is at rest."""
    proxy = world.create_overlay("proxy", "10.0.1.0/24", attachable=True, labels={"owner": "platform"})
    own = world.create_overlay("shop_internal", labels={"com.docker.stack.namespace": "shop"})
    taken = world.request_overlay("overlapping", "10.0.1.0/25")
    app = world.create_service("shop_app", [proxy, own], replicas=2, stack="shop", ports=[(8080, 80)])
    waiting = world.create_service("waiting", [proxy], constraints=NOWHERE)
    stuck = world.create_service("stuck", [taken])
    world.wait_for_state(app, "running", 2)
    world.wait_for_state(waiting, "pending")
    world.wait_for_state(stuck, "new")
    world.attach_container("by-hand", proxy)
    world.wait_until(
        lambda: all(f"lb-{each}" in world.network(each)["Containers"] for each in ("proxy", "shop_internal")),
        "the node has its endpoints",
    )
    world.wait_until(lambda: world.network("ingress")["Containers"], "the node has its ingress endpoint")


def without_machine(value: Any) -> Any:
    """Return an answer with what describes the recording machine replaced."""
    if isinstance(value, dict):
        return {key: MACHINE.get(key, without_machine(each)) for key, each in value.items()}
    if isinstance(value, list):
        return [without_machine(each) for each in value]
    return value


def write(answers: dict[str, Any], directory: Path) -> None:
    """Write each answer to a file of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, answer in answers.items():
        (directory / f"{name}.json").write_text(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    version, recorded = record()
    write(recorded, RECORDED / version)
    sys.stdout.write(f"{len(recorded)} answers of engine {version} are in {RECORDED / version}\n")
