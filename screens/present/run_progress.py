"""A step that is under way, above the fold of a small terminal: who is down, how long, how far, and the way back.

The console shows all of it; where lines are printed one after the other, `progress_line` is one of them.
"""

import re
import shlex
from collections.abc import Iterator
from datetime import datetime

from console.durations import TimeFormat, clock_time, duration
from console.frozen import frozen
from console.runbook.language.values import Effect
from console.runbook.run.outage import OutageView
from console.runbook.run.view import Live, StepState, StepView, StoredRun
from console.runbook.run.waits import Blocking, Measure, Waiting
from console.text import SENTENCE_LIMIT, clean, listed, plural
from screens.present.step_plan import ExpectedSpan, expected_of
from screens.present.text import (
    ASCII,
    BAD,
    DIM,
    EMPTY,
    PLAIN,
    STRONG,
    WARN,
    Glyphs,
    Paragraph,
    bar,
    names_that_fit,
    paragraph,
)

SILENT_AFTER_S = 5.0
"""An engine that owes an answer for longer is said to be silent; a worker without a sign of life for longer, too."""
NAMED = 3
"""So few services that are down are named in the first line."""
LABEL = 10
OUTPUT_LINES = 3
SCRIPT = "way-back.sh"
"""The file in a run's folder that brings services back with plain docker commands. Its writer is not loaded by what only looks."""
_TASK_ID = re.compile(r"\.[a-z0-9]{25}$")
BAR_LEAST, BAR_MOST = 10, 60
MARKS = {
    "over": "\N{CHECK MARK}",
    "now": "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}",
    "next": "\N{MIDDLE DOT}",
    "left out": "-",
}
ASCII_MARKS = {"over": "+", "now": ">", "next": ".", "left out": "-"}


@frozen
class StepProgress:
    """How far the step is that is under way."""

    run: StoredRun
    step: StepView
    began_at: datetime
    """Of its act, or its undo."""

    @property
    def is_undo(self) -> bool:
        """Whether it is being undone."""
        return self.step.is_being_undone

    @property
    def outage(self) -> OutageView | None:
        """What it takes down, where anything is reported."""
        return self.step.outage

    @property
    def waiting(self) -> Waiting | None:
        """What it waits for."""
        waiting = self.run.live.waiting
        return waiting if waiting is not None and waiting.step == self.step.id else None

    @property
    def expected(self) -> ExpectedSpan | None:
        """How long it is expected to take; None where nothing tells. An undo was neither rehearsed nor done before."""
        return expected_of(self.step, Live() if self.is_undo else self.run.live)

    @property
    def is_verified(self) -> bool:
        """Whether its act is over and its result is checked now."""
        return self.step.has_result and not self.is_undo

    def verified_s(self, now: datetime) -> float | None:
        """Return for how long its result is verified already; None before that."""
        spans = self.step.act_spans
        ended_at = spans[-1].ended_at if spans and self.is_verified else None
        return None if ended_at is None else max(0.0, (now - ended_at).total_seconds())

    @property
    def needs_room(self) -> bool:
        """Whether there is more to tell than fits beside the list of steps."""
        return self.step.head.effect is Effect.OUTAGE or self.waiting is not None

    @property
    def is_ticking(self) -> bool:
        """Whether time passes for it: a runner works on it."""
        return self.run.live.is_alive


def progress_of(run: StoredRun) -> StepProgress | None:
    """Return how far the step is that is under way, or was when its runner died; None where none is."""
    if not run.has_begun or run.view.question is not None or run.view.stop_reason is not None:
        return None
    for step in run.view.steps:
        is_running = step.state is StepState.RUNNING or step.is_being_undone or step.is_acting
        # A new runner finds out first how far the one before it came; meanwhile services are down.
        is_down = not step.is_settled and step.outage is not None and bool(step.outage.down)
        if (is_running or is_down) and not run.view.is_over:
            spans = step.act_spans
            began_at = spans[-1].began_at if spans else step.began_at or run.view.began_at
            return StepProgress(run, step, began_at)
    return None


def stopwatch(seconds: float) -> str:
    """Return a span to the second, `0:42`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def down_text(outage: OutageView, now: datetime | None) -> str:
    """Return who is down and for how long, or that nothing is; without `now`, since when."""
    down, count = outage.down, len(outage.services)
    if not down:
        return f"nothing is down: {count} of {plural(count, 'service')} UP"
    names = f": {', '.join(service.name for service in down)}" if len(down) <= NAMED else ""
    since = outage.down_since
    span = ""
    if since is not None:
        span = f" since {clock_time(since, TimeFormat.SECOND)}"
        span = span if now is None else f" for {stopwatch((now - since).total_seconds())}"
    return f"{len(down)} of {plural(count, 'service')} DOWN{span}{names}"


def silence_text(progress: StepProgress, now: datetime) -> str:
    """Return who is silent: `engine silent for 25 s, worker alive 1 s ago`; nothing where both answer."""
    live = progress.run.live
    if live.pulse_at is None or not live.is_alive:
        return ""
    pulse_s = max(0.0, (now - live.pulse_at).total_seconds())
    silent_s = 0.0
    if live.engine_silent_since is not None:
        silent_s = max(0.0, (now - live.engine_silent_since).total_seconds())
    if silent_s < SILENT_AFTER_S and pulse_s < SILENT_AFTER_S:
        return ""
    engine = f"engine silent for {duration(silent_s)}, " if silent_s >= SILENT_AFTER_S else ""
    worker = "alive" if pulse_s < SILENT_AFTER_S else "silent: last sign of life"
    return f"{engine}worker {worker} {duration(pulse_s)} ago"


def progress_paragraphs(
    progress: StepProgress, now: datetime, width: int, glyphs: Glyphs
) -> tuple[Paragraph, ...]:
    """Return all that there is to know about the step under way, what matters most first."""
    return (
        *_head(progress, now),
        *_clock(progress, now, width, glyphs),
        *_phases(progress, now, width, glyphs),
        *_services(progress, width),
        *_waits(progress, width),
        *_events(progress, width),
        *_way_back(progress, width, glyphs),
    )


def _head(progress: StepProgress, now: datetime) -> Iterator[Paragraph]:
    run, outage = progress.run, progress.outage
    if run.is_interrupted:
        yield paragraph(f"RUNNER GONE. `vipconsole resume {run.view.header.run_id}` continues the run.", BAD)
    undo = "UNDO: " if progress.is_undo else ""
    if outage is not None:
        text = down_text(outage, None if run.is_interrupted else now)
        yield paragraph(f"{undo}{text[:1].upper()}{text[1:]}", BAD if outage.down else STRONG)
    elif progress.step.head.effect is Effect.OUTAGE:
        yield paragraph(f"{undo}Services may be DOWN: nothing is reported yet.", BAD)
    else:
        yield paragraph(f"{undo}{progress.step.head.title or progress.step.id}. Nothing is down.", STRONG)


def _clock(progress: StepProgress, now: datetime, width: int, glyphs: Glyphs) -> Iterator[Paragraph]:
    measure = None if progress.waiting is None else progress.waiting.measure
    limit = f"limit {stopwatch(progress.step.head.timeout_s)}"
    if progress.run.is_interrupted:
        yield paragraph(f"began {clock_time(progress.began_at, TimeFormat.SECOND)}, {limit}")
        return
    elapsed_s, span = (now - progress.began_at).total_seconds(), progress.expected
    verified_s = progress.verified_s(now)
    if verified_s is not None:
        took = stopwatch(elapsed_s - verified_s)
        yield paragraph(f"took {took}, verified for {stopwatch(verified_s)}, {limit}")
        return
    is_late = span is not None and elapsed_s > span.seconds
    than = "LONGER than the" if is_late else "about"
    expected = "" if span is None else f", {than} {stopwatch(span.seconds)} {span.basis}"
    text, tone = (
        f"{stopwatch(elapsed_s)} elapsed{expected}, {limit}",
        WARN if is_late and progress.outage is not None else PLAIN,
    )
    if progress.waiting is not None and measure is not None and measure.whole > 0:
        yield paragraph(text, tone)
        yield _measure_bar(progress.waiting, measure, now, width, glyphs)
    elif span is not None and span.seconds and not is_late:
        share = min(1.0, elapsed_s / span.seconds)
        cells = width - len(text) - 6
        if cells >= BAR_LEAST:
            bar_text = f" {bar(share, min(cells, BAR_MOST), glyphs)} {share:>4.0%}"
            yield Paragraph(((text, tone), (bar_text, STRONG)))
        else:
            yield paragraph(text, tone)
            yield _bar(share, f"{share:.0%}", width, glyphs)
    else:
        yield paragraph(text, tone)
    silence = silence_text(progress, now)
    if silence:
        yield paragraph(silence, WARN)


def _measure_bar(waiting: Waiting, measure: Measure, now: datetime, width: int, glyphs: Glyphs) -> Paragraph:
    done = measure.done
    if measure.unit == "s" and not waiting.blocking:
        done += max(0.0, (now - waiting.at).total_seconds())
    done = min(done, measure.whole)
    counted = f"{done:.0f} of {measure.whole:.0f} {measure.unit}"
    text = f"{stopwatch(measure.whole - done)} to go" if measure.unit == "s" else counted
    return _bar(done / measure.whole, text, width, glyphs)


def _bar(share: float, text: str, width: int, glyphs: Glyphs) -> Paragraph:
    cells = max(BAR_LEAST, min(BAR_MOST, width - len(text) - 1))
    return Paragraph(((bar(share, cells, glyphs), STRONG), (f" {text}", PLAIN)))


def _phases(progress: StepProgress, now: datetime, width: int, glyphs: Glyphs) -> Iterator[Paragraph]:
    outage = progress.outage
    if outage is None or not outage.phases:
        return
    marks = ASCII_MARKS if glyphs is ASCII else MARKS
    current = outage.phases.index(outage.phase) if outage.phase else -1
    longest = max(map(len, outage.phases))
    yield EMPTY
    for place, phase in enumerate(outage.phases):
        took_s = None if progress.run.is_interrupted and place == current else outage.took_s(phase, now)
        took = "" if took_s is None else stopwatch(took_s)
        kind = _kind(place, current, took_s)
        tone = {"over": PLAIN, "now": STRONG}.get(kind, DIM)
        line = f"{marks[kind]} {phase:<{longest}} {took:>6}"
        waits = ""
        if kind == "now":
            waits = _waits_text(progress, width - len(line) - 2) or (
                "" if progress.run.is_interrupted else "under way"
            )
        yield Paragraph(((line, tone), (f"  {waits}" if waits else "", PLAIN)))


def _kind(place: int, current: int, took_s: float | None) -> str:
    if place >= current:
        return "now" if place == current else "next"
    return "over" if took_s is not None else "left out"


def _waits_text(progress: StepProgress, width: int) -> str:
    waiting = progress.waiting
    if waiting is None or not waiting.blocking or width < 20:
        return ""
    if progress.is_verified:
        return clean(_unmet(waiting), width)
    count = len(waiting.blocking) + waiting.more
    names = [short_name(blocker) for blocker in waiting.blocking]
    for shown in range(len(names), 0, -1):
        more = f" and {count - shown} more" if count > shown else ""
        text = f"waits for {count}: {', '.join(names[:shown])}{more}"
        if len(text) <= width:
            return text
    return f"waits for {count}"


def short_name(blocker: Blocking) -> str:
    """Return the name of what is waited for, without what only programs need: `web.1`, not `container web.1.x8f…`."""
    return _TASK_ID.sub("", blocker.name.removeprefix("container "))


def _unmet(waiting: Waiting) -> str:
    """Return what the verification of a step still misses."""
    return f"not yet: {waiting.blocking[0].what or waiting.blocking[0].name}"


def _services(progress: StepProgress, width: int) -> Iterator[Paragraph]:
    outage = progress.outage
    if outage is None or not outage.services:
        return
    yield EMPTY
    for label, services, tone in (("DOWN", outage.down, BAD), ("UP", outage.up, PLAIN)):
        head = f"{f'{label} {len(services)}':<{LABEL}}"
        names = names_that_fit([service.name for service in services], width - LABEL) if services else "-"
        yield Paragraph(((head, STRONG), (names, tone)), LABEL)


def _waits(progress: StepProgress, width: int) -> Iterator[Paragraph]:
    """Yield what a step that takes nothing down waits for."""
    waiting = progress.waiting
    if waiting is None or progress.step.head.effect is Effect.OUTAGE:
        return
    yield EMPTY
    if not waiting.blocking:
        yield paragraph(waiting.note)
        return
    count = len(waiting.blocking) + waiting.more
    yield paragraph(f"Waits for {count}:", WARN)
    for blocker in waiting.blocking:
        yield paragraph(clean(f"  {blocker.text}", max(20, width)))
    if waiting.more:
        yield paragraph(f"  and {waiting.more} more")


def _events(progress: StepProgress, width: int) -> Iterator[Paragraph]:
    outage = progress.outage
    happenings = () if outage is None else outage.recent
    if happenings:
        yield EMPTY
    for happening in happenings:
        at = f"{clock_time(happening.at, TimeFormat.SECOND):<{LABEL}}"
        yield Paragraph(((at, DIM), (clean(happening.text, max(20, width - LABEL)), PLAIN)), LABEL)
    lines = progress.run.live.lines.get(progress.step.id, ())
    if outage is None and lines:
        yield EMPTY
        yield paragraph("output" if len(lines) <= OUTPUT_LINES else "last of the output", DIM)
        yield from (paragraph(line) for line in lines[-OUTPUT_LINES:])
        if len(lines) > OUTPUT_LINES:
            yield EMPTY
            yield paragraph("output", DIM)
            yield from (paragraph(line) for line in lines)


def _way_back(progress: StepProgress, width: int, glyphs: Glyphs) -> Iterator[Paragraph]:
    outage, folder = progress.outage, progress.run.live.folder
    if outage is None:
        return
    if outage.way_back and not progress.run.is_interrupted:
        yield Paragraph(((f"{'way back':<{LABEL}}", DIM), (outage.way_back.replace("`", ""), PLAIN)), LABEL)
    if folder:
        yield Paragraph(
            ((f"{'by hand':<{LABEL}}", DIM), (_script(folder, width - LABEL, glyphs.more), PLAIN)), LABEL
        )


def _script(folder: str, width: int, more: str) -> str:
    """Return the command that brings services back by hand; where its path is too long for a line, where the script is."""
    command = f"sh {shlex.quote(clean(f'{folder}/{SCRIPT}', SENTENCE_LIMIT))}"
    if len(command) <= width:
        return command
    # The whole path stands in the report. The run's name and the script's are what it is searched by.
    parent, _, run_id = clean(folder, SENTENCE_LIMIT).rpartition("/")
    head = f"{SCRIPT} in "
    room = width - len(head) - len(f"{more}/{run_id}")
    return f"{head}{parent[: max(0, room)]}{more}/{run_id}"


def progress_line(progress: StepProgress, now: datetime) -> str:
    """Return how far the step is in one line, for terminals that print line after line."""
    outage, waiting = progress.outage, progress.waiting
    limit, verified_s = f"of limit {stopwatch(progress.step.head.timeout_s)}", progress.verified_s(now)
    elapsed = stopwatch((now - progress.began_at).total_seconds())
    parts = [f"{elapsed} {limit}" if verified_s is None else f"verified for {stopwatch(verified_s)} {limit}"]
    if verified_s is None and progress.expected is not None:
        parts[0] += f", about {stopwatch(progress.expected.seconds)} {progress.expected.basis}"
    if outage is not None:
        parts.append(down_text(outage, now))
        if outage.phase:
            place = outage.phases.index(outage.phase) + 1
            parts.append(f"phase {place} of {len(outage.phases)}, until {outage.phase}")
    if waiting is not None and waiting.blocking:
        names = [short_name(blocker) for blocker in waiting.blocking]
        waits = f"waits for {listed([*names, *([''] * waiting.more)], NAMED)}"
        parts.append(_unmet(waiting) if progress.is_verified else waits)
    elif waiting is not None and waiting.note:
        measure = waiting.measure
        steps = (
            ""
            if measure is None or measure.unit == "s"
            else f", {measure.done:.0f} of {measure.whole:.0f} {measure.unit}"
        )
        parts.append(f"{waiting.note}{steps}")
    silence = silence_text(progress, now)
    return "; ".join([*parts, *([silence] if silence else [])])


def has_turned(before: StepProgress | None, now: StepProgress) -> bool:
    """Whether a line about the progress is due at once: another step, phase, or all up again."""
    if before is None or before.step.id != now.step.id or before.is_undo != now.is_undo:
        return now.outage is not None
    if now.outage is None or before.outage is None:
        return now.outage is not None
    return before.outage.phase != now.outage.phase or bool(before.outage.down) != bool(now.outage.down)
