"""A census: which addresses of an overlay leaked, by name, found by walking the ring of its free ones."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from console.addresses.accounting import account
from console.addresses.holders import holders_on, index_holders
from console.addresses.leaks import allocator_of
from console.clock import Clock
from console.errors import Declined, EngineError, Unknown, UsageError
from console.operations.census.values import (
    FREE_AT_LEAST,
    LOOK_EVERY_STEPS,
    STEPS_AT_MOST,
    Ground,
    Result,
    Walk,
    is_settled,
    unvisited,
    walk_once,
)
from console.operations.probes import Mark, Prober
from console.operations.stack_removal.steps import LeakCount, Prove
from console.swarm.changer import SwarmChanger
from console.swarm.reader import SwarmReader
from console.swarm.values import StackObject, SwarmState
from console.text import clean, or_what_there_is, plural

Progress = Callable[[int, int, int], None]
"""Receives the number of the walk, its steps so far, and how many it takes (`Ground.steps_of_a_walk`)."""


def ground_in(state: SwarmState, asked: str) -> Ground:
    """Return a network, by its name or ID, as the ground of a census.

    Raises UsageError where there is no such overlay, Declined where it cannot be walked, EngineError where it could not
    be read.
    """
    return _ground(state, _network_id(state, asked))


def decline_unless_walkable(ground: Ground, *, is_large_allowed: bool) -> None:
    """Raise Declined when a walk must not be begun, with the reason.

    Where nothing can be free there is no reason: then nothing is walked.
    """
    name, free = ground.account.network.name, ground.free_at_most
    if 0 < free < FREE_AT_LEAST:
        bound = "" if ground.account.free_is_exact else "at most "
        raise Declined(
            f"{name} has {bound}{plural(free, 'free address', 'free addresses')}. A census could take one "
            "that a deploy needs.",
            f"A census needs {FREE_AT_LEAST}. `vipconsole glance {name}` shows who holds the others.",
        )
    if ground.steps_of_a_walk > STEPS_AT_MOST and not is_large_allowed:
        raise Declined(
            f"{name} can have {free} free addresses. A walk takes {ground.steps_of_a_walk} steps, and a "
            "census needs two or more walks.",
            f"Add --large to walk more than {STEPS_AT_MOST}.",
        )


@dataclass(frozen=True, slots=True)
class Means:
    """What a census is taken with."""

    reader: SwarmReader
    changer: SwarmChanger
    clock: Clock
    mark: Mark
    deadline_s: float
    """For each snapshot."""


async def take_census(
    means: Means, asked: str, *, is_large_allowed: bool = False, progress: Progress = lambda *_: None
) -> Result:
    """Walk the ring of a network until what stays unvisited has leaked, and return it.

    The caller holds the maintenance lock and has removed leftovers. At most one probe exists at any time, and none when
    this returns, is cancelled or raises, if the engine still answers. Raises what `ground_in` and
    `decline_unless_walkable` raise, and Declined when the allocator was rebuilt in the middle.
    """
    start = means.clock.monotonic()
    state = await means.reader.state(means.deadline_s)
    network_id = _network_id(state, asked)
    ground = _ground(state, network_id)
    decline_unless_walkable(ground, is_large_allowed=is_large_allowed)
    watch = _Watch(means.reader, ground, means.deadline_s, set(), ground.load_balancers_at_most)
    walks: list[Walk] = []
    settled = False
    if ground.free_at_most:
        prober = Prober(means.reader, means.changer, means.clock, means.mark, network_id)
        while not settled and sum(each.steps for each in walks) < ground.steps_at_most:
            number = len(walks) + 1

            async def step(steps: int, number: int = number) -> None:
                progress(number, steps, ground.steps_of_a_walk)
                if steps % LOOK_EVERY_STEPS == 0:
                    await watch.glimpse()

            walk = await walk_once(prober, ground.pools, ground.subnets, step)
            await watch.look()
            if not walk.steps:
                break
            walks.append(walk)
            settled = is_settled(walks, ground.unaccounted - watch.held)
    else:
        await watch.look()
    engine = state.engine
    assert not isinstance(engine, Unknown)  # noqa: S101 - _ground() has raised otherwise
    return Result(
        ground=ground,
        taken_at=engine.time,
        took_s=means.clock.monotonic() - start,
        walks=tuple(walks),
        unaccounted=tuple(sorted(unvisited(ground.unaccounted, walks, watch.held))),
        load_balancers_at_most=watch.load_balancers,
        is_settled=settled or not walks,
    )


def census_count(means: Means) -> Prove:
    """Return what counts by a census of each network, one after the other; where it cannot be walked, it is unknown."""

    async def count(networks: tuple[StackObject, ...]) -> tuple[LeakCount, ...]:
        return tuple([await _counted(means, each) for each in networks])

    return count


async def _counted(means: Means, network: StackObject) -> LeakCount:
    try:
        result = await take_census(means, network.id)
    except (Declined, EngineError, UsageError) as error:
        return LeakCount(network.name, None, error.sentence)
    if not result.is_settled:
        return LeakCount(
            network.name, None, "Other deploys went on during the whole census, so its result is not certain."
        )
    if result.load_balancers_at_most:
        return LeakCount(
            network.name, None, "Load balancers of other nodes cannot be told apart from leaked addresses."
        )
    return LeakCount(network.name, len(result.unaccounted))


@dataclass(slots=True)
class _Watch:
    """Everything that was seen to hold an address while a census went on."""

    reader: SwarmReader
    ground: Ground
    deadline_s: float
    held: set[IPv4Address]
    load_balancers: int

    async def look(self) -> None:
        """Take a full snapshot, and make sure that it is still the same allocator generation."""
        state = await self.reader.state(self.deadline_s)
        now = _ground(state, self.ground.account.network.id)
        if now.allocator != self.ground.allocator:
            raise Declined(
                "The swarm's allocator was rebuilt during the census: dockerd restarted, or the leader "
                "changed.",
                "Addresses that leaked before are free again. Run the census again.",
            )
        self.load_balancers = max(self.load_balancers, now.load_balancers_at_most)
        self._add(state)

    async def glimpse(self) -> None:
        """Take a snapshot of services and tasks only."""
        self._add(await self.reader.lists(self.deadline_s))

    def _add(self, state: SwarmState) -> None:
        _require_readable(state)
        self.held |= holders_on(self.ground.account.network, index_holders(state)).held.keys()


def _network_id(state: SwarmState, asked: str) -> str:
    _require_readable(state)
    assert not isinstance(state.networks, Unknown)  # noqa: S101 - it has just been required
    shown = clean(asked)
    found = [each for each in state.networks if shown in (each.name, each.id)]
    if not found:
        raise UsageError(
            f"Network {shown} not found.",
            or_what_there_is(shown, (each.name for each in state.networks if each.is_overlay), "overlays"),
        )
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} networks have the name {shown}.",
            f"Give the ID of one: {', '.join(each.id for each in found)}.",
        )
    (network,) = found
    if not network.is_overlay:
        raise UsageError(
            f"{shown} is not an overlay, so Swarm allocates no addresses in it.", "Name an overlay network."
        )
    if network.ingress:
        raise Declined(
            f"A census of {shown} is not possible: a service gets an address on it only by publishing a "
            "port.",
            "Its leaked addresses come back with the others when the leader's allocator is rebuilt.",
        )
    if not any(isinstance(each.network, IPv4Network) for each in network.subnets):
        raise Declined(f"{shown} has no IPv4 subnet, so there are no addresses to count.")
    return network.id


def _ground(state: SwarmState, network_id: str) -> Ground:
    _require_readable(state)
    found = next((each for each in account(state) if each.network.id == network_id), None)
    if found is None:
        raise Declined("The network was removed during the census.", "Nothing is left to count.")
    if found.missing:
        raise EngineError(
            f"{found.network.name} could not be inspected, so some of its holders are unknown.",
            "Try again in a moment.",
        )
    allocator = allocator_of(state)
    if allocator is None or isinstance(state.engine, Unknown):
        raise Declined(
            "The swarm has no leader, or the leader is unknown.", "Run `docker node ls` on the managers."
        )
    pools = tuple(each.pool for each in found.subnets)
    return Ground(
        account=found,
        pools=pools,
        allocator=allocator,
        managers=state.engine.managers,
        unaccounted=frozenset(
            address
            for each in found.subnets
            for address in each.pool.handed_out_from
            if address in each.pool and address not in each.held
        ),
        load_balancers_at_most=sum(each.unnamed_load_balancers for each in found.subnets)
        + found.unplaced_load_balancers,
    )


def _require_readable(state: SwarmState) -> None:
    for part in (state.engine, state.networks, state.services, state.tasks):
        if isinstance(part, Unknown):
            raise EngineError(part.reason, part.hint)
