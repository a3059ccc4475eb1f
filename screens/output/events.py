"""What happened to a swarm as text: a line for each event and each time without a recorder, the newest last."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from console.diagnosis.values import Severity
from console.durations import LOCAL, TimeFormat, clock_time, duration, moment, zone_name
from console.recorder.timeline import Timeline, TimelineLine, WatchGap, timeline_lines
from console.recorder.values import EventKind
from console.text import plural
from screens.output.rows import SEVERITY_STYLES, STYLES, LabelRows
from screens.present.chart import span_name
from screens.present.text import MARKS, STRONG, UNKNOWN, Glyphs

LINES = 200
"""So many are printed at most, unless all are asked for."""
COUNTED = (
    (EventKind.LEAK, "leak"), (EventKind.FAILURE, "failure"), (EventKind.RESTART, "restart"),
    (EventKind.REMOVAL, "removal"), (EventKind.DEPLOY, "deploy"),
)  # fmt: skip


def render_events(timeline: Timeline, network: str, glyphs: Glyphs, *, everything: bool) -> RenderableType:
    """Return what happened as something to print, as wide as the terminal."""
    lines = timeline_lines(timeline)
    shown = lines if everything else lines[-LINES:]
    parts: list[RenderableType] = [_title(timeline, lines, network)]
    if len(shown) < len(lines):
        count = len(lines) - len(shown)
        parts.append(Text(f"  {glyphs.more} {count} earlier (--all shows them)", style="dim"))
    shape = _shape(shown, timeline.until)
    parts.append(LabelRows([(_labels(line, shape), _text(line, shape)) for line in shown]))
    parts.append(Text(f"{watched_text(timeline)} Times in {zone_name(timeline.until)}.", style="dim"))
    return Padding(Group(*parts), (0, 1), expand=False)


def watched_text(timeline: Timeline) -> str:
    """Return since when a swarm is recorded, and how much of the time that is shown is not."""
    if timeline.watched_since is None or timeline.watched_since > timeline.until:
        return "Not recorded."
    gaps = sum((gap.until - gap.since for gap in timeline.gaps), timedelta(0))
    since = f"Recorded since {moment(timeline.watched_since, timeline.until, LOCAL)}"
    open_gap = next((gap for gap in timeline.gaps if gap.is_open), None)
    # What was before the first record is no gap in it.
    gaps -= max(timedelta(0), min(timeline.watched_since, timeline.until) - timeline.since)
    text = f"{since}; gaps: {duration(gaps.total_seconds())}." if gaps > timedelta(0) else f"{since}."
    return f"{text} {_not_now(open_gap)}" if open_gap else text


def _not_now(gap: WatchGap) -> str:
    return f"Nothing records since {moment(gap.since, gap.until, LOCAL)}: `vipconsole record`."


def _title(timeline: Timeline, lines: Sequence[TimelineLine], network: str) -> Text:
    # As many as there are lines: a stack that is removed is one removal.
    counts = Counter(line.kind for line in lines)
    findings = [line.event for line in lines if line.event is not None and line.kind is EventKind.FINDING]
    counted = [plural(counts[kind], noun) for kind, noun in COUNTED if counts[kind]]
    began = sum(not event.is_end for event in findings)
    if began:
        counted.append(plural(began, "finding"))
    what = ", ".join(counted) or "nothing happened"
    name = f"{network}  " if network else ""
    return Text.assemble((f"{name}Last {span_name(timeline.until - timeline.since)}: ", STYLES[STRONG]), what)


def _shape(lines: Sequence[TimelineLine], now: datetime) -> TimeFormat:
    days = {line.at.astimezone(LOCAL).date() for line in lines} | {now.astimezone(LOCAL).date()}
    if len(days) == 1:
        return TimeFormat.MINUTE
    return TimeFormat.WEEKDAY_MINUTE if (max(days) - min(days)).days < 7 else TimeFormat.DAY_MINUTE


def _labels(line: TimelineLine, shape: TimeFormat) -> tuple[Text, Text]:
    at = Text(clock_time(line.at, shape))
    event = line.event
    if event is None:
        return at, Text(f"{MARKS[Severity.UNKNOWN]} gap", style=STYLES[UNKNOWN])
    if event.is_end:
        return at, Text(f"{MARKS[Severity.OK]} ended")
    return at, Text(f"{MARKS[event.severity]} {event.kind}", style=SEVERITY_STYLES[event.severity])


def _text(line: TimelineLine, shape: TimeFormat) -> Text:
    if line.until is not None:
        is_same_day = line.at.astimezone(LOCAL).date() == line.until.astimezone(LOCAL).date()
        end = clock_time(line.until, TimeFormat.MINUTE if is_same_day else shape)
        why = f": {line.sentence}" if line.sentence else ""
        return Text(f"not watched {clock_time(line.at)}-{end}{why}")
    return Text(line.sentence)
