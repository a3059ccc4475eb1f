"""What a wait for quiet says while it goes on, and in one line at its end. Needs nothing to draw with."""

import shutil
from collections.abc import Mapping
from typing import TextIO

from console.diagnosis.quiescence.values import Verdict, what_blocks
from console.diagnosis.quiescence.waiter import Progress
from console.text import duration, listed


def verdict_line(progress: Progress) -> tuple[str, str]:
    """Return the verdict as a word, and what it rests on."""
    outcome = progress.outcome or progress.report.verdict
    if outcome is Verdict.QUIET:
        how = f"seen for {duration(progress.quiet_for_s)}" if progress.dwell_s else "at this moment"
        accepted = [
            each.name for check in progress.report.checks for each in check.blockers if each.is_accepted
        ]
        return "QUIET", f"{how}{'; stuck but accepted: ' + listed(accepted) if accepted else ''}"
    blocking = what_blocks(progress.report)
    if not blocking:
        blocking = f"it was never quiet for {duration(progress.dwell_s)}"
    waited = f" (waited {duration(progress.waited_s)})" if progress.dwell_s else ""
    return outcome.value.upper(), f"{blocking}{waited}"


class Talk:
    """Says on a stream what blocks, when that changes: in place on a terminal, else line by line."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty() and environment.get("TERM") != "dumb"
        self._said = ""

    def tell(self, progress: Progress) -> None:
        """Say how far a wait is, unless that was said already or the wait is over."""
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
        blocking = what_blocks(progress.report)
        if blocking:
            return f"waiting: {blocking}"
        return f"quiet so far; it must last for {duration(progress.dwell_s)}"

    def _encodable(self, text: str) -> str:
        encoding = self._stream.encoding or "ascii"
        return text.encode(encoding, "backslashreplace").decode(encoding)
