"""Proves on scratch networks what each order of removal loses: thin over the remedy."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, Field

from console.addresses.accounting import account
from console.errors import EngineError, Unknown, known
from console.host.identity import machine_id
from console.monitor.snapshot import read_own_routes
from console.operations.leak_probe import LeakProbe, Leaks
from console.operations.probes import own_mark, remove_leftovers
from console.runbook.answers import check_result, read_state, cannot_tell_on_error
from console.runbook.contracts import Answer, CheckResult, Context, NetworkName, Parameters, ActionPlan
from console.runbook.language.values import Effect, Json


class LeakProbeParameters(Parameters):
    """What the verdict speaks of."""

    network: NetworkName | None = Field(
        default=None,
        description="An overlay. The verdict says how many removals its free addresses last for. It is not changed.",
    )


class LeakProbeAction:
    """Scratch networks are made, a service on two of them is removed in both orders, and what was lost is counted."""

    name: ClassVar[str] = "leak.probe"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = LeakProbeParameters
    # What an attempt left behind is removed by the next.
    may_retry: ClassVar[bool] = True
    # It leaves nothing behind, so earlier steps can still be undone.
    no_undo_because: ClassVar[str] = ""
    outputs: ClassVar[tuple[str, ...]] = ("naive", "safe", "tasks", "verdict")

    async def plan(self, context: Context, parameters: LeakProbeParameters) -> ActionPlan:
        """Tell what is made and removed again."""
        return ActionPlan(
            "Create scratch networks, remove a service from them in both orders, count how many addresses "
            "leak, and remove the networks.",
            reads=("networks, services and tasks",),
            changes=(
                "create and remove 3 scratch overlays",
                "create and remove 2 services without containers, and a probe for each free address of a small subnet",
            ),
            calls=(
                "POST /networks/create",
                "POST /services/create",
                "DELETE /services/…",
                "DELETE /networks/…",
            ),
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: LeakProbeParameters) -> CheckResult:
        """Tell that it is to be done: a proof is of the moment in which it was made."""
        return CheckResult(Answer.NO, "A leak probe always runs again.")

    async def act(self, context: Context, parameters: LeakProbeParameters) -> Mapping[str, Json]:
        """Lose addresses of scratch networks in both orders, and count them."""
        world, mark = context.world, own_mark(machine_id())
        changer = world.changer()
        for name in await remove_leftovers(
            world.reader, changer, mark.machine, world.settings.snapshot.deadline_s
        ):
            await context.say(f"removed {name}, left behind by an earlier attempt")
        swarm = await read_state(context)
        routes = known(await read_own_routes(world.host, swarm.engine, world.settings.snapshot), ())
        number = await context.change_records.before("network", "", "probe", {"mark": str(mark)})
        probe = LeakProbe(world.reader, changer, world.clock, mark, context.say)
        leaks = await probe.run(route.network for route in routes)
        await context.change_records.after(number, {"naive": leaks.naive, "safe": leaks.safe})
        return {
            "naive": leaks.naive,
            "safe": leaks.safe,
            "tasks": leaks.tasks,
            "verdict": leaks.verdict(await _free(context, parameters)),
        }

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: LeakProbeParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether the order that waits lost nothing."""
        leaks = Leaks(*(_number(outputs, name) for name in ("naive", "safe", "tasks")))
        return check_result(not leaks.safe, leaks.verdict(await _free(context, parameters)))

    async def undo(
        self, context: Context, parameters: LeakProbeParameters, outputs: Mapping[str, Json]
    ) -> None:
        """Remove what an attempt left; there is nothing else to take back."""
        world = context.world
        deadline_s = world.settings.snapshot.deadline_s
        for name in await remove_leftovers(world.reader, world.changer(), machine_id(), deadline_s):
            await context.say(f"removed {name}, left behind by an interrupted attempt")


async def _free(context: Context, parameters: LeakProbeParameters) -> int | None:
    if parameters.network is None:
        return None
    swarm = await read_state(context)
    if isinstance(swarm.networks, Unknown):
        raise EngineError(swarm.networks.reason, swarm.networks.hint)
    return next(
        (network_account.free_at_most for network_account in account(swarm) if network_account.network.name == parameters.network), None
    )


def _number(outputs: Mapping[str, Json], name: str) -> int:
    value = outputs.get(name)
    return value if isinstance(value, int) else 0
