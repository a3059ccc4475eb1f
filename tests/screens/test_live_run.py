"""Runs out of the store, as the screen shows them."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.errors import Unknown
from console.runbook.language.values import ActionPlan, Answer, Call, CheckResult, Effect
from console.runbook.run import events
from console.runbook.run.events import Choice
from console.runbook.run.header import StepHeader
from console.runbook.run.view import Live, StepState, StepView, StoredRun
from console.runbook.store.folders import create_run
from screens.present.run import headline, open_question
from screens.present.run_step import because, step_paragraphs
from screens.present.text import BAD, text_of
from screens.tui import run_follower
from screens.tui.run_follower import follow_runs, preview_run
from tests.support.clocks import QuickClock
from tests.support.runs import ALICE, Flags, PaperRun, header

HEADS = (
    StepHeader("look", "Look around", "checks.all", Effect.READ, no_undo_because="It changes nothing."),
    StepHeader(
        "change",
        "Change it",
        "network.recreate",
        Effect.OUTAGE,
        needs_word=True,
        no_undo_because="Nobody can.",
    ),
)


def said(run: StoredRun, step: StepView) -> list[str]:
    return [text_of(each.parts) for each in step_paragraphs(run, step)]


def paper(**world: object) -> PaperRun:
    return PaperRun(HEADS, Flags(**world))  # type: ignore[arg-type] # fields of a world


def test_a_run_that_asks_is_shown_with_its_question_and_what_was_done() -> None:
    run = paper()
    run.work()
    shown = StoredRun(run.view, Live(is_alive=True, lines={"look": ("one", "two")}))
    snapshot, change = shown.view.steps
    assert [snapshot.state, change.state] == [StepState.DONE, StepState.WAITING]
    assert said(shown, snapshot)[-3:] == ["output", "one", "two"]
    assert "  own yes: It is so." in said(shown, snapshot)
    question = open_question(shown)
    assert question is not None
    assert (question.step, question.word) == ("change", "word")
    assert Choice.CONFIRM in question.choices
    assert because(shown.view, change) == "For the operator."
    # Where nothing is changed nobody asks for a way back.
    assert not [each for each in said(shown, snapshot) if "way back" in each]
    assert "way back none: Nobody can." in said(shown, change)
    title = text_of(headline(shown, datetime.now(UTC)))
    assert title.startswith(f"run {header().run_id}  step 2 of 2  ")


def test_a_failure_is_told_with_what_may_be_decided() -> None:
    run = paper(failing={"look": 1})
    run.work()
    snapshot = run.view.steps[0]
    assert snapshot.state is StepState.FAILED
    assert because(run.view, snapshot).startswith("It went wrong.")


def test_the_plan_of_a_step_is_shown_line_by_line() -> None:
    run = paper()
    run.work()
    step = run.view.step("change")
    plan = ActionPlan(
        "Recreates it.", ("reads a",), ("removes b",), ("POST /x",), (CheckResult(Answer.NO, "Not quiet."),), ("Somebody is on it.",),
        no_return="Once b is gone.", outage_s=17.0,
    )  # fmt: skip
    prepared = events.Prepared("change", 1, Call("x"), "digest", "word", CheckResult(Answer.NO, "No."), plan)
    view = replace(run.view, steps=(run.view.steps[0], replace(step, preparation=prepared)))
    shown = step_paragraphs(StoredRun(view, Live()), view.steps[1])
    assert [text_of(each.parts) for each in shown] == [
        "Change it  OUTAGE",
        "Recreates it.",
        "waiting For the operator.",
        "refused Somebody is on it.",
        "no way back Once b is gone.",
        "outage about 17 s",
        "",
        "changes",
        "  removes b",
        "",
        "calls",
        "  POST /x",
        "",
        "way back none: Nobody can.",
        "",
        "evidence",
        "  checked no: Not quiet.",
    ]
    assert shown[-1].parts[-1] == ("no: Not quiet.", BAD)


def test_the_shipped_runbook_is_shown_before_any_run() -> None:
    shown = preview_run(datetime.now(UTC))
    assert not isinstance(shown, Unknown)
    assert shown.view.header.run_id == ""
    assert shown.view.steps
    assert {each.state for each in shown.view.steps} == {StepState.PENDING}


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
        began = events.Began(replace(header(), run_id=name), HEADS, ALICE)
        create_run(tmp_path, began, b"", datetime.now(UTC))

    async with aclosing(follow_runs(tmp_path, QuickClock(100))) as runs, asyncio.timeout(100):
        first = asyncio.ensure_future(anext(runs))
        begin("20260101-010101-first")
        seen = await first
        assert not isinstance(seen, Unknown)
        assert seen.view.header.run_id == "20260101-010101-first"
        second = asyncio.ensure_future(anext(runs))
        begin("20260101-020202-second")
        seen = await second
        while not isinstance(seen, Unknown) and seen.view.header.run_id.endswith("first"):
            seen = await anext(runs)
        assert not isinstance(seen, Unknown)
        assert seen.view.header.run_id == "20260101-020202-second"


async def test_runs_that_cannot_be_read_are_unknown_and_said_once(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "20260101-010101-broken").mkdir()
    clock = CountingClock()
    async with aclosing(follow_runs(tmp_path, clock)) as runs, asyncio.timeout(100):
        said = await anext(runs)
        assert isinstance(said, Unknown)
        assert "20260101-010101-broken cannot be read" in said.reason
        again = asyncio.ensure_future(anext(runs))
        await clock.has_waited_often.wait()
        assert not again.done()
        again.cancel()
        await asyncio.wait({again})
