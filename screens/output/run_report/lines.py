"""The summary of a run as text: what an operator reads first, in at most 15 lines of 80 columns."""

import textwrap
from collections.abc import Iterator, Sequence

from console.durations import TimeFormat, clock_time, duration, moment, stamp
from console.frozen import frozen
from console.rehearsal.forecast import Forecast
from console.runbook.run.downtime import Downtime, OutageSpan
from console.runbook.run.view import StoredRun
from console.text import clean, listed, plural
from screens.output.plain import cut_line
from screens.output.run_report.expectation import expectation_text
from screens.output.run_report.summary import RunSummary, summary_of

WIDTH = 79
MOST_LINES = 15
LABEL_WIDTH = 12
WORST = 4
"""So many services are named; the rest is summed."""
NAMED = 6


@frozen
class SummaryField:
    """A label and its texts, whole."""

    label: str
    texts: tuple[str, ...]
    most_lines: int = 1
    """So many lines each text may take on a terminal; what is longer is cut there."""


def summary_lines(
    stored_run: StoredRun, forecast: Forecast | None = None, width: int = WIDTH
) -> Iterator[str]:
    """Yield the summary in lines: what matters in the first `MOST_LINES`, then the commands that come next."""
    summary = summary_of(stored_run, forecast)
    title = clean(f"{summary.title} ({summary.run_id})", 1000)
    yield cut_line(title, width)
    rows = [
        (field.label if number == 0 else "", clean(text, 4000), field.most_lines)
        for field in summary_fields(summary)
        for number, text in enumerate(field.texts)
    ]
    heights = _heights([max(1, len(_wrap(text, most, width))) for _, text, most in rows], MOST_LINES - 1)
    for (label, text, _), height in zip(rows, heights, strict=True):
        for number, line in enumerate(_wrap(text, height, width)):
            yield f"{'' if number else label:{LABEL_WIDTH}}{line}"
    if summary.next_command:
        yield f"{'Next':{LABEL_WIDTH}}{summary.next_command}"
    yield f"{'Evidence':{LABEL_WIDTH}}vipconsole report {summary.run_id} --full"


def _heights(wanted: Sequence[int], most: int) -> list[int]:
    """Return how many lines each text gets: one at least, and more in turn as long as there are some."""
    heights = [1] * len(wanted)
    spare = most - len(wanted)
    while spare > 0 and heights != list(wanted):
        for place, height in enumerate(wanted):
            if heights[place] < height and spare > 0:
                heights[place] += 1
                spare -= 1
    return heights


def _wrap(text: str, most_lines: int, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width - LABEL_WIDTH,
        max_lines=most_lines,
        placeholder=" …",
        break_long_words=False,
        break_on_hyphens=False,
    )


def summary_fields(summary: RunSummary) -> Iterator[SummaryField]:
    """Yield what the summary tells, in order; what does not apply is left out."""
    yield SummaryField(
        "Outcome", (f"{summary.outcome} (exit code {summary.exit_code}). {' '.join(summary.details)}",), 3
    )
    yield SummaryField("Operator", (summary.operator,))
    took = duration((summary.last_at - summary.began_at).total_seconds())
    until = "" if summary.is_over else " so far"
    yield SummaryField("Time", (f"{stamp(summary.began_at)}, {took}{until}",))
    yield SummaryField("Downtime", tuple(downtime_texts(summary.downtime)), 2)
    if summary.expectation is not None and summary.downtime.by_service:
        yield SummaryField("Foretold", (expectation_text(summary.expectation, summary.downtime),))
    for comparison in summary.comparisons[:1]:
        yield SummaryField("Network", (f"{comparison.network}: {comparison.subnets}",))
        yield SummaryField("Services up", (comparison.services,))
    if len(summary.comparisons) > 1:
        names = [comparison.network for comparison in summary.comparisons[1:]]
        yield SummaryField("Networks too", (listed(names, NAMED),))
    if summary.decisions:
        yield SummaryField("Decisions", (decisions_text(summary),), 2)
    texts = [f"{', '.join(skip.steps)} ({skip.reason.removesuffix('.')})" for skip in summary.skipped_steps]
    if summary.not_reached:
        texts.append(f"not reached: {listed(summary.not_reached, NAMED)}")
    if texts:
        yield SummaryField("Skipped", ("; ".join(texts),), 2)
    if summary.not_checked:
        yield SummaryField("Not checked", (" ".join(summary.not_checked),), 2)


def downtime_texts(downtime: Downtime) -> Iterator[str]:
    """Yield how long services were down: in all, the worst services, the rest in a sum, and what was not measured."""
    whole, services = downtime.whole, downtime.by_service
    if not downtime.spans:
        yield "none: no step took services down"
        return
    if services:
        times = [
            f"{clock_time(began_at, TimeFormat.SECOND)}-{clock_time(ended_at, TimeFormat.SECOND)}"
            for began_at, ended_at in whole
        ]
        summed = span_text(sum(took_s for _, took_s in services))
        count = plural(len(services), "service")
        yield f"{downtime.bound}{span_text(downtime.whole_s)} in all, {count}, {summed} summed ({listed(times, 2)})"
        yield "; ".join(
            f"{name} {downtime.bound_of(name)}{span_text(took_s)}" for name, took_s in services[:WORST]
        )
        rest = services[WORST:]
        if rest:
            rest_s = span_text(sum(took_s for _, took_s in rest))
            yield f"and {len(rest)} more: {span_text(rest[-1][1])} to {span_text(rest[0][1])} each, {rest_s} summed"
    elif downtime.is_exact:
        yield "none: no service had tasks"
    if not downtime.is_exact:
        gaps = map(_gap_text, downtime.unmeasured_spans)
        yield "; ".join((*_still_down(downtime), *gaps, *_seen_later(downtime)))


def _seen_later(downtime: Downtime) -> Iterator[str]:
    names = [f"{name} at {clock_time(at, TimeFormat.SECOND)}" for name, at in downtime.seen_later.items()]
    if names:
        yield f"seen up later, by the verification: {listed(names)}"


def _still_down(downtime: Downtime) -> Iterator[str]:
    names = [
        f"{interval.name} (since {clock_time(interval.began_at, TimeFormat.SECOND)})"
        for interval in downtime.still_down
    ]
    if names:
        yield f"NOT SEEN UP AGAIN: {listed(names)}"


def _gap_text(span: OutageSpan) -> str:
    if span.span.ended_at is None:
        began = clock_time(span.span.began_at, TimeFormat.SECOND)
        return f"unknown for {span.name}: it began at {began} and has no result"
    took_s = (span.span.ended_at - span.span.began_at).total_seconds()
    return f"unknown for {span.name}: it took {span_text(took_s)} and did not measure it"


def decisions_text(summary: RunSummary) -> str:
    """Return who decided what about which step; the operator who began the run is not named again."""
    texts = []
    for step, decision in summary.decisions:
        by = "" if str(decision.who) == summary.operator else f" by {decision.who}"
        reason = f" ({decision.reason.removesuffix('.')})" if decision.reason else ""
        texts.append(f"{decision.choice} {step} at {moment(decision.at, summary.last_at)}{by}{reason}")
    return "; ".join(texts)


def span_text(seconds: float) -> str:
    """Return a downtime: to the second as long as that matters, `6 min 19 s`."""
    whole = round(seconds)
    if not 100 <= whole < 3600:
        return duration(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
