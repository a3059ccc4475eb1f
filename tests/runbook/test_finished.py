"""Whether any run may be unfinished is told by the ends of their logs; what reads whole runs has the last word."""

import sqlite3
from pathlib import Path

import pytest

from console.errors import Unknown
from console.runbook.run import events
from console.runbook.store import database
from console.runbook.store.finished import LOG, may_be_unfinished, runs_that_block
from console.runbook.store.folders import create_run
from console.runbook.store.viewer import unfinished_runs
from console.storage.state import BORROW_FILE, BORROW_FOLDER
from tests.support.runs import ALICE, START, header


def a_run(state: Path, name: str, *more: events.Event) -> Path:
    folder = create_run(state, events.Began(header(run_id=name), (), ALICE), b"", START)
    connection = database.connect(folder / LOG)
    for event in more:
        database.append(connection, event, START)
    connection.close()
    return folder


@pytest.mark.parametrize(
    ("last", "may_be"),
    [
        (events.Ended(), False),
        (events.Ended(is_undone=True), False),
        (events.Abandoned(ALICE, "nothing"), False),
        (events.Ended(left=("only",)), True),
        (events.Noted("it goes on"), True),
        (events.Noted('"left":[]}'), True),
    ],
)
def test_only_runs_that_are_over_are_not_read(tmp_path: Path, last: events.Event, may_be: bool) -> None:  # noqa: FBT001 - pytest gives it
    assert not may_be_unfinished(tmp_path)
    a_run(tmp_path, "20260612-010000-over", events.Ended())
    assert not may_be_unfinished(tmp_path)
    a_run(tmp_path, "20260612-020000-last", last)
    assert may_be_unfinished(tmp_path) is may_be
    assert runs_that_block(tmp_path) == unfinished_runs(tmp_path)


def test_what_cannot_be_read_may_be_unfinished_and_is_unknown(tmp_path: Path) -> None:
    folder = a_run(tmp_path, "20260612-010000-over", events.Ended())
    (folder / LOG).write_bytes(b"this is no log")
    assert may_be_unfinished(tmp_path)
    assert isinstance(runs_that_block(tmp_path), Unknown)


def test_a_log_that_somebody_writes_to_is_read(tmp_path: Path) -> None:
    folder = a_run(tmp_path, "20260612-010000-over", events.Ended())
    connection = sqlite3.connect(folder / LOG)
    connection.execute("BEGIN IMMEDIATE")
    assert not may_be_unfinished(tmp_path)
    connection.close()


def test_a_borrowed_manager_counts(tmp_path: Path) -> None:
    record = tmp_path / BORROW_FOLDER / BORROW_FILE
    record.parent.mkdir()
    record.write_text("{}")
    assert may_be_unfinished(tmp_path)
    assert runs_that_block(tmp_path) == unfinished_runs(tmp_path)
