"""Recreates an overlay with another subnet under everything that is on it, with the operation of that name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from typing import ClassVar

from pydantic import BaseModel, Field

from console.durations import duration
from console.errors import StepFailed
from console.host.identity import machine_id
from console.operations.changes import RetryingChanger
from console.operations.network_recreation.job import RECORD, RecreationDependencies, start_interval_s
from console.operations.network_recreation.plan import (
    RecreationInputs,
    RecreationOwner,
    RecreationPlan,
    RecreationRequest,
    plan_lines,
    read_inputs,
)
from console.operations.network_recreation.record import Record, record_from_json
from console.operations.network_recreation.recreation import UNRECORDED, Recreation, RecreationResult
from console.operations.network_recreation.refusals import plan_recreation, subnet_refusals
from console.operations.network_recreation.verify import differences, running_as_before
from console.operations.network_recreation.way_back import SCRIPT, way_back_script
from console.runbook.answers import cannot_tell_on_error, check_result
from console.runbook.contracts import (
    ActionPlan,
    Answer,
    Blocking,
    CheckResult,
    Context,
    Name,
    NetworkName,
    Parameters,
)
from console.runbook.language.values import Effect, ExpectedDowntime, Json, NotChecked
from console.runbook.run.downtime import DOWNTIME
from console.runbook.run.replay_steps import RUNNING
from console.text import listed, plural

_ROLLBACK_RESET = (
    "update every service once more without a change: nothing restarts, and a rollback does not park it",
)


class RecreateParameters(Parameters):
    """Which network, and what it becomes."""

    network: NetworkName
    subnet: IPv4Network = Field(description="The subnet that the network gets.")
    first: list[Name] = Field(
        default=["traefik_app", "*_proxy", "*traefik*"],
        description="Services (globs) that are stopped last and come back first, in this order: the reverse proxy. A "
        "service that publishes a port counts as one, named or not.",
    )
    may_change_address: list[Name] = Field(
        default=[],
        description="Containers (globs) that may get another address, even if theirs was set by hand.",
    )
    reset_rollback: bool = Field(
        default=True,
        description="Whether each service is updated once more at the end, without a change. This restarts "
        "nothing, and `docker service rollback` no longer parks the service. If false, the "
        "services that a rollback would park are listed.",
    )
    running_within: float = Field(
        default=300.0, description="How many seconds to wait until tasks run again.", gt=0
    )


class NetworkRecreate:
    """An overlay is removed and made again with another subnet; what was on it is stopped once and started once."""

    name: ClassVar[str] = "network.recreate"
    effect: ClassVar[Effect] = Effect.OUTAGE
    parameters: ClassVar[type[BaseModel]] = RecreateParameters
    # It reads how far an earlier attempt got, and finishes it.
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = ""
    outputs: ClassVar[tuple[str, ...]] = (
        "network_id", "subnet", "outages", "outage_s", "floor_s", "differences", "changed_by_others", "newcomers",
        "rolls_back_to_parked", "downtime", "services",
    )  # fmt: skip

    async def plan(self, context: Context, parameters: RecreateParameters) -> ActionPlan:
        """Tell what is parked, removed, created and brought back, in order, and why it must not be done."""
        plan = await _plan(context, parameters)
        record = plan.record
        if plan.is_done:
            sentence = f"{parameters.network} has {parameters.subnet} already."
            return ActionPlan(sentence, checked=(check_result(is_so=True, sentence=sentence),))
        services = len(record.services) if record else 0
        containers = len(record.containers) if record else 0
        downtimes = tuple(
            ExpectedDowntime(name, seconds) for name, seconds in plan.downtimes(start_interval_s())
        )
        return ActionPlan(
            f"Recreate {parameters.network} as {parameters.subnet}: {plural(services, 'service')} and "
            f"{plural(containers, 'container')} on it are stopped once and started once.",
            reads=("networks, services, tasks, containers and nodes", "this host's routes"),
            changes=(*plan_lines(plan), *(_ROLLBACK_RESET if parameters.reset_rollback and services else ())),
            calls=_calls(plan, resets=parameters.reset_rollback),
            checked=tuple(check_result(is_so=True, sentence=note) for note in plan.notes),
            not_checked=tuple(NotChecked(what, why) for what, why in plan.not_checked),
            refused=plan.refusals,
            outage_s=max((downtime.seconds for downtime in downtimes), default=plan.outage_s),
            downtimes=downtimes,
            basis=_basis(plan),
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: RecreateParameters) -> CheckResult:
        """Tell whether the network has the subnet and nothing waits to be brought back."""
        return _state(await _plan(context, parameters), parameters)

    async def act(self, context: Context, parameters: RecreateParameters) -> Mapping[str, Json]:
        """Recreate it, or finish what an earlier attempt began."""
        plan = await _plan(context, parameters)
        if plan.refusals or plan.record is None:
            raise StepFailed(
                " ".join(plan.refusals) or "There is nothing to recreate.", "Check the plan again."
            )
        result = await (await _recreation(context, parameters, plan)).forward()
        if result.rolls_back_to_parked:
            await context.say(
                f"Do not roll back {plural(len(result.rolls_back_to_parked), 'service')} before `docker "
                f"service update` of each, which changes nothing: {listed(result.rolls_back_to_parked)}"
            )
        return _outputs(result)

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: RecreateParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether the network has the subnet, nothing waits, and everything is as it was."""
        inputs = await _inputs(context, parameters)
        plan = plan_recreation(inputs, _request(parameters), _whose(context))
        result = _compare_with_before(context, inputs, plan, _state(plan, parameters), outputs)
        running = _running_again(context, inputs, plan, outputs)
        return replace(result, evidence={**result.evidence, RUNNING: running}) if running else result

    async def undo(
        self, context: Context, parameters: RecreateParameters, outputs: Mapping[str, Json]
    ) -> Mapping[str, Json] | None:
        """Give the network back what it was, and everything back to it, however far an attempt came.

        Returns the outputs of that, as `act` does. Raises StepFailed where nothing is down and the old subnet cannot be had any more, and where not all is as it was.
        """
        stored_record = _stored_record(context)
        if stored_record is None and not context.recorded_changes:
            return None
        inputs = await _inputs(context, parameters)
        plan = plan_recreation(inputs, _request(parameters), _whose(context))
        record = stored_record or plan.record
        if record is None:
            raise StepFailed(f"What {parameters.network} was is unknown.", "Try `way-back.sh` of the run.")
        if plan.is_done:
            _require_room(inputs, record)
        result = await (await _recreation(context, parameters, plan, record)).back()
        sentences = [difference.sentence for difference in result.differences if difference.is_failure]
        if sentences:
            raise StepFailed(f"It was undone, but some things differ from before: {' '.join(sentences)}")
        return _outputs(result)


def _compare_with_before(
    context: Context,
    inputs: RecreationInputs,
    plan: RecreationPlan,
    state: CheckResult,
    outputs: Mapping[str, Json],
) -> CheckResult:
    """Tell whether everything is as it was, where the act ended with something that was not."""
    at_end = outputs.get("differences")
    if state.answer is not Answer.YES or not isinstance(at_end, list) or not at_end:
        return state
    # The act returned what differed at its end; a service may have come back since.
    sentences = _differences_now(context, inputs, plan)
    if sentences:
        return check_result(False, f"Some things differ from before: {' '.join(sentences)}")
    unrecorded = [str(sentence) for sentence in at_end if str(sentence).startswith(UNRECORDED)]
    return replace(state, sentence=" ".join((state.sentence, *unrecorded)))


def _running_again(
    context: Context, inputs: RecreationInputs, plan: RecreationPlan, outputs: Mapping[str, Json]
) -> list[Json]:
    """Return the services that the act left down and that run as before now."""
    record, rows = _stored_record(context), outputs.get(DOWNTIME)
    if record is None or plan.current is None or not isinstance(rows, list):
        return []
    down = {row["name"] for row in rows if isinstance(row, Mapping) and row["to"] is None}
    running = running_as_before(record, inputs.snapshot, plan.current) if down else ()
    return [name for name in running if name in down]


def _differences_now(context: Context, inputs: RecreationInputs, plan: RecreationPlan) -> tuple[str, ...]:
    """Return what is not as it was before the first attempt, each a sentence."""
    record = _stored_record(context)
    if record is None or plan.current is None:
        return ("What was on the network before is unknown.",)
    endpoints = {endpoint.container_id: endpoint for endpoint in inputs.endpoints}
    found = differences(record, inputs.snapshot, plan.current, endpoints, (plan.request.subnet,))
    return tuple(difference.sentence for difference in found if difference.is_failure)


def _require_room(inputs: RecreationInputs, record: Record) -> None:
    """Raise StepFailed where the subnet that the network had is too small now, or another network has it."""
    snapshot = inputs.snapshot
    if len(record.network.ipv4) != 1:
        return
    (old,) = record.network.ipv4
    refusals = tuple(
        subnet_refusals(old, snapshot, snapshot.overlay(record.network.name), inputs.environment)
    )
    if refusals:
        raise StepFailed(" ".join(refusals), "Nothing was changed. To use another subnet, start another run.")


async def _plan(context: Context, parameters: RecreateParameters) -> RecreationPlan:
    return plan_recreation(await _inputs(context, parameters), _request(parameters), _whose(context))


async def _inputs(context: Context, parameters: RecreateParameters) -> RecreationInputs:
    reader = context.world.reader
    return await read_inputs(reader, context.world.host, parameters.network, _stored_record(context))


def _request(parameters: RecreateParameters) -> RecreationRequest:
    return RecreationRequest(
        parameters.network,
        parameters.subnet,
        tuple(parameters.first),
        tuple(parameters.may_change_address),
    )


def _whose(context: Context) -> RecreationOwner:
    return RecreationOwner(machine_id(), context.run_id)


def _stored_record(context: Context) -> Record | None:
    """Return everything as it was when earlier attempts of this step began, from the run's own record.

    The last one, for it holds the services that joined in between; but one that was made when the network had its new subnet already
    does not tell what it was.
    """
    records = [record_from_json(change.state) for change in context.recorded_changes if change.what == RECORD]
    before = [record for record in records if record.network.ipv4 != (IPv4Network(record.target),)]
    return before[-1] if before else next(iter(records), None)


async def _recreation(
    context: Context, parameters: RecreateParameters, plan: RecreationPlan, record: Record | None = None
) -> Recreation:
    world = context.world
    reader = world.reader
    inputs = await read_inputs(reader, world.host, parameters.network)
    retrying = RetryingChanger(world.clock, context.change_recorder)

    async def store_script(record: Record) -> None:
        await context.keep(SCRIPT, way_back_script(record))

    async def waits_for(names: Sequence[str]) -> None:
        parts = [name.partition(" (") for name in names]
        await context.waits_for([Blocking(name, state.removesuffix(")")) for name, _, state in parts])

    dependencies = RecreationDependencies(
        reader,
        world.changer(),
        retrying,
        _whose(context),
        store_script,
        context.say,
        start_interval_s(),
        waits_for,
        context.report_outage,
    )
    target = record or plan.record
    if target is None:
        raise StepFailed(f"What {parameters.network} was is unknown.", "Check the plan again.")
    recreation = Recreation(dependencies, target, inputs.environment, tuple(parameters.first))
    recreation.resets_rollback = parameters.reset_rollback
    recreation.running_within_s = parameters.running_within
    return recreation


def _state(plan: RecreationPlan, parameters: RecreateParameters) -> CheckResult:
    if plan.is_done:
        return check_result(
            True, f"{parameters.network} has {parameters.subnet}, and everything is back on it."
        )
    if plan.is_resumed:
        return check_result(False, f"The recreation of {parameters.network} has started and is not finished.")
    if plan.current is None:
        return check_result(False, f"Overlay {parameters.network} not found.")
    return check_result(
        False, f"{parameters.network} has {listed([str(subnet) for subnet in plan.current.ipv4])}."
    )


def _basis(plan: RecreationPlan) -> Mapping[str, Json]:
    """Return what the operator's decision rests on: who is on the network, and how often each specification was changed."""
    record = plan.record
    if record is None:
        return {}
    return {
        "network": record.network.id,
        "services": {service.id: [service.mode, service.replicas or 0] for service in record.services},
        "containers": [*sorted(container.id for container in record.containers)],
    }


def _calls(plan: RecreationPlan, *, resets: bool) -> tuple[str, ...]:
    record = plan.record
    if record is None:
        return ()
    services = [f"POST /services/{service.id}/update" for service in record.services]
    return (
        # Without tasks first, then off the network.
        *services,
        *services,
        *(f"POST /networks/{record.network.id}/disconnect" for _ in record.containers),
        f"DELETE /networks/{record.network.id}",
        "POST /networks/create",
        *services,
        *("POST /networks/NEW/connect" for _ in record.containers),
        *(services if resets else ()),
    )


def _outputs(result: RecreationResult) -> Mapping[str, Json]:
    outages: list[Json] = [
        f"{outage.name}: down for {duration(outage.total_s)}"
        + (
            ""
            if outage.floor_s is None
            else f" (stopping and starting alone take {duration(outage.floor_s)})"
        )
        for outage in result.outages
    ]
    return {
        "network_id": result.network_id,
        "subnet": listed([str(subnet) for subnet in result.subnets]),
        "outages": outages,
        "outage_s": None if result.whole is None else round(result.whole[0], 1),
        "floor_s": None if result.whole is None else round(result.whole[1], 1),
        "differences": [difference.sentence for difference in result.differences if difference.is_failure],
        "changed_by_others": [
            difference.sentence for difference in result.differences if not difference.is_failure
        ],
        "newcomers": [*result.newcomers],
        "rolls_back_to_parked": [
            f"{service}: `docker service rollback` would stop it and take it off the network. To prevent that, "
            f"run `docker service update {service}`: it changes and restarts nothing"
            for service in result.rolls_back_to_parked
        ],
        "downtime": _downtime(result),
        "services": {"running": result.services_running, "all": result.services},
    }


def _downtime(result: RecreationResult) -> Json:
    """Return when each service was down; `to` is null for those that were not seen running as before since."""
    rows: list[Json] = [
        {
            "name": outage.name,
            "from": outage.began_at.isoformat(),
            "to": outage.ended_at.isoformat(),
            "down_s": round(outage.total_s, 1),
            "floor_s": None if outage.floor_s is None else round(outage.floor_s, 1),
        }
        for outage in result.outages
    ]
    rows += [
        {"name": name, "from": since.isoformat(), "to": None, "down_s": None, "floor_s": None}
        for name, since in result.down_since.items()
    ]
    return rows
