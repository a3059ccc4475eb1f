"""One engine's own place in a swarm: what it says of it, and joining, leaving and unlocking. Its tokens stay in here."""

from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any

from console.errors import EngineError, EngineNotFound, MalformedReply
from console.frozen import frozen
from console.swarm.changer import Tell
from console.swarm.client import EngineConnection
from console.swarm.engine_client import EngineClient, ErrorReply
from console.swarm.failures import GARBAGE
from console.text import clean


class MemberState(StrEnum):
    """What an engine is in (swarmkit's `LocalNodeState`)."""

    INACTIVE = "inactive"
    """In no swarm."""
    PENDING = "pending"
    ACTIVE = "active"
    ERROR = "error"
    LOCKED = "locked"
    """Its keys are encrypted: it needs the unlock key, or else answers nothing."""


@frozen
class Membership:
    """What an engine says of its own place in a swarm. It answers this also where it is no manager."""

    state: MemberState
    node_id: str
    """Empty where it is in no swarm."""
    is_manager: bool
    """Whether it is one now, and knows it."""
    address: str
    """The address that it advertises, without a port."""
    manager_address: str
    """The same with the port on which managers talk to each other; empty where it is no manager."""
    cluster_id: str
    version: str
    root_dir: str


@frozen
class SwarmSettings:
    """What the swarm's managers have been told to do."""

    is_autolocked: bool
    """Whether a manager that is restarted stays locked until it is given the unlock key."""
    version: int


@frozen
class Addresses:
    """Where an engine listens as a member of a swarm, and where others reach it."""

    listen: str
    """As `ADDRESS:PORT`."""
    advertise: str
    """An address, with or without a port."""
    data_path: str = ""
    """The address of its overlay traffic; empty for the one that it advertises."""


class EngineMembership:
    """Asks and changes the membership of the engine behind a connection; tells of each change before it is made.

    Every method raises an `EngineError` when it fails.
    """

    def __init__(self, connection: EngineConnection, tell: Tell) -> None:
        self._connection = connection
        self._tell = tell

    async def read(self) -> Membership:
        """Return what the engine says of itself (`GET /info`)."""
        answer = await self._connection.ask(
            "ask for its membership", lambda client: client.send("GET", "/info")
        )
        try:
            return _membership(answer)
        except GARBAGE as error:
            raise MalformedReply(
                f"The engine at {self._connection.host} gave a malformed reply.",
                "`docker info` shows what it says.",
            ) from error

    async def settings(self) -> SwarmSettings:
        """Return the settings of the swarm (`GET /swarm`, of a manager only)."""

        def read(client: EngineClient) -> SwarmSettings:
            answer = client.send("GET", "/swarm")
            encryption = (answer.get("Spec") or {}).get("EncryptionConfig") or {}
            return SwarmSettings(bool(encryption.get("AutoLockManagers")), int(answer["Version"]["Index"]))

        return await self._connection.ask("read the swarm", read)

    async def answers(self) -> bool:
        """Whether this engine answers for the swarm: it is a manager, and there is a leader."""
        with suppress(EngineError):
            return bool(await self._connection.ask("list nodes", lambda client: client.send("GET", "/nodes")))
        return False

    async def container_starts(self) -> Mapping[str, str]:
        """Return the running containers of this node by ID, and when each was started, as the engine writes it."""

        def read(client: EngineClient) -> dict[str, str]:
            starts = {}
            for row in client.send("GET", "/containers/json"):
                try:
                    state = client.send("GET", f"/containers/{row['Id']}/json")["State"]
                except ErrorReply as reply:
                    if reply.status != 404:
                        raise
                    # It is gone since it was listed.
                    continue
                starts[clean(row["Id"])] = clean(state["StartedAt"])
            return starts

        return await self._connection.ask("list the containers", read)

    async def join(self, manager: "EngineMembership", remote: str, own: Addresses) -> None:
        """Join the swarm of another engine as a drained manager.

        `remote` is where that one is reached (`ADDRESS:PORT`). The token goes from one engine to the other and is kept nowhere
        else.
        """
        self._tell(f"join the swarm at {remote} as a drained manager")
        token = await manager._connection.ask(  # noqa: SLF001 - the token does not leave this class
            "read the token of managers",
            lambda client: str(client.send("GET", "/swarm")["JoinTokens"]["Manager"]),
        )
        body = {
            "ListenAddr": own.listen,
            "AdvertiseAddr": own.advertise,
            "DataPathAddr": own.data_path,
            "RemoteAddrs": [remote],
            "JoinToken": token,
            "Availability": "drain",
        }
        await self._connection.ask(
            "join the swarm", lambda client: client.send("POST", "/swarm/join", body=body)
        )

    async def form_alone(self, address: str) -> None:
        """Make this manager the only one of its swarm, which has no quorum: nodes, services and networks stay.

        `address` is what it advertises. Its allocator begins without any leak then (`docker swarm init --force-new-cluster`).
        """
        self._tell("form the swarm with this manager alone (--force-new-cluster)")
        port = address.rpartition(":")[2] if ":" in address else "2377"
        body = {"ListenAddr": f"0.0.0.0:{port}", "AdvertiseAddr": address, "ForceNewCluster": True}
        await self._connection.ask(
            "form the swarm alone", lambda client: client.send("POST", "/swarm/init", body=body)
        )

    async def leave(self) -> None:
        """Leave the swarm, also as a manager."""
        self._tell("leave the swarm")
        await self._connection.ask(
            "leave the swarm", lambda client: client.send("POST", "/swarm/leave", params={"force": "1"})
        )

    async def unlock(self, key: str) -> None:
        """Give a locked manager the unlock key."""
        await self._connection.ask(
            "unlock the manager",
            lambda client: client.send("POST", "/swarm/unlock", body={"UnlockKey": key}),
        )

    async def has_unlock_key(self, key: str) -> bool:
        """Whether a key unlocks the managers of this swarm."""
        unlock_key = await self._connection.ask(
            "read the unlock key", lambda client: client.send("GET", "/swarm/unlockkey").get("UnlockKey")
        )
        return bool(key) and unlock_key == key

    async def remove_node(self, node_id: str) -> None:
        """Remove a node that is no manager; one that is gone already is no failure."""
        self._tell(f"remove the node {node_id}")
        with suppress(EngineNotFound):
            await self._connection.ask(
                "remove a node",
                lambda client: client.send("DELETE", f"/nodes/{node_id}", params={"force": "1"}),
            )

    async def rotate_tokens(self) -> None:
        """Make new join tokens for workers and managers; the old ones are worth nothing then."""
        self._tell("rotate the join tokens")

        def rotate(client: EngineClient) -> None:
            swarm = client.send("GET", "/swarm")
            params = {
                "version": str(swarm["Version"]["Index"]),
                "rotateWorkerToken": "1",
                "rotateManagerToken": "1",
            }
            client.send("POST", "/swarm/update", body=swarm["Spec"], params=params)

        await self._connection.ask("rotate the join tokens", rotate)


def _membership(data: Mapping[str, Any]) -> Membership:
    swarm = data.get("Swarm") or {}
    node_id = clean(swarm.get("NodeID") or "")
    managers = {row["NodeID"]: row["Addr"] for row in swarm.get("RemoteManagers") or ()}
    return Membership(
        state=MemberState(swarm.get("LocalNodeState") or "inactive"),
        node_id=node_id,
        is_manager=bool(swarm.get("ControlAvailable")),
        address=clean(swarm.get("NodeAddr") or ""),
        manager_address=clean(managers.get(node_id) or ""),
        cluster_id=clean((swarm.get("Cluster") or {}).get("ID") or ""),
        version=clean(data["ServerVersion"]),
        root_dir=clean(data.get("DockerRootDir") or "", 1000),
    )
