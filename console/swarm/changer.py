"""Changes a swarm through the Docker Engine API. Nothing that only reads constructs anything in here."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Protocol

from console.errors import EngineNotFound
from console.swarm.client import EngineConnection
from console.swarm.engine_client import EngineClient
from console.text import clean

Tell = Callable[[str], object]
"""Is told of every change, in words, before it is made."""


class SwarmChanger(Protocol):
    """Changes a swarm, one object at a time.

    Every method raises an `EngineError` when it fails. After an EngineTimeout or a MalformedReply the change may
    have been made or not: take a snapshot before anything else. Removing what is not there is no failure, for an earlier call
    may have removed it.
    """

    async def create_service(self, spec: Mapping[str, Any]) -> str:
        """Create a service from a specification (`ServiceSpec` of the API) and return its ID."""
        ...

    async def update_service(self, service_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change only what `change` changes in the service's current specification, in place.

        The version is checked: where somebody else updates the service in between, EngineRefused is raised and
        nothing is changed. The stored registry credentials are kept.
        """
        ...

    async def remove_service(self, service_id: str) -> None:
        """Remove a service; its tasks go on until they have stopped."""
        ...

    async def remove_network(self, network_id: str) -> None:
        """Remove a network. While a task on it still stops, its addresses elsewhere leak: wait before."""
        ...

    async def create_network(self, body: Mapping[str, Any]) -> str:
        """Create a network (the body of `POST /networks/create`) and return its ID. Its subnet comes later, or never.

        While a container of this node has not let go of a removed network of the same name, it is refused (409).
        """
        ...

    async def connect(self, network_id: str, container_id: str, config: Mapping[str, Any]) -> None:
        """Attach a container of this node to a network; `config` is an `EndpointConfig` of the API."""
        ...

    async def disconnect(self, network_id: str, container_id: str) -> None:
        """Take a container of this node off a network."""
        ...

    async def update_node(self, node_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change only what `change` changes in a node's current specification, in place; the version is checked."""
        ...

    async def update_swarm(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change only what `change` changes in the swarm's own specification, in place; the version is checked.

        Where it changes nothing, nothing is sent.
        """
        ...

    async def remove_secret(self, secret_id: str) -> None:
        """Remove a secret."""
        ...

    async def remove_config(self, config_id: str) -> None:
        """Remove a config."""
        ...


class EngineChanger:
    """Changes the swarm of the engine behind a connection, and tells of each change before it is made."""

    def __init__(self, connection: EngineConnection, tell: Tell) -> None:
        self._connection = connection
        self._tell = tell

    def announce(self, change: str) -> None:
        """Tell of a change that is about to be made beside the API, such as a restart of the daemon."""
        self._tell(change)

    async def create_service(self, spec: Mapping[str, Any]) -> str:
        """Create a service from a specification and return its ID."""
        name = clean(str(spec.get("Name", "")))
        self._tell(f"create the service {name}")
        return await self._connection.ask(
            f"create the service {name}",
            lambda client: clean(str(client.send("POST", "/services/create", body=spec)["ID"])),
        )

    async def update_service(self, service_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change only what `change` changes in the service's current specification."""
        version, spec = await self._connection.ask(
            f"inspect the service {service_id}", lambda client: _current(client, f"/services/{service_id}")
        )
        change(spec)
        name = clean(str(spec.get("Name", service_id)))
        self._tell(f"update the service {name}")
        # Without X-Registry-Auth the engine keeps the credentials that the service has.
        await self._connection.ask(
            f"update the service {name}",
            lambda client: client.send(
                "POST",
                f"/services/{service_id}/update",
                body=spec,
                params={"version": str(version)},
            ),
        )

    async def remove_service(self, service_id: str) -> None:
        await self._remove("service", "/services", service_id)

    async def remove_network(self, network_id: str) -> None:
        await self._remove("network", "/networks", network_id)

    async def create_network(self, body: Mapping[str, Any]) -> str:
        """Create a network and return its ID."""
        name = clean(str(body.get("Name", "")))
        self._tell(f"create the network {name}")
        return await self._connection.ask(
            f"create the network {name}",
            lambda client: clean(str(client.send("POST", "/networks/create", body=body)["Id"])),
        )

    async def connect(self, network_id: str, container_id: str, config: Mapping[str, Any]) -> None:
        """Attach a container of this node to a network."""
        what = f"connect the container {container_id[:12]} to the network {network_id}"
        body = {"Container": container_id, "EndpointConfig": config}
        self._tell(what)
        await self._connection.ask(
            what, lambda client: client.send("POST", f"/networks/{network_id}/connect", body=body)
        )

    async def disconnect(self, network_id: str, container_id: str) -> None:
        what = f"disconnect the container {container_id[:12]} from the network {network_id}"
        body = {"Container": container_id, "Force": False}
        self._tell(what)
        await self._connection.ask(
            what, lambda client: client.send("POST", f"/networks/{network_id}/disconnect", body=body)
        )

    async def update_node(self, node_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change only what `change` changes in a node's current specification."""
        path = f"/nodes/{node_id}"
        version, spec = await self._connection.ask(
            f"inspect the node {node_id}", lambda client: _current(client, path)
        )
        change(spec)
        what = (
            f"make the node {node_id} {clean(str(spec.get('Role')))}, {clean(str(spec.get('Availability')))}"
        )
        self._tell(what)
        await self._connection.ask(
            what,
            lambda client: client.send("POST", f"{path}/update", body=spec, params={"version": str(version)}),
        )

    async def update_swarm(self, change: Callable[[dict[str, Any]], None]) -> None:
        version, spec = await self._connection.ask(
            "inspect the swarm", lambda client: _current(client, "/swarm")
        )
        before = deepcopy(spec)
        change(spec)
        if spec == before:
            return
        self._tell("update the settings of the swarm")
        params = {"version": str(version)}
        await self._connection.ask(
            "update the settings of the swarm",
            lambda client: client.send("POST", "/swarm/update", body=spec, params=params),
        )

    async def remove_secret(self, secret_id: str) -> None:
        await self._remove("secret", "/secrets", secret_id)

    async def remove_config(self, config_id: str) -> None:
        await self._remove("config", "/configs", config_id)

    async def _remove(self, kind: str, path: str, object_id: str) -> None:
        self._tell(f"remove the {kind} {object_id}")
        try:
            await self._connection.ask(
                f"remove the {kind} {object_id}",
                lambda client: client.send("DELETE", f"{path}/{object_id}"),
            )
        except EngineNotFound:
            return


def _current(client: EngineClient, path: str) -> tuple[int, dict[str, Any]]:
    """Return the version and the specification of a service, a node or the swarm, as they are."""
    answer = client.send("GET", path)
    return int(answer["Version"]["Index"]), dict(answer["Spec"])
