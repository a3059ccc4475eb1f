"""Predicates about services: whether they run, and whether any is stuck without an address."""

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import ClassVar

from pydantic import BaseModel, Field

from console.diagnosis.findings.waiting import waiting_services
from console.diagnosis.quiescence.crash_loops import has_its_replicas, tasks_by_service
from console.diagnosis.quiescence.services import UNDER_WAY
from console.diagnosis.values import Snapshot
from console.errors import Unknown
from console.runbook.answers import found, overlays_named, quick_snapshot, read, tells
from console.runbook.contracts import CheckResult, Context, Name, NetworkName, Parameters, Seconds
from console.runbook.language.values import Json
from console.swarm.values import Service, SwarmState, Task
from console.text import duration, listed, plural

NAMED = 5
_NOT_LOOKED_AT = Unknown("No snapshot was taken.")


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

    @tells
    async def check(self, context: Context, parameters: ConvergedParameters) -> CheckResult:
        """Tell whether the services run, and name those that do not."""
        swarm = await quick_snapshot(context)
        tasks = tasks_by_service(read(swarm.tasks))
        chosen = _chosen(swarm, parameters)
        absent = [
            service
            for service in parameters.services
            if not any(fnmatchcase(one.name, service) for one in chosen)
        ]
        troubles: dict[str, Json] = {
            service.name: trouble
            for service in chosen
            if (trouble := _trouble(service, tasks.get(service.id, []), swarm, parameters.running_for))
        }
        missing = _missing(swarm, parameters, chosen)
        if absent or missing:
            return found(False, missing or f"Service {listed(absent, NAMED)} not found.", troubles=troubles)
        if troubles:
            said = [f"{name} {trouble}" for name, trouble in troubles.items()]
            verb = "is" if len(troubles) == 1 else "are"
            count = plural(len(troubles), "service")
            return found(
                False, f"{count} {verb} not running as specified: {listed(said, NAMED)}.", troubles=troubles
            )
        return found(True, f"{plural(len(chosen), 'service')} running as specified.", services=len(chosen))


def _chosen(swarm: SwarmState, wanted: ConvergedParameters) -> list[Service]:
    ids = (
        None if wanted.network is None else {overlay.id for overlay in overlays_named(swarm, wanted.network)}
    )
    return [
        service
        for service in read(swarm.services)
        if not service.is_job
        and not service.is_probe
        and (ids is None or not ids.isdisjoint(service.network_ids))
        and (wanted.stack is None or service.stack == wanted.stack)
        and (not wanted.services or any(fnmatchcase(service.name, one) for one in wanted.services))
        and not any(fnmatchcase(service.name, one) for one in wanted.accept)
    ]


def _missing(swarm: SwarmState, wanted: ConvergedParameters, chosen: list[Service]) -> str:
    """Return that what services are asked of is not there, a sentence, or nothing: else none would run as wanted."""
    if wanted.network is not None and not overlays_named(swarm, wanted.network):
        return f"Overlay {wanted.network} not found."
    if wanted.stack is not None and not chosen and not wanted.accept:
        return f"The stack {wanted.stack} has no services."
    return ""


def _trouble(service: Service, tasks: list[Task], swarm: SwarmState, running_for_s: float) -> str:
    """Return what is wrong with a service, as what follows its name, or nothing."""
    if service.update_state in UNDER_WAY:
        return "is being updated"
    if service.update_state in ("paused", "rollback_paused"):
        return f"has a paused update ({service.update_message})"
    if not has_its_replicas(service, tasks):
        running = sum(each.state == "running" and not each.is_stopping for each in tasks)
        wanted = "" if service.replicas is None else f" of {service.replicas}"
        last = max((each for each in tasks if each.error), key=lambda task: task.since, default=None)
        return f"has {running}{wanted} running" + (f" ({last.error})" if last else "")
    now = read(swarm.engine).time
    ages = [
        (now - each.since).total_seconds()
        for each in tasks
        if each.state == "running" and not each.is_stopping
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

    @tells
    async def check(self, context: Context, parameters: NoStuckNewParameters) -> CheckResult:
        """Tell whether any service waits in New, or without its virtual IP, for longer than that."""
        swarm = await quick_snapshot(context)
        for part in (swarm.engine, swarm.services, swarm.tasks, swarm.networks):
            read(part)
        limit_s = parameters.older_than
        thresholds = replace(context.world.settings.thresholds, new_task_s=limit_s, unallocated_s=limit_s)
        taken_at = context.world.clock.now()
        seen = Snapshot(context.world.host, taken_at, 0.0, swarm, None, _NOT_LOOKED_AT)
        waiting = waiting_services(seen, thresholds)
        if not waiting:
            return found(True, f"No task has been in state New for {duration(limit_s)}.")
        said = [
            f"{waiting_service.name} for {duration(waiting_service.for_s)}" for waiting_service in waiting
        ]
        return found(
            False,
            f"{plural(len(waiting), 'service')} {'waits' if len(waiting) == 1 else 'wait'} for an address: "
            f"{listed(said, NAMED)}.",
            waiting={waiting_service.name: round(waiting_service.for_s) for waiting_service in waiting},
        )
