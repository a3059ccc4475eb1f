"""The step under way, as an operator reads it in two seconds: who is down, how long, how far, and the way back."""

from dataclasses import replace

import pytest

from console.operations.network_recreation import way_back
from console.runbook.language.values import Answer, CheckResult, Effect
from console.runbook.run import events
from console.runbook.run.decisions import question_view
from console.runbook.run.events import Choice, QuestionKind
from console.runbook.run.view import Live, StepState, StoredRun
from console.runbook.run.waits import Blocking, Measure, Waiting
from screens.output.run_lines import ProgressNews, outcome_lines, question_lines
from screens.present.run import open_question
from screens.present.run_progress import SCRIPT, progress_line, progress_of, progress_paragraphs
from screens.present.run_question import outcome, situation
from screens.present.text import UNICODE, text_of
from screens.tui.widgets.line_view import wrap
from tests.support.paper_window import (
    DOWN,
    NEW,
    YES,
    PaperWindow,
    finished_run,
    recreate_outputs,
    run_in_outage,
    time_at,
    undone_run,
    unfinished_run,
)
from tests.support.runs import step, stored_run

NOW = time_at(242)
WIDTH = 79
ROOM = 19
"""The lines that a pane of the whole screen has at 80x24."""


def lines(run: StoredRun, seconds: float = 242) -> list[str]:
    progress = progress_of(run)
    assert progress is not None
    paragraphs = progress_paragraphs(progress, time_at(seconds), WIDTH, UNICODE)
    return [text_of(line).rstrip() for each in paragraphs for line in wrap(each, WIDTH)]


def waiting(run: StoredRun, step_id: str, **parts: object) -> StoredRun:
    now = Waiting(step_id, time_at(100), time_at(240), **{"blocking": (), **parts})  # type: ignore[arg-type] # fields of it
    return replace(run, live=replace(run.live, waiting=now))


def test_an_outage_is_told_above_the_fold_what_matters_most_first() -> None:
    shown = lines(run_in_outage())
    assert shown[0] == "5 of 6 services DOWN for 0:41"
    assert shown[1].startswith("0:42 elapsed, about 1:10 planned, limit 1:00 █")
    assert shown[1].endswith("60%")
    assert len(shown) <= ROOM
    assert [line for line in shown if line[:1] in ("✓", "▸", "·")] == [
        "✓ services parked         0:03",
        "✓ tasks ended             0:06",
        "✓ network removed         0:01",
        "✓ network created         0:02",
        "▸ services brought back   0:30  under way",
        "· settled",
    ]
    assert "UP 1      traefik_app" in shown
    assert "DOWN 5    shop_web, shop_db, api, mail, wiki" in shown
    assert shown[-5:-2] == [
        "02:03:30  network removed",
        "02:03:32  network created",
        "02:03:34  UP again: traefik_app",
    ]
    assert shown[-1] == "by hand   sh /var/lib/vipconsole/runs/r1/way-back.sh"


@pytest.mark.parametrize(
    ("folder", "shown"),
    [
        ("/state/runs/20260612-020000-proxy-16", "sh /state/runs/20260612-020000-proxy-16/way-back.sh"),
        ("/a b/runs/r1", "sh '/a b/runs/r1/way-back.sh'"),
        (
            f"/srv/{'deep/' * 12}runs/20260612-020000-proxy-16",
            "way-back.sh in /srv/deep/deep/deep/deep/dee…/20260612-020000-proxy-16",
        ),
    ],
)
def test_the_way_back_by_hand_is_one_line_with_its_name_and_the_run_whole(folder: str, shown: str) -> None:
    run = run_in_outage()
    last = lines(replace(run, live=replace(run.live, folder=folder)))[-1]
    assert last == f"by hand   {shown}"
    assert len(last) <= WIDTH


def test_a_silent_engine_and_a_silent_worker_are_told_apart() -> None:
    silent = run_in_outage(pulse_at=time_at(241), engine_silent_since=time_at(217))
    assert "engine silent for 25 s, worker alive 1 s ago" in lines(silent)
    hanging = run_in_outage(pulse_at=time_at(202), engine_silent_since=None)
    assert "worker silent: last sign of life 40 s ago" in lines(hanging)
    well = run_in_outage(pulse_at=time_at(241), engine_silent_since=time_at(240))
    assert not [line for line in lines(well) if "silent" in line]


def test_a_dead_runner_is_the_first_line_and_no_stopwatch_goes_on() -> None:
    run = run_in_outage()
    dead = replace(run, live=replace(run.live, is_alive=False))
    shown = lines(dead)
    assert shown[0] == f"RUNNER GONE. `vipconsole resume {run.view.header.run_id}` continues the run."
    assert shown[1] == "5 of 6 services DOWN since 02:03:21"
    progress = progress_of(dead)
    assert progress is not None
    assert not progress.is_ticking
    assert lines(dead, 300) == shown


def test_a_recreation_that_gives_up_shows_why_and_the_phases_that_it_left_out() -> None:
    window = PaperWindow(live=Live(is_alive=True))
    window.up_to_outage()
    window.report(200, 0, up=tuple(DOWN))
    window.report(201, 0, down=tuple(DOWN))
    window.report(203, 1)
    window.report(230, 4, note="giving up: web.1 still runs.")
    shown = lines(window.stored)
    assert "- network removed" in shown
    assert "02:03:50  giving up: web.1 still runs." in shown


def test_the_wait_for_quiet_shows_what_blocks_and_counts_down() -> None:
    run = stored_run(step("calm", "Quiet", StepState.RUNNING, began_at=time_at(100)))
    busy = waiting(
        run, "calm", blocking=(Blocking("service web", "is updating"),), measure=Measure(0, 60, "s")
    )
    shown = lines(busy)
    assert shown[0] == "Quiet. Nothing is down."
    assert shown[-2:] == ["Waits for 1:", "  service web: is updating"]
    assert any(line.endswith("1:00 to go") for line in shown)
    # While nothing blocks the time goes on between two checks.
    quiet = waiting(run, "calm", note="quiet for 20 s so far", measure=Measure(20, 60, "s"))
    assert any(line.endswith("0:38 to go") for line in lines(quiet))


def test_a_step_that_ran_before_is_expected_to_take_as_long() -> None:
    run = stored_run(step("build", "Build", StepState.RUNNING, Effect.CHANGE, began_at=time_at(200)))
    assert lines(run)[1] == "0:42 elapsed, limit 1:00"
    known = replace(run, live=replace(run.live, former_s={"build": 84.0}))
    assert lines(known)[1].startswith("0:42 elapsed, about 1:24 last time, limit 1:00 ")
    assert lines(known)[1].endswith(" 50%")


def test_a_rehearsal_counts_more_than_an_earlier_run_and_that_more_than_the_plan() -> None:
    measured: dict[str, dict[str, float]] = {
        "rehearsed_s": {"recreate": 46.0},
        "former_s": {"recreate": 52.0},
    }
    former = {"former_s": measured["former_s"]}
    for live, expected in (
        (measured, "about 0:46 rehearsed"),
        (former, "about 0:52 last time"),
        ({}, "about 1:10 planned"),
    ):
        assert lines(run_in_outage(**live))[1].startswith(f"0:42 elapsed, {expected}, limit 1:00 ")
        progress = progress_of(run_in_outage(**live))
        assert progress is not None
        assert expected in progress_line(progress, NOW)
    assert (
        lines(run_in_outage(**measured), 250)[1] == "0:50 elapsed, LONGER than the 0:46 rehearsed, limit 1:00"
    )


def test_the_question_before_the_outage_says_what_its_estimate_rests_on() -> None:
    window = asked_before_outage()
    assert facts(window, 170)["next"].endswith("services are down for about 70 s")
    window.live = Live(is_alive=True, rehearsed_s={"recreate": 46.0})
    assert facts(window, 170)["next"].endswith("services are down for about 46 s (rehearsed)")
    question = open_question(window.stored)
    assert question is not None
    assert question.sentence.endswith("Services will be down for about 46 s (rehearsed).")


def test_a_census_shows_its_walk() -> None:
    run = stored_run(step("census", "Census", StepState.RUNNING, Effect.CHANGE, began_at=time_at(100)))
    walking = waiting(run, "census", note="walk 2 of proxy", measure=Measure(64, 250, "steps"))
    shown = lines(walking)
    assert any(line.endswith("64 of 250 steps") for line in shown)
    assert shown[-1] == "walk 2 of proxy"
    progress = progress_of(walking)
    assert progress is not None
    assert "walk 2 of proxy, 64 of 250 steps" in progress_line(progress, NOW)


def test_lines_come_with_each_phase_and_every_ten_seconds_and_when_the_engine_falls_silent() -> None:
    news = ProgressNews()

    def said(run: StoredRun, seconds: float) -> list[str]:
        return list(news.lines(run, time_at(seconds)))

    run = run_in_outage()
    (line,) = said(run, 242)
    assert line == (
        "recreate 0:42 of limit 1:00, about 1:10 planned; 5 of 6 services DOWN for 0:41; phase 5 of 6, until services brought back"
    )
    assert said(run, 251) == []
    assert len(said(run, 252)) == 1
    silent = run_in_outage(pulse_at=time_at(253), engine_silent_since=time_at(228))
    (line,) = said(silent, 253)
    assert line.endswith("engine silent for 25 s, worker alive 0 s ago")
    assert said(replace(run, live=Live()), 300) == []


def facts(window: PaperWindow, seconds: float) -> dict[str, str]:
    """Return what the question of a run tells, by label."""
    question = window.run.view.question
    assert question is not None
    asked = replace(question_view(question), expires_at=time_at(seconds + 90))
    return {fact.label: fact.text for fact in situation(window.stored, asked, time_at(seconds))}


def asked_before_outage() -> PaperWindow:
    window = PaperWindow()
    window.up_to_outage(is_confirmed=False)
    asked = events.Asked(
        "recreate", 1, QuestionKind.GO_AHEAD, "digest", "proxy", (Choice.CONFIRM, Choice.STOP)
    )
    window.write(162, asked)
    return window


def test_before_the_outage_it_says_that_nothing_is_down_and_what_each_answer_does() -> None:
    window = asked_before_outage()
    told = facts(window, 170)
    assert list(told) == ["now", "deadline", "done", "next", "proxy", "stop"]
    assert told["now"] == "nothing is down"
    assert told["done"] == "4 of 7 steps; nothing is changed yet"
    assert told["proxy"] == "begin the OUTAGE"
    question = window.run.view.question
    assert question is not None
    headless = list(question_lines(window.stored, question, time_at(170)))
    assert headless[1].split() == ["now", "nothing", "is", "down"]


def test_in_the_outage_it_says_who_is_down_what_was_done_and_what_went_wrong() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.report(200, 0, up=tuple(DOWN))
    window.report(201, 0, down=tuple(DOWN))
    window.report(210, 3)
    window.write(230, events.Failed("recreate", 1, "The network proxy could not be created."))
    choices = (Choice.RETRY, Choice.UNDO, Choice.STOP)
    window.write(231, events.Asked("recreate", 1, QuestionKind.FAILURE, "digest", "", choices, 300.0))
    told = facts(window, 242)
    assert list(told) == ["now", "deadline", "done", "failed", "retry", "undo", "stop"]
    assert told["now"] == "6 of 6 services DOWN for 0:41: traefik_app, shop_web, shop_db and 3 more"
    assert "changed: recreate (3 of 6 phases, the last: network removed)" in told["done"]
    assert told["failed"] == "Recreate the overlay: The network proxy could not be created."
    assert told["undo"] == "undo recreate: back to what it was"
    assert "services stay DOWN" in told["stop"]
    assert told["deadline"] == "without an answer, undone in 1:30"


def test_once_services_are_up_again_undo_says_that_all_go_down_once_more() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.report(200, 0, up=tuple(DOWN))
    window.report(201, 0, down=tuple(DOWN))
    window.report(220, 5, up=tuple(DOWN)[1:])
    window.write(230, events.Failed("recreate", 1, f"{next(iter(DOWN))} does not run."))
    choices = (Choice.RETRY, Choice.UNDO, Choice.STOP)
    window.write(231, events.Asked("recreate", 1, QuestionKind.FAILURE, "digest", "", choices, 300.0))
    told = facts(window, 242)
    assert told["now"].startswith("1 of 6 services DOWN for 0:41")
    assert told["undo"].startswith("undo recreate: all 6 services go down again for about ")


def test_undoing_back_from_a_later_step_says_that_all_go_down_once_more() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.report(200, 0, up=tuple(DOWN))
    window.report(201, 0, down=tuple(DOWN))
    window.report(219, 5, up=tuple(DOWN))
    window.write(220, events.Succeeded("recreate", 1, recreate_outputs(NEW, DOWN), 20))
    window.write(221, events.Verified("recreate", 1, Answer.YES, (events.ConditionResult("own", YES),)))
    window.prepare("census-after", 222)
    choices = (Choice.CONFIRM, Choice.SKIP, Choice.UNDO, Choice.STOP)
    window.write(223, events.Asked("census-after", 1, QuestionKind.GO_AHEAD, "digest", "", choices, None))
    told = facts(window, 242)
    assert told["now"].startswith("nothing is down")
    assert told["undo"] == "undo recreate: all 6 services go down again for about 70 s"


def test_after_a_crash_in_the_outage_the_word_brings_services_back_and_begins_nothing() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.report(200, 0, up=tuple(DOWN))
    window.report(201, 0, down=tuple(DOWN))
    window.report(210, 3)
    choices = (Choice.CONFIRM, Choice.UNDO, Choice.STOP)
    window.write(231, events.Asked("recreate", 1, QuestionKind.GO_AHEAD, "digest", "proxy", choices, 300.0))
    told = facts(window, 242)
    assert told["now"].startswith("6 of 6 services DOWN")
    assert told["next"] == "Recreate the overlay goes on where it was interrupted, and brings back 6 services"
    assert told["proxy"] == "continue where it is: bring back what is down"


def test_the_script_that_is_named_is_the_one_that_is_written() -> None:
    assert SCRIPT == way_back.SCRIPT


def ended(run: StoredRun) -> dict[str, str]:
    return {fact.label: fact.text for fact in outcome(run, time_at(700))}


def test_after_success_one_block_tells_the_state_the_downtime_and_the_next_command() -> None:
    told = ended(finished_run())
    assert list(told) == ["DONE", "network", "services", "downtime", "next"]
    assert told["network"] == "proxy: 10.0.1.0/24 -> 10.10.0.0/16"
    assert told["services"] == "UP: 6 of 6, as before"
    assert told["downtime"] == "18 s in all; longest: shop_web, 18 s"
    assert "vipconsole report" in told["next"]
    assert len(list(outcome_lines(finished_run(), time_at(700)))) == 6


def test_after_an_undo_it_is_told_that_all_is_as_it_was() -> None:
    told = ended(undone_run())
    assert told["UNDONE"] == "everything that the run changed is undone"
    assert told["network"] == "proxy: 10.0.1.0/24, as before"


def test_a_run_that_stopped_in_the_outage_says_what_remains() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.report(201, 0, down=tuple(DOWN))
    window.write(230, events.Failed("recreate", 1, "It went wrong."))
    window.write(231, events.Stopped(events.Why.FAILED, "recreate: It went wrong."))
    told = ended(window.stored)
    assert told["STOPPED"] == "recreate: It went wrong."
    assert told["now"].startswith("6 of 6 services DOWN")
    assert told["remains"].startswith("neither verified nor undone: recreate; not reached: ")
    assert outcome(unfinished_run(), time_at(700)) == ()


def test_what_is_down_is_known_until_it_was_seen_up_again() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.report(200, 0, up=tuple(DOWN))
    window.report(201, 0, down=tuple(DOWN))
    window.write(220, events.Succeeded("recreate", 1, {}, 20))
    outage = window.run.view.step("recreate").outage
    assert outage is not None
    assert len(outage.down) == len(DOWN)
    yes = CheckResult(Answer.YES, "It is so.")
    window.write(221, events.Verified("recreate", 1, Answer.YES, (events.ConditionResult("own", yes),)))
    outage = window.run.view.step("recreate").outage
    assert outage is not None
    assert (outage.down, outage.down_since) == ((), None)
