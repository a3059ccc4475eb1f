"""The report of a run as data: the state before, what was done and decided, and the result.

Specifications of services stay in the log: the report shows an action's output without anything that could be a secret.
"""

from collections.abc import Mapping
from typing import Any

from console.durations import iso
from console.rehearsal.forecast import Forecast
from console.runbook.language.values import ActionPlan, CheckResult
from console.runbook.run.downtime import Downtime, downtime_of
from console.runbook.run.view import ActSpan, Live, StepView, StoredRun, waits_of
from screens.output.plain import json_text
from screens.output.run_report.expectation import Expectation, expectation_of

SCHEMA = "vipconsole.run/1"
SECRET = frozenset(
    ("env", "environment", "args", "command", "data", "spec", "settings", "password", "secret", "token")
)
"""Keys, in small letters, whose values never leave the log."""
HIDDEN = "(not shown)"
LONGEST_TEXT = 100_000
"""A longer line is cut."""


def as_json(stored_run: StoredRun, forecast: Forecast | None = None) -> str:
    """Return the report as one ASCII document; `forecast` is of the rehearsal that was about this run, if any."""
    return json_text(document(stored_run, forecast))


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


def document(stored_run: StoredRun, forecast: Forecast | None = None) -> dict[str, Any]:
    """Return the whole report as plain data, without secrets."""
    view, header = stored_run.view, stored_run.view.header
    return {
        "schema": SCHEMA,
        "run": header.run_id,
        "title": header.title,
        "runbook": {"id": header.runbook_id, "source": header.source, "sha256": header.digest},
        "variables": without_secrets(header.variables),
        "folder": stored_run.live.folder or None,
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
        "downtime": _downtime(downtime_of(view.steps), expectation_of(view, forecast)),
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
        "acts": [_act(span) for span in step.act_spans],
        "after": [{"name": result.name, **_check_result(result.found)} for result in step.results],
        "failure": None if step.failure is None else step.failure.sentence,
        "undo_failure": None if step.undo_failure is None else step.undo_failure.sentence,
        "skipped_because": step.skipped_because or None,
        "changed_objects": [
            {
                "kind": changed_object.kind,
                "id": changed_object.object_id,
                "what": changed_object.what,
                "is_finished": changed_object.is_finished,
            }
            for changed_object in step.changed_objects
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


def _act(span: ActSpan) -> dict[str, Any]:
    return {
        "is_undo": span.is_undo,
        "began_at": span.began_at.isoformat(),
        "ended_at": None if span.ended_at is None else span.ended_at.isoformat(),
        "has_succeeded": span.has_succeeded,
        "outputs": without_secrets(span.outputs) if span.is_undo else None,
    }


def _downtime(downtime: Downtime, expectation: Expectation | None) -> dict[str, Any]:
    by_service = {} if expectation is None else expectation.by_service
    return {
        "whole_s": round(downtime.whole_s, 1),
        "foretold_by": None if expectation is None else expectation.source,
        "foretold_whole_s": None if expectation is None else expectation.whole_s,
        "services": [
            {
                "name": name,
                "down_s": round(took_s, 1),
                "foretold_s": by_service.get(name),
                "seen_up_later_at": iso(downtime.seen_later.get(name)),
            }
            for name, took_s in downtime.by_service
        ],
        "still_down": [interval.name for interval in downtime.still_down],
        "unmeasured": [span.name for span in downtime.unmeasured_spans],
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
