"""Addresses as text: those of an overlay in figures, a line for each subnet; and the map of a subnet.

The figures are the same in every face of the program. The map has a legend, a headline, the cell under the cursor, and the
rows of a large subnet.
"""

from collections.abc import Mapping
from dataclasses import replace

from console.addresses.accounting import NetworkAccount, SubnetAccount
from console.addresses.details import Holders, describe_address, describe_rest
from console.addresses.holders import HolderKind
from console.addresses.leaks import Leak, LeakCertainty
from console.addresses.map import AddressMap, Block, CellKind
from console.diagnosis.values import Severity
from console.frozen import frozen
from console.text import plural
from screens.present.text import (
    ACCENT,
    ASCII,
    BAD,
    BALANCER,
    CONTAINER,
    DIM,
    LEAK,
    PLAIN,
    STRONG,
    UNKNOWN,
    Glyphs,
    Paragraph,
    Span,
    Spans,
    bar,
    paragraph,
    text_of,
)

FIGURES = ("VIP", "TASK", "LB", "LEAK", "FREE")
NO_FIGURES = ("",) * len(FIGURES)


@frozen
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


LETTERS: Mapping[CellKind, str] = {
    CellKind.VIP: "V", CellKind.TASK: "t", CellKind.CONTAINER: "c", CellKind.LOAD_BALANCER: "L", CellKind.TWICE: "!", CellKind.LEAKED: "#",
    CellKind.TAKEN: "%", CellKind.FREE: "\N{MIDDLE DOT}", CellKind.OPEN: "?", CellKind.GATEWAY: "G", CellKind.RESERVED: "-",
    CellKind.OUTSIDE: "x",
}  # fmt: skip
ASCII_LETTERS: Mapping[CellKind, str] = {**LETTERS, CellKind.FREE: "."}
MARK_TONES: Mapping[CellKind, str] = {
    CellKind.TWICE: BAD, CellKind.LEAKED: LEAK, CellKind.TAKEN: LEAK, CellKind.OPEN: UNKNOWN, CellKind.GATEWAY: DIM, CellKind.RESERVED: DIM,
    CellKind.OUTSIDE: DIM, CellKind.FREE: DIM, CellKind.VIP: ACCENT, CellKind.TASK: PLAIN, CellKind.CONTAINER: CONTAINER,
    CellKind.LOAD_BALANCER: BALANCER,
}  # fmt: skip
LEGEND_COLUMN = 21
DATE_MARK = "*"
"""Marks a count that was exact when it was taken; the findings say when."""
ALWAYS = (CellKind.VIP, CellKind.TASK, CellKind.CONTAINER, CellKind.LOAD_BALANCER, CellKind.LEAKED)
"""Marks that the legend shows even where there is none of them: 0 containers is news, 0 duplicates is not."""
WITHOUT_COUNT = (CellKind.GATEWAY, CellKind.RESERVED, CellKind.OUTSIDE)
BLOCK_BAR = 12
BLOCK_HEADINGS = f"{'':17}{'IN USE':{BLOCK_BAR + 9}}{'VIP':>5}{'TASK':>5}{'LB':>4}{'LEAK':>5}{'FREE':>6}"


def letters_of(glyphs: Glyphs) -> Mapping[CellKind, str]:
    """Return the letters of the marks for a terminal that has these glyphs."""
    return ASCII_LETTERS if glyphs is ASCII else LETTERS


def figures(account: NetworkAccount, glyphs: Glyphs) -> Spans:
    """Return the figures that matter as text: free, leaked, in use."""
    if not account.subnets:
        return (("no subnet yet", BAD),)
    least = "" if account.free_is_exact else f"{glyphs.at_least} "
    most = "" if account.free_is_exact else f"{glyphs.at_most} "
    leak_count = account.leaked
    if leak_count is None:
        leak_span: Span = ("? leaked", UNKNOWN)
    else:
        mark = DATE_MARK if any(subnet.leak.as_of is not None for subnet in account.subnets) else ""
        bound = "" if account.leaked_is_exact else f"{glyphs.at_least} "
        leak_span = (f"{bound}{leak_count}{mark} leaked", BAD if leak_count else PLAIN)
    # What matters most stands first: on a narrow terminal the end is cut.
    return (
        (f"{most}{account.free_at_most} free", BAD if account.free_at_most == 0 else STRONG),
        (", ", PLAIN),
        leak_span,
        (", ", PLAIN),
        (f"{least}{account.used_at_least} of {account.capacity} in use", PLAIN),
    )


def legend(subnet: AddressMap, letters: Mapping[CellKind, str]) -> tuple[Paragraph, ...]:
    """Return each letter with its meaning and how many there are."""
    counts = subnet.counts()
    marks = [
        mark for mark in CellKind if counts.get(mark) or (mark in ALWAYS and mark is not CellKind.LEAKED)
    ]
    return tuple(
        Paragraph(
            (
                (letters[mark], MARK_TONES.get(mark, PLAIN)),
                (f" {mark}", PLAIN),
                ("" if mark in WITHOUT_COUNT else f" {counts.get(mark, 0)}", STRONG),
            )
        )
        for mark in marks
    )


def legend_columns(subnet: AddressMap, letters: Mapping[CellKind, str]) -> list[Paragraph]:
    """Return the legend in two columns."""
    entries = [entry.parts for entry in legend(subnet, letters)]
    half = -(-len(entries) // 2)
    lines: list[Paragraph] = []
    for place in range(half):
        left, right = entries[place], entries[place + half] if place + half < len(entries) else ()
        gap = " " * max(1, LEGEND_COLUMN - len(text_of(left)))
        lines.append(Paragraph((*left, (gap, PLAIN), *right)))
    return lines


def legend_line(subnet: AddressMap, letters: Mapping[CellKind, str]) -> Paragraph:
    """Return the legend in one paragraph, for where room is short."""
    parts = [part for entry in legend(subnet, letters) for part in (*entry.parts, ("  ", PLAIN))]
    return Paragraph(tuple(parts))


def cell_paragraphs(subnet: AddressMap, address: int, index: Holders) -> tuple[Paragraph, ...]:
    """Return what is known of one address."""
    cell = subnet.cell(address)
    description = describe_address(cell, subnet, index)
    tone = BAD if cell.mark.is_trouble else UNKNOWN if cell.mark is CellKind.OPEN else STRONG
    first = Paragraph(((f"{cell.address}  ", STRONG), (description.description, tone)))
    return (
        first,
        *(
            paragraph(line, STRONG if place == 0 and cell.holders else PLAIN)
            for place, line in enumerate(description.lines)
        ),
    )


def block_parts(block: Block, glyphs: Glyphs) -> Spans:
    """Return a row for a block of a large subnet: its first address, how full it is, and the figures."""
    counts = block.counts
    share = block.in_use_count / block.capacity if block.capacity else 0.0
    leak_count = counts.get(CellKind.LEAKED, 0) + counts.get(CellKind.TAKEN, 0)
    tasks = counts.get(CellKind.TASK, 0) + counts.get(CellKind.CONTAINER, 0)
    unknown = counts.get(CellKind.OPEN, 0)
    trouble = leak_count or counts.get(CellKind.TWICE, 0)
    quiet = DIM if not block.in_use_count else PLAIN
    free = f"{glyphs.at_most}{unknown}" if unknown else str(counts.get(CellKind.FREE, 0))
    return (
        ("!" if trouble else " ", BAD),
        (f" {block.first!s:15}", STRONG if block.in_use_count else DIM),
        (f"{bar(share, BLOCK_BAR, glyphs)} {f'{block.in_use_count}/{block.capacity}':8}", quiet),
        (f"{counts.get(CellKind.VIP, 0):>5}{tasks:>5}{counts.get(CellKind.LOAD_BALANCER, 0):>4}", quiet),
        (f"{leak_count or ('?' if unknown else 0):>5}", BAD if leak_count else UNKNOWN if unknown else quiet),
        (f"{free:>6}", quiet),
    )


def map_notes(subnet: AddressMap, outside: int) -> tuple[Paragraph, ...]:
    """Return notes on a whole map: what its unknown addresses are, and which addresses are outside its subnets."""
    sentence = describe_rest(subnet)
    notes = [paragraph(sentence, UNKNOWN)] if sentence else []
    if outside:
        notes.append(
            paragraph(
                f"{plural(outside, 'held address', 'held addresses')} outside the subnets of this network."
            )
        )
    return tuple(notes)
