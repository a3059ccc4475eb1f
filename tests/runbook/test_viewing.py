"""What viewers see of a run: all of them the same, whatever happens to any of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.clock import SystemClock
from console.errors import Declined
from console.host.lock import maintenance_lock
from console.rehearsal.forecast import ServiceForecast, store
from console.runbook.language.values import ActionPlan, Answer, Call, CheckResult, Effect
from console.runbook.run import events
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.header import StepHeader
from console.runbook.run.view import RunState, StoredRun
from console.runbook.runner.deciding import abandon, decide, resume
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import RUNNER_LOCK, create_run
from console.runbook.store.log import RunLog
from console.runbook.store.output import PULSE, Output, beat
from console.runbook.store.viewer import (
    RunKind,
    UnreadableRun,
    decline_if_unfinished,
    measured_before,
    newest,
    runs_in,
    unfinished_runs,
    watch,
)
from tests.rehearsal.test_forecast import FORECAST, PLANNED
from tests.support.clocks import QuickClock
from tests.support.paper_window import recreate_outputs
from tests.support.rows import numbers_read
from tests.support.runs import ALICE, START, header

HEADS = (StepHeader("only", "Only", "test.do", Effect.CHANGE, needs_word=True),)
MEASURED = ServiceForecast("shop_web", 12.5)
FOUND = CheckResult(Answer.NO, "It is not done.")
ASKED = events.Asked(
    "only",
    1,
    events.QuestionKind.GO_AHEAD,
    "digest",
    "word",
    (events.Choice.CONFIRM, events.Choice.SKIP, events.Choice.STOP),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create_run(tmp_path, events.Began(header(), HEADS, ALICE), b"", START)


async def until(pictures: AsyncIterator[StoredRun], text: str) -> StoredRun:
    """Return the first picture in which a text appears."""
    async with asyncio.timeout(60):
        async for each in pictures:
            if text in repr(each):
                return each
    raise AssertionError(text)


async def test_two_viewers_see_the_same_run_and_the_first_answer_counts(folder: Path) -> None:
    clock = SystemClock()
    log, output = RunLog(folder, clock), Output(folder)
    await log.read()
    async with (
        maintenance_lock("the runner", ALICE, clock, folder / RUNNER_LOCK),
        aclosing(watch(folder, clock)) as one,
        aclosing(watch(folder, clock)) as two,
    ):
        await log.append(ASKED)
        first, second = await until(one, "Question("), await until(two, "Question(")
        assert first.view == second.view
        assert first.view.state is RunState.WAITING
        assert first.live.is_alive
        request = DecisionRequest("only", events.Choice.CONFIRM, "word", attempt=1, digest="dig")
        await decide(folder, request, ALICE, clock)
        with pytest.raises(Declined, match="under way"):
            await decide(folder, request, ALICE, clock)
        output.put("only", "something new")
        assert (await until(two, "something new")).view.step("only").decisions[0].who == ALICE
        with pytest.raises(Declined, match="under way"):
            await abandon(folder, ALICE, clock)
        with pytest.raises(Declined, match="under way"):
            await resume(folder, ALICE, clock)
        assert not (await until(one, "Decision(")).is_interrupted
    async with aclosing(watch(folder, clock)) as three:
        assert (await until(three, "Decision(")).is_interrupted
    log.close()
    output.close()


async def test_a_viewer_of_a_run_at_work_sees_each_sign_of_life_and_since_when_the_engine_is_silent(
    folder: Path,
) -> None:
    clock = QuickClock(25)
    async with (
        maintenance_lock("the runner", ALICE, clock, folder / RUNNER_LOCK),
        aclosing(watch(folder, clock)) as pictures,
        asyncio.timeout(60),
    ):
        first = await anext(pictures)
        assert (first.live.pulse_at, first.live.engine_silent_since) == (None, None)
        beat(folder, 25.0)
        async for seen in pictures:
            pulse_at, silent_since = seen.live.pulse_at, seen.live.engine_silent_since
            if pulse_at is not None and silent_since is not None:
                assert (pulse_at - silent_since).total_seconds() == pytest.approx(25)
                break
        # Only the sign of life is another one: the log and the lines are not.
        beat(folder)
        async for later in pictures:
            if later.live.engine_silent_since is None:
                break
        assert later.view == seen.view
        assert later.live.folder == str(folder)


async def test_a_viewer_knows_how_long_each_step_took_in_an_earlier_run(tmp_path: Path, folder: Path) -> None:
    earlier = create_run(
        tmp_path, events.Began(header(run_id="20260101-010101-earlier"), HEADS, ALICE), b"", START
    )
    log = RunLog(earlier, SystemClock())
    await log.read()
    await log.append(events.Intended("only", 1, Call("test.do"), "digest", FOUND))
    await log.append(events.Succeeded("only", 1, {}, 40.0))
    await log.append(events.Verified("only", 1, Answer.YES, (), took_s=2.0))
    log.close()
    async with aclosing(watch(folder, QuickClock(25))) as pictures:
        assert (await anext(pictures)).live.former_s == {"only": 42.0}


async def test_a_viewer_knows_what_a_rehearsal_measured_once_the_plan_is_known(
    tmp_path: Path, folder: Path
) -> None:
    store(replace(FORECAST, at=START - timedelta(days=1), is_exact=True, services=(MEASURED,)), tmp_path)
    log = RunLog(folder, SystemClock())
    await log.read()
    plan = ActionPlan("Do it.", outage_s=9.4, downtimes=PLANNED)
    async with aclosing(watch(folder, QuickClock(25))) as pictures:
        assert (await anext(pictures)).live.rehearsed_s == {}
        await log.append(events.Prepared("only", 1, Call("test.do"), "digest", "", FOUND, plan))
        assert (await until(pictures, "downtimes=(Ex")).live.rehearsed_s == {"only": 12.5}
    log.close()


async def recreated(tmp_path: Path, name: str, **header_parts: Any) -> None:
    """Store a run that is over, whose services were down for 18 s."""
    head = StepHeader("recreate", "Recreate", "network.recreate", Effect.OUTAGE)
    run = create_run(tmp_path, events.Began(header(run_id=name, **header_parts), (head,), ALICE), b"", START)
    log = RunLog(run, SystemClock())
    await log.read()
    await log.append(events.Intended("recreate", 1, Call("network.recreate"), "digest", FOUND))
    outputs = recreate_outputs("10.10.0.0/16", {"web": (201.0, 219.0)})
    await log.append(events.Succeeded("recreate", 1, outputs, 25.0))
    await log.append(events.Verified("recreate", 1, Answer.YES, (), took_s=2.0))
    log.close()


async def test_how_long_services_were_down_counts_for_the_same_swarm_and_network_only(tmp_path: Path) -> None:
    kind = RunKind("proxy-16", "cluster", {"network": "proxy"})
    await recreated(tmp_path, "20260101-010101-alike", variables={"network": "proxy"})
    assert measured_before(tmp_path, kind, {}, START).former_s == {"recreate": 18.0}
    await recreated(tmp_path, "20260102-010101-other-network", variables={"network": "small"})
    await recreated(tmp_path, "20260103-010101-other-swarm", variables=kind.variables, cluster_id="x")
    assert measured_before(tmp_path, kind, {}, START).former_s == {"recreate": 18.0}


async def test_a_viewer_reads_each_entry_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = QuickClock(25)
    log = RunLog(folder, clock)
    await log.read()
    for number in range(20):
        await log.append(events.Noted(f"before {number}"))
    numbers = numbers_read(monkeypatch)
    async with aclosing(watch(folder, clock)) as pictures:
        await until(pictures, "before 19")
        connection = database.connect(folder / LOG)
        for number in range(20):
            database.append(connection, events.Noted(f"after {number}"), START)
            await until(pictures, f"after {number}")
        connection.close()
    assert [number for _, number in numbers] == list(range(1, 42))
    log.close()


async def test_a_run_blocks_from_its_first_change_until_it_is_given_up(tmp_path: Path, folder: Path) -> None:
    clock = SystemClock()
    log = RunLog(folder, clock)
    await log.read()
    assert unfinished_runs(tmp_path) == ()
    await log.append(events.Intended("only", 1, Call("test.do"), "digest", FOUND))
    (found,) = unfinished_runs(tmp_path) or ()  # type: ignore[misc] # a part that can be read
    assert (found.run_id, found.step, found.state) == (folder.name, "only", "was interrupted")
    with pytest.raises(Declined, match="was interrupted at step only: nothing else may change the swarm"):
        decline_if_unfinished(tmp_path)
    decline_if_unfinished(tmp_path, but=folder.name)
    other = create_run(
        tmp_path, events.Began(header(run_id="20260612-030000-other"), HEADS, ALICE), b"", START
    )
    with pytest.raises(Declined, match="was interrupted"):
        await resume(other, ALICE, clock)
    assert newest(tmp_path) == folder
    view = await abandon(folder, ALICE, clock)
    assert view.abandonment == "Neither verified nor undone: only (running)."
    assert unfinished_runs(tmp_path) == ()
    assert newest(tmp_path) == other
    log.close()


async def test_a_run_that_has_changed_nothing_counts_only_while_its_runner_may_come_back(
    tmp_path: Path, folder: Path
) -> None:
    assert unfinished_runs(tmp_path, revived_within_s=60) == ()
    beat(folder)
    (found,) = unfinished_runs(tmp_path, revived_within_s=60) or ()  # type: ignore[misc] # a part that can be read
    assert (found.run_id, found.state) == (folder.name, "is under way")
    assert unfinished_runs(tmp_path) == ()
    (folder / PULSE).unlink()
    assert unfinished_runs(tmp_path, revived_within_s=60) == ()
    log = RunLog(folder, SystemClock())
    await log.read()
    await log.append(events.RunnerStarted(1, "boot", "1"))
    assert len(unfinished_runs(tmp_path, revived_within_s=60) or ()) == 1  # type: ignore[arg-type] # as above
    await log.append(events.Stopped(events.Why.REFUSED, "It cannot go on.", ""))
    assert unfinished_runs(tmp_path, revived_within_s=60) == ()
    log.close()


def test_a_run_that_cannot_be_read_is_listed_and_keeps_others_from_changing_anything(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "log.db").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    for each in folder.glob("log.db-*"):
        each.unlink()
    (found,) = runs_in(tmp_path)
    assert isinstance(found, UnreadableRun)
    assert "cannot be read: file is not a database" in found.why
    with pytest.raises(Declined, match="unknown: The run's log"):
        decline_if_unfinished(tmp_path)
    assert json.dumps(found.name) == f'"{folder.name}"'
