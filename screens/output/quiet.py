"""A wait for quiescence: its progress, and its result as text and as JSON. Only the text loads Rich."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, TextIO

from console.diagnosis.quiescence.values import (
    CHANGES,
    Blocker,
    Check,
    CheckState,
    QuiescenceVerdict,
    blocking_text,
    last_changes_text,
)
from console.diagnosis.quiescence.waiter import WaitProgress
from console.durations import duration, iso
from console.text import listed, plural
from screens.output.plain import cut_line, encodable, json_text, say, size_of
from screens.present.quiet import MARKS
from screens.present.text import BAD, DIM, PLAIN, STRONG, UNKNOWN, WARN

if TYPE_CHECKING:
    from rich.console import RenderableType

SCHEMA = "vipconsole.quiet/1"
EXIT_CODES = {QuiescenceVerdict.QUIET: 0, QuiescenceVerdict.BUSY: 2, QuiescenceVerdict.UNKNOWN: 3}
TONES = {
    CheckState.QUIET: PLAIN,
    CheckState.UNCHECKED: DIM,
    CheckState.WARNING: WARN,
    CheckState.UNKNOWN: UNKNOWN,
    CheckState.STUCK: BAD,
    CheckState.BUSY: WARN,
}
VERDICT_TONES = {
    QuiescenceVerdict.QUIET: STRONG,
    QuiescenceVerdict.BUSY: BAD,
    QuiescenceVerdict.UNKNOWN: UNKNOWN,
}


def as_json(progress: WaitProgress, host: str) -> str:
    """Return the state of a wait as one JSON document, ASCII only, with a newline at its end."""
    outcome = progress.outcome or progress.report.verdict
    document = {
        "schema": SCHEMA,
        "taken_at": progress.report.taken_at.isoformat(),
        "host": host,
        "outcome": outcome,
        "exit_code": EXIT_CODES[outcome],
        "dwell_s": progress.dwell_s,
        "waited_s": round(progress.waited_s, 3),
        "quiet_for_s": round(progress.quiet_for_s, 3),
        "checks": [_check(check) for check in progress.report.checks],
    }
    return json_text(document)


def _check(check: Check) -> Mapping[str, Any]:
    return {
        "code": check.code,
        "title": check.title,
        "state": check.state,
        "blocks": check.state.blocks,
        "blockers": [_blocker_json(blocker) for blocker in check.blockers],
        "note": check.note,
        "hint": check.hint,
    }


def _blocker_json(blocker: Blocker) -> Mapping[str, Any]:
    return {
        "name": blocker.name,
        "what": blocker.what,
        "since": iso(blocker.since),
        "accepted": blocker.is_accepted,
    }


def verdict_line(progress: WaitProgress) -> tuple[str, str]:
    """Return the verdict as a word, and the reason."""
    outcome = progress.outcome or progress.report.verdict
    if outcome is QuiescenceVerdict.QUIET:
        how = f"for {duration(progress.quiet_for_s)}" if progress.dwell_s else "right now"
        accepted_names = [
            blocker.name
            for check in progress.report.checks
            for blocker in check.blockers
            if blocker.is_accepted
        ]
        return "QUIET", f"{how}{'; stuck but accepted: ' + listed(accepted_names) if accepted_names else ''}"
    blocking = blocking_text(progress.report)
    if not blocking:
        blocking = f"never quiet for {duration(progress.dwell_s)}"
    waiting_time = f" (waited {duration(progress.waited_s)})" if progress.dwell_s else ""
    return outcome.value.upper(), f"{blocking}{waiting_time}"


def render_quiet(progress: WaitProgress) -> "RenderableType":
    """Return how a wait ended as something to print: verdict, and every check with what blocks it."""
    # JSON does not wait for Rich.
    from rich.console import Group  # noqa: PLC0415 - see above
    from rich.padding import Padding  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415 - see above

    from screens.output.rows import STYLES, LabelRows  # noqa: PLC0415 - see above

    report = progress.report
    rows = []
    for check in _join_skipped(report.checks):
        state = Text(check.state.value, style=STYLES[TONES[check.state]])
        lines = [Text(line, style=line_style) for line, line_style in _check_lines(check, report.taken_at)]
        rows.append(((Text(MARKS[check.state]), Text(check.title), state), Text("\n").join(lines)))
    return Padding(Group(render_verdict(progress), "", LabelRows(rows, gap=1)), (0, 1), expand=False)


def render_verdict(progress: WaitProgress) -> "RenderableType":
    """Return the verdict as something to print: a word, and the reason."""
    # JSON does not wait for Rich.
    from rich.text import Text  # noqa: PLC0415 - see above

    from screens.output.rows import STYLES  # noqa: PLC0415 - see above

    word, rest = verdict_line(progress)
    style = STYLES[VERDICT_TONES[progress.outcome or progress.report.verdict]]
    return Text.assemble((word, style), "  ", (rest, "bold"))


def _join_skipped(checks: tuple[Check, ...]) -> Iterator[Check]:
    """Yield the checks; neighbours that were skipped for the same reason become one."""
    for _, group in groupby(checks, key=lambda check: (check.state, check.note)):
        first, *more = group
        if not first.note or not more:
            yield from (first, *more)
        else:
            titles = ", ".join(check.title for check in (first, *more))
            yield replace(first, title=plural(1 + len(more), "check"), note=f"{first.note} ({titles})")


def _check_lines(check: Check, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield what blocks, the note and the hint of a check, each with its style."""
    for blocker in check.blockers:
        yield _blocker(blocker, now), ""
    if check.note:
        yield check.note, ""
    if check.hint and check.state.blocks:
        yield check.hint, "dim"


def _blocker(blocker: Blocker, now: datetime) -> str:
    since = f", for {duration((now - blocker.since).total_seconds())}" if blocker.since else ""
    return f"{blocker.name} {blocker.what}{since}{' (accepted)' if blocker.is_accepted else ''}"


COUNTED_FROM_S = 10.0
"""From here on a wait says how long it has lasted."""
BLOCKED_EVERY_S, QUIET_EVERY_S = 60.0, 15.0
"""Off a terminal, where each line stays, the same thing is said again so often: while something blocks, while it is quiet."""


class QuietProgress:
    """Shows what blocks, or for how long it has been quiet: in place on a terminal, else line by line."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty() and environment.get("TERM") != "dumb"
        self._last_line = ""
        self._last_subject = ""
        self._said_after_s = 0.0

    def update(self, progress: WaitProgress) -> None:
        """Show how far a wait is, unless that is shown already or the wait is over."""
        if progress.outcome is not None:
            return
        subject, line = _progress_line(progress)
        if self._is_terminal:
            self._replace(line)
        elif subject != self._last_subject or progress.waited_s >= self._said_after_s + _repeated_s(progress):
            self._last_subject, self._said_after_s = subject, progress.waited_s
            say((line,), self._stream)

    def end(self) -> None:
        """Clear the line on a terminal."""
        if self._is_terminal and self._last_line:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _replace(self, line: str) -> None:
        if line == self._last_line:
            return
        self._last_line = line
        cut = cut_line(line, size_of(self._stream)[0] - 1)
        # To the line's beginning, the line, and clear what is left of the one before.
        self._stream.write(f"\r{encodable(cut, self._stream)}\x1b[K")
        self._stream.flush()


def _progress_line(progress: WaitProgress) -> tuple[str, str]:
    """Return what a wait is about, without figures, and its line.

    A change blocks for the whole dwell time, and when that is over the wait is over: while nothing else blocks, it is
    already quiet, and what is left to wait for is time.
    """
    if blocking := blocking_text(progress.report, without=CHANGES):
        so_far = f" ({duration(progress.waited_s)} so far)" if progress.waited_s >= COUNTED_FROM_S else ""
        return blocking, f"waiting{so_far}: {blocking}"
    changes = last_changes_text(progress.report)
    after = f"; last change: {changes}" if changes else ""
    quiet = f"quiet so far: {duration(progress.quiet_for_s)} of {duration(progress.dwell_s)}"
    return f"quiet{after}", f"{quiet}{after}"


def _repeated_s(progress: WaitProgress) -> float:
    return BLOCKED_EVERY_S if blocking_text(progress.report, without=CHANGES) else QUIET_EVERY_S
