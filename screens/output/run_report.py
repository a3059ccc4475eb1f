"""The report of a run: the state before, what was done and decided, and the result. As Markdown and as JSON.

Specifications of services stay in the log: the report shows an action's output without anything that could be a secret.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from console.durations import stamp
from console.runbook.language.values import ActionPlan, CheckResult
from console.runbook.run.view import Live, StepView, StoredRun, waits_of
from console.text import duration

SCHEMA = "vipconsole.run/1"
SECRET = frozenset(
    ("env", "environment", "args", "command", "data", "spec", "settings", "password", "secret", "token")
)
"""Keys, in small letters, whose values never leave the log."""
HIDDEN = "(not shown)"


def as_json(stored_run: StoredRun) -> str:
    """Return the report as one ASCII document."""
    return json.dumps(_report(stored_run), indent=1) + "\n"


def as_markdown(stored_run: StoredRun) -> str:
    """Return the report as Markdown."""
    return "\n".join(_markdown(stored_run)) + "\n"


def without_secrets(value: Any) -> Any:
    """Return plain data in which everything is hidden that could be a secret."""
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if str(key).casefold() in SECRET else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return value


def _report(stored_run: StoredRun) -> dict[str, Any]:
    view, header = stored_run.view, stored_run.view.header
    return {
        "schema": SCHEMA,
        "run": header.run_id,
        "title": header.title,
        "runbook": {"id": header.runbook_id, "source": header.source, "sha256": header.digest},
        "variables": without_secrets(header.variables),
        "state": "interrupted" if stored_run.is_interrupted else str(view.state),
        "exit_code": stored_run.exit_code,
        "blocks": view.blocks,
        "began_at": view.began_at.isoformat(),
        "last_event_at": None if view.at is None else view.at.isoformat(),
        "by": str(view.who),
        "where": {
            "engine": header.host,
            "engine_name": header.engine_name,
            "engine_version": header.engine_version,
            "machine_id": header.machine_id,
            "boot_id": header.boot_id,
            "cluster_id": header.cluster_id,
            "tool_version": header.tool_version,
        },
        "stopped": None if view.stop_reason is None else view.stop_reason.sentence,
        "abandoned": view.abandonment or None,
        "notes": list(view.notes),
        "left_behind": [step.id for step in view.left_behind],
        "steps": [_step(step, stored_run.live) for step in view.steps],
    }


def _step(step: StepView, live: Live) -> dict[str, Any]:
    preparation = step.preparation
    return {
        "id": step.id,
        "title": step.head.title,
        "action": step.head.action,
        "effect": str(step.head.effect),
        "state": str(step.state),
        "attempt": step.attempt,
        "parameters": without_secrets(preparation.call.parameters) if preparation else {},
        "plan": _plan(preparation.plan) if preparation and preparation.plan else None,
        "before": _check_result(step.intent.before) if step.intent else None,
        "requires": [
            {"name": require.name, **_check_result(require.found)} for require in preparation.requires
        ]
        if preparation
        else [],
        "decisions": [
            {
                "choice": str(decision.choice),
                "by": str(decision.who),
                "at": decision.at.isoformat(),
                "reason": decision.reason,
            }
            for decision in step.decisions
        ],
        "began_at": step.began_at.isoformat() if step.began_at else None,
        "ended_at": step.ended_at.isoformat() if step.ended_at else None,
        "took_s": step.took_s,
        "outputs": without_secrets(step.outputs),
        "after": [{"name": result.name, **_check_result(result.found)} for result in step.results],
        "failure": None if step.failure is None else step.failure.sentence,
        "undo_failure": None if step.undo_failure is None else step.undo_failure.sentence,
        "skipped_because": step.skipped_because or None,
        "changed_objects": [
            {
                "kind": record.kind,
                "id": record.object_id,
                "what": record.what,
                "is_finished": record.is_finished,
            }
            for record in step.change_records
        ],
        "dockerd_logged": list(step.daemon_log),
        "waited_for": [
            {
                "name": wait.name,
                "what": wait.what,
                "from": wait.began_at.isoformat(timespec="seconds"),
                "until": wait.ended_at.isoformat(timespec="seconds"),
                "times": wait.times,
                "took_s": round(wait.took_s, 1),
            }
            for wait in waits_of(step, live)
        ],
        "output": list(live.lines.get(step.id, ())),
    }


def _plan(plan: ActionPlan) -> dict[str, Any]:
    return {
        "summary": plan.summary,
        "reads": list(plan.reads),
        "changes": list(plan.changes),
        "calls": list(plan.calls),
        "refused": list(plan.refused),
        "no_return": plan.no_return or None,
        "outage_s": plan.outage_s,
    }


def _check_result(result: CheckResult) -> dict[str, Any]:
    return {
        "answer": str(result.answer),
        "sentence": result.sentence,
        "evidence": without_secrets(result.evidence),
    }


def _markdown(stored_run: StoredRun) -> Iterator[str]:
    report = _report(stored_run)
    where = report["where"]
    yield f"# {_text(report['title'])}"
    yield ""
    yield f"- run: {_code(report['run'])}, {report['state']} (exit code {report['exit_code']})"
    yield f"- runbook: {_code(report['runbook']['source'])}, sha256 {_code(report['runbook']['sha256'])}"
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
    for number, step in enumerate(report["steps"], 1):
        yield ""
        yield f"## {number}. {_text(step['id'])}: {_text(step['title'])}"
        yield ""
        yield from _step_markdown(step)


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
