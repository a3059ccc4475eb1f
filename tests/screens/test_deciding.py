"""Decisions about a run, taken with the keyboard on its screen: what reaches the run's log, and what does not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from textual import events

from console.clock import Clock, SystemClock
from console.errors import RunnerNotStarted, Unknown
from console.host.lock import maintenance_lock
from console.runbook.language.values import Answer, Call, CheckResult, Effect
from console.runbook.run import events as run_events
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.header import RunHeader, StepHeader
from console.runbook.run.view import Decision, RunState, StoredRun
from console.runbook.runner import starting
from console.runbook.runner.deciding import decide
from console.runbook.runner.starting import Tell
from console.runbook.store.folders import RUNNER_LOCK, create_run
from console.runbook.store.log import RunLog
from console.runbook.store.viewer import read_stored_run
from screens.tui.app import ConsoleApp, OwnRun, Runs
from screens.tui.keys import PAUSE_S
from screens.tui.run_follower import Decider, follow_run
from tests.support.clocks import QuickClock
from tests.support.console_driver import ConsoleDriver, console
from tests.support.runs import ALICE, START, header

HEADS = (StepHeader("only", "Only", "test.do", Effect.CHANGE, needs_word=True),)
GO_AHEAD = run_events.Asked(
    "only",
    1,
    run_events.QuestionKind.GO_AHEAD,
    "digest",
    "word",
    (run_events.Choice.CONFIRM, run_events.Choice.SKIP, run_events.Choice.STOP),
)
FAILURE = run_events.Asked(
    "only",
    1,
    run_events.QuestionKind.FAILURE,
    "digest",
    "",
    (run_events.Choice.RETRY, run_events.Choice.SKIP, run_events.Choice.UNDO, run_events.Choice.STOP),
)
INTENDED = run_events.Intended(
    "only", 1, Call("test.do"), "digest", CheckResult(Answer.NO, "It is not done.")
)
FAILED = (INTENDED, run_events.Failed("only", 1, "It went wrong."))


class Case:
    """A run whose runner waits, and a console that was opened on it."""

    def __init__(self, folder: Path, shown: ConsoleDriver) -> None:
        self.folder = folder
        self.shown = shown

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return read_stored_run(self.folder).view.step("only").decisions

    async def type(self, text: str) -> str:
        """Type as people do, and enter."""
        for key in text:
            await self.shown.pilot.press({" ": "space"}.get(key, key))
        self.shown.clock.pass_by(2 * PAUSE_S)
        return await self.shown.press("enter")

    async def decided(self) -> Decision:
        """Return the decision as soon as there is one."""
        async with asyncio.timeout(60):
            while not self.decisions:
                await self.shown.pilot.pause(0.02)
        (found,) = self.decisions
        return found


@asynccontextmanager
async def asked(state: Path, *told: run_events.Event, runs: Runs | None = None) -> AsyncIterator[Case]:
    """Open the console on a run with this in its log."""
    clock = QuickClock(10)
    folder = create_run(state, run_events.Began(header(), HEADS, ALICE), b"", START)
    log = RunLog(folder, clock)
    await log.read()
    for each in told:
        await log.append(each)
    own = OwnRun(folder.name, Decider(folder, ALICE, clock))
    async with (
        maintenance_lock("the runner", ALICE, clock, folder / RUNNER_LOCK),
        console(runs=runs or partial(follow_run, folder, clock), own=own) as shown,
    ):
        await shown.until(lambda frame: "run 20260612" in frame)
        yield Case(folder, shown)
    log.close()


@pytest.mark.parametrize(
    ("told", "typed", "choice", "reason"),
    [
        ((GO_AHEAD,), "word", run_events.Choice.CONFIRM, ""),
        ((GO_AHEAD,), "skip done by hand", run_events.Choice.SKIP, "done by hand"),
        ((GO_AHEAD,), "stop", run_events.Choice.STOP, ""),
        ((*FAILED, FAILURE), "retry", run_events.Choice.RETRY, ""),
        ((*FAILED, FAILURE), "undo", run_events.Choice.UNDO, ""),
    ],
)
async def test_what_is_typed_is_decided_in_the_name_of_who_typed_it(
    tmp_path: Path, told: tuple[run_events.Event, ...], typed: str, choice: run_events.Choice, reason: str
) -> None:
    async with asked(tmp_path, *told) as case:
        assert "decides" in case.shown.frame
        await case.shown.press("a")
        await case.type(typed)
        found = await case.decided()
        assert (found.choice, found.reason, found.who) == (choice, reason, ALICE)
        # What is asked no more is no longer shown.
        await case.shown.until(lambda frame: "go on, or skip" not in frame and "Type retry" not in frame)


async def test_nothing_else_decides(tmp_path: Path) -> None:
    async with asked(tmp_path, GO_AHEAD) as case:
        shown = case.shown
        # Without asking for the line, no key answers.
        await shown.press(*"word", "enter")
        await shown.press("o", "r")
        await shown.press("a", *["enter"] * 30)
        for wrong in ("yes", "Word", "undo", "confirm"):
            assert "Wrong word. Type word to go on" in await case.type(wrong)
        assert "Skipping a step needs a reason" in await case.type("skip")
        assert shown.app.focused is not None
        shown.app.focused.post_message(events.Paste("word\n"))
        assert "a paste does not count" in await shown.settle()
        # A terminal that does not tell pastes sends them as keys, all at once.
        assert "Press enter again" in await shown.press(*"word", "enter", "enter")
        assert case.decisions == ()
        shown.clock.pass_by(2 * PAUSE_S)
        await shown.press("enter")
        assert (await case.decided()).choice is run_events.Choice.CONFIRM


async def test_a_decision_that_no_runner_can_be_started_for_is_said_to_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(_: Path, header: RunHeader, clock: Clock, tell: Tell) -> None:
        assert clock is not None
        tell(f"The last runner of {header.run_id} is about to end")
        raise RunnerNotStarted("No runner could be started.", "Then: `vipconsole resume`.")

    told: list[str] = []
    monkeypatch.setattr(starting, "ensure_runner", start)
    monkeypatch.setattr(ConsoleApp, "notify", lambda _, message, **_more: told.append(message))
    async with asked(tmp_path, GO_AHEAD) as case:
        await case.shown.press("a")
        await case.type("word")
        await case.shown.until(
            lambda frame: "Answer stored, but not acted on. No runner could be started." in frame
        )
        assert told == [f"The last runner of {header().run_id} is about to end"]
        assert (await case.decided()).choice is run_events.Choice.CONFIRM


async def test_whoever_decides_too_late_is_told_so(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / header().run_id

    async def first_picture_only() -> AsyncGenerator[StoredRun | Unknown, None]:
        yield read_stored_run(folder)
        await asyncio.Event().wait()

    async with asked(tmp_path, GO_AHEAD, runs=first_picture_only) as case:
        await decide(
            folder, DecisionRequest("only", run_events.Choice.SKIP, reason="first"), ALICE, SystemClock()
        )
        await case.shown.press("a")
        await case.type("word")
        await case.shown.until(lambda frame: "Answer not accepted. " in frame)
        assert [each.reason for each in case.decisions] == ["first"]
        # It stays until the operator begins again.
        assert "Answer not accepted. " in await case.shown.press("k", "j")
        assert "Answer not accepted. " not in await case.shown.press("a")


async def test_a_plan_that_has_changed_is_not_confirmed(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / header().run_id

    async def first_picture_only() -> AsyncGenerator[StoredRun | Unknown, None]:
        yield read_stored_run(folder)
        await asyncio.Event().wait()

    async with asked(tmp_path, GO_AHEAD, runs=first_picture_only) as case:
        log = RunLog(folder, SystemClock())
        await log.read()
        await log.append(
            run_events.Asked("only", 1, run_events.QuestionKind.GO_AHEAD, "another", "word", GO_AHEAD.choices)
        )
        log.close()
        await case.shown.press("a")
        await case.type("word")
        await case.shown.until(lambda frame: "has changed since it was shown" in frame.replace("\n", ""))
        assert case.decisions == ()


async def test_a_run_at_work_is_stopped_by_the_word(tmp_path: Path) -> None:
    async with asked(tmp_path, INTENDED) as case:
        assert "Stop the run?" in await case.shown.press("s")
        assert "Stop the run?" not in await case.shown.press("escape")
        await case.shown.press("s", *["enter"] * 5)
        assert case.decisions == ()
        await case.type("stop")
        assert (await case.decided()).choice is run_events.Choice.STOP
        await case.shown.until(lambda frame: "Stop requested" in frame)
        assert read_stored_run(case.folder).view.state is RunState.GOING


async def test_a_run_that_has_stopped_tells_how_it_goes_on(tmp_path: Path) -> None:
    stopped = run_events.Stopped(run_events.Why.FAILED, "Only failed.")
    async with asked(tmp_path, *FAILED, stopped) as case:
        assert "Type retry, or skip REASON, or undo." in case.shown.frame
        assert f"vipconsole resume {case.folder.name}" in case.shown.frame
        await case.shown.press("a")
        await case.type("retry")
        assert (await case.decided()).choice is run_events.Choice.RETRY


async def test_whoever_looks_elsewhere_is_called_and_whoever_leaves_is_told_what_goes_on(
    tmp_path: Path,
) -> None:
    async with asked(tmp_path, INTENDED) as case:
        await case.shown.press("escape")
        log = RunLog(case.folder, SystemClock())
        await log.read()
        await log.append(FAILED[1])
        await log.append(FAILURE)
        log.close()
        await case.shown.until(lambda frame: "The run asks about only." in frame)
        assert "Type retry" in await case.shown.press("r")
        said = await case.shown.press("ctrl+c")
        assert "keeps waiting after you quit" in said
        assert f"vipconsole attach {case.folder.name}" in said
        assert case.decisions == ()
