"""Restarts the leader's dockerd, which gives leaked addresses back: thin over the remedy of `vipconsole reclaim`."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel

from console.addresses.leaks import allocator_of
from console.errors import Declined, StepFailed, Unknown
from console.host.identity import machine_id
from console.host.unit_chain import restart_daemon_unit
from console.operations.reclaim.handover import read_roles
from console.operations.reclaim.plan import ReclaimTarget, Way, plan_reclaim
from console.operations.reclaim.restart import DaemonRestart
from console.runbook.answers import check_result, quick_snapshot, cannot_tell_on_error, time_to_wait_s, why_not_this_host
from console.runbook.contracts import Answer, CheckResult, Context, Parameters, ActionPlan
from console.runbook.language.values import Effect, Json
from console.swarm.values import SwarmState
from console.text import listed

USUAL_S = 34.0
"""From the stop until services run again (measured on 28.5.2)."""


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
        plan = plan_reclaim(roles, swarm, Way.RESTART, place)
        return ActionPlan(
            plan.cost or f"Restart {unit} on the leader.",
            reads=("nodes and tasks", f"the unit {unit}"),
            changes=(f"restart {unit}",),
            calls=plan.steps,
            refused=(f"{plan.refused} {plan.hint}".strip(),) if plan.refused else (),
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
        number = await context.change_records.before(
            "unit", unit, "restart", {"began": _daemon_start(await quick_snapshot(context))}
        )
        world.changer().announce(f"restart {unit}")
        restart = DaemonRestart(
            world.reader, world.clock, lambda: restart_daemon_unit(unit, limit_s), lambda _: None
        )
        await context.say("dockerd is restarted")
        outcome = await restart.run(limit_s)
        await context.change_records.after(number, {"took_s": round(outcome.took_s, 1)})
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
        return check_result(is_back, "The swarm answers, and has a leader." if is_back else "The swarm is not back.")

    async def undo(
        self, context: Context, parameters: DaemonRestartParameters, outputs: Mapping[str, Json]
    ) -> None:
        """Refuse: see `no_undo_because`."""
        raise Declined(self.no_undo_because)


def _daemon_start(swarm: SwarmState) -> str:
    allocator = allocator_of(swarm)
    start: datetime | None = None if allocator is None else allocator.daemon_began
    return "" if start is None else start.isoformat()
