"""Accounts for every address of every overlay: accounted + leaked + free = capacity, whatever the state."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Network
from types import MappingProxyType

from console.addresses import leaks
from console.addresses.earlier_snapshot import EarlierSnapshot, earlier_snapshot, use_of
from console.addresses.holders import (
    AddressHolders,
    Holder,
    HolderIndex,
    HolderKind,
    Pool,
    count_of_kind,
    holders_on,
    index_holders,
    pools_of,
)
from console.addresses.leaks import (
    Census,
    Counts,
    EngineLeakCount,
    Leak,
    LeakCertainty,
    LeakEntry,
    LeakEvidence,
    count_unaccounted,
    leak_by_name,
    unknown_leak,
)
from console.errors import Unknown, known
from console.frozen import frozen
from console.swarm.model import Network, SubnetUse, SwarmState


@frozen
class SubnetAccount:
    """The addresses of one IPv4 subnet of an overlay."""

    pool: Pool
    address_holders: AddressHolders
    """Addresses of the pool that someone is known to hold, in order."""
    unnamed_load_balancers: int
    """Addresses that other nodes' load balancers hold, which ones being unknown."""
    leak: Leak
    free_at_most: int
    """Free addresses; exact where `free_is_exact`."""
    free_is_exact: bool

    @property
    def capacity(self) -> int:
        """How many addresses can be held at most."""
        return self.pool.capacity

    @property
    def accounted(self) -> int:
        """How many distinct addresses have a known holder."""
        return len(self.address_holders) + self.unnamed_load_balancers

    def count(self, kind: HolderKind) -> int:
        """Return how many addresses a kind of holder has in this subnet."""
        return count_of_kind(self.address_holders, kind) + (
            self.unnamed_load_balancers if kind is HolderKind.LOAD_BALANCER else 0
        )


@frozen
class NetworkAccount:
    """How the addresses of one overlay are used: held, leaked and free, subnet by subnet."""

    network: Network
    subnets: tuple[SubnetAccount, ...]
    ipv6: tuple[IPv6Network, ...]
    """Subnets that are shown and not counted."""
    elsewhere: AddressHolders
    """Held addresses that no pool of the network can hand out: outside its ip-range, or left over from another
    network; not counted."""
    unplaced_load_balancers: int
    """Other nodes' load balancers, where several subnets leave open which one they are in; not counted."""
    missing: tuple[str, ...]
    """Kinds of holders that could not be read (`services`, `tasks`, `load balancers`, `nodes`); then `accounted` is a
    lower bound."""

    @property
    def capacity(self) -> int:
        """How many addresses can be held at most, over all IPv4 subnets."""
        return sum(subnet.capacity for subnet in self.subnets)

    @property
    def accounted(self) -> int:
        """How many distinct addresses have a known holder."""
        return sum(subnet.accounted for subnet in self.subnets)

    @property
    def leaked(self) -> int | None:
        """How many leaked (at least so many where not `leaked_is_exact`), or None where any subnet's leak is not known."""
        counts = [subnet.leak.count for subnet in self.subnets]
        return None if None in counts or not counts else sum(count for count in counts if count is not None)

    @property
    def leaked_is_exact(self) -> bool:
        """Whether `leaked` is not only a lower bound."""
        return all(subnet.leak.certainty is not LeakCertainty.AT_LEAST for subnet in self.subnets)

    @property
    def free_at_most(self) -> int:
        """How many are free; exact where `free_is_exact`."""
        return sum(subnet.free_at_most for subnet in self.subnets)

    @property
    def free_is_exact(self) -> bool:
        """Whether `free_at_most` is the number itself."""
        return all(subnet.free_is_exact for subnet in self.subnets)

    @property
    def used_at_least(self) -> int:
        """How many addresses cannot be handed out; exact where `free_is_exact`."""
        return self.capacity - self.free_at_most

    def count(self, kind: HolderKind) -> int:
        """Return how many addresses a kind of holder has here, those not counted into the capacity included."""
        unplaced_count = self.unplaced_load_balancers if kind is HolderKind.LOAD_BALANCER else 0
        return (
            sum(subnet.count(kind) for subnet in self.subnets)
            + count_of_kind(self.elsewhere, kind)
            + unplaced_count
        )

    def holders(self) -> Iterable[tuple[IPv4Address, tuple[Holder, ...]]]:
        """Return every held address with its holders."""
        for address_holders in (*(subnet.address_holders for subnet in self.subnets), self.elsewhere):
            yield from address_holders.items()


@frozen
class EarlierLeaks:
    """What earlier evidence says about leaks that one snapshot does not show."""

    censuses: Mapping[str, Census] = field(default_factory=lambda: MappingProxyType({}))
    """Those that are still valid, by network ID."""
    entries: tuple[LeakEntry, ...] = ()
    """The leak log's."""
    counts: Counts = field(default_factory=lambda: MappingProxyType({}))
    """What the engine counted under the present allocator."""

    def leak_times(self) -> Mapping[str, Mapping[IPv4Address, datetime]]:
        """Return the addresses that were seen leaking, by network ID, and when."""
        times: defaultdict[str, dict[IPv4Address, datetime]] = defaultdict(dict)
        for entry in self.entries:
            times[entry.network_id].update(dict.fromkeys(entry.addresses, entry.ended_at))
        return times


NO_EARLIER_LEAKS = EarlierLeaks()


def account(
    swarm: SwarmState, earlier: SwarmState | None = None, earlier_leaks: EarlierLeaks = NO_EARLIER_LEAKS
) -> tuple[NetworkAccount, ...]:
    """Return the account of every overlay of a swarm, in the order of their names.

    `earlier` is a snapshot some seconds before: only with it can leaks be counted, because addresses that are just
    changing hands look like leaks in a single one. `earlier_leaks` say what leaked where the engine does not count,
    and names what it counts.
    """
    index = index_holders(swarm)
    earlier_evidence = _EarlierEvidence(
        earlier_snapshot(earlier, swarm, index), earlier_leaks, earlier_leaks.leak_times()
    )
    accounts = [
        _account_network(network, swarm, index, earlier_evidence)
        for network in known(swarm.networks, ())
        if network.is_overlay
    ]
    return tuple(
        sorted(
            accounts, key=lambda network_account: (network_account.network.name, network_account.network.id)
        )
    )


@frozen
class _EarlierEvidence:
    """What is known of all networks from before this snapshot."""

    snapshot: EarlierSnapshot | None
    earlier_leaks: EarlierLeaks
    leak_times: Mapping[str, Mapping[IPv4Address, datetime]]


def _account_network(
    network: Network, swarm: SwarmState, index: HolderIndex, earlier_evidence: _EarlierEvidence
) -> NetworkAccount:
    holders, use = holders_on(network, index), use_of(network)
    pools = pools_of(network.subnets)
    missing = tuple(
        name
        for name, result in (
            ("services", swarm.services),
            ("tasks", swarm.tasks),
            ("load balancers", network.detail),
            # Every node has a load balancer on the ingress network, whether or not a task is there.
            ("nodes", swarm.nodes if network.ingress else ()),
        )
        if isinstance(result, Unknown)
    )
    reason = _refusal(swarm, network, missing)
    if not reason:
        reason = (
            leaks.ONE_SNAPSHOT
            if earlier_evidence.snapshot is None
            else ""
            if earlier_evidence.snapshot.has(network, holders, index)
            else leaks.HOLDERS_CHANGING
        )
    has_one_pool = len(pools) == 1
    holders_by_pool = [pool.assignable(holders.address_holders) for pool in pools]
    subnets = [
        _account_subnet(
            pool,
            address_holders,
            holders.unnamed_load_balancers if has_one_pool else 0,
            use.get(str(pool.subnet)),
            reason or ("" if has_one_pool or not holders.unnamed_load_balancers else leaks.UNKNOWN_SUBNET),
        )
        for pool, address_holders in zip(pools, holders_by_pool, strict=True)
    ]
    return NetworkAccount(
        network=network,
        subnets=tuple(subnets)
        if missing
        else tuple(
            _add_earlier_leaks(
                subnet, network.id, earlier_evidence, is_counted=str(subnet.pool.subnet) in use
            )
            for subnet in subnets
        ),
        ipv6=tuple(subnet.network for subnet in network.subnets if isinstance(subnet.network, IPv6Network)),
        elsewhere=_elsewhere(holders.address_holders, holders_by_pool),
        unplaced_load_balancers=0 if has_one_pool else holders.unnamed_load_balancers,
        missing=missing,
    )


def _elsewhere(all_holders: AddressHolders, holders_by_pool: list[AddressHolders]) -> AddressHolders:
    if len(holders_by_pool) == 1 and len(holders_by_pool[0]) == len(all_holders):
        return {}
    return {
        address: owners
        for address, owners in all_holders.items()
        if not any(address in address_holders for address_holders in holders_by_pool)
    }


def _refusal(swarm: SwarmState, network: Network, missing: tuple[str, ...]) -> str:
    if missing:
        return leaks.HOLDERS_MISSING
    if isinstance(swarm.engine, Unknown) or not swarm.engine.counts_addresses:
        return leaks.ENGINE_CANNOT
    if isinstance(network.detail, Unknown) or not network.detail.use:
        return leaks.NO_COUNT_NOW
    return ""


def _account_subnet(
    pool: Pool,
    address_holders: AddressHolders,
    unnamed_load_balancers: int,
    use: SubnetUse | None,
    reason: str,
) -> SubnetAccount:
    # What others hold without a name cannot be more than what is left; a snapshot between two moments may say so.
    unnamed_load_balancers = min(unnamed_load_balancers, pool.capacity - len(address_holders))
    remaining = pool.capacity - len(address_holders) - unnamed_load_balancers
    surplus = (
        None if use is None else count_unaccounted(pool, use, len(address_holders) + unnamed_load_balancers)
    )
    leak = _leak(remaining, unnamed_load_balancers, surplus, use, reason)
    if use is not None and surplus is not None:
        free, exact = min(use.available, remaining), surplus >= 0 or leak.count is not None
    else:
        free, exact = remaining - (leak.count or 0), leak.count is not None
    return SubnetAccount(pool, address_holders, unnamed_load_balancers, leak, free, exact)


def _add_earlier_leaks(
    account: SubnetAccount, network_id: str, earlier_evidence: _EarlierEvidence, *, is_counted: bool
) -> SubnetAccount:
    """Return an account with what is known from before: addresses for the engine's count, or a count without one."""
    leak, free = account.leak, account.free_at_most
    census, leak_times = (
        earlier_evidence.earlier_leaks.censuses.get(network_id),
        earlier_evidence.leak_times.get(network_id, {}),
    )
    # Not what is free: what leaked is none of that, where the engine counts.
    remaining = account.capacity - account.accounted
    named_leak = leak_by_name(census, leak_times, account.pool, account.address_holders, remaining)
    if (
        leak.evidence is LeakEvidence.ENGINE_COUNT
        and named_leak is not None
        and named_leak.count == leak.count
    ):
        load_balancers = named_leak.possibly_load_balancers
        return replace(
            account,
            leak=replace(leak, addresses=named_leak.addresses, possibly_load_balancers=load_balancers),
        )
    if leak.count is not None:
        return account
    if is_counted:
        count = earlier_evidence.earlier_leaks.counts.get((network_id, account.pool.subnet))
        return (
            _add_observed_leaks(account, named_leak)
            if count is None
            else _add_earlier_count(account, count, leak_times, named_leak)
        )
    if named_leak is None:
        return account
    # More may have leaked since: what is free is still a bound.
    return replace(account, leak=named_leak, free_at_most=free - (named_leak.count or 0), free_is_exact=False)


def _add_observed_leaks(account: SubnetAccount, named_leak: Leak | None) -> SubnetAccount:
    """Return an account with what was seen leaking: that has leaked, though the engine's own count has not settled yet."""
    remaining = account.capacity - account.accounted - account.free_at_most
    if (
        named_leak is None
        or named_leak.evidence is not LeakEvidence.LEAK_LOG
        or (named_leak.count or 0) > remaining
    ):
        return account
    return replace(account, leak=named_leak)


def _add_earlier_count(
    account: SubnetAccount,
    count: EngineLeakCount,
    leak_times: Mapping[IPv4Address, datetime],
    named_leak: Leak | None,
) -> SubnetAccount:
    """Return an account with what the engine counted before addresses began to change hands, and was seen since."""
    remaining = account.capacity - account.accounted - account.free_at_most
    new_leaks = [
        address
        for address, leaked_at in leak_times.items()
        if leaked_at > count.at and address in account.pool and address not in account.address_holders
    ]
    leak_count = max(0, min(count.leaked + len(new_leaks), remaining))
    addresses = named_leak.addresses if named_leak is not None and named_leak.count == leak_count else ()
    leak = Leak(
        leak_count,
        LeakCertainty.AT_LEAST if new_leaks and leak_count else LeakCertainty.EXACT,
        LeakEvidence.ENGINE_COUNT,
        addresses,
        as_of=count.at,
        possibly_load_balancers=named_leak.possibly_load_balancers
        if named_leak is not None and addresses
        else 0,
        observed_count=min(len(new_leaks), leak_count),
    )
    return replace(account, leak=leak)


def _leak(
    remaining: int, unnamed_load_balancers: int, surplus: int | None, use: SubnetUse | None, reason: str
) -> Leak:
    if remaining == 0 and unnamed_load_balancers == 0 and reason != leaks.HOLDERS_MISSING:
        return Leak(0, LeakCertainty.EXACT, LeakEvidence.ALL_HELD)
    if reason:
        return unknown_leak(reason)
    if use is None:
        return unknown_leak(leaks.NO_COUNT_NOW)
    if surplus is None:
        return unknown_leak(leaks.INCONSISTENT)
    if surplus < 0:
        return unknown_leak(leaks.UNDERCOUNT)
    return Leak(surplus, LeakCertainty.EXACT, LeakEvidence.ENGINE_COUNT)
