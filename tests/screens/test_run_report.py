"""Reports: nothing that could be a secret, and nothing that Markdown or a terminal would take for its own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from console.host.root import VARIABLE
from console.runbook.language.values import ActionPlan, Answer, Call, CheckResult, Effect, Json
from console.runbook.run import events
from console.runbook.run.header import StepHeader
from console.runbook.run.view import Live, StoredRun
from screens.output.plain import json_text
from screens.output.run_report.document import HIDDEN, as_json
from screens.output.run_report.markdown import as_markdown
from screens.output.run_report.page import as_html
from tests.support.runs import Flags, PaperRun

HUSH = "hunter2"


def reported() -> StoredRun:
    run = PaperRun((StepHeader("only", "`<b>` [x](y)", "test.do", Effect.CHANGE),), Flags())
    call = Call("exec", {"argv": ["/bin/true"], "env": {"PASSWORD": HUSH}})
    evidence: dict[str, Json] = {"services": [{"Name": "app", "Env": [HUSH], "Args": [HUSH], "ok": "shown"}]}
    before = CheckResult(Answer.NO, "It is # not.", evidence)
    run.write(events.Prepared("only", 1, call, "d", "", before, ActionPlan("Do it.", calls=("a `b`",))))
    run.write(events.Intended("only", 1, call, "d", before))
    run.write(events.ChangeBegan("only", "service", "id1", "park", {"Spec": {"Env": [HUSH]}}))
    run.write(events.Succeeded("only", 1, {"config": {"Data": HUSH}, "count": 2}, 1.5))
    run.write(events.Verified("only", 1, Answer.YES, (events.ConditionResult("own", before),)))
    return StoredRun(run.view, Live(lines={"only": ("``` not the end",)}))


def test_no_environment_arguments_or_data_leave_the_log() -> None:
    for text in (as_json(reported()), as_markdown(reported())):
        assert HUSH not in text
        assert HIDDEN in text
    data = json.loads(as_json(reported()))
    assert data["schema"] == "vipconsole.run/1"
    (step,) = data["steps"]
    assert step["outputs"] == {"config": {"Data": HIDDEN}, "count": 2}
    assert step["changed_objects"] == [{"kind": "service", "id": "id1", "what": "park", "is_finished": False}]
    assert step["before"]["evidence"]["services"][0]["ok"] == "shown"


def test_markdown_takes_nothing_in_it_for_its_own() -> None:
    text = as_markdown(reported())
    assert "\\`\\<b\\>\\` \\[x\\](y)" in text
    assert "\n        ``` not the end\n" in text
    assert "- `a 'b'`" in text.replace("  - ", "- ")
    assert "before: It is \\# not." in text


def test_a_log_that_somebody_changed_controls_no_terminal() -> None:
    evil = "\x1b[2J\x9b\u202e\nnext"
    header = StepHeader("only", evil, evil, Effect.CHANGE)
    run = PaperRun((header,), Flags())
    run.write(
        events.Prepared(
            "only", 1, Call("exec", {}), "d", "", CheckResult(Answer.NO, evil, {}), ActionPlan(evil)
        )
    )
    stored_run = StoredRun(run.view, Live(lines={"only": (evil,)}))
    for line in as_markdown(stored_run).split("\n"):
        assert line.isprintable()
    assert "\n        \\x1b[2J\\x9b\\u202e\\nnext\n" in as_markdown(stored_run)


def test_in_the_demo_every_command_of_a_document_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    document = {
        "hint": "`vipconsole census proxy` finds them.",
        "rows": [{"n": 1, "next": "vipconsole resume r1"}],
    }
    assert json.loads(json_text(document)) == document
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert json.loads(json_text(document)) == {
        "hint": "`vipconsole --demo census proxy` finds them.",
        "rows": [{"n": 1, "next": "vipconsole --demo resume r1"}],
    }


def test_the_whole_report_says_where_the_runs_files_are() -> None:
    run = reported()
    run = replace(run, live=replace(run.live, folder="/srv/deep/runs/r1"))
    assert json.loads(as_json(run))["folder"] == "/srv/deep/runs/r1"
    assert "- folder: `/srv/deep/runs/r1`" in as_markdown(run)
    assert "/srv/deep/runs/r1" in as_html(run)
