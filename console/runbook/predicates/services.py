"""Predicates about services: whether they run, and whether any is stuck without an address."""

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import ClassVar

from pydantic import BaseModel, Field

from console.diagnosis.findings.waiting import waiting_services
from console.diagnosis.quiescence.crash_loops import has_its_replicas, tasks_by_service
from console.diagnosis.quiescence.services import UNDER_WAY
from console.diagnosis.values import Snapshot
from console.durations import duration
from console.errors import Unknown
from console.runbook.answers import cannot_tell_on_error, check_result, overlays_by_name, quick_snapshot, read
from console.runbook.contracts import CheckResult, Context, Name, NetworkName, Parameters, Seconds
from console.runbook.language.values import Json
from console.swarm.model import Service, SwarmState, Task
from console.text import listed, plural

NAMED = 5
_NO_SNAPSHOT = Unknown("No snapshot was taken.")


class ConvergedParameters(Parameters):
    """Which services must run, all of them where nothing is said."""

    services: list[Name] = Field(default=[], description="Names of services, or globs such as `web_*`.")
    network: NetworkName | None = Field(default=None, description="Only services on this overlay.")
    stack: Name | None = Field(default=None, description="Only services of this stack.")
    accept: list[Name] = Field(default=[], description="Services (globs) that need not run.")
    running_for: Seconds = Field(
        default=0.0,
        description="How long each task must have been running. This catches tasks that start and fail.",
    )


class ServicesConverged:
    """Every service has the tasks that it wants, and no update is under way. Jobs are skipped."""

    name: ClassVar[str] = "services.converged"
    parameters: ClassVar[type[BaseModel]] = ConvergedParameters

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: ConvergedParameters) -> CheckResult:
        """Tell whether the services run, and name those that do not."""
        swarm = await quick_snapshot(context)
        tasks = tasks_by_service(read(swarm.tasks))
        services = _select(swarm, parameters)
        absent = [
            service
            for service in parameters.services
            if not any(fnmatchcase(one.name, service) for one in services)
        ]
        troubles: dict[str, Json] = {
            service.name: trouble
            for service in services
            if (trouble := _trouble(service, tasks.get(service.id, []), swarm, parameters.running_for))
        }
        missing = _missing_scope(swarm, parameters, services)
        if absent or missing:
            return check_result(
                False, missing or f"Service {listed(absent, NAMED)} not found.", troubles=troubles
            )
        if troubles:
            sentences = [f"{name} {trouble}" for name, trouble in troubles.items()]
            verb = "is" if len(troubles) == 1 else "are"
            count = plural(len(troubles), "service")
            return check_result(
                False,
                f"{count} {verb} not running as specified: {listed(sentences, NAMED)}.",
                troubles=troubles,
            )
        return check_result(
            True, f"{plural(len(services), 'service')} running as specified.", services=len(services)
        )


def _select(swarm: SwarmState, parameters: ConvergedParameters) -> list[Service]:
    ids = (
        None
        if parameters.network is None
        else {overlay.id for overlay in overlays_by_name(swarm, parameters.network)}
    )
    return [
        service
        for service in read(swarm.services)
        if not service.is_job
        and not service.is_probe
        and (ids is None or not ids.isdisjoint(service.network_ids))
        and (parameters.stack is None or service.stack == parameters.stack)
        and (not parameters.services or any(fnmatchcase(service.name, one) for one in parameters.services))
        and not any(fnmatchcase(service.name, one) for one in parameters.accept)
    ]


def _missing_scope(swarm: SwarmState, parameters: ConvergedParameters, services: list[Service]) -> str:
    """Return a sentence where the overlay or stack does not exist, else "": no services at all would pass as converged."""
    if parameters.network is not None and not overlays_by_name(swarm, parameters.network):
        return f"Overlay {parameters.network} not found."
    if parameters.stack is not None and not services and not parameters.accept:
        return f"The stack {parameters.stack} has no services."
    return ""


def _trouble(service: Service, tasks: list[Task], swarm: SwarmState, running_for_s: float) -> str:
    """Return what is wrong with a service, as what follows its name, or nothing."""
    if service.update_state in UNDER_WAY:
        return "is being updated"
    if service.update_state in ("paused", "rollback_paused"):
        return f"has a paused update ({service.update_message})"
    if not has_its_replicas(service, tasks):
        running = sum(task.state == "running" and not task.is_stopping for task in tasks)
        required = "" if service.replicas is None else f" of {service.replicas}"
        last = max((task for task in tasks if task.error), key=lambda task: task.since, default=None)
        return f"has {running}{required} running" + (f" ({last.error})" if last else "")
    now = read(swarm.engine).time
    ages = [
        (now - task.since).total_seconds()
        for task in tasks
        if task.state == "running" and not task.is_stopping
    ]
    if ages and min(ages) < running_for_s:
        return f"has a task that has been running for only {duration(min(ages))}"
    return ""


class NoStuckNewParameters(Parameters):
    """From when on a task is stuck."""

    older_than: Seconds = Field(default=60.0, description="How long a task may be in state New.")


class NoStuckNew:
    """No deploy waits for an address."""

    name: ClassVar[str] = "swarm.no_stuck_new"
    parameters: ClassVar[type[BaseModel]] = NoStuckNewParameters

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: NoStuckNewParameters) -> CheckResult:
        """Tell whether any service waits in New, or without its virtual IP, for longer than that."""
        swarm = await quick_snapshot(context)
        for part in (swarm.engine, swarm.services, swarm.tasks, swarm.networks):
            read(part)
        limit_s = parameters.older_than
        thresholds = replace(context.world.settings.thresholds, new_task_s=limit_s, unallocated_s=limit_s)
        taken_at = context.world.clock.now()
        snapshot = Snapshot(context.world.host, taken_at, 0.0, swarm, None, _NO_SNAPSHOT)
        waiting = waiting_services(snapshot, thresholds)
        if not waiting:
            return check_result(True, f"No task has been in state New for {duration(limit_s)}.")
        waits = [
            f"{waiting_service.name} for {duration(waiting_service.for_s)}" for waiting_service in waiting
        ]
        return check_result(
            False,
            f"{plural(len(waiting), 'service')} {'waits' if len(waiting) == 1 else 'wait'} for an address: "
            f"{listed(waits, NAMED)}.",
            waiting={waiting_service.name: round(waiting_service.for_s) for waiting_service in waiting},
        )
