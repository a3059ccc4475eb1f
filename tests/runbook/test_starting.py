"""How a runner is started: what is waited for, what is said meanwhile, and what cannot be mended by waiting."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from console.errors import HostError, RunnerNotStarted
from console.host.detached import DetachedProgram, UnitExists
from console.host.lock import maintenance_lock
from console.runbook.language.values import Effect
from console.runbook.run import events
from console.runbook.run.header import StepHeader
from console.runbook.runner.starting import STARTED_WITHIN_S, Starter, ensure_runner
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import RUNNER_LOCK, create_run
from tests.support.clocks import Hours
from tests.support.runs import ALICE, START, header

HEADS = (StepHeader("only", "Only", "test.do", Effect.CHANGE, needs_word=True),)
TAKEN = UnitExists("The unit vipconsole-run-x.service still exists.")
RUN = header().run_id


@dataclass
class Systemd:
    """Starts what it is told to, after some failures."""

    folder: Path
    failures: list[HostError] = field(default_factory=list)
    begins: Callable[["Systemd"], object] = lambda _: None
    """What a runner does as soon as it is started."""
    is_gone: bool = False
    started: list[DetachedProgram] = field(default_factory=list)
    looked: int = 0

    async def start(self, program: DetachedProgram) -> None:
        self.started.append(program)
        if self.failures:
            raise self.failures.pop(0)
        self.begins(self)

    async def has_ended(self, _: DetachedProgram) -> bool:
        self.looked += 1
        return self.is_gone


@dataclass
class Case:
    folder: Path
    clock: Hours = field(default_factory=Hours)
    told: list[str] = field(default_factory=list)

    async def ensure(self, systemd: Systemd) -> None:
        starter = Starter(systemd.start, systemd.has_ended)
        await ensure_runner(self.folder, header(), self.clock, self.told.append, starter)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(create_run(tmp_path, events.Began(header(), HEADS, ALICE), b"", START))


def works(systemd: Systemd) -> None:
    """Leave something in the log, as a runner does that has little to do."""
    connection = database.connect(systemd.folder / LOG)
    database.append(connection, events.RunnerStarted(1, "boot", "1"), START)
    connection.close()


async def test_a_runner_at_work_is_left_to_it(case: Case) -> None:
    systemd = Systemd(case.folder)
    async with maintenance_lock("the runner", ALICE, case.clock, case.folder / RUNNER_LOCK):
        await case.ensure(systemd)
    assert systemd.started == []


async def test_what_waiting_does_not_mend_is_raised_at_once_with_its_reason(case: Case) -> None:
    why = HostError(f"systemd did not start vipconsole-run-{RUN}.service: Access denied.", "Look there.")
    systemd = Systemd(case.folder, [why, why])
    with pytest.raises(RunnerNotStarted) as raised:
        await case.ensure(systemd)
    assert raised.value.sentence == f"The runner of {RUN} could not be started. {why.sentence}"
    assert raised.value.hint == f"Look there. Then: `vipconsole resume {RUN}`."
    assert (len(systemd.started), case.clock.at_s, case.told) == (1, 0.0, [])


async def test_a_name_that_is_still_taken_is_waited_for_with_growing_pauses_and_said_once(case: Case) -> None:
    systemd = Systemd(case.folder, [TAKEN] * 5, works)
    await case.ensure(systemd)
    assert len(systemd.started) == 6
    assert case.clock.pauses[:5] == [0.25, 0.5, 1.0, 2.0, 4.0]
    (told,) = case.told
    assert told == f"The last runner of {RUN} is about to end; waiting up to 30 s before another one starts"


async def test_a_name_that_stays_taken_is_given_up_and_named(case: Case) -> None:
    systemd = Systemd(case.folder, [TAKEN] * 1000)
    with pytest.raises(
        HostError, match=r"could not be started within 30 s: the unit .*\.service still exists\."
    ):
        await case.ensure(systemd)
    assert STARTED_WITHIN_S <= case.clock.at_s <= STARTED_WITHIN_S + 4
    assert len(systemd.started) < 15


async def test_a_runner_that_ends_before_it_works_is_told_after_a_look(case: Case) -> None:
    systemd = Systemd(case.folder, is_gone=True)
    with pytest.raises(RunnerNotStarted, match="ended before it began to work") as raised:
        await case.ensure(systemd)
    assert f"journalctl -u vipconsole-run-{RUN}.service" in raised.value.hint
    assert case.clock.at_s < 3


async def test_one_that_is_slow_but_there_is_waited_for_and_its_state_is_seldom_asked(case: Case) -> None:
    systemd = Systemd(case.folder)
    with pytest.raises(RunnerNotStarted, match="has not begun within 30 s") as raised:
        await case.ensure(systemd)
    assert f"vipconsole resume {RUN}" in raised.value.hint
    assert len(systemd.started) == 1
    assert systemd.looked <= STARTED_WITHIN_S


async def test_one_that_had_little_to_do_has_done_it(case: Case) -> None:
    await case.ensure(Systemd(case.folder, [], works, is_gone=True))
