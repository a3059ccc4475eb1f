"""Answers on a plain terminal: each counts for the question that was shown, and nothing that fails ends the listening."""

import os
import pty
import threading
from argparse import Namespace
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.clock import Clock
from console.errors import HostError
from console.runbook.language.values import Effect
from console.runbook.run import events as run_events
from console.runbook.run.header import StepHeader
from console.runbook.run.view import StepView, StoredRun
from console.runbook.runner import deciding, starting
from console.runbook.store import database, log
from console.runbook.store.finished import LOG
from console.runbook.store.folders import create_run
from console.runbook.store.viewer import read_stored_run
from screens.cli import terminal_follower
from tests.support.maintenance import eventually
from tests.support.runs import ALICE, START, header, runner_lock

HEADS = (StepHeader("firm", "Firm", "test.do", Effect.CHANGE, needs_word=True),)
CHOICES = (run_events.Choice.CONFIRM, run_events.Choice.SKIP, run_events.Choice.STOP)
ASKED = run_events.Asked("firm", 1, run_events.QuestionKind.GO_AHEAD, "digest", "really", CHOICES)
WITHIN_S = 100.0


class Terminal:
    """A terminal on which a run is followed. What is new in the log is seen when `snapshot` says so."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.code: int | None = None
        self._ours, self._theirs = pty.openpty()
        self._pictures = threading.Semaphore(1)
        monkeypatch.setattr(terminal_follower, "watch", self._watch)
        monkeypatch.setattr(terminal_follower, "say", self.said.extend)
        monkeypatch.setattr("sys.stdin", os.fdopen(self._theirs, "r", closefd=False))
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        asked = Namespace(words=[], hold=False, headless=False)
        self.code = terminal_follower.follow(self.folder, asked, ALICE)

    async def _watch(self, folder: Path, clock: Clock) -> AsyncGenerator[StoredRun, None]:
        while True:
            if self._pictures.acquire(blocking=False):
                yield read_stored_run(folder)
            await clock.sleep(0.01)

    def snapshot(self) -> None:
        self._pictures.release()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def receive(self, text: str, times: int = 1) -> None:
        """Return when a text was said so often."""
        eventually(lambda: sum(text in each for each in tuple(self.said)) >= times)

    def end(self) -> None:
        append(self.folder, run_events.Abandoned(ALICE, "Nothing is left."))
        self.snapshot()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create_run(tmp_path, run_events.Began(header(), HEADS, ALICE), b"", START)


@pytest.fixture
def terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    async def none_is_needed(*_: object) -> None:
        """Start no runner."""

    monkeypatch.setattr(starting, "ensure_runner", none_is_needed)
    append(folder, ASKED)
    with runner_lock(folder):
        shown = Terminal(folder, monkeypatch)
        try:
            shown.receive("answer: really")
            yield shown
        finally:
            shown.end()


def append(folder: Path, *events: run_events.Event) -> None:
    with closing(database.connect(folder / LOG)) as log:
        for each in events:
            database.append(log, each, START)


def step_of(folder: Path) -> StepView:
    return read_stored_run(folder).view.steps[0]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            run_events.Asked("firm", 1, run_events.QuestionKind.GO_AHEAD, "other", "really", CHOICES),
            "The plan of firm has changed",
        ),
        # Nothing that is shown differs, and yet somebody else has answered in between.
        (ASKED, "The question about firm has changed"),
    ],
)
def test_an_answer_to_a_question_that_has_changed_is_refused_and_the_new_one_is_shown(
    terminal: Terminal, folder: Path, asked: run_events.Asked, said: str
) -> None:
    append(folder, asked)
    terminal.type("really\n")
    terminal.receive(said)
    terminal.receive("answer: really", times=2)
    assert step_of(folder).decisions == ()
    terminal.type("really\n")
    eventually(lambda: len(step_of(folder).decisions) == 1)
    assert step_of(folder).decisions[0].choice is run_events.Choice.CONFIRM


def test_what_is_no_answer_is_said_with_what_is_one(terminal: Terminal, folder: Path) -> None:
    terminal.type("Really\n")
    terminal.receive("Wrong word. Type really to go on, or skip REASON, or stop.")
    terminal.type("skip\n")
    terminal.receive("Skipping a step needs a reason.")
    assert step_of(folder).decisions == ()


def test_an_answer_that_fails_is_said_and_the_next_one_is_taken(
    terminal: Terminal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_if_allowed = log.append_if_allowed

    def failing(*_: object) -> None:
        raise HostError("The run's log cannot be opened: disk I/O error.", "Check the disk.")

    monkeypatch.setattr(deciding, "append_if_allowed", failing)
    terminal.type("really\n")
    terminal.receive("The run's log cannot be opened: disk I/O error. Check the disk.")
    monkeypatch.setattr(deciding, "append_if_allowed", append_if_allowed)
    terminal.type("really\n")
    eventually(lambda: len(step_of(folder).decisions) == 1)


def test_a_terminal_on_which_nothing_more_can_be_typed_says_so(terminal: Terminal, folder: Path) -> None:
    terminal.type("\x04")
    terminal.receive(f"The input has ended. To answer: vipconsole attach {folder.name}")


def test_a_run_at_work_is_stopped_by_the_word(terminal: Terminal, folder: Path) -> None:
    terminal.type("really\n")
    eventually(lambda: len(step_of(folder).decisions) == 1)
    terminal.snapshot()
    terminal.receive("confirm by")
    terminal.type("really\n")
    terminal.receive("That is not an answer. Type stop.")
    terminal.type("stop\n")
    eventually(lambda: read_stored_run(folder).view.wants_stop)


def test_a_bug_in_the_listening_is_not_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    failures: list[BaseException | None] = []
    append(folder, ASKED)
    monkeypatch.setattr(terminal_follower, "parse_answer", broken)
    monkeypatch.setattr(threading, "excepthook", lambda args: failures.append(args.exc_value))
    shown = Terminal(folder, monkeypatch)
    shown.receive("answer: really")
    shown.type("really\n")
    eventually(lambda: bool(failures))
    shown.end()
    assert isinstance(failures[0], ZeroDivisionError)
