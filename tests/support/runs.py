"""Runs without a world: events are kept in a list, and what they would do is done to a few flags."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from console.host.who import Who
from console.runbook.language.values import ActionPlan, Answer, Call, CheckResult, Effect
from console.runbook.run import events
from console.runbook.run.codec import from_json, kind_of, to_json
from console.runbook.run.decisions import DecisionRequest, decision_for
from console.runbook.run.header import RunHeader, StepHeader
from console.runbook.run.next_action import (
    Act,
    Await,
    Idle,
    NextAction,
    Prepare,
    Probe,
    UndoStep,
    Verify,
    choose_next_action,
    event_of,
)
from console.runbook.run.replay import after, initial_view
from console.runbook.run.view import Live, Question, RunState, RunView, StepState, StepView, StoredRun
from console.runbook.store.folders import RUNNER_LOCK

ALICE = Who("root", "alice", "pts/3", "192.0.2.7")
START = datetime(2026, 6, 12, 2, 0, tzinfo=UTC)


def header(**parts: Any) -> RunHeader:
    """Return a header; a test gives what it is about."""
    usual: dict[str, Any] = {
        "run_id": "20260612-020000-proxy-16",
        "runbook_id": "proxy-16",
        "title": "Recreate proxy",
        "digest": "d" * 64,
        "source": "/etc/vipconsole/runbook.yaml",
        "host": "unix:///var/run/docker.sock",
        "machine_id": "machine",
        "boot_id": "boot-1",
        "cluster_id": "cluster",
        "node_id": "node",
        "engine_name": "ci-host",
        "engine_version": "20.10.24",
        "tool_version": "0",
    }
    return RunHeader(**{**usual, **parts})


def step(
    name: str,
    title: str,
    state: StepState = StepState.PENDING,
    effect: Effect = Effect.READ,
    plan: ActionPlan | None = None,
    no_undo_because: str = "",
    **more: Any,
) -> StepView:
    """Return a step; with a plan, as it was prepared last."""
    head = StepHeader(name, title, "test.do", effect, no_undo_because=no_undo_because)
    if plan is not None:
        probe = CheckResult(Answer.NO, "It is not done.")
        more["preparation"] = events.Prepared(name, 1, Call("test.do"), "digest", "", probe, plan)
    return StepView(head, state, **more)


def stored_run(
    *steps: StepView, began_at: datetime = START, question: events.Asked | None = None, **header_parts: Any
) -> StoredRun:
    """Return a run of these steps that root began and a runner works on, or that waits for an answer."""
    view = RunView(header(**header_parts), Who("root"), began_at, steps)
    if question is not None:
        view = replace(view, state=RunState.WAITING, question=Question(1, question, began_at))
    return StoredRun(view, Live(is_alive=True))


class Crash(BaseException):
    """The runner is killed."""


@dataclass
class Flags:
    """What steps change: a flag for each, whether its probe can see it, and how often its act fails."""

    done: dict[str, bool] = field(default_factory=dict)
    blind: frozenset[str] = frozenset()
    failing: dict[str, int] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)
    """What was done, in order: `probe`, `act` or `undo`, and the step."""

    def probe(self, step: str) -> CheckResult:
        self.history.append(("probe", step))
        if step in self.blind:
            return CheckResult(Answer.CANNOT_TELL, "It does not show.")
        is_done = self.done.get(step, False)
        return CheckResult(
            Answer.YES if is_done else Answer.NO, "It is done." if is_done else "It is not done."
        )


@dataclass
class PaperRun:
    """A run in a list. `crash_at` are the ticks at which its runner is killed; every event is two, every deed one."""

    heads: tuple[StepHeader, ...]
    world: Flags
    crash_at: frozenset[int] = frozenset()
    entries: list[events.LogEntry] = field(default_factory=list)
    ticks: int = 0
    boots: int = 1

    def __post_init__(self) -> None:
        first = events.LogEntry(1, START, events.Began(header(), self.heads, ALICE))
        self.entries.append(first)
        self.view: RunView = initial_view(first)

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks in self.crash_at:
            raise Crash

    def write(self, event: events.Event) -> None:
        """Append an event; it goes through JSON as it does on disk."""
        kept = from_json(kind_of(event), to_json(event))
        assert kept == event
        number = len(self.entries) + 1
        self.entries.append(events.LogEntry(number, START + timedelta(seconds=number), kept))
        self.view = after(self.view, self.entries[-1])

    def add(self, event: events.Event) -> None:
        """Append an event of the runner's, which may be killed before and after it."""
        self.tick()
        self.write(event)
        self.tick()

    def decide(self, request: DecisionRequest, *, is_alive: bool = False) -> str:
        """Decide as an operator does, and return what was wrong with it."""
        decided = decision_for(self.view, request, ALICE, is_alive=is_alive)
        if isinstance(decided, str):
            return decided
        self.write(decided)
        return ""

    def work(self) -> NextAction:
        """Let one runner work until it rests or waits, and return that move."""
        self.add(events.RunnerStarted(1, f"boot-{self.boots}", "0"))
        while True:
            move = choose_next_action(self.view)
            if isinstance(move, Idle | Await):
                return move
            self._perform(move)

    def _perform(self, move: NextAction) -> None:
        match move:
            case Prepare(step):
                self.add(self._prepared(step))
            case Probe(step):
                self.add(events.Probed(step, self.view.step(step).attempt, self.world.probe(step)))
            case Act(step):
                self._act(step)
            case Verify(step):
                self._verify(step)
            case UndoStep(step):
                self.add(events.UndoIntended(step, Call("test.do")))
                self.world.history.append(("undo", step))
                self.world.done[step] = False
                self.tick()
                self.add(events.Undone(step, 1.0))
            case _:
                self.add(event_of(move, self.view))

    def _prepared(self, step: str) -> events.Prepared:
        probe = self.world.probe(step)
        plan = None if probe.answer is Answer.YES else ActionPlan("Do it.")
        return events.Prepared(
            step, self.view.step(step).attempt, Call("test.do"), "digest", "word", probe, plan
        )

    def _act(self, step: str) -> None:
        seen = self.view.step(step)
        assert seen.preparation is not None
        self.add(events.Intended(step, seen.attempt, Call("test.do"), "digest", seen.preparation.probe))
        self.world.history.append(("act", step))
        if self.world.failing.get(step, 0):
            self.world.failing[step] -= 1
            self.tick()
            self.add(events.Failed(step, seen.attempt, "It went wrong."))
            return
        self.world.done[step] = True
        self.tick()
        self.add(events.Succeeded(step, seen.attempt, {"made": step}, 1.0))

    def _verify(self, step: str) -> None:
        is_so = self.world.done.get(step, False)
        found = CheckResult(Answer.YES if is_so else Answer.NO, "It is so." if is_so else "It is not so.")
        self.add(
            events.Verified(
                step, self.view.step(step).attempt, found.answer, (events.ConditionResult("own", found),)
            )
        )


def lives_of(run: PaperRun) -> Iterator[NextAction | None]:
    """Let runner after runner work, each until it rests, waits (the move) or is killed (None)."""
    while True:
        try:
            yield run.work()
        except Crash:
            yield None


@contextmanager
def runner_lock(folder: Path) -> Iterator[None]:
    """Hold what a runner holds for as long as it lives."""
    descriptor = os.open(folder / RUNNER_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
