"""Causes that are about nodes and images: the service has its addresses, and its tasks cannot begin."""

import re
import shlex

from console.health.why.case import Case, Slot
from console.health.why.rows import address_rows, error_rows, service_row, state_row, task_row
from console.health.why.values import Explanation, Standing
from console.journal.signatures import Certainty
from console.swarm.values import Task
from console.text import duration, plural

NO_NODE = re.compile(r"no suitable node \((.+)\)")
"""The whole error of a task that the scheduler cannot place, with its reasons (swarmkit manager/scheduler)."""
NO_IMAGE = "No such image: "
"""How the error of a task begins whose node neither has the image nor could pull it."""
PULL_TOO_LONG_S = 900.0

_NODES = "docker node inspect --pretty $(docker node ls -q)"
_REASONS = (
    ("scheduling constraints not satisfied", "Label a node as the constraints ask, or change them."),
    (
        "insufficient resources",
        "It reserves more CPU or memory than any node has left: reserve less, or make room.",
    ),
    ("host-mode port already in use", "Every fitting node already has a task with that port in host mode."),
    ("max replicas per node", "Add a node, or raise the limit of replicas per node."),
    ("unsupported platform", "No node has the architecture that the image was built for."),
    ("missing plugin", "No node has the volume, network or log plugin that the service asks for."),
    ("not available for new tasks", "Nodes are down, paused or drained: `docker node ls`."),
)


def not_an_address_problem(case: Case, *tasks: Task) -> tuple[bool | None, str]:
    """Return False and a sentence where all these tasks had the addresses that they need, else that it cannot be told."""
    if tasks and not case.needs and not case.gone and not case.unread:
        return False, " This is not an address problem: the service needs no address of an overlay."
    if tasks and all(case.had_addresses(each) for each in tasks):
        return False, " This is not an address problem: the service and its tasks had their addresses."
    return None, ""


def no_suitable_node(case: Case) -> Explanation | None:
    """The scheduler finds no node for a task, and says why."""
    for slot in case.wanted_slots:
        task = slot.newest
        said = NO_NODE.fullmatch(task.error)
        if task.state != "pending" or said is None:
            continue
        is_address, words = not_an_address_problem(case, task)
        advice = " ".join(text for sign, text in _REASONS if sign in said[1])
        constraints = ", ".join(case.service.constraints)
        return Explanation(
            "no-suitable-node",
            Standing.HELD_UP,
            Certainty.CERTAIN,
            f"no node takes its task: {said[1]}",
            f"The scheduler has looked at every node and found none that fits.{words}",
            (
                state_row(case, task),
                task_row(case, task, "Status.Err", f'"{task.error}"'),
                *address_rows(case, task),
                *((service_row(case, "Placement.Constraints", constraints),) if constraints else ()),
            ),
            is_address_problem=is_address,
            advice=advice,
            command=_NODES,
        )
    return None


def no_node_for_global(case: Case) -> Explanation | None:
    """A global service has no task at all: no node meets its constraints."""
    is_young = case.age_s(case.service.updated) < case.thresholds.new_task_s
    if case.service.mode != "global" or case.slots or case.without_vip or is_young:
        return None
    constraints = ", ".join(case.service.constraints)
    why = f" meets its constraints ({constraints})" if constraints else " is active and ready"
    return Explanation(
        "no-node-for-global",
        Standing.HELD_UP,
        Certainty.LIKELY,
        f"no node{why}",
        "A global service has a task on every node that fits, and this one has none. Where that is meant, all is well.",
        (service_row(case, "Placement.Constraints", constraints or "none"),),
        is_address_problem=False,
        advice="Label a node as the constraints ask, or change them.",
        command=_NODES,
    )


def image_missing(case: Case) -> Explanation | None:
    """A node neither has the image nor could pull it."""
    found = next(
        ((slot, task) for slot, task in down(case) if task.error.startswith(NO_IMAGE)),
        None,
    )
    if found is None:
        return None
    slot, task = found
    is_address, words = not_an_address_problem(case, task)
    image = task.error.removeprefix(NO_IMAGE)
    count = len(slot.failures(case.now))
    return Explanation(
        "image-missing",
        Standing.HELD_UP,
        Certainty.CERTAIN,
        f"there is no image {image}",
        f"The node does not have the image and could not pull it, {plural(count, 'time')} so far: the name or the tag "
        f"is wrong, the registry cannot be reached, or it wants a login.{words}",
        (
            service_row(case, "ContainerSpec.Image", case.service.image),
            *error_rows(case, task),
            *address_rows(case, task),
        ),
        is_address_problem=is_address,
        advice="The command tells why it cannot be pulled. A private registry needs --with-registry-auth at the deploy.",
        command=f"docker pull {shlex.quote(image)}",
    )


def being_prepared(case: Case) -> Explanation | None:
    """A task was given a node, which prepares it: mostly, it pulls the image."""
    early = ("assigned", "accepted", "preparing", "ready", "starting")
    tasks = [each.newest for each in case.wanted_slots if each.newest.state in early]
    if not tasks:
        return None
    task = min(tasks, key=lambda each: each.since)
    age_s = case.age_s(task.since)
    is_address, words = not_an_address_problem(case, task)
    is_pulling = task.state == "preparing"
    is_long = is_pulling and age_s >= PULL_TOO_LONG_S
    what = (
        "its image is being pulled" if is_pulling
        else "its container is starting" if task.state == "starting"
        else "its task is about to start"
    )  # fmt: skip
    name = shlex.quote(case.service.name)
    return Explanation(
        "preparing" if is_pulling else "starting",
        Standing.HELD_UP if is_long else Standing.CONVERGING,
        Certainty.LIKELY,
        f"{what}, for {duration(age_s)}",
        "A container with a health check counts as starting until it is healthy."
        f"{' A pull that takes so long mostly hangs.' if is_long else ''}{words}",
        (
            state_row(case, task),
            service_row(case, "ContainerSpec.Image", task.image),
            *address_rows(case, task),
        ),
        is_address_problem=is_address,
        command=f"docker pull {shlex.quote(task.image)}"
        if is_pulling
        else f"docker service ps --no-trunc {name}",
    )


def troubled(case: Case) -> list[tuple[Slot, Task]]:
    """Return the slots whose last task ended by itself and that have not settled since, each with that task."""
    found: list[tuple[Slot, Task]] = []
    for slot in case.slots:
        failures = slot.failures(case.now)
        if failures and not slot.is_settled(case.now) and not slot.newest.is_stopping:
            found.append((slot, failures[0]))
    return found


def down(case: Case) -> list[tuple[Slot, Task]]:
    """Return those of the troubled slots in which nothing runs now."""
    return [each for each in troubled(case) if each[0].newest.state != "running"]
