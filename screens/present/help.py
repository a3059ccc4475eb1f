"""What the marks and columns of each page mean, a line each, for its help. Pure."""

from functools import cache
from typing import TypeAlias

from console.addresses.map import CellKind
from screens.present.addresses import letters_of
from screens.present.run import ASCII_STATE_GLYPHS, STATE_GLYPHS
from screens.present.text import ASCII, Glyphs

Entry: TypeAlias = tuple[str, str]
"""What stands on the screen, or a key; and what it means or does."""


def common_marks(glyphs: Glyphs) -> tuple[Entry, ...]:
    """Return the marks that stand on every page."""
    return (
        ("! * ? -", "critical warning unknown note"),
        (f"{glyphs.above} 28 (3 !)", "28 rows above, 3 critical"),
        ("STALE", "no answer; age of the data"),
    )


@cache
def overview_marks(glyphs: Glyphs) -> tuple[Entry, ...]:
    """Return what stands in the tables of the overview."""
    return (
        *common_marks(glyphs),
        ("NETWORK", "overlay; configured one first"),
        ("SUBNET", "its addresses"),
        ("IN USE", "of all usable addresses"),
        ("VIP", "virtual IPs of services"),
        ("TASK", "of tasks and containers"),
        ("LB", "load balancers of nodes"),
        ("LEAK", "taken, but held by nothing"),
        ("FREE", "can be handed out"),
        ("TREND", "when full at this rate"),
        ("?", "unknown; never shown as 0"),
        (f"{glyphs.at_least} 4 {glyphs.at_most} 9", "at least 4, at most 9"),
        ("11*", "exact when it was counted"),
    )


@cache
def network_marks(glyphs: Glyphs) -> tuple[Entry, ...]:
    """Return the letters of the address map, and the columns of blocks and stacks."""
    letters = letters_of(glyphs)

    def of(*kinds: CellKind) -> str:
        return " ".join(letters[kind] for kind in kinds)

    return (
        (
            of(CellKind.VIP, CellKind.TASK, CellKind.CONTAINER, CellKind.LOAD_BALANCER),
            "VIP task container balancer",
        ),
        (of(CellKind.LEAKED, CellKind.TAKEN, CellKind.TWICE), "leaked; perhaps; held twice"),
        (of(CellKind.FREE, CellKind.OPEN), "free; unknown"),
        (of(CellKind.GATEWAY, CellKind.RESERVED, CellKind.OUTSIDE), "gateway reserved outside"),
        ("IN USE", "of a block; VIP TASK LB in it"),
        ("LEAK FREE", "leaked and free in a block"),
        ("STACK", "can be removed as a whole"),
        ("ADDR", "addresses that it holds here"),
        ("VIP TASK CTR", "of which kind"),
        ("SERVICES", "on any network"),
        ("RUNNING", "tasks, of those wanted"),
        ("AGE", "of its oldest part"),
        ("LAST UPDATE", "of any part"),
        (f"{glyphs.at_least} {glyphs.at_most} *", "at least; at most; counted"),
        ("STALE", "no answer; age of the data"),
    )


@cache
def why_marks(glyphs: Glyphs) -> tuple[Entry, ...]:
    """Return the states of services and the columns of their list."""
    return (
        ("STATE", "what the service does"),
        ("BLOCKED", "it cannot run as things are"),
        ("converging", "tasks start or change"),
        ("unknown", "it cannot be told"),
        ("runs", "all wanted tasks run"),
        ("TASKS", "running, of those wanted"),
        ("SERVICE", "its name, and the verdict"),
        ("do, next", "what mends it; the command"),
        *common_marks(glyphs)[1:],
    )


@cache
def journal_marks(glyphs: Glyphs) -> tuple[Entry, ...]:
    """Return the words and marks of dockerd's log."""
    count = "\N{MULTIPLICATION SIGN}" if glyphs is not ASCII else "x"
    return (
        ("critical", "leaks, deploys that fail"),
        ("note", "explained, and no problem"),
        ("past", "before the last rebuild"),
        (f"{count}12", "times; then the last time"),
        ("incomplete", "counts are lower bounds"),
        *common_marks(glyphs),
    )


@cache
def run_marks(glyphs: Glyphs) -> tuple[Entry, ...]:
    """Return the marks of the steps of a run."""
    letters = ASCII_STATE_GLYPHS if glyphs is ASCII else STATE_GLYPHS
    return (*((letter, state.value) for state, letter in letters.items()), *common_marks(glyphs)[1:])
