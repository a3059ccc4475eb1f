"""All findings of one snapshot, in one order, for every command and screen."""

from collections.abc import Iterator
from datetime import datetime

from console.addresses.accounting import Kept, NetworkAccount, account
from console.addresses.leaks import weigh
from console.diagnosis.findings.networks import (
    find_held_twice,
    find_leaks,
    find_overlaps,
    find_same_names,
    find_unallocated,
    find_unread_evidence,
    find_use,
    find_void,
    percent,
)
from console.diagnosis.findings.sources import find_logged, find_unread, find_viewpoint
from console.diagnosis.findings.unfinished import find_handover, find_parked, find_unfinished
from console.diagnosis.findings.waiting import find_waiting
from console.diagnosis.values import NOT_WATCHED, Assessment, Finding, Observation, Severity, worst_of
from console.errors import Unknown, known
from console.settings import Thresholds
from console.text import clean, or_what_there_is, plural

ORDER = (
    "run-unfinished",
    "services-parked",
    "handover-unfinished",
    "swarm-unread",
    "no-leader",
    "deploy-waits",
    "node-without-address",
    "network-full",
    "network-filling",
    "rollback-parks",
)
"""Among findings of one severity these come first, in this order; the others follow in the order of their subjects."""


def assess(
    observation: Observation,
    thresholds: Thresholds,
    names: tuple[str, ...] = (),
    *,
    journal_required: bool = False,
) -> Assessment:
    """Return the assessment of a snapshot; with `names`, for these networks only.

    A name that no overlay has is a critical finding: who monitors a network wants to know that it is gone.
    """
    censuses, void = weigh(known(observation.censuses, ()), observation.swarm, _rebuilt_at(observation))
    kept = Kept(censuses, known(observation.ledger, NOT_WATCHED).entries, observation.counts)
    everything = account(observation.swarm, observation.earlier, kept)
    accounts = tuple(each for each in everything if not names or each.network.name in names)
    findings = [
        each
        for each in _all_findings(observation, everything, thresholds)
        if not names or _concerns(each, names, {one.network.name for one in everything})
    ]
    findings += _absent(observation, everything, names)
    findings += find_unread_evidence(observation.censuses, observation.ledger)
    findings += find_void(each for each in void if not names or each.census.network_name in names)
    findings += find_unfinished(observation.runs, observation.taken_at)
    findings += find_logged(observation.journal, required=journal_required)
    findings.sort(key=_place)
    severity = worst_of(findings)
    return Assessment(
        severity,
        _headline(severity, findings, accounts),
        tuple(findings),
        tuple(sorted(accounts, key=_fullness)),
    )


def _concerns(finding: Finding, names: tuple[str, ...], overlays: set[str]) -> bool:
    """Whether a finding is about one of these networks, or about none in particular."""
    return finding.subject not in overlays or not {finding.subject, *finding.names}.isdisjoint(names)


def _all_findings(
    observation: Observation, accounts: tuple[NetworkAccount, ...], thresholds: Thresholds
) -> Iterator[Finding]:
    swarm = observation.swarm
    yield from find_unread(observation)
    yield from find_viewpoint(observation)
    yield from find_parked(observation)
    yield from find_handover(observation)
    yield from find_waiting(observation, accounts, thresholds)
    networks, services = known(swarm.networks, ()), known(swarm.services, ())
    yield from find_unallocated(networks, services, observation.now, thresholds)
    yield from find_same_names(networks)
    yield from find_overlaps(networks, known(observation.routes, ()))
    before = (
        {} if observation.earlier is None else {one.network.id: one for one in account(observation.earlier)}
    )
    for each in accounts:
        yield from find_use(each, thresholds)
        yield from find_leaks(each, thresholds, observation.now)
        if observation.earlier is None or each.network.id in before:
            yield from find_held_twice(each, before.get(each.network.id))


def _rebuilt_at(observation: Observation) -> datetime | None:
    return None if isinstance(observation.journal, Unknown) else observation.journal.rebuilt_at


def _absent(
    observation: Observation, accounts: tuple[NetworkAccount, ...], names: tuple[str, ...]
) -> Iterator[Finding]:
    if isinstance(observation.swarm.networks, Unknown) or isinstance(observation.swarm.engine, Unknown):
        return
    there = [each.network.name for each in accounts]
    for name in names:
        if name not in there:
            shown = clean(name)
            yield Finding(
                "network-absent",
                Severity.CRITICAL,
                shown,
                f"there is no overlay {shown}",
                f"There is no overlay named {shown}.",
                or_what_there_is(name, there, "overlays"),
            )


def _place(finding: Finding) -> tuple[int, int, str, str]:
    place = ORDER.index(finding.code) if finding.code in ORDER else len(ORDER)
    return -finding.severity.rank, place, finding.subject, finding.sentence


def _fullness(each: NetworkAccount) -> tuple[bool, float, str]:
    # A network without a subnet is worse than any full one.
    return each.network.is_allocated, -each.used_at_least / max(1, each.capacity), each.network.name


def _headline(severity: Severity, findings: list[Finding], accounts: tuple[NetworkAccount, ...]) -> str:
    if severity is not Severity.OK:
        worst = list(dict.fromkeys(each.short for each in findings if each.severity is severity))
        return "; ".join(worst[:2]) + (f"; {len(worst) - 2} more" if len(worst) > 2 else "")
    counted = [each for each in accounts if each.capacity]
    if not counted:
        return "no overlay has a subnet"
    fullest = min(counted, key=_fullness)
    share = percent(fullest.used_at_least / fullest.capacity)
    return f"{plural(len(accounts), 'overlay')}, fullest is {fullest.network.name} at {share}"
