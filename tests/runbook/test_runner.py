"""A runner in this process, on a simulated swarm, with a clock that does not keep anybody waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.journal.reader import DaemonLog, open_journal
from console.runbook.run import events as run_events
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.header import THE_RUN
from console.runbook.run.view import RunState, RunView, StepState
from console.runbook.runner.context import RunWorld
from console.runbook.runner.loop import Runner
from console.runbook.runner.waits import WaitPolicy
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.log import RunLog
from console.runbook.store.output import Output
from console.settings import Settings
from console.swarm.client import EngineConnection
from tests.faults.sweeping import Swept, swept
from tests.support import sample_actions
from tests.support.rows import numbers_read


class FastClock:
    """Waits in no time."""

    def __init__(self) -> None:
        self._now_s = 1000.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        self._now_s += seconds
        await asyncio.sleep(0)


@dataclass
class Working:
    """A runner that can be let work."""

    runner: Runner
    log: RunLog
    wait_policy: WaitPolicy
    clock: FastClock

    async def work(self) -> RunView:
        await self.runner.work()
        return await self.log.read()

    async def begun(self, step: str) -> None:
        """Return when a step has set out to act."""
        while True:
            events = [each.event for each in database.read_log(self.log.folder / LOG)]
            if any(isinstance(each, run_events.Intended) and each.step == step for each in events):
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def working(run: Swept, linger_s: float = 0.0) -> AsyncIterator[Working]:
    clock = FastClock()
    log, output = RunLog(run.folder, clock), Output(run.folder)
    connection = EngineConnection(run.simulation.host, 30)
    wait_policy = WaitPolicy(log, clock, linger_s)
    world = RunWorld(connection, Settings(), clock, DaemonLog(open_journal("docker.service")))
    try:
        yield Working(Runner(log, world, output, wait_policy, run.lock), log, wait_policy, clock)
    finally:
        output.close()
        log.close()
        connection.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Swept]:
    with swept(tmp_path / "site") as found:
        yield found


async def up_to_the_swap(run: Swept, made: Working) -> RunView:
    """Pass the checkpoint, and return the run as it asks for the word of the outage."""
    view = await made.work()
    assert view.question is not None
    assert view.question.event.step == "gate"
    run.decide(DecisionRequest("gate", run_events.Choice.CONFIRM, "continue"))
    view = await made.work()
    assert view.question is not None
    assert (view.question.event.step, view.question.event.word) == ("swap", "swap")
    return view


async def test_each_entry_of_the_log_is_read_once_however_often_it_is_looked(
    run: Swept, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = numbers_read(monkeypatch)
    async with working(run) as made:
        view = await up_to_the_swap(run, made)
        runners = [each for each in numbers if each[0] == "engine"]
        assert [number for _, number in runners] == list(range(1, view.number + 1))


async def test_what_a_decision_rests_on_has_changed_so_it_is_asked_again(run: Swept) -> None:
    async with working(run) as made:
        before = await up_to_the_swap(run, made)
        run.decide(DecisionRequest("swap", run_events.Choice.CONFIRM, "swap"))
        service = next(each for each in run.simulation.model.store.services.values() if each.name == "a")
        service.spec["Labels"] = {"edition": "somebody else's"}
        view = await made.work()
        assert view.question is not None
        assert before.question is not None
        assert view.question.event.digest != before.question.event.digest
        kinds = [type(each.event) for each in database.read_log(run.folder / LOG)]
        assert kinds.count(run_events.ConsentExpired) == 1
        assert not [each for each in sample_actions.read_calls(run.calls) if each.startswith("call a")]
        run.decide(DecisionRequest("swap", run_events.Choice.CONFIRM, "swap"))
        assert (await made.work()).state is RunState.DONE


async def test_an_outage_that_nobody_looks_after_is_undone_by_itself(
    run: Swept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(run) as made:
        await up_to_the_swap(run, made)
        run.decide(DecisionRequest("swap", run_events.Choice.CONFIRM, "swap"))
        monkeypatch.setenv(sample_actions.FAIL, "1")
        began_s = made.clock.monotonic()
        view = await made.work()
    assert made.clock.monotonic() - began_s >= 300
    swap = view.step("swap")
    assert swap.state is StepState.UNDONE
    assert (swap.decisions[-1].choice, swap.decisions[-1].who) == (run_events.Choice.UNDO, THE_RUN)
    assert "Timed out after 5 min waiting for an answer" in swap.decisions[-1].reason
    # What was done before the checkpoint stays, and is said to.
    assert view.step("mark").state is StepState.DONE
    assert view.stop_reason is not None
    assert view.stop_reason.why is run_events.Why.UNDONE
    assert (view.outcome, view.blocks, view.is_in_outage) == (1, True, False)


async def test_undoing_further_back_ends_the_run_and_leaves_nothing(run: Swept) -> None:
    async with working(run) as made:
        await up_to_the_swap(run, made)
        run.decide(DecisionRequest("swap", run_events.Choice.STOP))
        assert (await made.work()).state is RunState.STOPPED
        run.decide(DecisionRequest("mark", run_events.Choice.UNDO))
        view = await made.work()
    assert view.state is RunState.UNDONE
    assert run.end_state() == {"a": {}, "b": {}}
    assert (view.outcome, view.blocks) == (1, False)


@pytest.mark.parametrize("kind", ["lose_answer", "status:500"])
async def test_a_call_that_nobody_knows_of_is_looked_into(run: Swept, kind: str) -> None:
    run.simulation.break_call("/services/create", kind, times=1)
    async with working(run) as made:
        view = await made.work()
        mark = view.step("mark")
        if kind == "lose_answer":
            # It was carried out: looking says so, and it is not done again.
            assert mark.state is StepState.DONE
            assert mark.attempt == 1
            assert mark.probe_result is not None
        else:
            assert (mark.state, view.outcome) == (StepState.FAILED, 2)
            run.resume()
            assert (await made.work()).step("mark").state is StepState.DONE
    assert [each for each in run.end_state() if each == "marked"] == ["marked"]


async def test_told_to_end_it_finishes_what_it_is_changing_and_stops(run: Swept) -> None:
    run.simulation.control("faults", [{"path": "/services/create", "kind": "slow_body", "seconds": 1.0}])
    async with working(run) as made:
        task = asyncio.create_task(made.work())
        # The simulated engine takes a second for it, so it is caught in its midst.
        await made.begun("mark")
        made.wait_policy.ending.set()
        view = await task
    assert view.stop_reason is not None
    assert view.stop_reason.why is run_events.Why.SIGNAL
    assert "marked" in run.end_state()
    assert view.step("mark").has_result
    assert not view.step("mark").is_acting


@pytest.mark.parametrize("last", [run_events.Ended, run_events.Asked])
async def test_told_to_end_when_nothing_is_left_to_do_it_stops_nothing(
    run: Swept, last: type[run_events.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(run) as made:
        if last is run_events.Ended:
            await up_to_the_swap(run, made)
            run.decide(DecisionRequest("swap", run_events.Choice.CONFIRM, "swap"))
        append = made.log.append_if_current

        async def appending(event: run_events.Event, seen: int) -> bool:
            is_there = await append(event, seen)
            if isinstance(event, last):
                made.wait_policy.ending.set()
            return is_there

        monkeypatch.setattr(made.log, "append_if_current", appending)
        view = await made.work()
    # A run that is done stays done, and a question stays open.
    assert view.stop_reason is None
    assert view.state is (RunState.DONE if last is run_events.Ended else RunState.WAITING)


async def test_told_to_end_while_somebody_decides_it_stops_all_the_same(
    run: Swept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(run) as made:
        append = made.log.append_if_current
        noted: list[str] = []

        async def appending(event: run_events.Event, seen: int) -> bool:
            if isinstance(event, run_events.Prepared):
                made.wait_policy.ending.set()
            if isinstance(event, run_events.Stopped) and not noted:
                noted.append("somebody was first")
                await made.log.append(run_events.Noted(noted[0]))
            return await append(event, seen)

        monkeypatch.setattr(made.log, "append_if_current", appending)
        view = await made.work()
    assert view.notes == ("somebody was first",)
    assert view.stop_reason is not None
    assert view.stop_reason.why is run_events.Why.SIGNAL


async def test_another_machine_is_refused(run: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.runbook.runner.gate.machine_id", lambda: "another")
    async with working(run) as made:
        view = await made.work()
    assert view.stop_reason is not None
    assert view.stop_reason.why is run_events.Why.REFUSED
    assert "another machine" in view.stop_reason.sentence
    assert not view.has_changed


@pytest.mark.parametrize(
    ("damage", "sentence", "hint"),
    [
        (lambda copy: copy.unlink(), "cannot be read: No such file or directory", "vipconsole abandon {run}"),
        (
            lambda copy: copy.write_text(copy.read_text() + "\n#"),
            "not the planned one",
            "vipconsole abandon {run}",
        ),
        (lambda copy: copy.write_text("runbook: 99\n"), "runbook", "the version of vipconsole that began"),
    ],
    ids=["lost", "changed", "of another version"],
)
async def test_without_its_own_copy_of_the_runbook_it_changes_nothing_and_says_what_helps(
    run: Swept, damage: Callable[[Path], object], sentence: str, hint: str
) -> None:
    (copy,) = run.folder.glob("runbook-*.yaml")
    damage(copy)
    async with working(run) as made:
        view = await made.work()
    assert view.stop_reason is not None
    assert view.stop_reason.why is run_events.Why.REFUSED
    assert sentence in view.stop_reason.sentence
    assert hint.format(run=run.folder.name) in view.stop_reason.hint
    assert not view.has_changed


async def test_an_engine_that_comes_back_is_waited_for(run: Swept) -> None:
    run.simulation.break_call("/info", "refuse", times=5)
    async with working(run) as made:
        view = await made.work()
    assert view.step("mark").state is StepState.DONE
