"""Services of the simulated swarm: created, updated, removed."""

import copy
import re

from console.simulator.agent import Agent
from console.simulator.allocator import Allocator
from console.simulator.filters import Refusal, failed_precondition
from console.simulator.objects import Json, SimService, networks_of
from console.simulator.orchestrator import Orchestrator
from console.simulator.store import Store

FOLDS_NETWORKS_FROM = (1, 44)
"""The API version from which networks at the service itself are moved into its task template."""
_NAME = re.compile(r"^[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*$")


class Services:
    """Creates, updates and removes services as the API's calls of that purpose do."""

    def __init__(
        self,
        store: Store,
        allocator: Allocator,
        agent: Agent,
        orchestrator: Orchestrator,
        api: tuple[int, int],
    ) -> None:
        self._store = store
        self._api = api
        self._allocator = allocator
        self._agent = agent
        self._orchestrator = orchestrator

    def create(self, body: Json) -> str:
        """Create a service from the body of `POST /services/create`, and return its ID."""
        spec = self._complete(body)
        self._check_ports(spec, "")
        if any(other.name == spec["Name"] for other in self._store.services.values()):
            raise Refusal(
                "rpc error: code = AlreadyExists desc = name conflicts with an existing object: "
                f"service {spec['Name']} already exists",
                409,
            )
        now = self._store.now
        service = SimService(self._store.new_id(), spec, now, now, self._store.next_index())
        self._store.services[service.id] = service
        self._store.tell("create", service)
        self._allocator.add_service(service)
        self._orchestrator.reconcile(service)
        return service.id

    def update(self, reference: str, version: int, body: Json) -> None:
        """Give a service a new specification; `version` must be the one that was read."""
        service = self._store.find_service(reference)
        if version != service.index:
            raise Refusal("rpc error: code = Unknown desc = update out of sequence", 500)
        spec = self._complete(body)
        if spec["Name"] != service.name:
            raise Refusal("rpc error: code = Unimplemented desc = renaming services is not supported", 501)
        self._check_ports(spec, service.id)
        if service.spec.get("Networks") and networks_of(spec) != networks_of(service.spec):
            raise Refusal(
                "rpc error: code = Unimplemented desc = networks must be migrated to TaskSpec before being changed",
                501,
            )
        self._change(service, spec)

    def roll_back(self, reference: str, version: int) -> None:
        """Give a service its previous specification; the current one becomes the previous."""
        service = self._store.find_service(reference)
        if version != service.index:
            raise Refusal("rpc error: code = Unknown desc = update out of sequence", 500)
        if service.previous_spec is None:
            raise failed_precondition(f"service {service.id} does not have a previous spec")
        status = {"StartedAt": self._store.now, "Message": "manually requested rollback"}
        self._change(service, service.previous_spec, {"State": "rollback_started", **status})

    def _change(self, service: SimService, spec: Json, status: Json | None = None) -> None:
        before, service.previous_spec, service.spec = service.spec, service.spec, spec
        # What was known of an earlier update is forgotten; that tasks are replaced is known once one is.
        service.update_status = status
        if _template_of(spec) != _template_of(before):
            service.template_index += 1
            self._allocator.add_service(service)
        self._store.note_write(service)
        self._store.tell("update", service)
        self._orchestrator.reconcile(service)

    def remove(self, reference: str) -> None:
        """Remove a service: it is gone at once, its tasks stay listed until they have ended."""
        service = self._store.find_service(reference)
        del self._store.services[service.id]
        self._store.tell("remove", service)
        self._allocator.drop_service(service)
        for task in self._store.tasks_of(service.id):
            self._agent.stop(task, "remove")

    def _complete(self, body: Json) -> Json:
        spec = copy.deepcopy(body)
        spec["Name"] = spec.get("Name") or f"nameless_{self._store.new_id()[:6]}"
        if not _NAME.match(spec["Name"]) or len(spec["Name"]) > 63:
            raise Refusal(
                "rpc error: code = InvalidArgument desc = name must be valid as a DNS name component", 400
            )
        spec["Labels"] = spec.get("Labels") or {}
        template = spec.setdefault("TaskTemplate", {})
        if not (template.get("ContainerSpec") or {}).get("Image"):
            raise Refusal(
                "rpc error: code = InvalidArgument desc = ContainerSpec: image reference must be provided",
                400,
            )
        template["ContainerSpec"].setdefault("Isolation", "default")
        template.setdefault("ForceUpdate", 0)
        template.setdefault("Runtime", "container")
        for place in (template, spec):
            networks = place.pop("Networks", None)
            if networks:
                place["Networks"] = [
                    {**network, "Target": self._network_id(network["Target"])} for network in networks
                ]
        if spec.get("Networks") and self._api >= FOLDS_NETWORKS_FROM:
            template.setdefault("Networks", spec.pop("Networks"))
        if "EndpointSpec" in spec:
            spec["EndpointSpec"] = {
                key: value for key, value in (spec["EndpointSpec"] or {}).items() if value
            }
        spec["Mode"] = spec.get("Mode") or {"Replicated": {"Replicas": 1}}
        return spec

    def _network_id(self, reference: str) -> str:
        try:
            return self._store.find_network(reference).id
        except Refusal as refusal:
            # The engine forgets here that "not found" is not its own fault.
            raise Refusal(refusal.sentence, 500) from refusal

    def _check_ports(self, spec: Json, own_id: str) -> None:
        for port in (spec.get("EndpointSpec") or {}).get("Ports") or []:
            published_port = port.get("PublishedPort")
            for other in self._store.services.values():
                if (
                    other.id != own_id
                    and published_port
                    and any(other_port.get("PublishedPort") == published_port for other_port in other.ports)
                ):
                    raise Refusal(
                        f"rpc error: code = InvalidArgument desc = port '{published_port}' is already in use by service "
                        f"'{other.name}' ({other.id}) as an ingress port",
                        400,
                    )


def _template_of(spec: Json) -> tuple[Json, object, Json | None]:
    """Return what makes a task outdated when it changes."""
    template = {key: value for key, value in spec["TaskTemplate"].items() if key != "Networks"}
    return template, networks_of(spec), spec.get("EndpointSpec")
