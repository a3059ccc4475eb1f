"""Gives leaked addresses back by a change of leader: thin over the remedy that `vipconsole reclaim` uses."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel

from console.errors import Declined, StepFailed
from console.host.identity import machine_id
from console.operations.probes import own_mark
from console.operations.reclaim.handover import Ending, Handover, read_roles
from console.operations.reclaim.plan import plan_handover
from console.runbook.answers import quick_snapshot, cannot_tell_on_error
from console.runbook.contracts import Answer, CheckResult, Context, Parameters, ActionPlan
from console.runbook.language.values import Effect, Json
from console.swarm.managers import Roles
from console.swarm.values import Node


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
            refused=(f"{plan.refused} {plan.hint}".strip(),) if plan.refused else (),
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
            number = await context.change_records.before(
                "node",
                node.id,
                "hand over",
                {"name": node.hostname, "role": "manager", "availability": availability},
            )
        outcome = await _handover(context).run()
        if number is not None:
            await context.change_records.after(
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
    return Handover(world.reader, world.changer(), world.clock, str(own_mark(machine_id())), lambda _: None)


def _handover_node(roles: Roles) -> Node | None:
    """Return the node that is, or was, paused and demoted."""
    return roles.handed_over[0] if roles.handed_over else roles.leader


def _check_roles(roles: Roles, old_id: str) -> CheckResult:
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
