"""How a service is parked and restored in its specification, and what of the services is still on their network.

That no task is listed does not mean that no container runs: engines before 29 forget a task that is ending as soon as its
service is updated again, while its container takes its stop grace to end and holds this node's copy of the network.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from console.frozen import frozen
from console.operations.network_recreation.record import ParkedService, ServiceRecord
from console.swarm.model import Container, Network, Service
from console.swarm.parse import PARKED_LABEL
from console.swarm.snapshots import WholeSwarm

NOWHERE = "node.labels.vipconsole.parked==nowhere"
Spec = dict[str, Any]
ELSEWHERE_MARGIN_S = 5.0
"""Beyond the stop grace of a task on another node, whose container cannot be seen from here."""


def must_migrate(spec: Spec) -> bool:
    """Whether it names networks at the service itself: the engine refuses to change them before they are moved."""
    return bool(spec.get("Networks"))


def migrate(spec: Spec) -> None:
    """Move the networks of an old service into its task template, and change nothing else."""
    spec["TaskTemplate"]["Networks"] = [*spec.pop("Networks")]


def park(spec: Spec, record: ServiceRecord, label: str) -> None:
    """Take all tasks away from a service, and note on it what it was."""
    template = spec["TaskTemplate"]
    if record.mode == "global":
        placement = template["Placement"] = dict(template.get("Placement") or {})
        constraints = [
            constraint for constraint in placement.get("Constraints") or () if constraint != NOWHERE
        ]
        placement["Constraints"] = [*constraints, NOWHERE]
    else:
        spec["Mode"]["Replicated"]["Replicas"] = 0
    spec["Labels"] = {**(spec.get("Labels") or {}), PARKED_LABEL: label}


def detach(spec: Spec, networks: Collection[str]) -> None:
    """Take a service off a network (by ID and name)."""
    template = spec["TaskTemplate"]
    template["Networks"] = [
        entry for entry in template.get("Networks") or () if entry["Target"] not in networks
    ]


def is_parked(spec: Spec) -> bool:
    """Whether a service bears the label of a parked one."""
    return bool((spec.get("Labels") or {}).get(PARKED_LABEL))


def is_still_parked(spec: Spec) -> bool:
    """Whether a service is parked, and nobody has given it tasks again since."""
    placement = (spec.get("TaskTemplate") or {}).get("Placement") or {}
    replicated = (spec.get("Mode") or {}).get("Replicated") or {}
    return is_parked(spec) and (
        replicated.get("Replicas") == 0 or NOWHERE in (placement.get("Constraints") or ())
    )


def restore(spec: Spec, record: ServiceRecord, network_id: str, old_networks: Collection[str]) -> None:
    """Give a parked service back what it lost, the network by its present ID; what others changed since stays.

    `old_networks` are the networks (by ID and name) in whose place the present one stands.
    """
    template = spec["TaskTemplate"]
    networks = [
        entry
        for entry in template.get("Networks") or ()
        if entry["Target"] not in {*old_networks, network_id}
    ]
    for entry in record.entries:
        networks.insert(entry.index, {**entry.body, "Target": network_id})
    template["Networks"] = networks
    if record.mode == "global":
        _unplace(template, record)
    else:
        replicated = spec["Mode"].get("Replicated")
        # A change of its scale in the meantime was intended.
        if replicated is not None and replicated.get("Replicas") == 0:
            if record.replicas is None:
                del replicated["Replicas"]
            else:
                replicated["Replicas"] = record.replicas
    del spec["Labels"][PARKED_LABEL]


def _unplace(template: Spec, record: ServiceRecord) -> None:
    placement = template.get("Placement") or {}
    constraints = [constraint for constraint in placement.get("Constraints") or () if constraint != NOWHERE]
    if constraints:
        placement["Constraints"] = constraints
    else:
        placement.pop("Constraints", None)
    if not placement and record.placement is None:
        template.pop("Placement", None)


@frozen
class Remaining:
    """What of services still lives on a network, or may."""

    snapshot: WholeSwarm
    network: Network
    container_ids: Collection[str]
    """Containers that were on it before."""
    parked_services: Collection[ParkedService]
    """Those of which it is not known that their tasks have ended."""
    parked_at: Mapping[str, datetime]
    """By ID of a parked service, when it was updated by no matter who parked it."""

    @property
    def service_ids(self) -> frozenset[str]:
        """The IDs of the services."""
        tasks = self.snapshot.live_tasks_on(self.network.id)
        return frozenset(
            (
                *(task.service_id for task in tasks if not task.is_standalone),
                *(container.service_id for container in self._containers()),
                *(service.id for service in self._elsewhere()),
            )
        )

    def names(self, running_on_ids: Collection[str] = ()) -> tuple[str, ...]:
        """Return what it is by name, without the services that nobody has asked to stop yet, given by ID."""
        return (
            *self._tasks(running_on_ids),
            *(
                f"container {container.name}"
                for container in self._containers()
                if container.service_id not in running_on_ids
            ),
            *(f"{service.name} (may still be stopping on another node)" for service in self._elsewhere()),
        )

    def _containers(self) -> Iterator[Container]:
        return (
            container
            for container in self.snapshot.containers
            if container.task_id
            and container.is_running
            and (container.is_on(self.network.id) or container.id in self.container_ids)
        )

    def _tasks(self, running_on_ids: Collection[str]) -> Iterator[str]:
        snapshot = self.snapshot
        names = {service.id: service.name for service in snapshot.services}
        here = {container.id for container in snapshot.containers if container.is_running}
        for task in snapshot.live_tasks_on(self.network.id):
            # What runs here is named as a container.
            if task.is_standalone or task.container_id in here or task.service_id in running_on_ids:
                continue
            node = snapshot.node(task.node_id)
            where = f" on {node.hostname}" if node else ""
            yield f"{names.get(task.service_id, 'a task')}.{task.slot or task.node_id[:12]} ({task.state}{where})"

    def _elsewhere(self) -> Iterator[Service]:
        """Yield the services that were updated since they were parked, or may have been: their tasks may run on unlisted."""
        if len(self.snapshot.nodes) < 2:
            return
        for parked_service in self.parked_services:
            updated_at = parked_service.service.updated
            until = updated_at + timedelta(seconds=parked_service.record.grace_s + ELSEWHERE_MARGIN_S)
            if (
                parked_service.record.is_elsewhere
                and self.parked_at.get(parked_service.service.id) != updated_at
                and self.snapshot.now < until
            ):
                yield parked_service.service


def services_on(snapshot: WholeSwarm, network: Network) -> tuple[Service, ...]:
    """Return the services that ask for a network."""
    return tuple(service for service in snapshot.services if service.is_on(network.id, network.name))


def in_use_on(snapshot: WholeSwarm, network: Network) -> tuple[Service, ...]:
    """Return the services that ask for a network and are not parked; one that somebody gave tasks again is not."""
    return tuple(
        service for service in services_on(snapshot, network) if not is_still_parked(dict(service.spec))
    )


def attached_here(snapshot: WholeSwarm, network: Network) -> tuple[Container, ...]:
    """Return the containers of this node that are attached to a network by hand, stopped ones too."""
    return tuple(
        container
        for container in snapshot.standalone_containers_on(network.name)
        if container.networks[network.name] == network.id
    )


def attached_elsewhere(snapshot: WholeSwarm, network: Network) -> tuple[str, ...]:
    """Return the containers that are attached to a network by hand on other nodes, by the beginning of their IDs."""
    return tuple(
        task.container_id[:12]
        for task in snapshot.live_tasks_on(network.id)
        if task.is_standalone and task.node_id != snapshot.here
    )


def containers_of_tasks(snapshot: WholeSwarm, network: Network) -> frozenset[str]:
    """Return the IDs of the containers of tasks that are on a network now."""
    task_containers = {
        task.container_id for task in snapshot.live_tasks_on(network.id) if not task.is_standalone
    }
    running_here = {
        container.id
        for container in snapshot.containers
        if container.task_id and container.is_running and container.is_on(network.id)
    }
    return frozenset((task_containers | running_here) - {""})
