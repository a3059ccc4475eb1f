"""Decisions and runners at the same moment: either the decision sees the runner, or the runner sees the decision."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from console.clock import SystemClock
from console.errors import Declined
from console.runbook.language.values import Answer, Call, CheckResult, Effect
from console.runbook.run import events as run_events
from console.runbook.run.codec import kind_of, to_json
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.header import StepHeader
from console.runbook.run.replay import replay
from console.runbook.run.view import RunView
from console.runbook.runner.deciding import abandon, decide, resume
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import create_run
from console.runbook.store.log import append_if_allowed
from tests.support.runs import ALICE, START, header, runner_lock

HEADS = (StepHeader("swap", "Swap", "test.do", Effect.CHANGE, needs_word=True),)
FOUND = CheckResult(Answer.NO, "It is not done.")
INTENDED = run_events.Intended("swap", 1, Call("test.do"), "digest", FOUND)
STARTED = run_events.RunnerStarted(1, header().boot_id, "0")
WITHIN_S = 100.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run whose runner has died in the middle of an act."""
    folder = create_run(tmp_path, run_events.Began(header(), HEADS, ALICE), b"", START)
    with closing(database.connect(folder / LOG)) as log:
        for each in (STARTED, INTENDED):
            database.append(log, each, START)
    return folder


def view_of(folder: Path) -> RunView:
    return replay(database.read_log(folder / LOG))


def write(log: sqlite3.Connection, number: int, event: run_events.Event) -> None:
    row = (number, START.isoformat(), kind_of(event), to_json(event))
    log.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)


async def undo(folder: Path) -> RunView:
    return await decide(folder, DecisionRequest("swap", run_events.Choice.UNDO), ALICE, SystemClock())


async def go_on(folder: Path) -> RunView:
    return await resume(folder, ALICE, SystemClock())


async def give_up(folder: Path) -> RunView:
    return await abandon(folder, ALICE, SystemClock())


@pytest.mark.parametrize("act", [undo, go_on, give_up])
async def test_a_runner_that_systemd_starts_again_meanwhile_is_seen_by_the_decision(
    folder: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], Coroutine[Any, Any, RunView]]
) -> None:
    is_deciding, connect = threading.Event(), database.connect

    def connected(path: Path) -> sqlite3.Connection:
        is_deciding.set()
        return connect(path)

    monkeypatch.setattr(database, "connect", connected)
    with closing(sqlite3.connect(folder / LOG, isolation_level=None)) as log:
        # The runner is about to write: the decision has to wait for it.
        log.execute("BEGIN IMMEDIATE")
        decided = asyncio.create_task(act(folder))
        assert await asyncio.to_thread(is_deciding.wait, WITHIN_S)
        with runner_lock(folder):
            write(log, 4, STARTED)
            write(log, 5, INTENDED)
            log.execute("COMMIT")
            with pytest.raises(Declined, match="under way"):
                await decided
    assert [type(each.event) for each in database.read_log(folder / LOG)][3:] == [
        run_events.RunnerStarted,
        run_events.Intended,
    ]


def test_nobody_appends_while_a_rule_looks_whether_a_runner_is_there(folder: Path) -> None:
    def rule(_: RunView) -> Sequence[run_events.Event]:
        with (
            closing(sqlite3.connect(folder / LOG, timeout=0, isolation_level=None)) as runner,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            runner.execute("BEGIN IMMEDIATE")
        return (run_events.Noted("one"), run_events.Noted("two"))

    append_if_allowed(folder, rule, SystemClock())
    assert view_of(folder).notes == ("one", "two")


def test_of_what_a_rule_appends_all_is_written_or_nothing(folder: Path) -> None:
    before = view_of(folder)

    def events() -> Iterator[run_events.Event]:
        yield run_events.Noted("one")
        raise Declined("The second one is not to be written.")

    def rule(_: RunView) -> Any:
        return events()

    with pytest.raises(Declined):
        append_if_allowed(folder, rule, SystemClock())
    assert view_of(folder) == before
