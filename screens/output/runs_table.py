"""The list of all runs, for people. Pure."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime

from console.durations import TimeFormat, clock_time, duration, zone_name
from console.runbook.run.view import RunState, StepState, StoredRun
from console.runbook.store.viewer import UnreadableRun
from console.text import SENTENCE_LIMIT, clean
from screens.output.plain import cut_line

WIDTH = 79
LONGEST_NAME = 32
"""A longer name stands on a line of its own."""


def runs_lines(runs: Sequence[StoredRun | UnreadableRun], now: datetime, width: int = WIDTH) -> Iterator[str]:
    """Yield a header and a line for each run, then why any cannot be read. A run's name is never cut: commands take it."""
    zone = zone_name(now)
    rows = [("run", f"began ({zone})", "took", "outcome"), *(_row(run, now) for run in runs)]
    widths = [
        max(len(row[column]) for row in rows if column or len(row[0]) <= LONGEST_NAME) for column in range(3)
    ]
    for row in rows:
        name = row[0]
        if len(name) > LONGEST_NAME:
            yield name
            name = ""
        start = "  ".join(cell.ljust(cells) for cell, cells in zip((name, *row[1:3]), widths, strict=True))
        room = width - len(start) - 2
        yield f"{start}  {cut_line(row[3], max(room, 1))}".rstrip()
    for run in runs:
        if isinstance(run, UnreadableRun):
            sentence = f"{clean(run.name)} cannot be read: {clean(run.why, SENTENCE_LIMIT)}"
            yield from textwrap.wrap(
                sentence, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
            )


def took_s(run: StoredRun, now: datetime) -> float:
    """Return how long a run took, or takes so far."""
    view = run.view
    is_at_rest = view.is_over or view.state is RunState.STOPPED or run.is_interrupted
    end = (view.at or view.began_at) if is_at_rest else now
    return max(0.0, (end - view.began_at).total_seconds())


def outcome(run: StoredRun) -> str:
    """Return how far a run is, in a few words."""
    view = run.view
    if view.state is RunState.DONE:
        skipped = [step.id for step in view.steps if step.state is StepState.SKIPPED and step.decisions]
        text = f"done, skipped {', '.join(skipped)}" if skipped else "done"
    elif view.is_over:
        text = str(view.state)
    else:
        state = str(view.state)
        word = "interrupted" if run.is_interrupted else "under way" if view.state is RunState.GOING else state
        word = f"{word}, IN OUTAGE" if view.is_in_outage else word
        text = word if view.current is None else f"{word} at {view.current.id}"
        if view.stop_reason is not None:
            text = f"{text}: {view.stop_reason.sentence}"
    return f"{text} (blocks)" if view.is_over and view.blocks else text


def _row(run: StoredRun | UnreadableRun, now: datetime) -> tuple[str, str, str, str]:
    if isinstance(run, UnreadableRun):
        return clean(run.name), "-", "-", "unreadable"
    began = clock_time(run.view.began_at, TimeFormat.DAY_MINUTE)
    return run.view.header.run_id, began, duration(took_s(run, now)), outcome(run)
