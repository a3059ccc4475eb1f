"""Secrets and configs of the simulated swarm: named, labelled, and held fast by the services that use them."""

from collections.abc import Iterator

from console.simulator.events import SimEvent
from console.simulator.objects import Json, SimData, SimService
from console.simulator.refusal import Refusal, not_found
from console.simulator.store import Store


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
