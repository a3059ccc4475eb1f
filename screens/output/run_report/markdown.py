"""The whole report of a run as Markdown: the summary, then the evidence of each step."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from console.durations import duration, stamp
from console.rehearsal.forecast import Forecast
from console.runbook.run.view import StoredRun
from console.text import clean
from screens.output.run_report.document import LONGEST_TEXT, document
from screens.output.run_report.lines import summary_fields
from screens.output.run_report.summary import summary_of
from screens.present.text import typed_here


def as_markdown(stored_run: StoredRun, forecast: Forecast | None = None) -> str:
    """Return the report as Markdown; `forecast` is of the rehearsal that was about this run, if any."""
    # A log is a file, in which anything may stand by now.
    lines = (clean(typed_here(line), LONGEST_TEXT) for line in _markdown(stored_run, forecast))
    return "\n".join(lines) + "\n"


def _markdown(stored_run: StoredRun, forecast: Forecast | None) -> Iterator[str]:
    report = document(stored_run, forecast)
    where = report["where"]
    yield f"# {_text(report['title'])}"
    yield ""
    for field in summary_fields(summary_of(stored_run, forecast)):
        yield from (f"- **{field.label}:** {_text(text)}" for text in field.texts)
    yield ""
    yield f"- run: {_code(report['run'])}, {report['state']} (exit code {report['exit_code']})"
    yield f"- runbook: {_code(report['runbook']['source'])}, sha256 {_code(report['runbook']['sha256'])}"
    if report["folder"]:
        yield f"- folder: {_code(report['folder'])}"
    yield f"- began: {_when(report['began_at'])} by {_text(report['by'])}; last event: {_when(report['last_event_at'])}"
    yield (
        f"- where: {_code(where['engine'])} ({_text(where['engine_name'])}, {where['engine_version']}), "
        f"swarm {_code(where['cluster_id'])}, machine {_code(where['machine_id'])}"
    )
    for name, value in report["variables"].items():
        yield f"- {_text(name)} = {_code(json.dumps(value))}"
    for note in (report["stopped"], report["abandoned"], *report["notes"]):
        if note:
            yield f"- {_text(note)}"
    yield from _downtime(report["downtime"])
    for number, step in enumerate(report["steps"], 1):
        yield ""
        yield f"## {number}. {_text(step['id'])}: {_text(step['title'])}"
        yield ""
        yield from _step_markdown(step)


def _downtime(downtime: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table of how long each service was down, beside what was foretold."""
    if not downtime["services"]:
        return
    yield ""
    yield f"| service | down | foretold by the {downtime['foretold_by'] or 'plan'} |"
    yield "| --- | --- | --- |"
    for row in downtime["services"]:
        foretold = "unknown" if row["foretold_s"] is None else f"{row['foretold_s']:.1f} s"
        at = row["seen_up_later_at"]
        down = (
            f"{row['down_s']:.1f} s" if at is None else f"at most {row['down_s']:.1f} s, seen up {_when(at)}"
        )
        yield f"| {_text(row['name'])} | {down} | {foretold} |"


def _step_markdown(step: Mapping[str, Any]) -> Iterator[str]:
    took = f", {duration(step['took_s'])}" if step["took_s"] else ""
    yield f"**{step['state']}** ({_text(step['action'])}, {step['effect']}, attempt {step['attempt']}{took})"
    if step["began_at"]:
        yield f"- from {_when(step['began_at'])} to {_when(step['ended_at']) or '…'}"
    if step["plan"]:
        yield f"- planned: {_text(step['plan']['summary'])}"
        yield from (f"  - {_code(line)}" for line in (*step["plan"]["changes"], *step["plan"]["calls"]))
    for name in ("failure", "undo_failure", "skipped_because"):
        if step[name]:
            yield f"- {name.replace('_', ' ')}: {_text(step[name])}"
    for decision in step["decisions"]:
        reason = f": {_text(decision['reason'])}" if decision["reason"] else ""
        yield f"- {decision['choice']} by {_text(decision['by'])} at {_when(decision['at'])}{reason}"
    if step["before"]:
        yield f"- before: {_text(step['before']['sentence'])}"
    yield from (
        f"- after, {_text(result['name'])}: {result['answer']}. {_text(result['sentence'])}"
        for result in step["after"]
    )
    yield from _waits(step["waited_for"])
    if step["outputs"]:
        yield from _block("outputs", json.dumps(step["outputs"], indent=1).splitlines())
    for title, key in (
        ("changed objects", "changed_objects"),
        ("dockerd logged", "dockerd_logged"),
        ("output", "output"),
    ):
        lines = [item if isinstance(item, str) else " ".join(map(str, item.values())) for item in step[key]]
        if lines:
            yield from _block(title, lines)


def _waits(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table of what a step waited for, when, and for how long."""
    if not rows:
        return
    yield "- waited for:"
    yield ""
    yield "| what | last seen | from | until | times | blocked for |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for row in rows:
        cells = (
            _text(row["name"]),
            _text(row["what"]),
            _when(row["from"]),
            _when(row["until"]),
            str(row["times"]),
            duration(row["took_s"]),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _block(title: str, lines: list[str]) -> Iterator[str]:
    yield f"- {title}:"
    yield ""
    # Indented code cannot be ended by anything in it.
    yield from (f"        {line}" for line in lines)
    yield ""


def _when(text: str | None) -> str:
    return stamp(datetime.fromisoformat(text)) if text else ""


def _text(text: str) -> str:
    """Return text that Markdown takes as it is."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>#|!" else character for character in text)


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`"
