"""All findings of one snapshot, in one order, for every command and screen."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, partial

from console.addresses.accounting import EarlierLeaks, NetworkAccount, account
from console.addresses.holder_groups import HolderGrouper
from console.addresses.leaks import valid_evidence
from console.diagnosis.findings.networks import (
    find_duplicate_addresses,
    find_leaks,
    find_overlaps,
    find_same_names,
    find_stale_censuses,
    find_unallocated_networks,
    find_unreadable_evidence,
    find_use,
    percent,
)
from console.diagnosis.findings.nodes import find_nodes
from console.diagnosis.findings.sources import (
    find_failing_alerts,
    find_log_failures,
    find_read_failures,
    find_viewpoint,
)
from console.diagnosis.findings.unfinished import (
    find_borrowed_nodes,
    find_parked_services,
    find_unfinished_handover,
    find_unfinished_runs,
)
from console.diagnosis.findings.waiting import find_waiting_deploys
from console.diagnosis.values import EMPTY_LEAK_LOG, Assessment, Finding, Severity, Snapshot, worst_of
from console.errors import Unknown, known
from console.settings import Thresholds
from console.swarm.model import SwarmState
from console.text import clean, name_hint, plural

ORDER = (
    "run-unfinished",
    "borrow-unfinished",
    "services-parked",
    "handover-unfinished",
    "swarm-unread",
    "no-leader",
    "deploy-waits",
    "node-without-address",
    "overlay-stale",
    "network-full",
    "network-filling",
    "rollback-parks",
)
"""Among findings of one severity these come first, in this order; the others follow in the order of their subjects."""


def assess(
    snapshot: Snapshot,
    thresholds: Thresholds,
    names: tuple[str, ...] = (),
    *,
    journal_required: bool = False,
) -> Assessment:
    """Return the assessment of a snapshot; with `names`, for these networks only.

    A name that no overlay has is a critical finding: who monitors a network wants to know that it is gone.
    """
    censuses, stale = valid_evidence(known(snapshot.censuses, ()), snapshot.swarm, _rebuilt_at(snapshot))
    earlier_leaks = EarlierLeaks(censuses, known(snapshot.leak_log, EMPTY_LEAK_LOG).entries, snapshot.counts)
    everything = account(snapshot.swarm, snapshot.earlier, earlier_leaks)
    accounts = tuple(
        network_account
        for network_account in everything
        if not names or network_account.network.name in names
    )
    findings = [
        finding
        for finding in _swarm_findings(snapshot, everything, thresholds)
        if not names
        or _concerns(finding, names, {network_account.network.name for network_account in everything})
    ]
    findings += _missing_networks(snapshot, everything, names)
    findings += find_unreadable_evidence(snapshot.censuses, snapshot.leak_log)
    findings += find_stale_censuses(
        census for census in stale if not names or census.census.network_name in names
    )
    findings += find_unfinished_runs(snapshot.runs, snapshot.taken_at)
    findings += find_failing_alerts(snapshot.failing_alerts, snapshot.taken_at)
    findings += find_log_failures(snapshot.journal, is_required=journal_required)
    findings.sort(key=_sort_key)
    severity = worst_of(findings)
    return Assessment(
        severity,
        _headline(severity, findings, accounts),
        tuple(findings),
        tuple(sorted(accounts, key=_fullness_key)),
    )


def _concerns(finding: Finding, names: tuple[str, ...], overlays: set[str]) -> bool:
    """Whether a finding is about one of these networks, or about none in particular."""
    return finding.subject not in overlays or not {finding.subject, *finding.names}.isdisjoint(names)


def _swarm_findings(
    snapshot: Snapshot, accounts: tuple[NetworkAccount, ...], thresholds: Thresholds
) -> Iterator[Finding]:
    """Yield what the swarm itself shows. What logs, runs and censuses show is added by `assess`: no name narrows it."""
    swarm = snapshot.swarm
    networks, services = known(swarm.networks, ()), known(swarm.services, ())
    yield from find_read_failures(snapshot)
    yield from find_viewpoint(snapshot)
    yield from find_parked_services(snapshot)
    yield from find_unfinished_handover(snapshot)
    yield from find_borrowed_nodes(snapshot)
    yield from find_waiting_deploys(snapshot, accounts, thresholds)
    yield from find_nodes(snapshot)
    yield from find_unallocated_networks(networks, services, snapshot.now, thresholds)
    yield from find_same_names(networks)
    yield from find_overlaps(networks, known(snapshot.routes, ()))
    # Few swarms have an address that is held twice: the accounts of the earlier snapshot wait until they are asked for.
    before = None if snapshot.earlier is None else cache(partial(_accounts_by_id, snapshot.earlier))
    grouper = HolderGrouper(swarm)
    for network_account in accounts:
        yield from find_use(network_account, thresholds, snapshot, grouper)
        yield from find_leaks(network_account, thresholds, snapshot)
        yield from find_duplicate_addresses(network_account, before)


def _accounts_by_id(swarm: SwarmState) -> Mapping[str, NetworkAccount]:
    return {network_account.network.id: network_account for network_account in account(swarm)}


def _rebuilt_at(snapshot: Snapshot) -> datetime | None:
    return None if isinstance(snapshot.journal, Unknown) else snapshot.journal.rebuilt_at


def _missing_networks(
    snapshot: Snapshot, accounts: tuple[NetworkAccount, ...], names: tuple[str, ...]
) -> Iterator[Finding]:
    if isinstance(snapshot.swarm.networks, Unknown) or isinstance(snapshot.swarm.engine, Unknown):
        return
    overlays = [account.network.name for account in accounts]
    for name in names:
        if name not in overlays:
            shown_name = clean(name)
            yield Finding(
                "network-absent",
                Severity.CRITICAL,
                shown_name,
                f"there is no overlay {shown_name}",
                f"There is no overlay named {shown_name}.",
                name_hint(name, overlays, "overlays"),
            )


def _sort_key(finding: Finding) -> tuple[int, int, str, str]:
    place = ORDER.index(finding.code) if finding.code in ORDER else len(ORDER)
    return -finding.severity.rank, place, finding.subject, finding.sentence


def _fullness_key(account: NetworkAccount) -> tuple[bool, float, str]:
    # A network without a subnet is worse than any full one.
    return (
        account.network.is_allocated,
        -account.used_at_least / max(1, account.capacity),
        account.network.name,
    )


def _headline(severity: Severity, findings: list[Finding], accounts: tuple[NetworkAccount, ...]) -> str:
    if severity is not Severity.OK:
        worst = list(dict.fromkeys(finding.short for finding in findings if finding.severity is severity))
        return "; ".join(worst[:2]) + (f"; {len(worst) - 2} more" if len(worst) > 2 else "")
    accounts_with_subnet = [account for account in accounts if account.capacity]
    if not accounts_with_subnet:
        return "no overlay has a subnet"
    fullest = min(accounts_with_subnet, key=_fullness_key)
    share = percent(fullest.used_at_least / fullest.capacity)
    return f"{plural(len(accounts), 'overlay')}, fullest is {fullest.network.name} at {share}"
