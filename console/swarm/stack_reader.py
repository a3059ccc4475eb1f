"""Reads what stacks consist of through the Docker Engine API. Nothing in here can change anything."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from console.concurrency import together
from console.errors import VipconsoleError
from console.swarm import stacks
from console.swarm.asking import Asking, answered
from console.swarm.connection import EngineConnection
from console.swarm.parse import moment
from console.swarm.reader import EVERY_RUNTIME
from console.swarm.stacks import Kind, StackLook, StackObject, labelled_object
from console.text import clean


class StackReader(Protocol):
    """Looks at what stacks consist of."""

    async def look(self) -> StackLook:
        """Return everything as it is now; raise an `EngineError` or `SwarmError` where any part cannot be read."""
        ...


class EngineStackReader:
    """Reads the stacks of the swarm of the engine behind a connection."""

    def __init__(self, connection: EngineConnection) -> None:
        self._asking = Asking(connection)

    async def look(self) -> StackLook:
        """Return everything as it is now, or raise: a change needs a complete snapshot."""
        # All are waited for, also when one fails: calls that nobody waits for would outlive their connection.
        here, services, tasks, containers, nodes, objects = await together(
            self._asking.asked("describe itself", lambda client: client.info(), _here),
            self._asking.listed("services", lambda client: client.services(), stacks.service_use),
            self._asking.listed("tasks", lambda client: client.tasks(EVERY_RUNTIME), stacks.task_use),
            self._asking.listed("containers", lambda client: client.containers(), stacks.running_container),
            self._asking.listed("nodes", lambda client: client.nodes(), _node),
            self._objects(),
        )
        node_id, now = answered(here)
        return StackLook(
            node_id,
            now,
            dict(answered(nodes)),
            answered(services),
            answered(objects),
            answered(tasks),
            answered(containers),
        )

    async def _objects(self) -> tuple[StackObject, ...] | VipconsoleError:
        parts = await together(
            self._asking.listed("networks", lambda client: client.networks(), stacks.network_object),
            self._asking.listed(
                "secrets", lambda client: client.secrets(), partial(labelled_object, Kind.SECRET)
            ),
            self._asking.listed(
                "configs", lambda client: client.configs(), partial(labelled_object, Kind.CONFIG)
            ),
        )
        failed = [each for each in parts if isinstance(each, VipconsoleError)]
        return failed[0] if failed else tuple(one for each in parts for one in answered(each))


def _here(info: Mapping[str, Any]) -> tuple[str, datetime]:
    return clean(info["Swarm"]["NodeID"]), moment(info["SystemTime"])


def _node(row: Mapping[str, Any]) -> tuple[str, stacks.NodeState]:
    return clean(row["ID"]), stacks.node_state(row)
