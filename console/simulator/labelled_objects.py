"""Nodes, secrets and configs of the simulated swarm."""

from collections.abc import Callable, Iterator

from console.simulator.events import SimEvent
from console.simulator.filters import Refusal, failed_precondition, not_found
from console.simulator.objects import Json, SimData, SimNode, SimService
from console.simulator.store import Store

DEMOTE_S, PROMOTE_S = 0.2, 0.6
"""Seconds until a node has become what its specification says (measured on 20.10, in a swarm of three)."""


class Nodes:
    """The swarm's nodes. `take_role` is called when a node becomes a worker or a manager, `changed` after each change."""

    def __init__(
        self, store: Store, take_role: Callable[[SimNode], None], changed: Callable[[SimNode], None]
    ) -> None:
        self._store = store
        self._take_role = take_role
        self._changed = changed

    def update(self, reference: str, version: int, spec: Json) -> None:
        """Give a node a new specification; `version` must be the one that was read."""
        node = self._store.find_node(reference)
        if version != node.index:
            raise Refusal("rpc error: code = Unknown desc = update out of sequence", 500)
        role = str(spec.get("Role") or "worker")
        others = [
            each
            for each in self._store.nodes.values()
            if each is not node and each.wanted_role == "manager" and each.state == "ready"
        ]
        if role == "worker" and node.wanted_role == "manager" and not others:
            raise failed_precondition("attempting to demote the last manager of the swarm")
        node.labels = dict(spec.get("Labels") or {})
        node.availability = str(spec.get("Availability") or "active")
        node.index = self._store.next_index()
        if role != node.wanted_role:
            node.wanted_role = role
            delay_s = DEMOTE_S if role == "worker" else PROMOTE_S
            self._store.timeline.after(delay_s, lambda: self._become(node))
        self._changed(node)

    def _become(self, node: SimNode) -> None:
        if node.role != node.wanted_role:
            node.role = node.wanted_role
            node.index = self._store.next_index()
            self._take_role(node)
            self._changed(node)


class LabelledData:
    """The swarm's objects of one kind, `secret` or `config`."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        self._kind = kind
        self._things: dict[str, SimData] = {}

    def create(self, body: Json) -> str:
        """Create one from the body of `POST /secrets/create` or `/configs/create`, and return its ID."""
        name = str(body.get("Name") or "")
        if any(each.name == name for each in self._things.values()):
            raise Refusal(
                f"rpc error: code = AlreadyExists desc = {self._kind} {name} already exists",
                409,
            )
        now = self._store.now
        made = SimData(
            self._store.new_id(), name, dict(body.get("Labels") or {}), now, self._store.next_index()
        )
        if self._kind == "config":
            made.data = str(body.get("Data") or "")
        self._things[made.id] = made
        self._tell("create", made)
        return made.id

    def listed(self) -> list[SimData]:
        """Return all of them."""
        return list(self._things.values())

    def remove(self, reference: str) -> None:
        """Remove one, by ID or name, unless a service uses it."""
        found = next((each for each in self._things.values() if reference in (each.id, each.name)), None)
        if found is None:
            raise not_found(self._kind, reference)
        users = [each.name for each in self._store.services.values() if found.id in self._used_by(each)]
        if users:
            noun = "service" if len(users) == 1 else "services"
            raise Refusal(
                f"rpc error: code = InvalidArgument desc = {self._kind} '{found.name}' is in use by the following "
                f"{noun}: {', '.join(users)}",
                400,
            )
        del self._things[found.id]
        self._tell("remove", found)

    def _used_by(self, service: SimService) -> Iterator[str]:
        container = service.spec["TaskTemplate"].get("ContainerSpec") or {}
        key = self._kind.capitalize()
        for each in container.get(f"{key}s") or ():
            yield each[f"{key}ID"]

    def _tell(self, action: str, thing: SimData) -> None:
        self._store.events.publish(
            SimEvent(self._kind, action, thing.id, self._store.now, {"name": thing.name})
        )
