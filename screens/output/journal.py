"""What dockerd logged, as text: the worst first, each with its meaning."""

from collections.abc import Mapping
from datetime import tzinfo

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.diagnosis.findings.sources import is_past
from console.diagnosis.values import Severity
from console.durations import TimeFormat, duration, stamp
from console.journal import signatures
from console.journal.matching import LogEvent, UnexplainedError
from console.journal.summary import (
    ErrorPattern,
    LogFinding,
    Summary,
    describe,
    kinds_at_fault,
    objects_at_fault,
)
from console.text import listed, plural
from screens.output.rows import SEVERITY_STYLES

UNMATCHED_LIMIT = 3
_STYLES = {
    signatures.LogSeverity.CRITICAL: SEVERITY_STYLES[Severity.CRITICAL],
    signatures.LogSeverity.WARNING: SEVERITY_STYLES[Severity.WARNING],
    signatures.LogSeverity.NOTE: "dim",
}


def render_journal(summary: Summary, zone: tzinfo, *, everything: bool) -> RenderableType:
    """Return a reading as something to print; `everything` adds the last line of each kind and all other errors."""
    parts: list[RenderableType] = [render_verdict(summary), ""]
    # Trouble of a former allocator comes after current trouble, and before what never matters.
    groups: tuple[list[LogFinding], ...] = ([], [], [])
    for finding in summary.findings:
        is_note = finding.signature.severity is signatures.LogSeverity.NOTE
        groups[2 if is_note else 1 if is_past(finding, summary) else 0].append(finding)
    for word, group in zip(("", "past", "note"), groups, strict=True):
        parts += [_finding(finding, summary.window_s, zone, word, everything=everything) for finding in group]
    if groups[1]:
        parts.append(
            Text(
                "         past: logged before the allocator was rebuilt (dockerd restart or new leader).",
                style="dim",
            )
        )
    if summary.unexplained_count:
        count = plural(summary.unexplained_count, "other error")
        parts += ["", Text(f"{count} of dockerd, probably not about addresses:")]
        unmatched = summary.error_patterns if everything else summary.error_patterns[:UNMATCHED_LIMIT]
        parts += [_unmatched_grid(message) for message in unmatched]
        if len(unmatched) < len(summary.error_patterns):
            hidden = plural(len(summary.error_patterns) - len(unmatched), "more kind")
            parts.append(Text(f"         {hidden} (--all shows them)", style="dim"))
    if not summary.is_complete:
        reasons = (
            " ".join(dict.fromkeys(gap.reason for gap in summary.gaps)) or "Lines are missing or malformed."
        )
        parts += [
            "",
            Text(
                f"Incomplete: {reasons} All counts are lower bounds.", style=SEVERITY_STYLES[Severity.UNKNOWN]
            ),
        ]
    return Padding(Group(*parts), (0, 1), expand=False)


def render_verdict(summary: Summary) -> Text:
    """Return the first line as something to print."""
    return Text(_verdict(summary), style="bold")


def _verdict(summary: Summary) -> str:
    sentence = f"{plural(summary.entries, 'line')} of dockerd"
    sentence += "" if summary.window_s is None else f" in the last {duration(summary.window_s)}"
    if not summary.findings and not summary.unexplained_count:
        return f"{sentence}: no error" + ("" if summary.is_complete else " among the readable lines")
    leak_count = summary.lost_addresses
    return sentence + (f", {plural(leak_count, 'address', 'addresses')} proven leaked" if leak_count else "")


def _finding(
    finding: LogFinding, window_s: float | None, zone: tzinfo, word: str, *, everything: bool
) -> RenderableType:
    signature = finding.signature
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=8)
    grid.add_column()
    style = "dim" if word else _STYLES[signature.severity]
    grid.add_row(Text(word or signature.severity.value, style=style), Text(signature.meaning))
    grid.add_row("", Text(describe(finding, window_s, zone), style="dim" if word else ""))
    if not word:
        grid.add_row("", Text(signature.advice, style="dim"))
    if everything:
        for kind, names in finding.objects.items():
            grid.add_row("", Text(f"{kind}: {listed(names, len(names))}", style="dim"))
    if everything or (signature.shows_line and not word):
        grid.add_row("", Text(finding.text, style="dim"))
    return grid


def _unmatched_grid(message: ErrorPattern) -> RenderableType:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=8, justify="right")
    grid.add_column()
    grid.add_row(Text(f"\N{MULTIPLICATION SIGN}{message.count}"), Text(message.text))
    about = ", ".join(objects_at_fault(message.objects))
    if about:
        grid.add_row("", Text(f"about {about}", style="dim"))
    return grid


def event_line(event: LogEvent | UnexplainedError, names: Mapping[str, str], zone: tzinfo) -> Text:
    """Return one recognised line, as `--follow` shows it."""
    at = stamp(event.at, TimeFormat.SECOND, zone)
    signature = None if isinstance(event, UnexplainedError) else event.signature
    who = [names.get(event.ids[kind], event.ids[kind]) for kind in kinds_at_fault(event.ids, signature)]
    about = f" ({listed(who)})" if who else ""
    if isinstance(event, UnexplainedError):
        return Text.assemble((at, "dim"), " error    ", event.text, about)
    severity = event.signature.severity
    dropped_note = f" ({plural(event.dropped, 'message')} dropped)" if event.dropped else ""
    line = f" {event.text}" if event.signature.shows_line else ""
    word = (f"{severity.value:8}", _STYLES[severity])
    return Text.assemble((at, "dim"), " ", word, " ", event.signature.meaning, about, line, dropped_note)
