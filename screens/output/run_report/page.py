"""The report of a run as one HTML file: nothing is loaded from elsewhere, nothing in it runs, and everything is escaped."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from html import escape
from importlib.resources import files
from typing import Any

from console.durations import TimeFormat, clock_time, duration, stamp
from console.rehearsal.forecast import Forecast
from console.runbook.run.downtime import Interval, OutageSpan
from console.runbook.run.view import StepView, StoredRun
from console.text import clean
from screens.output.run_report.document import LONGEST_TEXT, document
from screens.output.run_report.lines import span_text, summary_fields
from screens.output.run_report.summary import RunSummary, summary_of
from screens.present.text import typed_here

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may do with the page: apply its own style."""


def as_html(stored_run: StoredRun, forecast: Forecast | None = None) -> str:
    """Return the report as one page; `forecast` is of the rehearsal that was about this run, if any."""
    summary = summary_of(stored_run, forecast)
    style = files("screens.output.run_report").joinpath("page.css").read_text("utf-8")
    body = (
        *_summary(summary),
        *_steps(stored_run, summary),
        *_downtime(summary),
        *_evidence(document(stored_run, forecast)),
    )
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(summary.title)}: {_text(summary.outcome.lower())}</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            *body,
            "</body>",
            "</html>",
            "",
        )
    )


def _text(value: object) -> str:
    """Return text in which nothing is markup, and every character shows itself."""
    return escape(clean(typed_here(str(value)), LONGEST_TEXT))


def _summary(summary: RunSummary) -> Iterator[str]:
    yield f"<h1>{_text(summary.title)}</h1>"
    yield f'<p class="dim">run {_text(summary.run_id)}</p>'
    yield "<dl>"
    for field in summary_fields(summary):
        yield f"<dt>{_text(field.label)}</dt>"
        yield from (f"<dd>{_text(text)}</dd>" if number == 0 else f"<dt></dt><dd>{_text(text)}</dd>"
                    for number, text in enumerate(field.texts))  # fmt: skip
    if summary.next_command:
        yield f"<dt>Next</dt><dd><code>{_text(summary.next_command)}</code></dd>"
    yield "</dl>"


def _steps(stored_run: StoredRun, summary: RunSummary) -> Iterator[str]:
    """Yield the timeline of the steps: a row for each, on one scale from the run's beginning to its last event."""
    scale = _Scale(summary.began_at, summary.last_at)
    yield "<h2>Steps</h2>"
    yield (
        f'<p class="dim">{_text(stamp(scale.began_at))} to {_text(stamp(scale.ended_at))}. '
        '<span class="bar key wait"></span> checked, asked or waiting; <span class="bar key act"></span> acting; '
        '<span class="bar key undo"></span> undoing</p>'
    )
    yield '<div class="chart steps">'
    for number, step in enumerate(stored_run.view.steps, 1):
        yield f"<span>{number}. {_text(step.id)}</span>"
        yield f'<div class="track">{"".join(_step_bars(step, scale))}</div>'
        took = f", {duration(step.took_s)}" if step.took_s else ""
        yield f'<span class="took">{_text(step.state)}{_text(took)}</span>'
    yield "</div>"


def _step_bars(step: StepView, scale: "_Scale") -> Iterator[str]:
    if step.began_at is not None:
        first_end = step.act_spans[0].ended_at if step.act_spans else None
        ended_at = first_end or step.ended_at or scale.ended_at
        yield scale.bar("wait", step.began_at, ended_at, "checked, asked or waiting")
    for span in step.act_spans:
        kind, word = ("undo", "undoing") if span.is_undo else ("act", "acting")
        yield scale.bar(kind, span.began_at, span.ended_at or scale.ended_at, word)


def _downtime(summary: RunSummary) -> Iterator[str]:
    downtime = summary.downtime
    expected = {} if summary.expectation is None else summary.expectation.by_service
    yield "<h2>Downtime of each service</h2>"
    if not downtime.spans:
        yield "<p>No step took services down.</p>"
    for span in downtime.spans:
        yield f"<h3>{_text(span.name)}</h3>"
        # An undo was not foretold.
        yield from _outage(span, {} if span.span.is_undo else expected)


def _outage(outage: OutageSpan, expected: Mapping[str, float]) -> Iterator[str]:
    intervals = outage.intervals
    if not outage.is_measured:
        yield "<p>Not measured: how long each service was down is unknown.</p>"
    if not intervals:
        return
    # One that was not seen up again is drawn to the end of the act, as far as the run saw.
    ends = [interval.ended_at or outage.span.ended_at or interval.began_at for interval in intervals]
    scale = _Scale(min(interval.began_at for interval in intervals), max(ends))
    yield f'<p class="dim">{_text(stamp(scale.began_at))} to {_text(stamp(scale.ended_at))}, {_text(span_text(scale.took_s))}</p>'
    yield '<div class="chart services">'
    for interval in sorted(intervals, key=_worst_first):
        ended_at = interval.ended_at or scale.ended_at
        took = _took(interval)
        took += f" (foretold {expected[interval.name]:.1f} s)" if interval.name in expected else ""
        yield f"<span>{_text(interval.name)}</span>"
        yield f'<div class="track">{scale.bar("down", interval.began_at, ended_at, "down")}</div>'
        yield f'<span class="took">{took}</span>'
    yield "</div>"


def _took(interval: Interval) -> str:
    if interval.ended_at is None:
        return "not seen up again"
    if interval.is_seen_later:
        at = clock_time(interval.ended_at, TimeFormat.SECOND)
        return f"at most {interval.took_s:.1f} s, seen up at {at}"
    return f"{interval.took_s:.1f} s"


def _worst_first(interval: Interval) -> tuple[bool, float, str]:
    return interval.ended_at is not None, -interval.took_s, interval.name


class _Scale:
    """Where a time lies between two others."""

    def __init__(self, began_at: datetime, ended_at: datetime) -> None:
        self.began_at, self.ended_at = began_at, max(began_at, ended_at)
        self.took_s = (self.ended_at - self.began_at).total_seconds()

    def bar(self, kind: str, began_at: datetime, ended_at: datetime, word: str) -> str:
        """Return a bar from one time to another."""
        left, right = self._percent(began_at), self._percent(ended_at)
        times = f"{clock_time(began_at, TimeFormat.SECOND)} to {clock_time(ended_at, TimeFormat.SECOND)}"
        return (
            f'<span class="bar {kind}" style="left:{left:.2f}%;width:{max(0.0, right - left):.2f}%" '
            f'title="{_text(word)} {_text(times)}"></span>'
        )

    def _percent(self, at: datetime) -> float:
        if not self.took_s:
            return 0.0
        share = (at - self.began_at).total_seconds() / self.took_s
        return 100.0 * min(1.0, max(0.0, share))


def _evidence(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each step planned, found and returned, folded."""
    yield "<h2>Evidence</h2>"
    yield from _details("run", _lines_of({key: value for key, value in report.items() if key != "steps"}))
    for number, step in enumerate(report["steps"], 1):
        yield from _details(f"{number}. {step['id']}: {step['title']} ({step['state']})", _lines_of(step))


def _details(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{_text(title)}</summary>"
    text = "\n".join(_text(line) for line in lines)
    yield f"<pre>{text}</pre>"
    yield "</details>"


def _lines_of(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield plain data in lines; what is empty is left out."""
    for key, value in values.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, str | int | float):
            yield f"{key}: {value}"
        else:
            yield f"{key}:"
            yield from (f"  {line}" for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines())
