"""The list of all runs: local time, duration and outcome, on 80 columns."""

from dataclasses import replace
from datetime import timedelta

from console.durations import TimeFormat, clock_time
from console.runbook.run import events
from console.runbook.run.view import Live, StoredRun
from console.runbook.store.viewer import UnreadableRun
from screens.output.runs_table import WIDTH, runs_lines
from tests.support.paper_window import PaperWindow, finished_run, undone_run, unfinished_run
from tests.support.runs import START

NOW = START + timedelta(hours=3)


def with_name(run: StoredRun, name: str) -> StoredRun:
    return replace(run, view=replace(run.view, header=replace(run.view.header, run_id=name)))


def test_each_run_has_its_time_duration_and_outcome() -> None:
    head, *rows = runs_lines(
        [unfinished_run(), undone_run(), finished_run(), UnreadableRun("broken", "Its log is gone.")], NOW
    )
    assert head.split()[0] == "run"
    assert head.endswith("outcome")
    began = clock_time(START, TimeFormat.DAY_MINUTE)
    assert [" ".join(row.split()[1:]) for row in rows] == [
        f"{began} 3 min interrupted, IN OUTAGE at…",
        f"{began} 10 min undone",
        f"{began} 4 min done",
        "- - unreadable",
        "cannot be read: Its log is gone.",
    ]


def test_no_line_wraps_and_no_name_is_cut() -> None:
    window = PaperWindow()
    window.up_to_outage()
    window.write(210, events.Stopped(events.Why.REFUSED, "A very long reason to stop. " * 9))
    stopped = StoredRun(window.run.view, Live())
    long_name = "20260612-020000-" + "n" * 24
    lines = list(runs_lines([with_name(stopped, long_name), finished_run()], NOW))
    assert all(len(line) <= WIDTH for line in lines)
    assert lines[1] == long_name
    assert "  stopped, IN OUTAGE" in lines[2]
    assert lines[2].endswith("…")


def test_a_run_that_is_at_work_takes_until_now() -> None:
    alive = replace(unfinished_run(), live=Live(is_alive=True))
    (_, row) = runs_lines([alive], NOW)
    assert "3 h " in row
    assert "under way, IN OUTAGE" in row
