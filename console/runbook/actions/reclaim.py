"""Frees leaked addresses as `vipconsole reclaim` does: by a hand-over of the lead, or by a restart of the leader's dockerd."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel

from console.addresses.leaks import allocator_of
from console.errors import Declined, StepFailed, Unknown
from console.host.identity import machine_id
from console.host.unit_chain import restart_daemon_unit
from console.operations.handover import Ending, Handover, read_roles
from console.operations.probes import own_probe_owner
from console.operations.reclaim import (
    DaemonRestart,
    ReclaimMethod,
    ReclaimTarget,
    plan_handover,
    plan_reclaim,
)
from console.runbook.answers import (
    cannot_tell_on_error,
    check_result,
    quick_snapshot,
    time_to_wait_s,
    why_not_this_host,
)
from console.runbook.contracts import ActionPlan, Answer, CheckResult, Context, Parameters
from console.runbook.language.values import Effect, Json
from console.swarm.managers import ManagerRoles
from console.swarm.model import Node, SwarmState
from console.text import listed

USUAL_S = 34.0
"""From the stop until services run again (measured on 28.5.2)."""


class HandoverParameters(Parameters):
    """No parameters: it applies to the present leader."""


class AllocatorHandover:
    """Another manager takes the lead, and the one that led becomes a manager again: leaked addresses are free then."""

    name: ClassVar[str] = "allocator.handover"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = HandoverParameters
    # What was cut short is finished, and nothing else is done then.
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = "Any manager may be the leader, so there is nothing to bring back."
    outputs: ClassVar[tuple[str, ...]] = ("old_leader", "new_leader")

    async def plan(self, context: Context, parameters: HandoverParameters) -> ActionPlan:
        """Tell who is paused, demoted, promoted and made active again, and what that ends."""
        swarm = await quick_snapshot(context)
        roles = await read_roles(context.world.reader)
        plan = plan_handover(roles, swarm, machine_id())
        node = _handover_node(roles)
        return ActionPlan(
            plan.cost or "Hand the lead over to another manager.",
            reads=("nodes, services and tasks",),
            changes=plan.steps,
            calls=tuple(f"POST /nodes/{node.id}/update" for _ in plan.steps if node),
            refused=(f"{plan.refusal} {plan.hint}".strip(),) if plan.refusal else (),
            no_return=self.no_undo_because,
            basis={"leader": node.id if node else ""},
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: HandoverParameters) -> CheckResult:
        """Tell whether an earlier attempt came to its end."""
        roles = await read_roles(context.world.reader)
        if not context.recorded_changes:
            return CheckResult(Answer.NO, "The hand-over has not started.")
        return _check_roles(roles, context.recorded_changes[0].object_id)

    async def act(self, context: Context, parameters: HandoverParameters) -> Mapping[str, Json]:
        """Hand over, or finish what was cut short."""
        node = _handover_node(await read_roles(context.world.reader))
        number = None
        if node is not None:
            # What it was before is on its label too, once it is paused: the first record of a node tells it.
            availability = node.availability_before or node.availability
            number = await context.change_recorder.before(
                "node",
                node.id,
                "hand over",
                {"name": node.hostname, "role": "manager", "availability": availability},
            )
        outcome = await _handover(context).run()
        if number is not None:
            await context.change_recorder.after(
                number, {"leader": outcome.new_leader, "ending": outcome.ending.value}
            )
        if outcome.ending is Ending.UNDONE:
            raise StepFailed(
                f"The interrupted hand-over was undone: {outcome.old_leader} is what it was before.",
                outcome.because,
            )
        await context.say(f"{outcome.new_leader} is the leader, {outcome.old_leader} is a manager again")
        return {"old_leader": outcome.old_leader, "new_leader": outcome.new_leader}

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: HandoverParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether somebody else leads and the one that led is a manager again."""
        roles = await read_roles(context.world.reader)
        old = str(outputs.get("old_leader", ""))
        node = next((manager for manager in roles.managers if manager.hostname == old), None)
        if node is None:
            return CheckResult(Answer.NO, f"{old} is not a manager now.")
        return _check_roles(roles, node.id)

    async def undo(
        self, context: Context, parameters: HandoverParameters, outputs: Mapping[str, Json]
    ) -> None:
        """Make a node what it was before an attempt that was cut short; there is nothing else to take back."""
        if await _handover(context).put_back() is None:
            raise Declined(self.no_undo_because)


def _handover(context: Context) -> Handover:
    world = context.world
    return Handover(
        world.reader, world.changer(), world.clock, str(own_probe_owner(machine_id())), lambda _: None
    )


def _handover_node(roles: ManagerRoles) -> Node | None:
    """Return the node that is, or was, paused and demoted."""
    return roles.former_leaders[0] if roles.former_leaders else roles.leader


def _check_roles(roles: ManagerRoles, old_id: str) -> CheckResult:
    old = roles.node(old_id)
    if roles.leader is None:
        return CheckResult(Answer.CANNOT_TELL, "The swarm has no leader now.")
    if old is not None and old.handover:
        return CheckResult(
            Answer.NO, f"{old.hostname} still has the hand-over label, so it is not yet what it was before."
        )
    if roles.leader.id == old_id:
        return CheckResult(Answer.NO, f"{roles.leader.hostname} is still the leader.")
    if old_id not in {node.id for node in roles.reachable}:
        return CheckResult(
            Answer.NO, f"{roles.leader.hostname} is the leader, but the old leader is not a manager yet."
        )
    return CheckResult(
        Answer.YES,
        f"{roles.leader.hostname} is the leader, and the old leader is a manager again.",
        {"availability": old.availability if old else ""},
    )


class DaemonRestartParameters(Parameters):
    """Nothing: the unit is that of the settings."""


class DaemonRestartAction:
    """dockerd is restarted on the leader: every container of this host stops and comes back, leaked addresses are free."""

    name: ClassVar[str] = "daemon.restart"
    effect: ClassVar[Effect] = Effect.OUTAGE
    parameters: ClassVar[type[BaseModel]] = DaemonRestartParameters
    may_retry: ClassVar[bool] = False
    no_undo_because: ClassVar[str] = "All stopped containers have come back, so there is nothing to undo."
    outputs: ClassVar[tuple[str, ...]] = ("took_s",)

    async def plan(self, context: Context, parameters: DaemonRestartParameters) -> ActionPlan:
        """Tell what stops."""
        swarm = await quick_snapshot(context)
        roles = await read_roles(context.world.reader)
        unit = context.world.settings.docker_unit
        place = ReclaimTarget(machine_id(), unit, await why_not_this_host(context, swarm))
        plan = plan_reclaim(roles, swarm, ReclaimMethod.RESTART, place)
        return ActionPlan(
            plan.cost or f"Restart {unit} on the leader.",
            reads=("nodes and tasks", f"the unit {unit}"),
            changes=(f"restart {unit}",),
            calls=plan.steps,
            refused=(f"{plan.refusal} {plan.hint}".strip(),) if plan.refusal else (),
            no_return=self.no_undo_because,
            outage_s=USUAL_S,
            basis={"leader": roles.leader.id if roles.leader else ""},
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: DaemonRestartParameters) -> CheckResult:
        """Tell whether dockerd was started again since an earlier attempt was about to."""
        if not context.recorded_changes:
            return check_result(False, "The restart has not started.")
        before, now = (
            str(context.recorded_changes[-1].state.get("began", "")),
            _daemon_start(await quick_snapshot(context)),
        )
        if not before or not now:
            return CheckResult(Answer.CANNOT_TELL, "When dockerd started is unknown.")
        return check_result(before != now, f"dockerd started {now}; before that, {before}.", began=now)

    async def act(self, context: Context, parameters: DaemonRestartParameters) -> Mapping[str, Json]:
        """Restart it, and wait until what ran before runs again."""
        world, unit = context.world, context.world.settings.docker_unit
        limit_s = time_to_wait_s(context)
        number = await context.change_recorder.before(
            "unit", unit, "restart", {"began": _daemon_start(await quick_snapshot(context))}
        )
        world.changer().announce(f"restart {unit}")
        restart = DaemonRestart(
            world.reader, world.clock, lambda: restart_daemon_unit(unit, limit_s), lambda _: None
        )
        await context.say("dockerd is restarted")
        outcome = await restart.run(limit_s)
        await context.change_recorder.after(number, {"took_s": round(outcome.took_s, 1)})
        if outcome.behind:
            raise StepFailed(
                f"dockerd is up, but {listed(outcome.behind)} {'is' if len(outcome.behind) == 1 else 'are'} not "
                "running.",
                "Run `vipconsole why` on each of them.",
            )
        return {"took_s": round(outcome.took_s, 1)}

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: DaemonRestartParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether the swarm is back."""
        swarm = await quick_snapshot(context)
        is_back = not isinstance(swarm.engine, Unknown) and allocator_of(swarm) is not None
        return check_result(
            is_back, "The swarm answers, and has a leader." if is_back else "The swarm is not back."
        )

    async def undo(
        self, context: Context, parameters: DaemonRestartParameters, outputs: Mapping[str, Json]
    ) -> None:
        """Refuse: see `no_undo_because`."""
        raise Declined(self.no_undo_because)


def _daemon_start(swarm: SwarmState) -> str:
    allocator = allocator_of(swarm)
    start: datetime | None = None if allocator is None else allocator.daemon_began
    return "" if start is None else start.isoformat()
