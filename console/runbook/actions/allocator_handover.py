"""Gives leaked addresses back by a change of leader: thin over the remedy that `vipconsole reclaim` uses."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel

from console.errors import Declined
from console.host.machine import machine_id
from console.remedies.handover import Handover, Roles, read_roles, refusal
from console.remedies.probes import own_mark
from console.runbook.actions.base import Answer, Context, Found, Planned
from console.runbook.actions.looking import tells
from console.runbook.actions.parameters import Parameters
from console.runbook.values import Effect, Json


class HandoverParameters(Parameters):
    """Nothing: the leader is whoever leads."""


class AllocatorHandover:
    """Another manager takes the lead, and the one that led becomes a manager again: leaked addresses are free then."""

    name: ClassVar[str] = "allocator.handover"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = HandoverParameters
    # What was cut short is finished, and nothing else is done then.
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = "Any manager may lead: there is nothing to bring back."
    outputs: ClassVar[tuple[str, ...]] = ("old_leader", "new_leader")

    async def plan(self, context: Context, parameters: HandoverParameters) -> Planned:
        """Tell who is demoted and promoted again."""
        roles = await read_roles(context.world.reader)
        leader = roles.demoted[0] if roles.demoted else roles.leader
        refused = None if roles.demoted else refusal(roles)
        name = leader.hostname if leader else "the leader"
        return Planned(
            f"Let another manager take the lead from {name}. No container is touched.",
            reads=("nodes",),
            changes=(f"demote {name}", f"promote {name} again"),
            calls=tuple(f"POST /nodes/{leader.id}/update" for _ in range(2) if leader),
            refused=() if refused is None else (" ".join(refused),),
            no_return=self.no_undo_because,
            basis={"leader": leader.id if leader else ""},
        )

    @tells
    async def probe(self, context: Context, parameters: HandoverParameters) -> Found:
        """Tell whether an earlier attempt came to its end."""
        roles = await read_roles(context.world.reader)
        if not context.touched:
            return Found(Answer.NO, "No hand-over was begun.")
        return _judged(roles, context.touched[0].object_id)

    async def act(self, context: Context, parameters: HandoverParameters) -> Mapping[str, Json]:
        """Hand over, or finish what was cut short."""
        roles = await read_roles(context.world.reader)
        leader = roles.demoted[0] if roles.demoted else roles.leader
        number = None
        if leader is not None:
            number = await context.touches.before(
                "node", leader.id, "demote", {"name": leader.hostname, "role": "manager"}
            )
        done = await _handover(context).run()
        if number is not None:
            await context.touches.after(number, {"leader": done.new_leader})
        await context.say(f"{done.new_leader} leads, {done.old_leader} is a manager again")
        return {"old_leader": done.old_leader, "new_leader": done.new_leader}

    @tells
    async def verify(
        self, context: Context, parameters: HandoverParameters, outputs: Mapping[str, Json]
    ) -> Found:
        """Tell whether somebody else leads and the one that led is a manager again."""
        roles = await read_roles(context.world.reader)
        old = str(outputs.get("old_leader", ""))
        found = next((each for each in roles.managers if each.hostname == old), None)
        if found is None:
            return Found(Answer.NO, f"{old} is no manager now.")
        return _judged(roles, found.id)

    async def undo(
        self, context: Context, parameters: HandoverParameters, outputs: Mapping[str, Json]
    ) -> None:
        """Promote again what an attempt left demoted; there is nothing else to take back."""
        if not (await read_roles(context.world.reader)).demoted:
            raise Declined(self.no_undo_because)
        await _handover(context).run()


def _handover(context: Context) -> Handover:
    world = context.world
    return Handover(world.reader, world.changer(), world.clock, str(own_mark(machine_id())), lambda _: None)


def _judged(roles: Roles, old_id: str) -> Found:
    reachable = {each.id for each in roles.reachable}
    if roles.leader is None:
        return Found(Answer.CANNOT_TELL, "The swarm has no leader at the moment.")
    if roles.leader.id == old_id:
        return Found(Answer.NO, f"{roles.leader.hostname} still leads.")
    if old_id not in reachable:
        return Found(Answer.NO, f"{roles.leader.hostname} leads, and the one that led is no manager yet.")
    return Found(Answer.YES, f"{roles.leader.hostname} leads, and the one that led is a manager again.")
