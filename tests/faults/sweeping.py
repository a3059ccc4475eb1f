"""Runs whose runner dies, or whose disk fails, at a chosen point; and what they come to when they are resumed."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from console.clock import SystemClock
from console.errors import Declined, StoreFailed
from console.host.who import Who
from console.journal.reader import DaemonLog, open_journal
from console.runbook.language.file import parse_runbook
from console.runbook.language.values import Runbook
from console.runbook.run import events
from console.runbook.run.decisions import DecisionRequest, decision_for
from console.runbook.run.view import RunView
from console.runbook.runner.__main__ import run_runner
from console.runbook.runner.context import RunWorld
from console.runbook.runner.creation import begin_run
from console.runbook.store import database
from console.runbook.store.log import append_if_allowed
from console.runbook.store.viewer import read_stored_run
from console.settings import Settings, SnapshotSettings
from console.swarm.client import EngineConnection
from tests.simulator.swarms import a_network, a_swarm
from tests.support import sample_actions
from tests.support.engines import Simulation, simulation

ALICE = Who("root", "alice", "pts/3", "192.0.2.7")
CONTEXT = multiprocessing.get_context("forkserver")
# Each runner is a process of its own, forked from one that has everything loaded: half a second less for each.
CONTEXT.set_forkserver_preload(["tests.faults.sweeping"])

WITHIN_S = 240.0
"""So long a runner may be at work on a loaded machine."""
PATIENT = Settings(snapshot=SnapshotSettings(deadline_s=120, call_timeout_s=60))
"""A loaded machine answers slowly, and no test here is about that."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and at which point of the run; points are counted over all its runners."""

    kind: str
    """`kill`: SIGKILL at the point. `touch`: SIGKILL at the record of that number of an object that is touched.
    `fail`: the write of that number fails once. `full`: from the write of that number on there is no room on the disk, but
    for one more write where the space held back is given up."""
    at: int


@dataclass
class Lives:
    """A run, and the runners that work on it one after the other."""

    folder: Path
    lock: Path
    calls: Path
    points: Any = field(default_factory=lambda: CONTEXT.Value("i", 0))
    writes: Any = field(default_factory=lambda: CONTEXT.Value("i", 0))
    change_records: Any = field(default_factory=lambda: CONTEXT.Value("i", 0))
    deaths: int = 0
    linger_s: float = 0.0
    """For so long a runner waits for an answer before it ends."""

    @property
    def view(self) -> RunView:
        return read_stored_run(self.folder).view

    def decide(self, request: DecisionRequest) -> None:
        def rule(view: RunView) -> Sequence[events.Event] | str:
            decided = decision_for(view, request, ALICE, is_alive=False)
            return decided if isinstance(decided, str) else (decided,)

        append_if_allowed(self.folder, rule, SystemClock())

    def resume(self) -> None:
        append_if_allowed(self.folder, lambda _: (events.Resumed(ALICE),), SystemClock())

    def work(self, fault: Fault | None = None) -> int:
        """Let one runner work, and return its exit code (-9: it was killed)."""
        runner: ForkServerProcess = CONTEXT.Process(
            target=_runner,
            args=(
                *(self.folder, self.lock, self.calls, self.linger_s),
                *(self.points, self.writes, self.change_records, fault),
            ),
            daemon=True,
        )
        runner.start()
        began_s = time.monotonic()
        while runner.is_alive() and (waited_s := time.monotonic() - began_s) < WITHIN_S:
            # To look for a question the whole log is read: on a real engine, where a runner is at work for long, not often.
            runner.join(min(max(0.05, waited_s / 20), 0.5))
            # In an outage a runner waits for the answer itself.
            self.answer()
        assert runner.exitcode is not None, "the runner never ended"
        return runner.exitcode

    def answer(self) -> None:
        """Confirm, or try again, whatever is asked."""
        question = self.view.question
        if question is not None:
            asked = question.event
            with suppress(Declined):
                self.decide(DecisionRequest(asked.step, asked.choices[0], asked.word))

    def finish(self, fault: Fault | None = None, most: int = 20) -> RunView:
        """Be the operator who confirms what is asked and resumes what died, until the run is over."""
        for _ in range(most):
            code = self.work(fault)
            view = self.view
            if view.is_over:
                return view
            if code in (-signal.SIGKILL, 3):
                self.deaths += 1
                fault = None
                self.resume()
            elif view.stop_reason is not None:
                self.resume()
        raise AssertionError(f"it does not end: {self.view}")


@dataclass
class Swept(Lives):
    """A run on a simulated swarm of its own."""

    simulation: Simulation = field(kw_only=True)

    def end_state(self) -> dict[str, Any]:
        """Return what the swarm is like, without what is new each time."""

        services = self.simulation.model.store.services.values()
        return {each.name: each.spec.get("Labels") or {} for each in services}


@contextmanager
def swept(folder: Path, text: str = sample_actions.RUNBOOK) -> Iterator[Swept]:
    """Give a run that has just begun, on a swarm with two services."""
    folder.mkdir(parents=True)
    model = a_swarm("1.41")
    a_network(model)
    for each in ("a", "b"):
        model.services.create(sample_actions.spec(each))
    source = folder / "runbook.yaml"
    source.write_text(text)
    with sample_actions.install(), simulation(model) as running:
        runbook = parse_runbook(source.read_bytes(), str(source))
        run = begun(folder / "state", runbook, running.host)
        yield Swept(run, folder / "lock", folder / "calls", simulation=running)


def begun(state: Path, runbook: Runbook, host: str) -> Path:
    """Begin a run and return its folder; nobody works on it yet."""

    async def begin() -> Path:
        connection = EngineConnection(host, 30)
        try:
            log = DaemonLog(open_journal("docker.service"))
            return await begin_run(
                state, runbook, {}, RunWorld(connection, PATIENT, SystemClock(), log), ALICE
            )
        finally:
            connection.close()

    return asyncio.run(begin())


def _runner(
    folder: Path,
    lock: Path,
    told: Path,
    linger_s: float,
    points: Any,
    writes: Any,
    change_records: Any,
    fault: Fault | None,
) -> None:
    """Be a runner that dies, or whose write fails, at a point. Runs in a process of its own."""
    os.environ["CALLS_FILE"] = str(told)
    _count_points(points, fault)
    _count_writes(writes, fault)
    _count_touches(change_records, fault)
    with sample_actions.install():
        os._exit(asyncio.run(run_runner(folder, lock=lock, linger_s=linger_s)))


def _deadly(kind: str, count: Any, fault: Fault | None) -> Callable[[], None]:
    """Return what counts the points of a kind, and is the end of this process at the one of the fault."""

    def point() -> None:
        with count.get_lock():
            count.value += 1
            is_here = fault is not None and fault.kind == kind and count.value == fault.at
        if is_here:
            os.kill(os.getpid(), signal.SIGKILL)

    return point


def _count_points(points: Any, fault: Fault | None) -> None:
    point = _deadly("kill", points, fault)
    append, ask = database.append, EngineConnection.ask

    def counted_append(*arguments: Any) -> Any:
        point()
        entry = append(*arguments)
        point()
        return entry

    async def counted_ask(self: EngineConnection, purpose: str, question: Callable[[Any], Any]) -> Any:
        point()
        answer = await ask(self, purpose, question)
        point()
        return answer

    database.append = counted_append  # type: ignore[assignment] # the point of it
    EngineConnection.ask = counted_ask  # type: ignore[method-assign] # the point of it


def _count_touches(change_records: Any, fault: Fault | None) -> None:
    append, point = database.append, _deadly("touch", change_records, fault)

    def counted(connection: Any, event: events.Event, *rest: Any) -> Any:
        # Either it is recorded and not made, or it is made and that is not recorded: between these nothing is in doubt.
        if isinstance(event, events.ChangeEnded):
            point()
        entry = append(connection, event, *rest)
        if isinstance(event, events.ChangeBegan):
            point()
        return entry

    database.append = counted  # type: ignore[assignment] # the point of it


def _count_writes(writes: Any, fault: Fault | None) -> None:
    append = database.append

    def failing(*arguments: Any) -> Any:
        with writes.get_lock():
            writes.value += 1
            past = 0 if fault is None else writes.value - fault.at
        if fault is not None and fault.kind == "fail" and past == 0:
            raise StoreFailed("The run's log cannot be written: disk I/O error.")
        if fault is not None and fault.kind == "full" and (past == 0 or past > 1):
            raise StoreFailed("The run's log cannot be written: disk is full.", is_full=True)
        return append(*arguments)

    database.append = failing  # type: ignore[assignment] # the point of it


def repeated_without_a_probe(lines: list[str]) -> list[str]:
    """Return the calls that were made again with no probe in between."""
    last: dict[str, int] = {}
    found = []
    for at, line in enumerate(lines):
        if line.startswith("call "):
            if line in last and not any(each.startswith("probe ") for each in lines[last[line] : at]):
                found.append(line)
            last[line] = at
    return found
