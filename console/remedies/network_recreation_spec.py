"""What is changed in a service's specification to park it, and to bring it back. Pure; everything else stays as it is.

First its tasks are taken away, and once they have ended the network too; one update gives both back. So each task is
stopped once and started once. A global service has no replicas: it is emptied by a placement that no node meets.

Taking both away in one update is no shorter, and harms: engines before 29 then forget the tasks while their containers
run on. On the service's other networks the node gets a new load-balancer address while it still uses the old one, and
keeps it in about every second case: an address that the allocator hands out to somebody else later (20.10: 4 of 7
networks; of the same 7 none when the tasks had ended before).
"""

from collections.abc import Collection
from typing import Any

from console.remedies.network_recreation_record import ServiceRecord
from console.swarm.parse import PARKED_LABEL

NOWHERE = "node.labels.vipconsole.parked==nowhere"

Spec = dict[str, Any]


def must_migrate(spec: Spec) -> bool:
    """Whether it names networks at the service itself: the engine refuses to change them before they are moved."""
    return bool(spec.get("Networks"))


def migrate(spec: Spec) -> None:
    """Move the networks of an old service into its task template, and change nothing else."""
    spec["TaskTemplate"]["Networks"] = [*spec.pop("Networks")]


def empty(spec: Spec, record: ServiceRecord, label: str) -> None:
    """Take all tasks away from a service, and note on it what it was."""
    template = spec["TaskTemplate"]
    if record.mode == "global":
        placement = template["Placement"] = dict(template.get("Placement") or {})
        constraints = [each for each in placement.get("Constraints") or () if each != NOWHERE]
        placement["Constraints"] = [*constraints, NOWHERE]
    else:
        spec["Mode"]["Replicated"]["Replicas"] = 0
    spec["Labels"] = {**(spec.get("Labels") or {}), PARKED_LABEL: label}


def detach(spec: Spec, networks: Collection[str]) -> None:
    """Take a service off a network (by ID and name)."""
    template = spec["TaskTemplate"]
    template["Networks"] = [each for each in template.get("Networks") or () if each["Target"] not in networks]


def is_parked(spec: Spec) -> bool:
    """Whether a service bears the label of a parked one."""
    return bool((spec.get("Labels") or {}).get(PARKED_LABEL))


def is_emptied(spec: Spec) -> bool:
    """Whether a service is parked, and nobody has given it tasks again since."""
    placement = (spec.get("TaskTemplate") or {}).get("Placement") or {}
    replicated = (spec.get("Mode") or {}).get("Replicated") or {}
    return is_parked(spec) and (
        replicated.get("Replicas") == 0 or NOWHERE in (placement.get("Constraints") or ())
    )


def restore(spec: Spec, record: ServiceRecord, network_id: str, gone: Collection[str]) -> None:
    """Give a parked service back what it lost, the network by its present ID; what others changed since stays.

    `gone` are the networks (by ID and name) in whose place the present one stands.
    """
    template = spec["TaskTemplate"]
    networks = [each for each in template.get("Networks") or () if each["Target"] not in {*gone, network_id}]
    for each in record.entries:
        networks.insert(each.index, {**each.body, "Target": network_id})
    template["Networks"] = networks
    if record.mode == "global":
        _unplace(template, record)
    else:
        replicated = spec["Mode"].get("Replicated")
        # Somebody who scaled it meanwhile meant it.
        if replicated is not None and replicated.get("Replicas") == 0:
            if record.replicas is None:
                del replicated["Replicas"]
            else:
                replicated["Replicas"] = record.replicas
    del spec["Labels"][PARKED_LABEL]


def _unplace(template: Spec, record: ServiceRecord) -> None:
    placement = template.get("Placement") or {}
    constraints = [each for each in placement.get("Constraints") or () if each != NOWHERE]
    if constraints:
        placement["Constraints"] = constraints
    else:
        placement.pop("Constraints", None)
    if not placement and record.placement is None:
        template.pop("Placement", None)
