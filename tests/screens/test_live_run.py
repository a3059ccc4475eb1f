"""Runs out of the store, as the screen shows them."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.errors import Unknown
from console.runbook.language.values import Answer, Call, Effect, Found, Planned
from console.runbook.run import events as e
from console.runbook.run.events import Choice
from console.runbook.run.header import StepHead
from console.runbook.run.view import Live, Watched
from console.runbook.store.folders import create_run
from screens.present.live_run import shown_run
from screens.present.run import StepState
from screens.tui import run_follower
from screens.tui.run_follower import planned_run, shown_runs
from tests.support.clocks import QuickClock
from tests.support.runs import ALICE, PaperRun, World, header

HEADS = (
    StepHead("look", "Look around", "checks.all", Effect.READ, no_undo_because="It changes nothing."),
    StepHead(
        "change",
        "Change it",
        "network.recreate",
        Effect.OUTAGE,
        needs_word=True,
        no_undo_because="Nobody can.",
    ),
)


def paper(**world: object) -> PaperRun:
    return PaperRun(HEADS, World(**world))  # type: ignore[arg-type] # fields of a world


def test_a_run_that_asks_is_shown_with_its_question_and_what_was_done() -> None:
    run = paper()
    run.work()
    shown = shown_run(Watched(run.view, Live(is_alive=True, lines={"look": ("one", "two")})))
    assert [each.state for each in shown.steps] == [StepState.DONE, StepState.WAITING]
    assert shown.steps[0].output == ("one", "two")
    assert any(each.text == "yes: It is so." for each in shown.steps[0].evidence)
    assert shown.question is not None
    assert (shown.question.step_id, shown.question.word) == ("change", "word")
    assert Choice.CONFIRM in shown.question.choices
    assert shown.steps[1].because == "For the operator."
    # Where nothing is changed nobody asks for a way back.
    assert [each.undo for each in shown.steps] == ["", "none: Nobody can."]
    assert shown.id == header().run_id
    assert not shown.ended


def test_a_failure_is_told_with_what_may_be_decided() -> None:
    run = paper(failing={"look": 1})
    run.work()
    shown = shown_run(Watched(run.view, Live()))
    assert shown.steps[0].state is StepState.FAILED
    assert shown.steps[0].because.startswith("It went wrong.")


def test_the_plan_of_a_step_is_shown_line_by_line() -> None:
    run = paper()
    run.work()
    step = run.view.step("change")
    plan = Planned(
        "Recreates it.", ("reads a",), ("removes b",), ("POST /x",), (Found(Answer.NO, "Not quiet."),), ("Somebody is on it.",),
        no_return="Once b is gone.", outage_s=17.0,
    )  # fmt: skip
    prepared = e.Prepared("change", 1, Call("x"), "digest", "word", Found(Answer.NO, "No."), plan)
    view = replace(run.view, steps=(run.view.steps[0], replace(step, prepared=prepared)))
    shown = shown_run(Watched(view, Live())).steps[1]
    assert (shown.does, shown.changes, shown.calls, shown.refused) == (
        "Recreates it.", ("removes b",), ("POST /x",), ("Somebody is on it.",),
    )  # fmt: skip
    assert (shown.no_return, shown.outage_s) == ("Once b is gone.", 17.0)
    assert [(each.text, each.is_bad) for each in shown.evidence] == [("no: Not quiet.", True)]


def test_the_shipped_runbook_is_shown_before_any_run() -> None:
    shown = planned_run()
    assert not isinstance(shown, Unknown)
    assert shown.id == ""
    assert shown.steps
    assert {each.state for each in shown.steps} == {StepState.PENDING}


class CountingClock(QuickClock):
    """Tells when it has paused several times."""

    def __init__(self) -> None:
        super().__init__(100)
        self._waits = 0
        self.has_waited_often = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self._waits += 1
        if self._waits == 3:
            self.has_waited_often.set()


async def test_runs_are_followed_from_the_first_one_on_and_so_is_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_follower, "EVERY_S", 0.03)

    def begin(name: str) -> None:
        began = e.Began(replace(header(), run_id=name), HEADS, ALICE)
        create_run(tmp_path, began, b"", datetime.now(UTC))

    async with aclosing(shown_runs(tmp_path, QuickClock(100))) as runs, asyncio.timeout(100):
        first = asyncio.ensure_future(anext(runs))
        begin("20260101-010101-first")
        seen = await first
        assert not isinstance(seen, Unknown)
        assert seen.id == "20260101-010101-first"
        second = asyncio.ensure_future(anext(runs))
        begin("20260101-020202-second")
        seen = await second
        while not isinstance(seen, Unknown) and seen.id.endswith("first"):
            seen = await anext(runs)
        assert not isinstance(seen, Unknown)
        assert seen.id == "20260101-020202-second"


async def test_runs_that_cannot_be_read_are_unknown_and_said_once(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "20260101-010101-broken").mkdir()
    clock = CountingClock()
    async with aclosing(shown_runs(tmp_path, clock)) as runs, asyncio.timeout(100):
        said = await anext(runs)
        assert isinstance(said, Unknown)
        assert "20260101-010101-broken cannot be read" in said.reason
        again = asyncio.ensure_future(anext(runs))
        await clock.has_waited_often.wait()
        assert not again.done()
        again.cancel()
        await asyncio.wait({again})
