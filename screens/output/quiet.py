"""A wait for quiescence: its progress and its end in lines, and as JSON. Needs nothing to draw with."""

import json
import shutil
from collections.abc import Mapping
from typing import Any, TextIO

from console.diagnosis.quiescence.values import Blocker, Check, QuiescenceVerdict, blocking_text
from console.diagnosis.quiescence.waiter import Progress
from console.durations import iso
from console.text import duration, listed

SCHEMA = "vipconsole.quiet/1"
EXIT_CODES = {QuiescenceVerdict.QUIET: 0, QuiescenceVerdict.BUSY: 2, QuiescenceVerdict.UNKNOWN: 3}


def as_json(progress: Progress, host: str) -> str:
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
    return json.dumps(document, indent=1) + "\n"


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


def verdict_line(progress: Progress) -> tuple[str, str]:
    """Return the verdict as a word, and the reason."""
    outcome = progress.outcome or progress.report.verdict
    if outcome is QuiescenceVerdict.QUIET:
        how = f"for {duration(progress.quiet_for_s)}" if progress.dwell_s else "right now"
        accepted = [
            blocker.name
            for check in progress.report.checks
            for blocker in check.blockers
            if blocker.is_accepted
        ]
        return "QUIET", f"{how}{'; stuck but accepted: ' + listed(accepted) if accepted else ''}"
    blocking = blocking_text(progress.report)
    if not blocking:
        blocking = f"never quiet for {duration(progress.dwell_s)}"
    waited = f" (waited {duration(progress.waited_s)})" if progress.dwell_s else ""
    return outcome.value.upper(), f"{blocking}{waited}"


class QuietProgress:
    """Says on a stream what blocks, when that changes: in place on a terminal, else line by line."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty() and environment.get("TERM") != "dumb"
        self._said = ""

    def tell(self, progress: Progress) -> None:
        """Show how far a wait is, unless that is shown already or the wait is over."""
        line = self._line(progress)
        if progress.outcome is not None or line == self._said:
            return
        self._said = line
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            cut = line if len(line) <= width else line[: width - 3] + "..."
            # To the line's beginning, the line, and clear what is left of the one before.
            self._stream.write(f"\r{self._encodable(cut)}\x1b[K")
        else:
            self._stream.write(f"{self._encodable(line)}\n")
        self._stream.flush()

    def end(self) -> None:
        """Clear what was said in place."""
        if self._is_terminal and self._said:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, progress: Progress) -> str:
        blocking = blocking_text(progress.report)
        if blocking:
            return f"waiting: {blocking}"
        return f"quiet so far; must stay quiet for {duration(progress.dwell_s)}"

    def _encodable(self, text: str) -> str:
        encoding = self._stream.encoding or "ascii"
        return text.encode(encoding, "backslashreplace").decode(encoding)
