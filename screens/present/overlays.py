"""The addresses of an overlay in figures, a line for each subnet: the same in every face of the program."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from console.addresses.accounting import NetworkAccount, SubnetAccount
from console.addresses.holders import HolderKind
from console.addresses.leaks import Leak, LeakCertainty
from console.diagnosis.values import Finding, Severity
from screens.present.text import BAD, PLAIN, UNKNOWN, WARN, Glyphs

FIGURES = ("VIP", "TASK", "LB", "LEAK", "FREE")
DATED = "*"
"""Marks a count that was exact when it was taken; the findings say when."""
NO_FIGURES = ("",) * len(FIGURES)


@dataclass(frozen=True, slots=True)
class SubnetLine:
    """A subnet, in words and figures that are ready to be shown."""

    network_id: str
    name: str
    """Of the network; empty from its second subnet on."""
    severity: Severity
    """The worst that was found about the network; ok from its second subnet on."""
    subnet: str
    used: str
    """Such as `249/253`, or `IPv6` for what is not counted."""
    share: float | None
    """How much of it is in use; None where that is not counted."""
    figures: tuple[str, ...]
    """As `FIGURES`: `?` for unknown, `≤` and `≥` for bounds, `*` after a leak count that has a date."""
    has_leaked: bool = False
    is_full: bool = False


def severities(findings: Iterable[Finding]) -> Mapping[str, Severity]:
    """Return the worst severity of each subject, notes aside. Findings come worst first."""
    worst: dict[str, Severity] = {}
    for finding in findings:
        if finding.severity is not Severity.OK:
            worst.setdefault(finding.subject, finding.severity)
    return worst


def share_of(account: NetworkAccount) -> float:
    """Return how much of a network is in use, from 0 to 1."""
    return account.used_at_least / account.capacity if account.capacity else 1.0


def subnet_lines(account: NetworkAccount, severity: Severity, glyphs: Glyphs) -> list[SubnetLine]:
    """Return a line for each subnet of a network, or one that says that it has none."""
    network = account.network
    told = [(str(subnet.pool.subnet), subnet) for subnet in account.subnets]
    lines = [_counted(account, subnet, each, glyphs) for subnet, each in told]
    lines += [
        SubnetLine(network.id, "", Severity.OK, str(subnet), "IPv6", None, NO_FIGURES)
        for subnet in account.ipv6
    ]
    first = lines[0] if lines else SubnetLine(network.id, "", severity, "none yet", "", None, NO_FIGURES)
    named = replace(first, name=network.name, severity=severity)
    return [named, *lines[1:]]


def _counted(account: NetworkAccount, subnet: str, each: SubnetAccount, glyphs: Glyphs) -> SubnetLine:
    used = each.capacity - each.free_at_most
    return SubnetLine(
        account.network.id,
        "",
        Severity.OK,
        subnet,
        f"{used:>3}/{each.capacity}",
        used / each.capacity if each.capacity else 1.0,
        _figures(account, each, glyphs),
        has_leaked=bool(each.leak.count),
        is_full=each.free_at_most == 0,
    )


def _figures(account: NetworkAccount, subnet: SubnetAccount, glyphs: Glyphs) -> tuple[str, ...]:
    missing = account.missing
    tasks = subnet.count(HolderKind.TASK) + subnet.count(HolderKind.CONTAINER)
    blind = "load balancers" in missing or "nodes" in missing
    return (
        "?" if "services" in missing else str(subnet.count(HolderKind.VIP)),
        "?" if "tasks" in missing else str(tasks),
        "?" if blind else str(subnet.count(HolderKind.LOAD_BALANCER)),
        _leaked(subnet.leak, glyphs),
        str(subnet.free_at_most) if subnet.free_is_exact else f"{glyphs.at_most} {subnet.free_at_most}",
    )


def _leaked(leak: Leak, glyphs: Glyphs) -> str:
    if leak.count is None:
        return "?"
    if leak.certainty is LeakCertainty.AT_LEAST:
        return f"{glyphs.at_least} {leak.count}"
    return f"{leak.count}{DATED if leak.as_of else ''}"


MARK_TONES = {
    Severity.OK: PLAIN,
    Severity.WARNING: WARN,
    Severity.UNKNOWN: UNKNOWN,
    Severity.CRITICAL: BAD,
}
