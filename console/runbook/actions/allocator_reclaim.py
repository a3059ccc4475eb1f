"""Gives leaked addresses back without stopping a container: by a hand-over, or by a borrowed manager."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from console.durations import duration
from console.errors import Declined, StepFailed, known
from console.host.identity import machine_id
from console.operations.borrow.options import BorrowCaller, BorrowOptions
from console.operations.borrow.plan import plan_ending
from console.operations.borrow.session import BorrowOutcome
from console.operations.borrow.this_host import borrow_here, open_session, plan_here
from console.operations.handover import read_roles
from console.operations.reclaim import ReclaimMethod
from console.runbook.actions.reclaim import AllocatorHandover, HandoverParameters
from console.runbook.answers import cannot_tell_on_error, check_result, quick_snapshot
from console.runbook.contracts import ActionPlan, Answer, CheckResult, Context, Parameters
from console.runbook.language.values import Effect, Json
from console.storage.borrow import BorrowRecord, BorrowStore
from console.storage.state import state_folder
from console.text import listed, plural

LEAST_TIMEOUT_S = 180.0
"""It takes up to two minutes, and what is cut short would have to be put back."""
_HANDOVER = AllocatorHandover()
_NO_PARAMETERS = HandoverParameters()


class ReclaimParameters(Parameters):
    """How leaked addresses are given back."""

    by: Literal["handover", "borrow"] = Field(
        description="`handover` to another manager, where there are three or more; `borrow` a second manager for some "
        "seconds, on a swarm with one."
    )

    @property
    def borrows(self) -> bool:
        """Whether a manager is borrowed."""
        return self.by == ReclaimMethod.BORROW.value


class AllocatorReclaim:
    """Leaked addresses are given back, and no container stops: by a hand-over of the lead, or by a borrowed manager.

    A restart is not among the ways: the effect of an action is the same whatever its parameters are, and a restart is an
    outage, which has to be confirmed. It is `daemon.restart`.
    """

    name: ClassVar[str] = "allocator.reclaim"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = ReclaimParameters
    # What was cut short is finished first; to do it twice costs nothing but time.
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = (
        "The swarm is led as it was before, or by another manager: nothing is to be brought back."
    )
    outputs: ClassVar[tuple[str, ...]] = ("old_leader", "new_leader")

    async def plan(self, context: Context, parameters: ReclaimParameters) -> ActionPlan:
        """Tell what is done to the managers, for how long, and what is at risk."""
        if not parameters.borrows:
            return await _HANDOVER.plan(context, _NO_PARAMETERS)
        record = _record()
        if record is not None:
            ending = plan_ending(record)
            return ActionPlan(
                ending.cost,
                changes=ending.steps,
                no_return=self.no_undo_because,
                basis={"leader": record.node_id},
            )
        world = context.world
        refused = _short_limit(context)
        plan, facts = await plan_here(world.connection, _options(context), world.settings.snapshot.deadline_s)
        leader = next((node for node in known(facts.swarm.nodes, ()) if node.is_leader), None)
        return ActionPlan(
            f"{plan.cost} {plan.risk}".strip() or "Borrow a second manager for some seconds.",
            reads=("nodes, services and tasks", "interfaces and routes of this host"),
            changes=plan.steps,
            refused=(*((f"{plan.refusal} {plan.hint}".strip(),) if plan.refusal else ()), *refused),
            no_return=self.no_undo_because,
            basis={"leader": leader.id if leader else ""},
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: ReclaimParameters) -> CheckResult:
        """Tell whether an earlier attempt came to its end."""
        if not parameters.borrows:
            return await _HANDOVER.probe(context, _NO_PARAMETERS)
        record = _record()
        if record is not None:
            return CheckResult(Answer.NO, f"The borrowed manager is unfinished ({record.step}).")
        results = [change.result for change in context.recorded_changes if change.result]
        if results and results[-1].get("gave_back"):
            return await self._check_leader(context, str(results[-1].get("leader", "")))
        # Who finished it is not known, and whether addresses came back is not either; to do it again is safe.
        return CheckResult(Answer.NO, "No manager was borrowed that is known to have given addresses back.")

    async def act(self, context: Context, parameters: ReclaimParameters) -> Mapping[str, Json]:
        """Hand over, or borrow a manager; what was cut short is finished."""
        if not parameters.borrows:
            return await _HANDOVER.act(context, _NO_PARAMETERS)
        record = _record()
        # While one is unfinished, no manager may answer.
        node_id = await _leader_id(context) if record is None else record.node_id
        number = await context.change_recorder.before(
            "node", node_id, "borrow a manager", {"role": "manager", "finishes": record is not None}
        )
        outcome = await _finish(context, record) if record is not None else await _borrow(context)
        result = outcome.result
        await context.change_recorder.after(number, {"leader": result.leader, "gave_back": result.gave_back})
        if not result.gave_back:
            raise StepFailed("No address was given back: the swarm is as it was before.", result.because)
        if outcome.lost:
            containers = f"{plural(len(outcome.lost), 'container')} of {outcome.containers}"
            raise StepFailed(
                f"Addresses are back, but {containers} stopped or restarted meanwhile: "
                f"{listed([container[:12] for container in outcome.lost])}.",
                "`vipconsole glance` shows what does not run.",
            )
        await context.say(
            f"a borrowed manager led the swarm, and {result.leader} leads again ({duration(result.took_s)}, no answer for "
            f"{result.unanswered_s:.1f} s)"
        )
        return {"old_leader": result.leader, "new_leader": result.leader}

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: ReclaimParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether the swarm has the leader that it is to have, and nothing is left of a borrowed manager."""
        if not parameters.borrows:
            return await _HANDOVER.verify(context, _NO_PARAMETERS, outputs)
        return await self._check_leader(context, str(outputs.get("new_leader", "")))

    async def undo(
        self, context: Context, parameters: ReclaimParameters, outputs: Mapping[str, Json]
    ) -> None:
        """Make the managers what they were before an attempt that was cut short; there is nothing else to take back."""
        if not parameters.borrows:
            await _HANDOVER.undo(context, _NO_PARAMETERS, outputs)
            return
        record = _record()
        if record is None:
            raise Declined(self.no_undo_because)
        await _finish(context, record)

    async def _check_leader(self, context: Context, name: str) -> CheckResult:
        if _record() is not None:
            return CheckResult(Answer.NO, "The borrowed manager is unfinished.")
        swarm = await quick_snapshot(context)
        nodes = known(swarm.nodes, ())
        temporary = [node.hostname for node in nodes if node.borrowed_by]
        if temporary:
            return CheckResult(Answer.NO, f"{listed(temporary)} is still in the swarm.")
        leader = next((node for node in nodes if node.is_leader), None)
        if leader is None:
            return CheckResult(Answer.CANNOT_TELL, "The swarm has no leader now.")
        return check_result(
            leader.hostname == name,
            f"{leader.hostname} leads, is {leader.availability}, and nothing is left of the borrowed manager.",
        )


def _short_limit(context: Context) -> tuple[str, ...]:
    if context.timeout_s >= LEAST_TIMEOUT_S:
        return ()
    limit = duration(context.timeout_s)
    return (
        f"A borrowed manager must not be cut short: the limit of this step is {limit}. Give it `timeout: 5m`.",
    )


async def _leader_id(context: Context) -> str:
    leader = (await read_roles(context.world.reader)).leader
    return "" if leader is None else leader.id


def _record() -> BorrowRecord | None:
    return BorrowStore(state_folder()).read()


def _options(context: Context) -> BorrowOptions:
    # A run has no unlock key: a swarm that locks its managers refuses, and says so.
    settings = context.world.settings
    return BorrowOptions(state_folder(), settings.docker_unit, rotates_tokens=settings.reclaim.rotate_tokens)


def _caller(context: Context) -> BorrowCaller:
    # The run's name on it lets this run, and no other, go on where it was cut short: see `decline_if_unfinished`.
    return BorrowCaller(f"{machine_id()}/{context.run_id}", context.world.changer().announce, lambda _: None)


async def _borrow(context: Context) -> BorrowOutcome:
    world = context.world
    return await borrow_here(
        world.connection, _caller(context), _options(context), world.settings.snapshot.deadline_s
    )


async def _finish(context: Context, record: BorrowRecord) -> BorrowOutcome:
    return await open_session(context.world.connection, _caller(context), _options(context)).finish(record)
