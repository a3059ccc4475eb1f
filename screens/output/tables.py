"""The terminal that printed output goes to, and the checks of quiescence as a table."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.diagnosis.quiescence.values import Blocker, Check, CheckState, QuiescenceVerdict
from console.diagnosis.quiescence.waiter import Progress
from console.text import duration, plural
from screens.output.quiet import verdict_line

WIDTH_WITHOUT_TERMINAL = 110


def print_plainly(renderable: RenderableType) -> None:
    """Print cleaned text: nothing in it is read as markup or highlighted by a guess.

    Colour only on a terminal and without NO_COLOR; what cannot be encoded is written as an escape.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(
        markup=False,
        emoji=False,
        highlight=False,
        width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL,
        legacy_windows=False,
    )
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


STYLES = {
    CheckState.QUIET: "green",
    CheckState.UNCHECKED: "dim",
    CheckState.WARNING: "yellow",
    CheckState.UNKNOWN: "magenta",
    CheckState.STUCK: "bold red",
    CheckState.BUSY: "yellow",
}


MARKS = {
    CheckState.QUIET: " ",
    CheckState.UNCHECKED: "-",
    CheckState.WARNING: "*",
    CheckState.UNKNOWN: "?",
    CheckState.STUCK: "!",
    CheckState.BUSY: "!",
}
"""State as a character, so that nothing depends on colour."""


VERDICT_STYLES = {
    QuiescenceVerdict.QUIET: "green",
    QuiescenceVerdict.BUSY: "bold red",
    QuiescenceVerdict.UNKNOWN: "magenta",
}


def render_quiet(progress: Progress) -> RenderableType:
    """Return how a wait ended as something to print: verdict, and every check with what blocks it."""
    report = progress.report
    word, rest = verdict_line(progress)
    style = VERDICT_STYLES[progress.outcome or report.verdict]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in _folded(report.checks):
        state = Text(check.state.value, style=STYLES[check.state])
        table.add_row(Text(MARKS[check.state]), Text(check.title), state, _said(check, report.taken_at))
    return Padding(Group(Text.assemble((word, style), "  ", (rest, "bold")), "", table), (0, 1), expand=False)


def _folded(checks: tuple[Check, ...]) -> Iterator[Check]:
    """Yield the checks; neighbours that were skipped for the same reason become one."""
    for _, group in groupby(checks, key=lambda check: (check.state, check.note)):
        first, *more = group
        if not first.note or not more:
            yield from (first, *more)
        else:
            titles = ", ".join(each.title for each in (first, *more))
            yield replace(first, title=plural(1 + len(more), "check"), note=f"{first.note} ({titles})")


def _said(check: Check, now: datetime) -> Text:
    lines = [Text(_blocker(blocker, now)) for blocker in check.blockers]
    if check.note:
        lines.append(Text(check.note))
    if check.hint and check.state.blocks:
        lines.append(Text(check.hint, style="dim"))
    return Text("\n").join(lines)


def _blocker(blocker: Blocker, now: datetime) -> str:
    since = f", for {duration((now - blocker.since).total_seconds())}" if blocker.since else ""
    return f"{blocker.name} {blocker.what}{since}{' (accepted)' if blocker.is_accepted else ''}"
