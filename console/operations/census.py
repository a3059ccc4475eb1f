"""A census: which addresses of an overlay leaked, by name, found by walking the ring of its free ones."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from console.addresses.accounting import account
from console.addresses.holders import holders_on, index_holders
from console.addresses.leaks import allocator_of
from console.clock import Clock
from console.errors import Declined, EngineError, Unknown, UsageError
from console.frozen import frozen
from console.operations.census_walk import (
    FREE_AT_LEAST,
    LOOK_EVERY_STEPS,
    STEPS_AT_MOST,
    CensusResult,
    Walk,
    WalkableNetwork,
    is_settled,
    unvisited_addresses,
    walk_once,
)
from console.operations.probes import ProbeOwner, Prober
from console.operations.stack_removal.steps import LeakCount, Prove
from console.swarm.changer import SwarmChanger
from console.swarm.model import StackObject, SwarmState
from console.swarm.reader import SwarmReader
from console.text import clean, name_hint, plural

ReportProgress = Callable[[int, int, int], Awaitable[None]]
"""Receives the number of the walk, its steps so far, and how many it takes (`WalkableNetwork.steps_of_a_walk`)."""


async def _show_nothing(_walk: int, _steps: int, _whole: int) -> None:
    """Show no progress."""


def walkable_network(state: SwarmState, name_or_id: str) -> WalkableNetwork:
    """Return a network, by its name or ID, as a census needs it.

    Raises UsageError where there is no such overlay, Declined where it cannot be walked, EngineError where it could not
    be read.
    """
    return _walkable(state, _network_id(state, name_or_id))


def decline_unless_walkable(walkable: WalkableNetwork, *, is_large_allowed: bool) -> None:
    """Raise Declined when a walk must not be begun, with the reason.

    Where nothing can be free there is no reason: then nothing is walked.
    """
    name, free = walkable.account.network.name, walkable.free_at_most
    if 0 < free < FREE_AT_LEAST:
        qualifier = "" if walkable.account.free_is_exact else "at most "
        raise Declined(
            f"{name} has {qualifier}{plural(free, 'free address', 'free addresses')}. A census could take one "
            "that a deploy needs.",
            f"A census needs {FREE_AT_LEAST}. `vipconsole glance {name}` shows who holds the others.",
        )
    if walkable.steps_of_a_walk > STEPS_AT_MOST and not is_large_allowed:
        raise Declined(
            f"{name} can have {free} free addresses. A walk takes {walkable.steps_of_a_walk} steps, and a "
            "census needs two or more walks.",
            f"Add --large to walk more than {STEPS_AT_MOST}.",
        )


@frozen
class CensusDependencies:
    """What a census is taken with."""

    reader: SwarmReader
    changer: SwarmChanger
    clock: Clock
    owner: ProbeOwner
    deadline_s: float
    """For each snapshot."""


async def take_census(
    dependencies: CensusDependencies,
    name_or_id: str,
    *,
    is_large_allowed: bool = False,
    progress: ReportProgress = _show_nothing,
) -> CensusResult:
    """Walk the ring of a network until what stays unvisited has leaked, and return it.

    The caller holds the maintenance lock and has removed leftovers. At most one probe exists at any time, and none when
    this returns, is cancelled or raises, if the engine still answers. Raises what `walkable_network` and
    `decline_unless_walkable` raise, and Declined when the allocator was rebuilt in the middle.
    """
    start = dependencies.clock.monotonic()
    state = await dependencies.reader.state(dependencies.deadline_s)
    network_id = _network_id(state, name_or_id)
    walkable = _walkable(state, network_id)
    decline_unless_walkable(walkable, is_large_allowed=is_large_allowed)
    collector = _HolderCollector(
        dependencies.reader, walkable, dependencies.deadline_s, set(), walkable.load_balancers_at_most
    )
    walks: list[Walk] = []
    is_done = False
    if walkable.free_at_most:
        prober = Prober(
            dependencies.reader, dependencies.changer, dependencies.clock, dependencies.owner, network_id
        )
        while not is_done and sum(walk.steps for walk in walks) < walkable.steps_at_most:
            number = len(walks) + 1

            async def step(steps: int, number: int = number) -> None:
                await progress(number, steps, walkable.steps_of_a_walk)
                if steps % LOOK_EVERY_STEPS == 0:
                    await collector.quick_snapshot()

            walk = await walk_once(prober, walkable.pools, walkable.subnets, step)
            await collector.snapshot()
            if not walk.steps:
                break
            walks.append(walk)
            is_done = is_settled(walks, walkable.unaccounted - collector.addresses)
    else:
        await collector.snapshot()
    engine = state.engine
    assert not isinstance(engine, Unknown)  # noqa: S101 - _walkable() has raised otherwise
    return CensusResult(
        walkable=walkable,
        taken_at=engine.time,
        took_s=dependencies.clock.monotonic() - start,
        walks=tuple(walks),
        unaccounted=tuple(sorted(unvisited_addresses(walkable.unaccounted, walks, collector.addresses))),
        load_balancers_at_most=collector.load_balancers,
        is_settled=is_done or not walks,
    )


def census_count(dependencies: CensusDependencies) -> Prove:
    """Return what counts by a census of each network, one after the other; where it cannot be walked, it is unknown."""

    async def count(networks: tuple[StackObject, ...]) -> tuple[LeakCount, ...]:
        return tuple([await _count_leaks(dependencies, network) for network in networks])

    return count


async def _count_leaks(dependencies: CensusDependencies, network: StackObject) -> LeakCount:
    try:
        result = await take_census(dependencies, network.id)
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
class _HolderCollector:
    """Collects every address that is held by somebody while a census goes on."""

    reader: SwarmReader
    walkable: WalkableNetwork
    deadline_s: float
    addresses: set[IPv4Address]
    load_balancers: int

    async def snapshot(self) -> None:
        """Take a full snapshot, and make sure that it is still the same allocator generation."""
        state = await self.reader.state(self.deadline_s)
        now = _walkable(state, self.walkable.account.network.id)
        if now.allocator != self.walkable.allocator:
            raise Declined(
                "The swarm's allocator was rebuilt during the census: dockerd restarted, or the leader "
                "changed.",
                "Addresses that leaked before are free again. Run the census again.",
            )
        self.load_balancers = max(self.load_balancers, now.load_balancers_at_most)
        self._add(state)

    async def quick_snapshot(self) -> None:
        """Take a snapshot of services and tasks only."""
        self._add(await self.reader.lists(self.deadline_s))

    def _add(self, state: SwarmState) -> None:
        _require_readable(state)
        self.addresses |= holders_on(
            self.walkable.account.network, index_holders(state)
        ).address_holders.keys()


def _network_id(state: SwarmState, name_or_id: str) -> str:
    _require_readable(state)
    assert not isinstance(state.networks, Unknown)  # noqa: S101 - it has just been required
    name = clean(name_or_id)
    networks = [network for network in state.networks if name in (network.name, network.id)]
    if not networks:
        raise UsageError(
            f"Network {name} not found.",
            name_hint(name, (network.name for network in state.networks if network.is_overlay), "overlays"),
        )
    if len(networks) > 1:
        raise UsageError(
            f"{len(networks)} networks have the name {name}.",
            f"Give the ID of one: {', '.join(network.id for network in networks)}.",
        )
    (network,) = networks
    if not network.is_overlay:
        raise UsageError(
            f"{name} is not an overlay, so Swarm allocates no addresses in it.", "Name an overlay network."
        )
    if network.ingress:
        raise Declined(
            f"A census of {name} is not possible: a service gets an address on it only by publishing a port.",
            "Its leaked addresses come back with the others when the leader's allocator is rebuilt.",
        )
    if not any(isinstance(subnet.network, IPv4Network) for subnet in network.subnets):
        raise Declined(
            f"{name} has no IPv4 subnet, so there are no addresses to count.",
            "`vipconsole glance` shows those that have one.",
        )
    return network.id


def _walkable(state: SwarmState, network_id: str) -> WalkableNetwork:
    _require_readable(state)
    network_account = next(
        (network_account for network_account in account(state) if network_account.network.id == network_id),
        None,
    )
    if network_account is None:
        raise Declined("The network was removed during the census.", "Nothing is left to count.")
    if network_account.missing:
        raise EngineError(
            f"{network_account.network.name} could not be inspected, so some of its holders are unknown.",
            "Try again in a moment.",
        )
    allocator = allocator_of(state)
    if allocator is None or isinstance(state.engine, Unknown):
        raise Declined(
            "The swarm has no leader, or the leader is unknown.", "Run `docker node ls` on the managers."
        )
    pools = tuple(subnet.pool for subnet in network_account.subnets)
    return WalkableNetwork(
        account=network_account,
        pools=pools,
        allocator=allocator,
        managers=state.engine.managers,
        unaccounted=frozenset(
            address
            for subnet in network_account.subnets
            for address in subnet.pool.handed_out_from
            if address in subnet.pool and address not in subnet.address_holders
        ),
        load_balancers_at_most=sum(subnet.unnamed_load_balancers for subnet in network_account.subnets)
        + network_account.unplaced_load_balancers,
    )


def _require_readable(state: SwarmState) -> None:
    for part in (state.engine, state.networks, state.services, state.tasks):
        if isinstance(part, Unknown):
            raise EngineError(part.reason, part.hint)
