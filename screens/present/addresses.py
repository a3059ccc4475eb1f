"""The address map in words and letters: legend, headline, the cell under the cursor, the rows of a large subnet."""

from collections.abc import Mapping

from console.addresses.accounting import NetworkAccount
from console.addresses.details import Holders, rest_says, tell
from console.addresses.forecast import Trend
from console.addresses.map import AddressMap, Block, Mark
from console.text import duration, plural
from screens.present.text import (
    ASCII,
    BAD,
    DIM,
    PLAIN,
    STRONG,
    UNKNOWN,
    Glyphs,
    Paragraph,
    Part,
    Parts,
    bar,
    says,
    text_of,
)

LETTERS: Mapping[Mark, str] = {
    Mark.VIP: "V", Mark.TASK: "t", Mark.CONTAINER: "c", Mark.LOAD_BALANCER: "L", Mark.TWICE: "!", Mark.LEAKED: "#",
    Mark.TAKEN: "%", Mark.FREE: "\N{MIDDLE DOT}", Mark.OPEN: "?", Mark.GATEWAY: "G", Mark.RESERVED: "-",
    Mark.OUTSIDE: "x",
}  # fmt: skip
ASCII_LETTERS: Mapping[Mark, str] = {**LETTERS, Mark.FREE: "."}
MARK_TONES: Mapping[Mark, str] = {
    Mark.TWICE: BAD, Mark.LEAKED: BAD, Mark.TAKEN: BAD, Mark.OPEN: UNKNOWN, Mark.GATEWAY: DIM, Mark.RESERVED: DIM,
    Mark.OUTSIDE: DIM, Mark.FREE: DIM, Mark.LOAD_BALANCER: STRONG,
}  # fmt: skip
LEGEND_COLUMN = 21
DATED = "*"
"""Marks a count that was exact when it was taken."""
ALWAYS = (Mark.VIP, Mark.TASK, Mark.CONTAINER, Mark.LOAD_BALANCER, Mark.LEAKED)
"""Marks that the legend shows even where there is none of them: 0 containers is news, 0 duplicates is not."""
UNCOUNTED = (Mark.GATEWAY, Mark.RESERVED, Mark.OUTSIDE)
BLOCK_BAR = 12
BLOCK_HEADINGS = f"{'':17}{'IN USE':{BLOCK_BAR + 9}}{'VIP':>5}{'TASK':>5}{'LB':>4}{'LEAK':>5}{'FREE':>6}"


def letters_of(glyphs: Glyphs) -> Mapping[Mark, str]:
    """Return the letters of the marks for a terminal that has these glyphs."""
    return ASCII_LETTERS if glyphs is ASCII else LETTERS


def figures(account: NetworkAccount, glyphs: Glyphs) -> Parts:
    """Return the figures that matter, in words: free, leaked, in use."""
    if not account.subnets:
        return (("no subnet yet", BAD),)
    least = "" if account.free_is_exact else f"{glyphs.at_least} "
    most = "" if account.free_is_exact else f"{glyphs.at_most} "
    leaked = account.leaked
    if leaked is None:
        lost: Part = ("? leaked", UNKNOWN)
    else:
        dated = DATED if any(each.leak.as_of is not None for each in account.subnets) else ""
        bound = "" if account.leaked_is_exact else f"{glyphs.at_least} "
        lost = (f"{bound}{leaked}{dated} leaked", BAD if leaked else PLAIN)
    # What matters most stands first: on a narrow terminal the end is cut.
    return (
        (f"{most}{account.free_at_most} free", BAD if account.free_at_most == 0 else STRONG),
        (", ", PLAIN),
        lost,
        (", ", PLAIN),
        (f"{least}{account.used_at_least} of {account.capacity} in use", PLAIN),
    )


def outlook(trend: Trend | None) -> str:
    """Return when a network will be full, as a clause; nothing if its history is too short."""
    if trend is None:
        return ""
    if trend.full_in_hours is not None:
        return f"full in about {duration(trend.full_in_hours * 3600)} at this rate"
    if trend.removals_left is not None:
        return f"full after ~{plural(trend.removals_left, 'more leaking removal')}"
    return ""


def legend(subnet: AddressMap, letters: Mapping[Mark, str]) -> tuple[Paragraph, ...]:
    """Return each letter with its meaning and how many there are."""
    counts = subnet.counts()
    shown = [mark for mark in Mark if counts.get(mark) or (mark in ALWAYS and mark is not Mark.LEAKED)]
    return tuple(
        Paragraph(
            (
                (letters[mark], MARK_TONES.get(mark, PLAIN)),
                (f" {mark}", PLAIN),
                ("" if mark in UNCOUNTED else f" {counts.get(mark, 0)}", STRONG),
            )
        )
        for mark in shown
    )


def legend_columns(subnet: AddressMap, letters: Mapping[Mark, str]) -> list[Paragraph]:
    """Return the legend in two columns."""
    entries = [each.parts for each in legend(subnet, letters)]
    half = -(-len(entries) // 2)
    lines: list[Paragraph] = []
    for place in range(half):
        left, right = entries[place], entries[place + half] if place + half < len(entries) else ()
        gap = " " * max(1, LEGEND_COLUMN - len(text_of(left)))
        lines.append(Paragraph((*left, (gap, PLAIN), *right)))
    return lines


def legend_line(subnet: AddressMap, letters: Mapping[Mark, str]) -> Paragraph:
    """Return the legend in one paragraph, for where room is short."""
    parts = [part for each in legend(subnet, letters) for part in (*each.parts, ("  ", PLAIN))]
    return Paragraph(tuple(parts))


def cell_says(subnet: AddressMap, address: int, index: Holders) -> tuple[Paragraph, ...]:
    """Return what is known of one address."""
    cell = subnet.cell(address)
    told = tell(cell, subnet, index)
    tone = BAD if cell.mark.is_trouble else UNKNOWN if cell.mark is Mark.OPEN else STRONG
    first = Paragraph(((f"{cell.address}  ", STRONG), (told.what, tone)))
    return (
        first,
        *(
            says(each, STRONG if place == 0 and cell.holders else PLAIN)
            for place, each in enumerate(told.lines)
        ),
    )


def block_parts(block: Block, glyphs: Glyphs) -> Parts:
    """Return a row for a block of a large subnet: its first address, how full it is, and the figures."""
    counts = block.counts
    share = block.gone / block.capacity if block.capacity else 0.0
    leaked = counts.get(Mark.LEAKED, 0) + counts.get(Mark.TAKEN, 0)
    tasks = counts.get(Mark.TASK, 0) + counts.get(Mark.CONTAINER, 0)
    unknown = counts.get(Mark.OPEN, 0)
    trouble = leaked or counts.get(Mark.TWICE, 0)
    quiet = DIM if not block.gone else PLAIN
    free = f"{glyphs.at_most}{unknown}" if unknown else str(counts.get(Mark.FREE, 0))
    return (
        ("!" if trouble else " ", BAD),
        (f" {block.first!s:15}", STRONG if block.gone else DIM),
        (f"{bar(share, BLOCK_BAR, glyphs)} {f'{block.gone}/{block.capacity}':8}", quiet),
        (f"{counts.get(Mark.VIP, 0):>5}{tasks:>5}{counts.get(Mark.LOAD_BALANCER, 0):>4}", quiet),
        (f"{leaked or ('?' if unknown else 0):>5}", BAD if leaked else UNKNOWN if unknown else quiet),
        (f"{free:>6}", quiet),
    )


def map_notes(subnet: AddressMap, outside: int) -> tuple[Paragraph, ...]:
    """Return notes on a whole map: what its unknown addresses are, and which addresses are outside its subnets."""
    said = rest_says(subnet)
    notes = [says(said, UNKNOWN)] if said else []
    if outside:
        notes.append(
            says(f"{plural(outside, 'held address', 'held addresses')} outside the subnets of this network.")
        )
    return tuple(notes)
