"""What the first lines of a report tell: outcome, operator, downtime, before and after, decisions, gaps."""

import json
from dataclasses import replace

from console.rehearsal.forecast import ServiceForecast
from console.runbook.language.values import ActionPlan, Answer, Call, CheckResult, ExpectedDowntime
from console.runbook.run import events
from console.runbook.run.downtime import downtime_of
from console.runbook.run.replay_steps import RUNNING
from console.runbook.run.view import StoredRun
from screens.output.run_report.document import as_json
from screens.output.run_report.lines import LABEL_WIDTH, MOST_LINES, WIDTH, span_text, summary_lines
from screens.output.run_report.markdown import as_markdown
from screens.output.run_report.page import as_html
from screens.present.run_question import downtime_text
from tests.rehearsal.test_forecast import FORECAST
from tests.support.paper_window import (
    NEW,
    PaperWindow,
    finished_run,
    recreate_outputs,
    time_at,
    undone_run,
    unfinished_run,
)
from tests.support.runs import START

PLAN = ActionPlan(
    "Recreate proxy.", downtimes=(ExpectedDowntime("shop_web", 12.0), ExpectedDowntime("api", 11.0))
)
RUN = "20260612-020000-proxy-16"


def text_of(run: StoredRun) -> str:
    """Return the first lines with their breaks removed."""
    lines = list(summary_lines(run))
    assert all(len(line) <= WIDTH for line in lines)
    return " ".join(" ".join(lines[:MOST_LINES]).split())


def test_a_finished_run_tells_what_matters_first() -> None:
    text = text_of(finished_run())
    for part in (
        f"Recreate proxy ({RUN})",
        "Outcome DONE (exit code 0). 7 steps: 6 done, 1 skipped.",
        "Operator root (login alice, from 192.0.2.7, pts/3)",
        "Downtime 18 s in all, 6 services, 71 s summed",
        "shop_web 18 s; shop_db 16 s; api 13 s; mail 11 s and 2 more: 5 s to 8 s each, 13 s summed",
        "Network proxy: 10.0.1.0/24 -> 10.10.0.0/16",
        "Services up 6 of 6, as before",
        "Decisions confirm quiescent at",
        "Skipped build (This host does not run NixOS)",
        "Not checked recreate: Whether the address of shell was given by hand is unknown. census-after: Leaks",
    ):
        assert part in text
    assert list(summary_lines(finished_run()))[-1].split() == [
        "Evidence",
        "vipconsole",
        "report",
        RUN,
        "--full",
    ]


def test_what_a_rehearsal_foretold_stands_beside_what_was_measured() -> None:
    run = finished_run()
    forecast = replace(
        FORECAST, services=(ServiceForecast("shop_web", 15.0), ServiceForecast("api", None)), whole_s=15.0
    )
    text = " ".join(" ".join(summary_lines(run, forecast)).split())
    assert "Foretold 15 s (rehearsal of 2026-06-12 02:00 UTC); measured 20 % more" in text
    downtime = json.loads(as_json(run, forecast))["downtime"]
    assert (downtime["foretold_by"], downtime["foretold_whole_s"]) == ("rehearsal", 15.0)
    foretold = {row["name"]: row["foretold_s"] for row in downtime["services"]}
    assert (foretold["shop_web"], foretold["api"]) == (15.0, None)
    lines = as_markdown(run, forecast).splitlines()
    assert "| shop_web | 18.0 s | 15.0 s |" in [line.replace("\\", "") for line in lines]
    assert "18.0 s (foretold 15.0 s)" in as_html(run, forecast)


def test_without_a_rehearsal_the_plan_foretold() -> None:
    window = PaperWindow()
    window.up_to_outage()
    down = {"api": (201.0, 211.0), "shop_web": (202.0, 214.0)}
    window.write(520, events.Succeeded("recreate", 1, recreate_outputs(NEW, down, 6), 320))
    steps = tuple(
        replace(step, preparation=replace(step.preparation, plan=PLAN))
        if step.id == "recreate" and step.preparation is not None
        else step
        for step in window.stored.view.steps
    )
    run = replace(window.stored, view=replace(window.stored.view, steps=steps))
    assert "Foretold 12 s (plan); measured 8 % more" in text_of(run)
    downtime = json.loads(as_json(run))["downtime"]
    assert downtime["foretold_by"] == "plan"
    assert [row["foretold_s"] for row in downtime["services"]] == [12.0, 11.0]


def test_an_undone_run_counts_both_ways_and_the_time_between_for_what_did_not_come_back() -> None:
    text = text_of(undone_run())
    # shop_web went down at 201 s, and was seen up again at the end of the undo, at 580 s.
    assert "Downtime 6 min 19 s in all, 6 services" in text
    assert "shop_web 6 min 19 s; shop_db 32 s" in text
    assert "Outcome UNDONE (exit code 1)." in text
    assert "recreate failed: Some things differ from before" in text
    assert "Network proxy: 10.0.1.0/24, as before" in text
    assert "undo recreate at" in text
    assert "not reached: census-after, after" in text


def test_an_unfinished_run_calls_unknown_what_it_does_not_know_and_names_the_next_command() -> None:
    text = text_of(unfinished_run())
    assert "Outcome INTERRUPTED (exit code 3)." in text
    assert "SERVICES MAY BE DOWN. The runner process has died. It blocks other commands" in text
    assert "Downtime unknown for recreate: it began at" in text
    assert "Network proxy: 10.0.1.0/24 -> unknown" in text
    assert "Services up 6 of 6 -> unknown" in text
    assert f"Next vipconsole resume {RUN}" in " ".join(" ".join(summary_lines(unfinished_run())).split())


def test_a_service_that_was_not_seen_up_again_is_named_and_the_sum_is_a_lower_bound() -> None:
    window = PaperWindow()
    window.up_to_outage()
    down = {"api": (201.0, 211.0), "shop_web": (202.0, None)}
    window.write(520, events.Succeeded("recreate", 1, recreate_outputs(NEW, down, 5), 320))
    text = text_of(window.stored)
    assert "Downtime at least 10 s in all, 1 service, 10 s summed" in text
    assert "NOT SEEN UP AGAIN: shop_web (since" in text
    data = json.loads(as_json(window.stored))["downtime"]
    assert data["services"] == [{"name": "api", "down_s": 10.0, "foretold_s": None, "seen_up_later_at": None}]
    assert data["still_down"] == ["shop_web"]


def test_a_service_that_only_the_verification_saw_up_was_down_for_at_most_so_long() -> None:
    window = PaperWindow()
    window.up_to_outage()
    down = {"api": (201.0, 211.0), "shop_web": (202.0, None), "wiki": (203.0, None)}
    window.write(235, events.Succeeded("recreate", 1, recreate_outputs(NEW, down, 4), 35))
    for at, answer, names in ((243, Answer.NO, ["shop_web"]), (260, Answer.YES, ["shop_web", "wiki"])):
        found = CheckResult(answer, "So.", {RUNNING: [*names]})
        window.write(at, events.Verified("recreate", 1, answer, (events.ConditionResult("own", found),)))
    run = window.stored
    text = text_of(run)
    assert "Downtime at most 59 s in all, 3 services, 1 min 48 s summed" in text
    assert "wiki at most 57 s; shop_web at most 41 s; api 10 s" in text
    assert "seen up later, by the verification: shop_web at 02:04:03, wiki at 02:04:20" in text
    assert "NOT SEEN UP" not in text
    data = json.loads(as_json(run))["downtime"]
    assert data["still_down"] == []
    assert {row["name"]: row["seen_up_later_at"] for row in data["services"]} == {
        "wiki": time_at(260).isoformat(), "shop_web": time_at(243).isoformat(), "api": None,
    }  # fmt: skip
    assert "| shop\\_web | at most 41.0 s, seen up 2026-06-12 02:04:03" in as_markdown(run)
    page = as_html(run)
    assert "at most 41.0 s, seen up at 02:04:03" in page
    assert "not seen up again" not in page
    assert downtime_text(downtime_of(run.view.steps)) == "at most 59 s in all; longest: wiki, at most 57 s"


def test_an_act_without_a_result_makes_the_downtime_a_lower_bound() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.write(230, events.Failed("recreate", 1, "The engine said no."))
    assert "Downtime unknown for recreate: it took 30 s and did not measure it" in text_of(window.stored)
    window.write(231, events.UndoIntended("recreate", Call("network.recreate")))
    window.write(240, events.Undone("recreate", 9, recreate_outputs("10.0.1.0/24", {"api": (201.0, 238.0)})))
    text = text_of(window.stored)
    assert "Downtime at least 37 s in all, 1 service" in text
    assert "unknown for recreate: it took 30 s" in text


def test_however_much_there_is_to_tell_it_fits() -> None:
    window = PaperWindow()
    window.up_to_outage()
    down = {f"stack-with-a-long-name-{number:02}_service": (201.0, 210.0 + number) for number in range(60)}
    window.write(
        300, events.Succeeded("recreate", 1, recreate_outputs(NEW, {**down, "lost": (201.0, None)}), 100)
    )
    wrong = CheckResult(Answer.CANNOT_TELL, "Something long about a service and why it is so. " * 20)
    window.write(301, events.Verified("recreate", 1, Answer.NO, (events.ConditionResult("own", wrong),)))
    for at in range(310, 330):
        window.decide("recreate", at, events.Choice.RETRY, "because of a long reason")
    window.decide("census-after", 331, events.Choice.SKIP, "no time, and a long story about why " * 9)
    run = window.stored
    title = replace(run.view.header, title="A title without an end " * 20)
    run = replace(run, view=replace(run.view, header=title))
    lines = list(summary_lines(run))
    assert all(len(line) <= WIDTH for line in lines)
    labels = [line[:LABEL_WIDTH].strip() for line in lines[:MOST_LINES]]
    for label in (
        "Outcome",
        "Operator",
        "Downtime",
        "Network",
        "Services up",
        "Decisions",
        "Skipped",
        "Not checked",
    ):
        assert label in labels
    assert [line.split()[0] for line in lines[MOST_LINES:]] == ["Next", "Evidence"]
    assert "and 56 more: " in " ".join(lines)


def test_a_check_that_holds_because_the_runbook_asks_for_nothing_was_not_made() -> None:
    window = PaperWindow()
    window.do("before", 1, 2, {}, CheckResult(Answer.YES, "No URL is given.", nothing_checked=True))
    assert "Not checked before: No URL is given." in text_of(window.stored)
    window.do("after", 3, 4, {}, CheckResult(Answer.YES, "3 addresses answer."))
    assert "3 addresses" not in text_of(window.stored)


def test_a_run_without_an_outage_says_so() -> None:
    window = PaperWindow()
    window.do("preflight", 1, 2, {})
    assert "Downtime none: no step took services down" in text_of(window.stored)


def test_the_whole_report_begins_with_the_summary() -> None:
    text = as_markdown(finished_run())
    assert text.index("**Outcome:** DONE") < text.index("## 1. preflight")
    assert "hunter2" not in text + "".join(summary_lines(finished_run()))


def test_downtimes_are_told_to_the_second_as_long_as_it_matters() -> None:
    assert [span_text(seconds) for seconds in (7.4, 99, 120, 379, 7200)] == [
        "7 s", "99 s", "2 min", "6 min 19 s", "2 h",
    ]  # fmt: skip


def test_acts_are_followed_from_their_intent_to_their_result() -> None:
    view = undone_run().view.step("recreate")
    act, undo = view.act_spans
    assert [(span.is_undo, span.has_succeeded) for span in (act, undo)] == [(False, True), (True, True)]
    assert (act.began_at - START).total_seconds() == 200
    (interrupted,) = unfinished_run().view.step("recreate").act_spans
    assert interrupted.ended_at is None
