"""What remains when addresses, nodes, images and the application are fine: it is under way, or all is well."""

import shlex

from console.diagnosis.findings.unfinished import way_back
from console.diagnosis.why.case import SETTLING_S, ServiceContext
from console.diagnosis.why.evidence import (
    Evidence,
    Explanation,
    ServiceStatus,
    service_row,
    state_row,
    vip_rows,
)
from console.durations import duration
from console.journal.signatures import Confidence
from console.text import plural

PAUSE_STATES = ("paused", "rollback_paused")
"""Update states in which Swarm has given up and waits for somebody."""


def parked_service(case: ServiceContext) -> Explanation | None:
    """A maintenance run has taken it off its network, and all its tasks away."""
    if not case.service.parked_by:
        return None
    whose, hint = way_back(case.service, case.swarm.snapshot)
    return Explanation(
        "parked",
        ServiceStatus.BLOCKED,
        Confidence.CERTAIN,
        "a maintenance run has parked it: it has no tasks",
        f"It was taken off its network, until {whose} brings it back.",
        (service_row(case, "Spec.Labels", f"vipconsole.parked={case.service.parked_by}"),),
        is_address_problem=False,
        advice=f"Do not scale or redeploy it. {hint}",
        command="vipconsole runs",
    )


def paused_update(case: ServiceContext) -> Explanation | None:
    """The last update, or its rollback, was paused."""
    service = case.service
    if service.update_state not in PAUSE_STATES:
        return None
    kind = "rollback" if service.update_state.startswith("rollback") else "update"
    name = shlex.quote(service.name)
    return Explanation(
        "update-paused",
        ServiceStatus.BLOCKED,
        Confidence.CERTAIN,
        f"its {kind} is paused",
        f"Swarm gave up half-way after a failure; {_count(case)}.",
        update_rows(case),
        advice="Find out why the task failed, correct it and update again.",
        command=f"docker service ps --no-trunc {name}",
    )


def stopping_tasks(case: ServiceContext) -> Explanation | None:
    """Nothing is meant to run, and tasks are still ending."""
    ending = [task for slot in case.slots for task in slot.tasks if task.is_stopping]
    if not ending or case.active_slots:
        return None
    return Explanation(
        "stopping",
        ServiceStatus.CONVERGING,
        Confidence.CERTAIN,
        f"{plural(len(ending), 'task')} {'is' if len(ending) == 1 else 'are'} stopping",
        "They hold their addresses until they have ended.",
        tuple(state_row(case, task) for task in ending[:3]),
        is_address_problem=False,
    )


def no_replicas(case: ServiceContext) -> Explanation | None:
    """It is scaled to 0 replicas."""
    if case.service.replicas != 0 or case.active_slots:
        return None
    return Explanation(
        "no-replicas",
        ServiceStatus.RUNS,
        Confidence.CERTAIN,
        "it is scaled to 0 replicas, so no task should run",
        "It still holds its virtual IPs.",
        (service_row(case, "Mode.Replicated.Replicas", "0"), *vip_rows(case)),
        is_address_problem=False,
        advice=f"To start it: `docker service scale {shlex.quote(case.service.name)}=1`.",
    )


def running_update(case: ServiceContext) -> Explanation | None:
    """An update or a rollback is under way."""
    service = case.service
    if service.update_state not in ("updating", "rollback_started"):
        return None
    kind = "an update" if service.update_state == "updating" else "a rollback"
    return Explanation(
        "updating",
        ServiceStatus.CONVERGING,
        Confidence.CERTAIN,
        f"{kind} is under way",
        f"{_count(case)}.",
        update_rows(case),
    )


def healthy_service(case: ServiceContext) -> Explanation | None:
    """Everything that is wanted runs."""
    desired_count = desired_tasks(case)
    if (
        case.running < (len(case.active_slots) if desired_count is None else desired_count)
        or not case.running
    ):
        return None
    ended_tasks = [task for slot in case.slots for task in slot.failures(case.now)]
    before = (
        f" {plural(len(ended_tasks), 'task')} of it ended by {'itself' if len(ended_tasks) == 1 else 'themselves'} in the last "
        f"hour, before those that run now."
        if ended_tasks
        else ""
    )
    return Explanation(
        "well",
        ServiceStatus.RUNS,
        Confidence.CERTAIN,
        f"all is well: {_count(case)}",
        f"It has its addresses, and its tasks run.{before}",
        vip_rows(case),
        is_address_problem=False,
    )


def no_known_cause(case: ServiceContext) -> Explanation:
    """It does not run as it should, and nothing above is the cause."""
    tasks = [slot.newest for slot in case.active_slots if slot.newest.state != "running"]
    ages = [case.age_s(case.service.updated), *(case.age_s(task.since) for task in tasks)]
    is_young = min(ages) < max(SETTLING_S, case.thresholds.new_task_s)
    name = shlex.quote(case.service.name)
    return Explanation(
        "not-converged",
        ServiceStatus.CONVERGING if is_young else ServiceStatus.BLOCKED,
        Confidence.LIKELY if is_young else Confidence.POSSIBLE,
        f"not converged yet: {_count(case)}",
        "It was changed a moment ago. Check again in a minute."
        if is_young
        else f"Nothing has changed for {duration(min(ages))}, and no known cause fits.",
        (*vip_rows(case), *(state_row(case, task) for task in tasks[:3])),
        command=f"docker service ps --no-trunc {name}",
    )


def update_rows(case: ServiceContext) -> tuple[Evidence, ...]:
    """Return how the last update stands."""
    return (
        service_row(case, "UpdateStatus.State", case.service.update_state),
        service_row(case, "UpdateStatus.Message", case.service.update_message or "none"),
    )


def desired_tasks(case: ServiceContext) -> int | None:
    """Return how many tasks are wanted, or None where only Swarm knows."""
    return case.service.replicas if case.service.mode == "replicated" else None


def _count(case: ServiceContext) -> str:
    desired_count = desired_tasks(case)
    total = len(case.active_slots) if desired_count is None else desired_count
    return f"{case.running} of {plural(total, 'task')} {'runs' if case.running == 1 else 'run'}"
