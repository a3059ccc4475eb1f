"""What can be removed: the groups of holders of a network as a table, the same in every face of the program."""

from collections.abc import Sequence
from datetime import datetime

from console.addresses.accounting import NetworkAccount
from console.addresses.holder_groups import GroupKind, HolderGroup
from console.addresses.holders import HolderKind
from console.durations import duration
from console.errors import Result, Unknown
from console.frozen import frozen
from console.text import plural
from screens.present.network import cut
from screens.present.sorting import Order, Sorting
from screens.present.text import DIM, PLAIN, STRONG, WARN, Glyphs, Paragraph, Row, paragraph

ORDER = "Order: what runs nothing, then most addresses, then the oldest update."
NAME_AT_LEAST = 12
NOT_KNOWN = "unknown"
GAP = "  "
AGE_WIDTH = 11
"""`23 h 59 min`: columns keep their places while times pass."""
RUNNING_WIDTH = 8
DROPPED_IN_ORDER = (("VIP", "TASK", "CTR"), ("SERVICES",), ("AGE",), ("RUNNING",), ("LAST UPDATE",))
"""Columns that give way on a narrow terminal: the first ones as soon as a name would be cut, the others only where a name
had no room at all."""


@frozen
class _Column:
    heading: str
    cells: tuple[str, ...]
    at_least: int = 0
    is_figure: bool = True

    @property
    def width(self) -> int:
        return max(self.at_least, len(self.heading), *map(len, self.cells))

    def lines(self) -> list[str]:
        width = self.width
        return [
            text.rjust(width) if self.is_figure else text.ljust(width) for text in (self.heading, *self.cells)
        ]


def free_text(account: NetworkAccount) -> str:
    """Return how many addresses of a network are free, as a clause."""
    if not account.capacity:
        return f"{account.network.name} has no subnet yet"
    bound = "" if account.free_is_exact else "at most "
    verb = "is" if account.free_at_most == 1 else "are"
    return (
        f"{account.network.name}: {bound}{account.free_at_most} of {plural(account.capacity, 'address', 'addresses')} "
        f"{verb} free"
    )


def others_text(account: NetworkAccount) -> str:
    """Return which addresses no group holds: no removal frees them."""
    balancers = (
        "load balancers unknown"
        if {"load balancers", "nodes"} & set(account.missing)
        else plural(account.count(HolderKind.LOAD_BALANCER), "load balancer")
    )
    leaked = account.leaked
    bound = "" if account.leaked_is_exact else "at least "
    leak_text = "leaked ones unknown" if leaked is None else f"{bound}{leaked} leaked"
    return f"Not in this table: {balancers}, {leak_text}."


def count_text(groups: Result[Sequence[HolderGroup]]) -> str:
    """Return how many stacks hold addresses, and how many others that belong to no stack."""
    if isinstance(groups, Unknown):
        return "unknown"
    stacks = sum(group.kind is GroupKind.STACK for group in groups)
    others = len(groups) - stacks
    return plural(stacks, "stack") + (f" and {plural(others, 'other')}" if others else "")


ORDERS: tuple[Order[HolderGroup], ...] = (
    Order("name", "STACK", lambda group: group.label.lower()),
    Order("addresses", "ADDR", lambda group: group.addresses, is_largest_first=True),
    Order("VIPs", "VIP", lambda group: group.vips, is_largest_first=True),
    Order("tasks", "TASK", lambda group: group.tasks, is_largest_first=True),
    Order("containers", "CTR", lambda group: group.containers, is_largest_first=True),
    Order("services", "SERVICES", lambda group: group.services, is_largest_first=True),
    Order("running tasks", "RUNNING", lambda group: group.running),
    Order("age", "AGE", lambda group: group.created),
    Order("last update", "LAST UPDATE", lambda group: group.updated),
)
"""The oldest first, and what runs least."""


def order_paragraph(sorting: Sorting[HolderGroup]) -> Paragraph:
    """Return in which order the groups stand."""
    return paragraph(ORDER if sorting.order is None else f"Order: by {sorting.order.name}.", DIM)


def group_table(
    groups: Sequence[HolderGroup], now: datetime, width: int, glyphs: Glyphs
) -> tuple[str, list[Row]]:
    """Return the headings, and a row for each group, none wider than so many columns; a name that is cut ends in `…`."""
    columns = [
        _Column("ADDR", tuple(str(group.addresses) for group in groups)),
        _Column("VIP", tuple(str(group.vips) for group in groups)),
        _Column("TASK", tuple(str(group.tasks) for group in groups)),
        _Column("CTR", tuple(str(group.containers) for group in groups)),
        _Column("SERVICES", tuple(str(group.services) for group in groups)),
        _Column("RUNNING", tuple(map(_running, groups)), at_least=RUNNING_WIDTH),
        _Column("AGE", tuple(_age(group.created, now) for group in groups), AGE_WIDTH, is_figure=False),
        _Column(
            "LAST UPDATE", tuple(_age(group.updated, now) for group in groups), AGE_WIDTH, is_figure=False
        ),
    ]
    longest = max((len(group.label) for group in groups), default=NAME_AT_LEAST)
    wanted = max(longest, NAME_AT_LEAST)
    for headings in DROPPED_IN_ORDER:
        if _room(columns, width) < wanted:
            columns = [column for column in columns if column.heading not in headings]
        wanted = NAME_AT_LEAST
    room = max(1, min(max(longest, NAME_AT_LEAST), _room(columns, width)))
    heading, *rest = zip(*(column.lines() for column in columns), strict=True)
    first = f"{'STACK':{room}}{GAP}{GAP.join(heading)}"[: max(0, width)]
    rows = [
        Row(
            (group.kind, group.id),
            (
                (f"{cut(group.label, room, glyphs.more):{room}}", STRONG),
                (f"{GAP}{GAP.join(cells)}".rstrip()[: max(0, width - room)], _tone(group)),
            ),
            group,
        )
        for group, cells in zip(groups, rest, strict=True)
    ]
    return first.rstrip(), rows


def _room(columns: Sequence[_Column], width: int) -> int:
    return width - sum(column.width + len(GAP) for column in columns)


def _running(group: HolderGroup) -> str:
    return f"{group.running} of {'?' if group.wanted is None else group.wanted}"


def _age(at: datetime | None, now: datetime) -> str:
    return NOT_KNOWN if at is None else duration((now - at).total_seconds())


def _tone(group: HolderGroup) -> str:
    return WARN if group.wanted and group.running < group.wanted else PLAIN
