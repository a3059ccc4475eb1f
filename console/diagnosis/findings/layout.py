"""Findings about the networks themselves: subnets that overlap, names used twice, networks without a subnet."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv4Network

from console.diagnosis.values import Finding, Severity
from console.host.activity import Route
from console.settings import Thresholds
from console.swarm.values import Network, Service
from console.text import duration, listed, plural


def find_overlaps(networks: tuple[Network, ...], routes: tuple[Route, ...]) -> Iterator[Finding]:
    """Yield overlays whose IPv4 subnets overlap each other, or a route or address of this host."""
    claims = [
        (subnet.network, each.name)
        for each in networks
        if each.is_overlay
        for subnet in each.subnets
        if isinstance(subnet.network, IPv4Network)
    ]
    claims.sort(key=lambda claim: (int(claim[0].network_address), claim[0].prefixlen, claim[1]))
    for (wide, one), (narrow, other) in _overlapping(claims):
        yield Finding(
            "subnets-overlap",
            Severity.WARNING,
            one,
            f"{one} and {other} overlap",
            f"{one} ({wide}) and {other} ({narrow}) share addresses.",
            "Traffic of one can reach the other. Recreate one of them on a subnet of its own.",
            (one, other),
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
                "Containers on them cannot reach that destination. Recreate them on a subnet that is no route.",
                tuple(under),
            )


Claim = tuple[IPv4Network, str]


def _overlapping(claims: list[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Yield overlapping pairs of claims that are sorted by their first address."""
    open_claims: list[Claim] = []
    for claim in claims:
        start = claim[0].network_address
        open_claims = [each for each in open_claims if each[0].broadcast_address >= start]
        for each in open_claims:
            yield each, claim
        open_claims.append(claim)


def find_same_names(networks: tuple[Network, ...]) -> Iterator[Finding]:
    """Yield names that an overlay shares with another network."""
    by_name: defaultdict[str, list[Network]] = defaultdict(list)
    for network in networks:
        by_name[network.name].append(network)
    for name, same in by_name.items():
        if len(same) > 1 and any(each.is_overlay for each in same):
            described = [f"{each.driver or 'without driver'} {each.id[:12]}" for each in same]
            yield Finding(
                "same-name",
                Severity.WARNING,
                name,
                f"{len(same)} networks are named {name}",
                f"{len(same)} networks are named {name}: {listed(described)}.",
                "What names it may get either. Remove the one that nobody uses, by its ID.",
                tuple(each.id for each in same),
            )


def find_unallocated(
    networks: tuple[Network, ...], services: tuple[Service, ...], now: datetime, thresholds: Thresholds
) -> Iterator[Finding]:
    """Yield overlays that Swarm has not given a subnet: critical where a service waits for one."""
    for network in networks:
        age_s = (now - network.created).total_seconds()
        if not network.is_overlay or network.is_allocated or age_s < thresholds.unallocated_s:
            continue
        waiting = tuple(each.name for each in services if network.id in each.network_ids)
        yield Finding(
            "network-unallocated",
            Severity.CRITICAL if waiting else Severity.WARNING,
            network.name,
            f"{network.name} has no subnet",
            f"{network.name} has been without a subnet for {duration(age_s)}"
            + (f"; {listed(waiting)} cannot start." if waiting else "."),
            f"{why_unallocated(network)}: dockerd's log on the leader says which. Remove it and create it with a free "
            f"--subnet{', without IPv6' if network.has_ipv6 else ''}.",
            waiting,
        )


def why_unallocated(network: Network) -> str:
    """Return the reasons for which Swarm gives a network no subnet, the one that its own look shows first."""
    others = "its subnet overlaps another network's, or the address pools are used up"
    if network.has_ipv6:
        return (
            f"It has an IPv6 subnet, which Docker 28 and later never allocate for an overlay; else {others}"
        )
    return others[0].upper() + others[1:]
