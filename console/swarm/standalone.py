"""Containers of a node outside the swarm: which stay down when dockerd is started again, and what they publish."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from console.concurrency import together
from console.errors import EngineNonsense, EngineNotFound
from console.swarm.connection import EngineConnection
from console.swarm.stacks import TASK_ID_LABEL
from console.text import clean

COME_BACK = ("always", "unless-stopped")
"""Restart policies by which dockerd starts a container when it is started itself; `on-failure` does not
(docs.docker.com, "Start containers automatically")."""


async def containers_that_stay_down(connection: EngineConnection) -> tuple[str, ...]:
    """Return the running containers outside the swarm that a restart of dockerd would leave down, by name.

    Raises an `EngineError`.
    """
    rows = await connection.ask("list the containers", lambda client: client.containers())
    try:
        ids = [str(each["Id"]) for each in rows if not (each.get("Labels") or {}).get(TASK_ID_LABEL)]
        found = await together(*(_name_if_it_stays_down(connection, each) for each in ids))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _nonsense(connection, error) from error
    return tuple(sorted(each for each in found if each))


async def ports_of_containers(connection: EngineConnection) -> Mapping[int, tuple[str, ...]]:
    """Return the ports of this node that running containers outside the swarm publish, with the names of those.

    Raises an `EngineError`.
    """
    found: defaultdict[int, list[str]] = defaultdict(list)
    rows = await connection.ask("list the containers", lambda client: client.containers())
    try:
        for each in rows:
            if (each.get("Labels") or {}).get(TASK_ID_LABEL):
                continue
            name = clean(str(each["Names"][0]).removeprefix("/"))
            for port in {int(one["PublicPort"]) for one in each.get("Ports") or () if one.get("PublicPort")}:
                found[port].append(name)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise _nonsense(connection, error) from error
    return {port: tuple(sorted(names)) for port, names in found.items()}


def _nonsense(connection: EngineConnection, error: Exception) -> EngineNonsense:
    return EngineNonsense(
        f"The engine at {connection.host} sent a malformed reply: its list of containers "
        f"({type(error).__name__}).",
        "If a proxy is in between, bypass it. Otherwise report this with the engine's version.",
    )


async def _name_if_it_stays_down(connection: EngineConnection, container_id: str) -> str:
    try:
        data: Mapping[str, Any] = await connection.ask(
            "inspect a container", lambda client: client.inspect_container(container_id)
        )
    except EngineNotFound:
        return ""
    policy = ((data.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name") or "no"
    return "" if policy in COME_BACK else clean(str(data["Name"]).removeprefix("/"))
