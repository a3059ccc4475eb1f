import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.errors import Declined, HostError, StoreFailed, UsageError
from console.runbook.language.values import Effect
from console.runbook.run import events
from console.runbook.run.header import StepHeader
from console.runbook.run.view import RunView
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import (
    RESERVE,
    create_run,
    folder_of,
    hold_reserve,
    new_run_id,
    run_folders,
)
from console.runbook.store.log import RunLog, append_if_allowed
from console.runbook.store.output import (
    LINES_KEPT,
    OUTPUT,
    Output,
    beat,
    last_lines,
    last_number,
    pulse_age_s,
)
from tests.support.runs import ALICE, START, header

HEADS = (StepHeader("only", "Only", "test.do", Effect.CHANGE),)
IN_A_SMALL_FILESYSTEM = """
set -e
mount -t tmpfs -o size=6m none "$1"
exec "$2" -c '
import asyncio, sys
from pathlib import Path
from console.clock import SystemClock
from console.errors import HostError
from console.runbook.run import events
from console.runbook.store.folders import create_run
from console.runbook.store.log import RunLog
from console.runbook.store.folders import hold_reserve
from tests.runbook.test_store import began
from tests.support.runs import START

def fill(path):
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass

async def main(state):
    folder = create_run(state, began(), b"runbook", START)
    log = RunLog(folder, SystemClock())
    await log.read()
    fill(state / "filler")
    big = events.Noted("x" * 200_000)
    await log.append(big)
    print("kept", (await log.read()).notes == (big.sentence,), log.used_reserve)
    fill(state / "filler")
    try:
        for _ in range(100):
            await log.append(big)
        print("never full")
    except HostError as error:
        print("full", error.is_full)
    try:
        hold_reserve(folder)
    except HostError as error:
        print("no room", "No space left" in error.sentence)
    (state / "filler").unlink()
    print("whole", (await log.read()).number >= 2)
    await log.append(events.Noted("again"))
    print("again", log.view.notes[-1])
    try:
        fill(state / "filler")
        create_run(state, began(run_id="other"), b"runbook", START)
    except HostError as error:
        print("not made", [each.name for each in (state / "runs").iterdir()] == [folder.name])

asyncio.run(main(Path(sys.argv[1])))
' "$1"
"""


def began(**parts: str) -> events.Began:
    return events.Began(header(**parts), HEADS, ALICE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create_run(tmp_path / "state", began(), b"the runbook", START)


async def test_what_is_appended_is_there_for_whoever_reads_next(folder: Path) -> None:
    log, other = RunLog(folder, SystemClock()), RunLog(folder, SystemClock())
    await log.read()
    await other.read()
    entry = await log.append(events.Noted("one"))
    assert entry.number == 2
    assert (await other.read()).notes == ("one",)
    assert not await log.append_if_current(events.Noted("stale"), 1)
    assert await log.append_if_current(events.Noted("two"), 2)
    assert (await other.read()).notes == ("one", "two")
    assert [each.number for each in database.read_log(folder / LOG)] == [1, 2, 3]
    log.close()
    other.close()


def test_nothing_in_a_log_can_be_changed_or_taken_away(folder: Path) -> None:
    with closing(sqlite3.connect(folder / LOG, isolation_level=None)) as log:
        for statement in ("UPDATE events SET body = ''", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="only appended to"):
                log.execute(statement)
    with (
        closing(database.connect_to_read(folder / LOG)) as reader,
        pytest.raises(StoreFailed, match="readonly"),
    ):
        database.append(reader, events.Noted("x"), START)


def test_a_run_is_private_and_appears_whole(tmp_path: Path, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    assert run_folders(tmp_path / "state") == (folder,)
    with pytest.raises(HostError, match="cannot be created"):
        create_run(tmp_path / "state", began(), b"another of this name", START)
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]
    # One that was being made when its maker was killed is no run.
    (folder.parent / ".new-1-x").mkdir()
    assert run_folders(tmp_path / "state") == (folder,)


def test_runs_are_named_by_time_and_found_by_a_part_of_their_name(tmp_path: Path, folder: Path) -> None:
    state = tmp_path / "state"
    assert new_run_id(state, "proxy-16", START) == "20260612-020000-proxy-16-2"
    assert folder_of(state, "20260612") == folder_of(state, "proxy-16") == folder
    create_run(state, began(run_id="20260612-030000-proxy-16"), b"", START)
    with pytest.raises(UsageError, match="matches several runs"):
        folder_of(state, "proxy-16")
    with pytest.raises(UsageError, match="Run nothing not found"):
        folder_of(state, "nothing")


def test_of_two_that_decide_at_once_one_is_first(folder: Path) -> None:
    outcomes: list[str] = []

    def decide(name: str) -> None:
        def rule(view: RunView) -> Sequence[events.Event] | str:
            return "somebody was first" if view.notes else (events.Noted(name),)

        try:
            append_if_allowed(folder, rule, SystemClock())
            outcomes.append(name)
        except Declined as error:
            outcomes.append(error.sentence)

    threads = [threading.Thread(target=decide, args=(f"number {each}",)) for each in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(outcomes)[-7:] == ["somebody was first"] * 7
    assert len(database.read_log(folder / LOG)) == 2


def test_a_log_of_another_version_is_said_to_be_one(folder: Path) -> None:
    with closing(sqlite3.connect(folder / LOG, isolation_level=None)) as log:
        log.execute("INSERT INTO events VALUES (2, ?, 'FromTheFuture', '{}')", (START.isoformat(),))
    with pytest.raises(HostError, match="FromTheFuture"):
        database.read_log(folder / LOG)


def test_what_steps_say_is_bounded_and_clean(tmp_path: Path) -> None:
    output = Output(tmp_path)
    for number in range(LINES_KEPT + 1200):
        output.put("loud", f"line {number}")
    output.put("other", "\x1b[31mred\r\n")
    output.close()
    assert output.lost == 0
    lines = last_lines(tmp_path, ("loud", "other", "silent"), 3)
    newest = LINES_KEPT + 1199
    assert lines == {
        "loud": (f"line {newest - 2}", f"line {newest - 1}", f"line {newest}"),
        "other": ("\\x1b[31mred\\r\\n",),
    }
    assert len(last_lines(tmp_path, ("loud",), 10**6)["loud"]) < LINES_KEPT + 500


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("CREATE TABLE lines (number INTEGER PRIMARY KEY, step TEXT, line)", (1, "loud", b"\xff")),
        ("CREATE TABLE lines (number, step TEXT, line TEXT)", (b"\xff", "loud", "a line")),
    ],
)
def test_output_that_is_no_text_is_not_shown(table: str, row: tuple[object, ...], tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / OUTPUT)) as connection, connection:
        connection.execute(table)
        connection.execute("INSERT INTO lines VALUES (?, ?, ?)", row)
    with pytest.raises(HostError, match="The output of the steps cannot be read: it is damaged, or another"):
        (last_number(tmp_path), last_lines(tmp_path, ("loud",), 3))


def test_a_pulse_tells_its_age(tmp_path: Path) -> None:
    assert pulse_age_s(tmp_path) is None
    beat(tmp_path)
    age_s = pulse_age_s(tmp_path)
    assert age_s is not None
    assert 0 <= age_s < 60
    (tmp_path / "pulse").write_text("{")
    assert pulse_age_s(tmp_path) is None


def test_the_reserve_is_really_there(tmp_path: Path) -> None:
    hold_reserve(tmp_path, 1_000_000)
    assert (tmp_path / RESERVE).stat().st_blocks * 512 >= 1_000_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small filesystem")
def test_on_a_full_disk_what_came_of_a_step_is_kept_and_nothing_is_begun(tmp_path: Path) -> None:

    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", IN_A_SMALL_FILESYSTEM, "sh", str(tmp_path), sys.executable],
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "kept True True",
        "full True",
        "no room True",
        "whole True",
        "again again",
        "not made True",
    ]
