"""Causes that are the application's own, or its container's: it was started, or should have been, and ended."""

import re
import shlex

from console.diagnosis.why.case import ServiceContext
from console.diagnosis.why.evidence import (
    Explanation,
    ServiceStatus,
    address_rows,
    count_rows,
    error_rows,
    failure_count_text,
    service_row,
)
from console.diagnosis.why.placement import down_slots, not_an_address_problem, troubled_slots
from console.durations import duration
from console.journal.signatures import Confidence
from console.swarm.model import Task
from console.text import ending

UNHEALTHY = re.compile(r"task: non-zero exit \(\d+\): dockerexec: unhealthy container")
"""The whole error of a task that was stopped because its health check failed (moby: executor/container/errors.go,
the same in every release since 1.13)."""
STARTING = "starting container failed:"
RUNTIME = "unable to start container process: "
_EXIT_CODES = {
    126: "the command is there and cannot be executed",
    127: "the command was not found in the image",
    134: "it aborted",
    137: "it was killed, often because memory ran out",
    139: "it crashed (segmentation fault)",
    143: "it was asked to end (SIGTERM)",
}


def failing_health_check(case: ServiceContext) -> Explanation | None:
    """The health check of its container fails, so Swarm stops it."""
    slot_and_task = next(
        ((slot, task) for slot, task in down_slots(case) if UNHEALTHY.fullmatch(task.error)), None
    )
    if slot_and_task is None:
        return None
    slot, task = slot_and_task
    is_address, words = not_an_address_problem(case, task)
    name = shlex.quote(case.service.name)
    return Explanation(
        "unhealthy",
        ServiceStatus.BLOCKED,
        Confidence.CERTAIN,
        f"its health check fails{failure_count_text(case, slot)}",
        "The container runs but its health check fails, so Swarm kills it and starts another one. The exit "
        f"code is that of the kill.{words}",
        (*error_rows(case, task), *count_rows(case, slot), *address_rows(case, task)),
        is_address_problem=is_address,
        advice="Read the application's log. The health check may be wrong, or start too early (--health-start-period).",
        command=f"docker service logs --tail 50 {name}",
    )


def task_rejection(case: ServiceContext) -> Explanation | None:
    """A node rejected a task, for a reason that no other cause knows."""
    slot_and_task = next(((slot, task) for slot, task in down_slots(case) if task.state == "rejected"), None)
    if slot_and_task is None:
        return None
    slot, task = slot_and_task
    is_address, words = _unless_network(case, task)
    name = shlex.quote(case.service.name)
    return Explanation(
        "rejected",
        ServiceStatus.BLOCKED,
        Confidence.CERTAIN,
        f"its node rejects the task: {ending(task.error) or 'no reason given'}",
        f"The node cannot prepare the container as the service asks{failure_count_text(case, slot)}. The application has not been "
        f"started.{words}",
        (*error_rows(case, task), *count_rows(case, slot), *address_rows(case, task)),
        is_address_problem=is_address,
        command=f"docker service ps --no-trunc {name}",
    )


def completion(case: ServiceContext) -> Explanation | None:
    """Its tasks ended well and are not meant to be started again."""
    ended_tasks = [slot.newest for slot in case.slots]
    if not ended_tasks or case.running or any(task.state != "complete" for task in ended_tasks):
        return None
    if any(task.desired_state in ("running", "ready") for task in ended_tasks):
        return None
    return Explanation(
        "done",
        ServiceStatus.RUNS,
        Confidence.CERTAIN,
        "its tasks have completed",
        "They ended with exit code 0, and nothing starts them again.",
        error_rows(case, ended_tasks[0]),
        is_address_problem=False,
    )


def failure_without_restart(case: ServiceContext) -> Explanation | None:
    """A task failed, and Swarm does not start it again."""
    failed_task = next(
        (
            task
            for slot, task in troubled_slots(case)
            if not slot.newest.is_alive and not slot.is_active and task.state == "failed"
        ),
        None,
    )
    if failed_task is None:
        return None
    is_address, words = _unless_network(case, failed_task)
    name = shlex.quote(case.service.name)
    return Explanation(
        "ended",
        ServiceStatus.BLOCKED,
        Confidence.CERTAIN,
        f"its task failed and is not started again: {_end_text(failed_task)}",
        f"Its restart policy allows no further attempt.{words}",
        (
            *error_rows(case, failed_task),
            service_row(case, "RestartPolicy.Condition", case.service.restart),
            *address_rows(case, failed_task),
        ),
        is_address_problem=is_address,
        advice=f"When the cause is fixed: `docker service update --force {name}`.",
        command=f"docker service logs --tail 50 {name}",
    )


def repeated_failure(case: ServiceContext) -> Explanation | None:
    """Its task starts, ends by itself and is started again."""
    is_job = case.service.is_job
    failing_slots = [
        slot_and_task
        for slot_and_task in troubled_slots(case)
        if not (is_job and slot_and_task[1].state == "complete")
    ]
    if not failing_slots:
        return None
    slot, task = max(failing_slots, key=lambda slot_and_task: len(slot_and_task[0].failures(case.now)))
    count = len(slot.failures(case.now))
    is_back = slot.newest.state == "running"
    has_never_run = _has_never_run(task)
    is_address, words = _unless_network(case, task)
    name = shlex.quote(case.service.name)
    again = (
        f" The newest has run for {duration(case.age_s(slot.newest.since))}: too short to tell whether it stays."
        if is_back
        else ""
    )
    return Explanation(
        "cannot-start" if has_never_run else "crash-loop" if count > 1 else "failed-once",
        ServiceStatus.BLOCKED if count > 1 or has_never_run else ServiceStatus.CONVERGING,
        Confidence.LIKELY if is_back or count == 1 else Confidence.CERTAIN,
        ("its container cannot be started: " if has_never_run else "its task ends by itself: ")
        + f"{_end_text(task)}{failure_count_text(case, slot)}",
        f"Swarm starts it, it ends, and Swarm starts it again.{again}{words}",
        (*error_rows(case, task), *count_rows(case, slot), *address_rows(case, task)),
        is_address_problem=is_address,
        advice=(
            "The container never ran, so its log is empty. Read the error and dockerd's log on that node. The cause is the "
            "command, the image or something that the container requests."
            if has_never_run and is_address is False
            else "The container never ran, so its log is empty. Read the error and dockerd's log on that node."
            if has_never_run
            else "The cause is the command, the image or something that the application needs. Read its log."
        ),
        command=f"docker service ps --no-trunc {name}"
        if has_never_run
        else f"docker service logs --tail 50 {name}",
    )


def _has_never_run(task: Task) -> bool:
    """Whether its container never ran: dockerd says so, or there is an error of dockerd's and no exit code."""
    if task.error.startswith(STARTING):
        return True
    return task.exit_code is None and bool(task.error) and not task.error.startswith("task: non-zero exit")


def _end_text(task: Task) -> str:
    if task.error.startswith(STARTING):
        # Each layer of the runtime puts its own words before the reason.
        reason = task.error.removeprefix(STARTING).rpartition(RUNTIME)[2]
        return ending(reason.strip().removesuffix(": unknown"))
    if task.exit_code is None:
        return ending(task.error) or task.state
    meaning = _EXIT_CODES.get(task.exit_code, "")
    return f"exit code {task.exit_code}" + (f", {meaning}" if meaning else "")


def _unless_network(case: ServiceContext, task: Task) -> tuple[bool | None, str]:
    # An error that mentions networks or addresses is shown, and not judged.
    if any(word in task.error.lower() for word in ("network", "address", "endpoint", "sandbox")):
        return None, ""
    return not_an_address_problem(case, task)
