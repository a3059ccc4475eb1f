"""Measures leaks: a census counts what an overlay has lost, and a leak probe what each order of removal loses."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, Field

from console.addresses.accounting import account
from console.errors import Declined, EngineError, Unknown, known
from console.host.identity import machine_id
from console.monitor.snapshot import read_own_routes
from console.operations.census import (
    CensusDependencies,
    decline_unless_walkable,
    take_census,
    walkable_network,
)
from console.operations.census_walk import WALKS_AT_LEAST, CensusResult, WalkableNetwork
from console.operations.leak_probe import LeakProbe, Leaks
from console.operations.probes import own_probe_owner, remove_leftovers
from console.runbook.answers import cannot_tell_on_error, check_result, read_state
from console.runbook.contracts import (
    ActionPlan,
    Answer,
    CheckResult,
    Context,
    Measure,
    NetworkName,
    Parameters,
)
from console.runbook.language.values import Effect, Json, NotChecked
from console.text import plural


class CensusParameters(Parameters):
    """Which network is walked."""

    network: NetworkName
    large: bool = Field(
        default=False,
        description="Whether it is also walked where that takes thousands of steps. If not, its leaks stay unknown "
        "there.",
    )


class NetworkCensus:
    """The ring of an overlay's free addresses is walked: what nobody holds and cannot be had has leaked."""

    name: ClassVar[str] = "network.census"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = CensusParameters
    # What an attempt left behind is removed by the next.
    may_retry: ClassVar[bool] = True
    # It leaves nothing behind, so earlier steps can still be undone.
    no_undo_because: ClassVar[str] = ""
    outputs: ClassVar[tuple[str, ...]] = (
        "taken_at", "leaked", "addresses", "possibly_load_balancers", "walked", "verdict",
    )  # fmt: skip

    async def plan(self, context: Context, parameters: CensusParameters) -> ActionPlan:
        """Tell how many steps it takes, or why it is not taken, which is no failure."""
        walkable = await _inputs(context, parameters)
        why = _why_not(walkable, parameters)
        if why:
            sentence = _unknown(parameters.network, why)
            return ActionPlan(sentence, not_checked=(NotChecked(f"leaks of {parameters.network}", why),))
        return ActionPlan(
            f"Walk the addresses of {parameters.network} at least twice: a probe without tasks holds each "
            f"of at most {plural(walkable.free_at_most, 'free address', 'free addresses')} for a moment.",
            reads=("networks, services, tasks and nodes",),
            changes=("create and remove a service without tasks for each step, one at a time",),
            calls=("POST /services/create", "DELETE /services/…"),
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: CensusParameters) -> CheckResult:
        """Tell that it is to be taken: a census is of the moment in which it was taken."""
        return CheckResult(Answer.NO, "A census is valid only for the moment it is taken.")

    async def act(self, context: Context, parameters: CensusParameters) -> Mapping[str, Json]:
        """Walk, and return what leaked; null where that could not be known, with the reason in the verdict."""
        world, mark = context.world, own_probe_owner(machine_id())
        reader, changer = world.reader, world.changer()
        deadline_s = world.settings.snapshot.deadline_s
        for name in await remove_leftovers(reader, changer, mark.machine, deadline_s):
            await context.say(f"removed {name}, left behind by an earlier attempt")
        why = _why_not(await _inputs(context, parameters), parameters)
        if why:
            return _outputs(None, _unknown(parameters.network, why))
        number = await context.change_recorder.before("service", "", "probe", {"mark": str(mark)})
        dependencies = CensusDependencies(reader, changer, world.clock, mark, deadline_s)

        async def show(walk: int, steps: int, whole: int) -> None:
            note = f"walk {walk} of {parameters.network}, at least {WALKS_AT_LEAST} in all"
            await context.waits_for((), note, Measure(steps, whole, "steps"))

        try:
            result = await take_census(
                dependencies, parameters.network, is_large_allowed=parameters.large, progress=show
            )
        except Declined as error:
            # Others were in the way of it, and not it in theirs: the run goes on without.
            await context.change_recorder.after(number, {"not_known": error.sentence})
            return _outputs(None, _unknown(parameters.network, error.sentence))
        await context.change_recorder.after(number, {"unaccounted": len(result.unaccounted)})
        return _outputs(result, _verdict(result))

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: CensusParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Report the result. The run continues with any result: it is evidence, not a condition."""
        return check_result(
            True, str(outputs.get("verdict") or f"Leaks of {parameters.network} are unknown.")
        )

    async def undo(self, context: Context, parameters: CensusParameters, outputs: Mapping[str, Json]) -> None:
        """Remove what an attempt left; there is nothing else to take back."""
        world = context.world
        deadline_s = world.settings.snapshot.deadline_s
        for name in await remove_leftovers(world.reader, world.changer(), machine_id(), deadline_s):
            await context.say(f"removed {name}, left behind by an interrupted attempt")


async def _inputs(context: Context, parameters: CensusParameters) -> WalkableNetwork:
    world = context.world
    state = await world.reader.state(world.settings.snapshot.deadline_s)
    return walkable_network(state, parameters.network)


def _why_not(walkable: WalkableNetwork, parameters: CensusParameters) -> str:
    """Return why a network is not walked, a sentence, or nothing."""
    try:
        decline_unless_walkable(walkable, is_large_allowed=parameters.large)
    except Declined as error:
        return error.sentence
    return ""


def _unknown(network: str, why: str) -> str:
    return f"Leaks of {network} are unknown: {why}"


def _outputs(result: CensusResult | None, verdict: str) -> Mapping[str, Json]:
    if result is None or not result.is_settled:
        return {
            "taken_at": None if result is None else result.taken_at.isoformat(),
            "leaked": None,
            "addresses": [],
            "possibly_load_balancers": None,
            "walked": 0 if result is None else sum(walk.steps for walk in result.walks),
            "verdict": verdict,
        }
    return {
        "taken_at": result.taken_at.isoformat(),
        "leaked": result.leaked_at_least,
        "addresses": [str(address) for address in result.unaccounted],
        "possibly_load_balancers": result.load_balancers_at_most,
        "walked": sum(walk.steps for walk in result.walks),
        "verdict": verdict,
    }


def _verdict(result: CensusResult) -> str:
    name, several = result.walkable.account.network.name, result.load_balancers_at_most
    if not result.is_settled:
        return _unknown(name, "Other services took and gave back addresses during the whole census.")
    if not result.unaccounted:
        return f"No address of {name} leaked."
    count = plural(len(result.unaccounted), "address", "addresses")
    if several:
        return f"{count} of {name} leaked, but up to {several} of these may be other nodes' load balancers."
    return (
        f"{count} of {name} leaked. They come back when the network is recreated or the leader's allocator "
        "is rebuilt."
    )


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
        world, mark = context.world, own_probe_owner(machine_id())
        changer = world.changer()
        for name in await remove_leftovers(
            world.reader, changer, mark.machine, world.settings.snapshot.deadline_s
        ):
            await context.say(f"removed {name}, left behind by an earlier attempt")
        swarm = await read_state(context)
        routes = known(await read_own_routes(world.host, swarm.engine, world.settings.snapshot), ())
        number = await context.change_recorder.before("network", "", "probe", {"mark": str(mark)})
        probe = LeakProbe(world.reader, changer, world.clock, mark, context.say)
        leaks = await probe.run(route.network for route in routes)
        await context.change_recorder.after(number, {"naive": leaks.naive, "safe": leaks.safe})
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
        (
            network_account.free_at_most
            for network_account in account(swarm)
            if network_account.network.name == parameters.network
        ),
        None,
    )


def _number(outputs: Mapping[str, Json], name: str) -> int:
    value = outputs.get(name)
    return value if isinstance(value, int) else 0
