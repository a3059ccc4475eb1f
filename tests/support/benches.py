"""A bench for single actions and predicates: a context whose world is a simulated engine."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from console.errors import NotAllowed
from console.journal.reader import DaemonLog
from console.journal.values import Batch, JournalEntry, JournalGap, Window
from console.operations.outage import OutageReport
from console.runbook.actions.registry import action_by_name
from console.runbook.contracts import ActionPlan, Answer, Blocking, ChangeRecord, CheckResult, Measure
from console.runbook.language.checking import parameters_for
from console.runbook.language.values import Call, Json
from console.runbook.predicates.registry import answer_to
from console.settings import Settings, SnapshotSettings
from console.simulator.engine import SimulatedEngine
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.support.engines import Simulation, simulation


@dataclass
class BenchTime:
    """The simulated swarm's own time: it passes only while somebody sleeps."""

    running: Simulation
    began: datetime
    passed_s: float = 0.0
    meanwhile: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    """What happens at some moment, in order."""

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds
        await asyncio.to_thread(self.running.control, "advance", {"seconds": seconds})
        while self.meanwhile and self.meanwhile[0][0] <= self.passed_s:
            self.meanwhile.pop(0)[1]()


@dataclass
class Journal:
    """A recorded journal that says what a test puts in."""

    messages: list[tuple[datetime, str]] = field(default_factory=list)
    gaps: tuple[JournalGap, ...] = ()
    windows: list[Window] = field(default_factory=list)
    """What was asked for."""

    async def read(self, window: Window) -> Batch:
        self.windows.append(window)
        wanted = [each for each in self.messages if window.since is None or each[0] >= window.since]
        entries = tuple(
            JournalEntry(f"c{number}", at, "b" * 32, "stdout", "docker.service", "dockerd", 812, message)
            for number, (at, message) in enumerate(wanted)
        )
        return Batch(entries, self.gaps)

    async def follow(
        self, after: str | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Batch, None]:
        yield await self.read(Window(since, after))


@dataclass
class ChangeLog:
    """Change records in memory."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Before or after, kind, object, what."""
    states: list[Mapping[str, Any]] = field(default_factory=list)
    """What objects were before, and what came of their changes, line by line."""

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        self.lines.append(("before", kind, object_id, what))
        self.states.append(state)
        return len(self.lines) - 1

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        _, kind, object_id, what = self.lines[number]
        self.lines.append(("after", kind, object_id, what))
        self.states.append(result)


@dataclass
class Bench:
    """A context and a world at once, as far as an action can tell."""

    running: Simulation
    connection: EngineConnection
    clock: BenchTime
    settings: Settings = field(
        default_factory=lambda: Settings(snapshot=SnapshotSettings(deadline_s=60, settle_s=0))
    )
    journal: Journal = field(default_factory=Journal)
    log: DaemonLog = field(init=False)
    run_id: str = "r1"
    timeout_s: float = 60.0
    change_recorder: ChangeLog = field(default_factory=ChangeLog)
    recorded_changes: Sequence[ChangeRecord] = ()
    said: list[str] = field(default_factory=list)
    measures: list[Measure | None] = field(default_factory=list)
    outage_reports: list[OutageReport] = field(default_factory=list)
    waited: list[tuple[tuple[Blocking, ...], str]] = field(default_factory=list)
    """What was waited for, look by look."""
    changes: list[str] = field(default_factory=list)
    is_read_only: bool = True
    folder: Path | None = None
    """Where files of the run go; none where a test has no use for them."""

    def __post_init__(self) -> None:
        self.log = DaemonLog(self.journal, is_recorded=True)

    @property
    def world(self) -> "Bench":
        return self

    @property
    def host(self) -> str:
        return self.connection.host

    @property
    def reader(self) -> EngineReader:
        return EngineReader(self.connection)

    @property
    def model(self) -> SimulatedEngine:
        return self.running.model

    def changer(self) -> EngineChanger:
        if self.is_read_only:
            raise NotAllowed("This only reads.")
        return EngineChanger(self.connection, self.changes.append)

    async def say(self, line: str) -> None:
        self.said.append(line)

    async def waits_for(
        self, blocking: Sequence[Blocking], note: str = "", measure: Measure | None = None
    ) -> None:
        self.waited.append((tuple(blocking), note))
        self.measures.append(measure)

    async def report_outage(self, report: OutageReport) -> None:
        self.outage_reports.append(report)

    async def keep(self, name: str, text: str) -> str:
        if self.folder is None:
            raise NotAllowed(f"There is no folder for {name} ({len(text)}).")
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def remember(self) -> None:
        """Let what was recorded so far be that of an earlier attempt."""
        begun = [number for number, each in enumerate(self.change_recorder.lines) if each[0] == "before"]
        self.recorded_changes = tuple(
            ChangeRecord(n, *self.change_recorder.lines[n][1:], self.change_recorder.states[n], None)
            for n in begun
        )

    def advance(self, seconds: float) -> None:
        self.clock.passed_s += seconds
        self.running.control("advance", {"seconds": seconds})

    def with_settings(self, **parts: Any) -> None:
        self.settings = replace(self.settings, **parts)

    async def holds(self, name: str, /, **parameters: Json) -> CheckResult:
        """Ask a predicate."""
        return await answer_to(self, Call(name, parameters))

    async def plan(self, name: str, /, **parameters: Json) -> ActionPlan:
        action = action_by_name(name)
        return await action.plan(self, parameters_for(Call(name, parameters), action.parameters))

    async def act(self, name: str, /, **parameters: Json) -> Mapping[str, Json]:
        action = action_by_name(name)
        return await action.act(self, parameters_for(Call(name, parameters), action.parameters))

    async def probe(self, name: str, /, **parameters: Json) -> CheckResult:
        action = action_by_name(name)
        return await action.probe(self, parameters_for(Call(name, parameters), action.parameters))

    async def verify(self, name: str, outputs: Mapping[str, Json], /, **parameters: Json) -> CheckResult:
        action = action_by_name(name)
        return await action.verify(self, parameters_for(Call(name, parameters), action.parameters), outputs)

    async def undo(
        self, name: str, outputs: Mapping[str, Json], /, **parameters: Json
    ) -> Mapping[str, Json] | None:
        action = action_by_name(name)
        return await action.undo(self, parameters_for(Call(name, parameters), action.parameters), outputs)


@contextmanager
def bench(model: SimulatedEngine | str = "quiet", api_version: str | None = None) -> Iterator[Bench]:
    """Give a bench on a simulated engine, or on a scenario by its name."""
    with simulation(model, api_version) as running:
        connection = EngineConnection(running.host, 30)
        try:
            yield Bench(running, connection, BenchTime(running, running.model.now.astimezone(UTC)))
        finally:
            connection.close()


def sentences(answers: Iterable[CheckResult]) -> list[str]:
    return [each.sentence for each in answers]


def is_yes(found: CheckResult) -> bool:
    """Whether an answer is yes; an answer that cannot be told fails the test with its reason."""
    assert found.answer is not Answer.CANNOT_TELL, found.sentence
    return found.answer is Answer.YES
