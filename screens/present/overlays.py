"""The addresses of an overlay in figures, a line for each subnet: the same in every face of the program."""

from dataclasses import dataclass, replace

from console.addresses.accounting import NetworkAccount, SubnetAccount
from console.addresses.holders import HolderKind
from console.addresses.leaks import Leak, LeakCertainty
from console.diagnosis.values import Severity
from screens.present.text import Glyphs

FIGURES = ("VIP", "TASK", "LB", "LEAK", "FREE")
DATE_MARK = "*"
"""Marks a count that was exact when it was taken; the findings say when."""
NO_FIGURES = ("",) * len(FIGURES)


@dataclass(frozen=True, slots=True)
class SubnetLine:
    """A subnet as text that is ready to be shown."""

    network_id: str
    name: str
    """Of the network; empty from its second subnet on."""
    severity: Severity
    """The worst finding about the network; ok from its second subnet on."""
    subnet: str
    usage: str
    """Such as `249/253`, or `IPv6` for what is not counted."""
    share: float | None
    """How much of it is in use; None where that is not counted."""
    figures: tuple[str, ...]
    """As `FIGURES`: `?` for unknown, `≤` and `≥` for bounds, `*` after a leak count that has a date."""
    has_leaked: bool = False
    is_full: bool = False


def share_of(account: NetworkAccount) -> float:
    """Return how much of a network is in use, from 0 to 1."""
    return account.used_at_least / account.capacity if account.capacity else 1.0


def subnet_lines(account: NetworkAccount, severity: Severity, glyphs: Glyphs) -> list[SubnetLine]:
    """Return a line for each subnet of a network, or a line for a network without a subnet."""
    network = account.network
    accounts = [(str(subnet.pool.subnet), subnet) for subnet in account.subnets]
    lines = [_subnet_line(account, subnet, subnet_account, glyphs) for subnet, subnet_account in accounts]
    lines += [
        SubnetLine(network.id, "", Severity.OK, str(subnet), "IPv6", None, NO_FIGURES)
        for subnet in account.ipv6
    ]
    first = lines[0] if lines else SubnetLine(network.id, "", severity, "none yet", "", None, NO_FIGURES)
    first_line = replace(first, name=network.name, severity=severity)
    return [first_line, *lines[1:]]


def _subnet_line(
    account: NetworkAccount, subnet: str, subnet_account: SubnetAccount, glyphs: Glyphs
) -> SubnetLine:
    in_use = subnet_account.capacity - subnet_account.free_at_most
    return SubnetLine(
        account.network.id,
        "",
        Severity.OK,
        subnet,
        f"{in_use:>3}/{subnet_account.capacity}",
        in_use / subnet_account.capacity if subnet_account.capacity else 1.0,
        _figures(account, subnet_account, glyphs),
        has_leaked=bool(subnet_account.leak.count),
        is_full=subnet_account.free_at_most == 0,
    )


def _figures(account: NetworkAccount, subnet: SubnetAccount, glyphs: Glyphs) -> tuple[str, ...]:
    missing = account.missing
    tasks = subnet.count(HolderKind.TASK) + subnet.count(HolderKind.CONTAINER)
    blind = "load balancers" in missing or "nodes" in missing
    return (
        "?" if "services" in missing else str(subnet.count(HolderKind.VIP)),
        "?" if "tasks" in missing else str(tasks),
        "?" if blind else str(subnet.count(HolderKind.LOAD_BALANCER)),
        _leak_figure(subnet.leak, glyphs),
        str(subnet.free_at_most) if subnet.free_is_exact else f"{glyphs.at_most} {subnet.free_at_most}",
    )


def _leak_figure(leak: Leak, glyphs: Glyphs) -> str:
    if leak.count is None:
        return "?"
    if leak.certainty is LeakCertainty.AT_LEAST:
        return f"{glyphs.at_least} {leak.count}"
    return f"{leak.count}{DATE_MARK if leak.as_of else ''}"
