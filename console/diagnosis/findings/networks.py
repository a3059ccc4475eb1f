"""Findings about networks: how full an overlay is and what leaked in it, overlapping subnets, names used twice."""

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network

from console.addresses import leaks
from console.addresses.accounting import NetworkAccount
from console.addresses.holder_groups import HolderGrouper, largest_text
from console.addresses.holders import Holder, duplicate_addresses
from console.addresses.leaks import Leak, LeakCertainty, LeakEvidence, StaleCensus
from console.addresses.outlook import outlook_of
from console.diagnosis.values import Finding, Severity, Snapshot
from console.durations import duration
from console.errors import Result, Unknown, known
from console.host.activity import Route
from console.settings import Thresholds
from console.swarm.model import Network, Service, SwarmState
from console.text import listed, plural

Claim = tuple[IPv4Network, str]
REDEPLOY_HINT = (
    "Do not redeploy running services: a stop-first update stops the old task, and the new one stays in New."
)
MAX_ADDRESSES = 12
"""The sentence names at most this many leaked addresses; the finding names them all."""


def find_overlaps(networks: tuple[Network, ...], routes: tuple[Route, ...]) -> Iterator[Finding]:
    """Yield overlays whose IPv4 subnets overlap each other, or a route or address of this host."""
    claims = [
        (subnet.network, network.name)
        for network in networks
        if network.is_overlay
        for subnet in network.subnets
        if isinstance(subnet.network, IPv4Network)
    ]
    claims.sort(key=lambda claim: (int(claim[0].network_address), claim[0].prefixlen, claim[1]))
    for (wide, wide_name), (narrow, narrow_name) in _overlaps(claims):
        yield Finding(
            "subnets-overlap",
            Severity.WARNING,
            wide_name,
            f"{wide_name} and {narrow_name} overlap",
            f"{wide_name} ({wide}) and {narrow_name} ({narrow}) share addresses.",
            "Traffic of one can reach the other. Recreate one of them on a subnet of its own.",
            (wide_name, narrow_name),
        )
    for route in routes:
        under = [name for network, name in claims if network.overlaps(route.network)]
        if under:
            yield Finding(
                "route-overlap",
                Severity.WARNING,
                under[0],
                f"{plural(len(under), 'overlay')} on a host route",
                f"The host's route {route.network} ({route.device}) overlaps {listed(under)}.",
                "Containers on them cannot reach that destination. Recreate them on a subnet that no route covers.",
                tuple(under),
            )


def _overlaps(claims: list[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Yield overlapping pairs of claims that are sorted by their first address."""
    open_claims: list[Claim] = []
    for claim in claims:
        start = claim[0].network_address
        open_claims = [open_claim for open_claim in open_claims if open_claim[0].broadcast_address >= start]
        for open_claim in open_claims:
            yield open_claim, claim
        open_claims.append(claim)


def find_same_names(networks: tuple[Network, ...]) -> Iterator[Finding]:
    """Yield names that an overlay shares with another network."""
    by_name: defaultdict[str, list[Network]] = defaultdict(list)
    for network in networks:
        by_name[network.name].append(network)
    for name, same_name_networks in by_name.items():
        if len(same_name_networks) > 1 and any(network.is_overlay for network in same_name_networks):
            descriptions = [
                f"{network.driver or 'without driver'} {network.id[:12]}" for network in same_name_networks
            ]
            yield Finding(
                "same-name",
                Severity.WARNING,
                name,
                f"{len(same_name_networks)} networks are named {name}",
                f"{len(same_name_networks)} networks are named {name}: {listed(descriptions)}.",
                "A service that names it may get either one. Remove the unused one by its ID.",
                tuple(network.id for network in same_name_networks),
            )


def find_unallocated_networks(
    networks: tuple[Network, ...], services: tuple[Service, ...], now: datetime, thresholds: Thresholds
) -> Iterator[Finding]:
    """Yield overlays that Swarm has not given a subnet: critical where a service waits for one."""
    unallocated = [
        (network, age_s)
        for network in networks
        if network.is_overlay and not network.is_allocated
        for age_s in ((now - network.created).total_seconds(),)
        if age_s >= thresholds.unallocated_s
    ]
    names: defaultdict[str, list[str]] = defaultdict(list)
    for service in services if unallocated else ():
        for network_id in dict.fromkeys(service.network_ids):
            names[network_id].append(service.name)
    for network, age_s in unallocated:
        waiting_services = tuple(names[network.id])
        yield Finding(
            "network-unallocated",
            Severity.CRITICAL if waiting_services else Severity.WARNING,
            network.name,
            f"{network.name} has no subnet",
            f"{network.name} has been without a subnet for {duration(age_s)}"
            + (f"; {listed(waiting_services)} cannot start." if waiting_services else "."),
            f"{why_unallocated(network)}: dockerd's log on the leader says which. Remove it and create it with a free "
            f"--subnet{', without IPv6' if network.has_ipv6 else ''}.",
            waiting_services,
        )


def why_unallocated(network: Network) -> str:
    """Return why Swarm gives a network no subnet; a reason that the snapshot itself shows comes first."""
    others = "its subnet overlaps another network's, or the address pools are exhausted"
    if network.has_ipv6:
        return (
            f"It has an IPv6 subnet, which Docker 28 and later never allocate for an overlay; else {others}"
        )
    return others[0].upper() + others[1:]


def find_use(
    account: NetworkAccount, thresholds: Thresholds, snapshot: Snapshot, grouper: HolderGrouper
) -> Iterator[Finding]:
    """Yield at most one finding: every address is taken, or the share in use is above a threshold."""
    if not account.capacity:
        return
    name, capacity, free = account.network.name, account.capacity, account.free_at_most
    used = account.used_at_least
    share, leak_text = used / capacity, leak_count_text(account)
    if free == 0:
        yield Finding(
            "network-full",
            Severity.CRITICAL,
            name,
            f"{name} is full" + (f", {leak_text} leaked" if leak_text else ""),
            f"{name} is full: all {capacity} addresses are taken"
            + (f", {leak_text} of them leaked." if leak_text else "."),
            f"Every new deploy on it hangs in New. {REDEPLOY_HINT} {largest_holders(account, grouper)}".rstrip(),
        )
    elif share >= thresholds.use_warning:
        severity = Severity.CRITICAL if share >= thresholds.use_critical else Severity.WARNING
        qualifier = "" if account.free_is_exact else "at most "
        room = "a service with one replica takes 2."
        yield Finding(
            "network-filling",
            severity,
            name,
            f"{name} has {qualifier}{free} of {capacity} free"
            + (f", {leak_text} leaked" if leak_text else ""),
            f"{name} is {percent(share)} full: {qualifier}{free} of {plural(capacity, 'address', 'addresses')} free"
            + (f"; {leak_text} of the others leaked." if leak_text else ".")
            + _forecast(account, snapshot),
            f"Room for {qualifier}{plural(free // 2, 'more deploy')}: {room}",
        )


def _forecast(account: NetworkAccount, snapshot: Snapshot) -> str:
    """Return when a network will be full, as a sentence more; nothing where no history tells."""
    outlook = outlook_of(snapshot.trends.get(account.network.id), account.free_at_most)
    return f" Forecast: {outlook.sentence}." if outlook.is_known else ""


def largest_holders(account: NetworkAccount, grouper: HolderGrouper) -> str:
    """Return which stacks hold most addresses of a network, and what lists all; nothing where none is known.

    Two sentences, to follow the others of a hint: an operator who has to free addresses begins there.
    """
    largest = largest_text(grouper.group(account))
    name = shlex.quote(account.network.name)
    return f"Most addresses: {largest}. `vipconsole glance {name} --holders` lists all." if largest else ""


def leak_count_text(account: NetworkAccount) -> str:
    """Return how many addresses leaked, `at least` so many where more may have; nothing for none and for unknown."""
    if not account.leaked:
        return ""
    return f"{'' if account.leaked_is_exact else 'at least '}{account.leaked}"


def reclaim_hint(swarm: SwarmState) -> str:
    """Return how leaked addresses come back in this swarm, the cheapest way first. Sentences."""
    managers = sum(node.is_manager for node in known(swarm.nodes, ()))
    if managers == 1:
        return (
            "`vipconsole reclaim --by borrow` gives them back, and no container stops; `--by restart` does it too, and "
            "stops every container of the leader."
        )
    return (
        "They return when dockerd on the leader restarts (which stops every "
        "container there) or the leader changes. `vipconsole reclaim` offers both."
    )


def find_leaks(account: NetworkAccount, thresholds: Thresholds, snapshot: Snapshot) -> Iterator[Finding]:
    """Yield what leaked in each subnet: a warning from the threshold on, a note below it."""
    now = snapshot.now
    for subnet in account.subnets:
        name, count = account.network.name, subnet.leak.count
        if count:
            share = count / subnet.capacity
            severity = Severity.WARNING if share >= thresholds.leak_warning else Severity.OK
            qualifier = "at least " if subnet.leak.certainty is LeakCertainty.AT_LEAST else ""
            yield Finding(
                "leaked",
                severity,
                name,
                f"{qualifier}{count} leaked on {name}",
                f"{qualifier.capitalize()}{plural(count, 'address', 'addresses')} of {name} leaked ({percent(share)} of {subnet.capacity}): "
                f"taken in the allocator, held by nobody{_evidence_clause(subnet.leak, now)}.",
                reclaim_hint(snapshot.swarm),
                tuple(str(address) for address in subnet.leak.addresses),
            )
        elif subnet.leak.evidence is LeakEvidence.CENSUS and subnet.leak.as_of is not None:
            age = duration((now - subnet.leak.as_of).total_seconds())
            yield Finding(
                "none-leaked",
                Severity.OK,
                name,
                "",
                f"A census {age} ago found no leaked address in {name} ({subnet.pool.subnet}).",
            )
        elif subnet.leak.why_unknown == leaks.UNDERCOUNT:
            yield Finding(
                "overcounted",
                Severity.WARNING,
                name,
                f"{name} hands out addresses twice",
                f"More addresses of {name} have a holder than the engine counts as taken.",
                "Swarm counts a used address as free and may give it to a second holder (a failed `service update "
                "--network-add` does this). Redeploy what was updated last, once addresses are free.",
            )


def _evidence_clause(leak: Leak, now: datetime) -> str:
    """Return how and since when the leak is known and which addresses it took, as the end of a sentence."""
    load_balancers = leak.possibly_load_balancers
    addresses_text = listed([str(address) for address in leak.addresses], MAX_ADDRESSES)
    those = (
        f"{load_balancers} of these are other nodes' load balancers: {addresses_text}"
        if load_balancers
        else addresses_text
    )
    suffix = f" ({those})" if those else ""
    if leak.evidence is LeakEvidence.LEAK_LOG:
        return f", as observed when they leaked{suffix}"
    if leak.as_of is None:
        return suffix
    age = duration((now - leak.as_of).total_seconds())
    were = "was" if leak.observed_count == 1 else "were"
    observed_text = f", and {leak.observed_count} more {were} seen leaking" if leak.observed_count else ""
    if leak.evidence is LeakEvidence.ENGINE_COUNT:
        return f", as the engine counted {age} ago, before addresses began to change hands{observed_text}{suffix}"
    return f", as a census found {age} ago{observed_text}{suffix}; more may have leaked since"


def find_unreadable_evidence(censuses: Result[object], leak_log: Result[object]) -> Iterator[Finding]:
    """Yield that stored censuses, or the leak log, cannot be read."""
    for code, subject, result in (
        ("censuses-unread", "Earlier censuses are", censuses),
        ("leak-log-unread", "The leak log is", leak_log),
    ):
        if isinstance(result, Unknown):
            sentence = f"{subject} not taken into account. {result.reason}"
            yield Finding(code, Severity.OK, "swarm", "", sentence, result.hint)


def find_stale_censuses(censuses: Iterable[StaleCensus]) -> Iterator[Finding]:
    """Yield a note for each stored census that says nothing about the present allocator."""
    for stale in censuses:
        name = stale.census.network_name
        yield Finding(
            "census-stale",
            Severity.OK,
            name,
            "",
            f"The last census of {name} is stale: {stale.reason}.",
            f"`vipconsole census {name}` takes a new one.",
        )


def find_duplicate_addresses(
    account: NetworkAccount, before: Callable[[], Mapping[str, NetworkAccount]] | None
) -> Iterator[Finding]:
    """Yield addresses with several holders. One that an earlier snapshot does not show too was only changing hands.

    `before` gives the accounts of that one, by network ID; it is asked where an address has several holders.
    """
    duplicates = dict(duplicate_addresses(account.holders()))
    if not duplicates:
        return
    earlier: dict[IPv4Address, tuple[Holder, ...]] | None = None
    if before is not None:
        account_before = before().get(account.network.id)
        if account_before is None:
            return
        earlier = dict(account_before.holders())
    for address, holders in duplicates.items():
        if earlier is not None and earlier.get(address) != holders:
            continue
        yield Finding(
            "held-twice",
            Severity.CRITICAL,
            account.network.name,
            f"{address} is held twice",
            f"{address} on {account.network.name} is held by {listed([_holder_text(holder) for holder in holders])}.",
            "Traffic for one reaches the other. Redeploy one of them; duplicates survive a restart of dockerd.",
            tuple(holder.name for holder in holders),
        )


def percent(share: float) -> str:
    """Return a share in percent: never 100 or 0 for what is only close to it, and exact enough near a threshold."""
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    figure = (
        f"{share * 100:.0f}"
        if share >= 0.1
        else f"{share * 100:.1g}"
        if share < 0.01
        else f"{share * 100:.1f}"
    )
    return f"{'99' if figure == '100' else figure.removesuffix('.0')} %"


def _holder_text(holder: Holder) -> str:
    return f"{holder.kind} {holder.name}"
