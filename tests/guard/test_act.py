"""The guard at work on a simulated swarm: it reads, decides, acts once, and reports the result."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.errors import HostError
from console.guard.actuator import Actuator, GuardOutcome, act
from console.guard.collector import MEMORY_FILE, Collector, last_restart, remember_restart
from console.guard.policy import decide
from console.guard.values import Daemon, GuardOptions, GuardVerdict
from console.journal.reader import DaemonLog
from console.journal.values import Batch, Window
from console.operations.borrow.borrow import BorrowResult
from console.operations.borrow.session import BorrowOutcome
from console.settings import GuardSettings, QuiescenceSettings, Settings, SnapshotSettings
from console.simulator.engine import SimulatedEngine
from console.storage.borrow import BorrowStore
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.borrowing import borrow_record
from tests.support.engines import Simulation, simulation
from tests.support.model_time import ModelTime

SETTINGS = Settings(
    snapshot=SnapshotSettings(settle_s=0.5),
    # Long enough in the engine's time that its events arrive meanwhile in the machine's, however busy that is.
    quiet=QuiescenceSettings(dwell_s=15, deploy_tools=("no-such-tool",)),
    guard=GuardSettings(recovery_s=120),
)
ALLOWED = GuardOptions("proxy", may_restart=True)
BOTH = replace(ALLOWED, may_borrow=True)
WAITS_S = 90


class Silent:
    """A journal in which dockerd says nothing."""

    async def read(self, window: Window) -> Batch:
        assert window.deadline_s > 0
        return Batch()

    def follow(self, after: str | None = None, since: datetime | None = None) -> AsyncIterator[Batch]:
        raise NotImplementedError


@dataclass
class Bench:
    """A guard over a simulated engine."""

    running: Simulation
    collector: Collector
    changer: EngineChanger
    restarts: int = 0
    borrows: int = 0
    gives_back: bool = True
    lost: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)
    heals: bool = True

    async def restart(self) -> None:
        self.restarts += 1
        if self.heals:
            self.running.model.restart()

    async def borrow(self) -> BorrowOutcome:
        """What the swarm shows of it: another allocator. The real one is tried in `tests/engine`."""
        self.borrows += 1
        if self.gives_back:
            self.running.model.restart()
        because = "" if self.gives_back else "The temporary manager did not start."
        return BorrowOutcome(BorrowResult(self.gives_back, 15.0, 0.2, "ci-host", because), 4, self.lost)

    async def act(
        self, options: GuardOptions = ALLOWED, restart: Callable[[], Awaitable[None]] | None = None
    ) -> GuardOutcome:
        return await act(
            self.collector,
            options,
            Actuator(self.changer, restart or self.restart, self.said.append, self.borrow),
        )


@asynccontextmanager
async def bench(
    engine: SimulatedEngine, state: Path, meanwhile: Callable[[], None] = lambda: None
) -> AsyncIterator[Bench]:
    with simulation(engine) as running:
        connection = EngineConnection(running.host, 10)

        async def unit() -> Daemon:
            return Daemon(datetime.now(UTC) - timedelta(days=3), 60, ())

        try:
            log = DaemonLog(Silent(), is_recorded=True)  # type: ignore[arg-type] # it is only read
            collector = Collector(
                connection,
                log,
                ModelTime(engine, meanwhile, real_s=0.01),
                SETTINGS,
                state,
                lock=state / "lock",
                unit=unit,
            )
            yield Bench(running, collector, EngineChanger(connection, lambda _: None))
        finally:
            connection.close()


def exhausted() -> SimulatedEngine:
    """A proxy of 13 addresses: 10 leaked, 3 held by a service, and another one that waits for its own."""
    engine = a_swarm()
    proxy = a_network(engine)
    a_service(engine, proxy, name="web", mode="dnsrr")
    engine.advance(5)
    own = a_network(engine, "own", "10.9.0.0/24")
    leaky = a_service(
        engine, proxy, own, name="leaky", mode="dnsrr", replicas=10, constraint="node.labels.none==x"
    )
    engine.advance(1)
    engine.services.remove(leaky)
    engine.networks.remove(own)
    engine.advance(1)
    a_service(engine, proxy, name="filler", mode="dnsrr")
    a_service(engine, proxy, name="ghost", mode="dnsrr")
    engine.advance(WAITS_S)
    return engine


async def test_an_exhausted_swarm_is_restarted_once_and_what_waited_runs(tmp_path: Path) -> None:
    engine = exhausted()
    async with bench(engine, tmp_path) as guard:
        dry = decide(await guard.collector.inputs(), ALLOWED, SETTINGS.thresholds)
        assert dry.restarts
        outcome = await guard.act()
        assert (outcome.verdict, outcome.has_restarted, guard.restarts) == (GuardVerdict.GO, True, 1)
        assert "The docker unit was restarted" in outcome.decision.sentence
        engine.advance(30)
        alive = [each.state for each in engine.store.tasks.values() if each.is_alive]
        assert alive == ["running"] * 3, [
            (each.name, each.state, each.error) for each in engine.store.tasks.values()
        ]
        again = await guard.act()
    assert (again.verdict, again.has_restarted, guard.restarts) == (GuardVerdict.GO, False, 1)
    assert last_restart(tmp_path) is not None


async def test_where_a_manager_may_be_borrowed_that_is_done_and_nothing_is_restarted(tmp_path: Path) -> None:
    async with bench(exhausted(), tmp_path) as guard:
        outcome = await guard.act(BOTH)
        assert (outcome.verdict, outcome.has_borrowed, outcome.has_restarted) == (
            GuardVerdict.GO,
            True,
            False,
        )
        assert (
            "A manager was borrowed for some seconds (15 s), because 1 deploy (ghost)"
            in outcome.decision.sentence
        )
        await guard.act(BOTH)
        assert (guard.borrows, guard.restarts) == (1, 0)
        assert last_restart(tmp_path) is not None


async def test_a_borrowed_manager_that_gave_nothing_back_is_said_and_nothing_is_restarted(
    tmp_path: Path,
) -> None:
    async with bench(exhausted(), tmp_path) as guard:
        guard.gives_back = False
        outcome = await guard.act(BOTH)
        assert (outcome.verdict, guard.borrows, guard.restarts) == (GuardVerdict.STOP, 1, 0)
        assert "no address was given back: The temporary manager did not start." in outcome.decision.sentence
        again = await guard.act(BOTH)
    assert (again.verdict, guard.borrows, guard.restarts) == (GuardVerdict.STOP, 1, 0)


async def test_containers_that_a_borrowed_manager_cost_are_told(tmp_path: Path) -> None:
    async with bench(exhausted(), tmp_path) as guard:
        guard.lost = ("c" * 64,)
        outcome = await guard.act(BOTH)
    assert outcome.verdict is GuardVerdict.STOP
    assert "1 container of 4 stopped or restarted meanwhile: cccccccccccc." in outcome.decision.sentence


async def test_an_unfinished_borrowed_manager_is_stood_back_from_and_its_command_told(tmp_path: Path) -> None:
    async with bench(exhausted(), tmp_path) as guard:
        BorrowStore(tmp_path).write(borrow_record())
        outcome = await guard.act(BOTH)
    assert (outcome.verdict, guard.borrows, guard.restarts) == (GuardVerdict.STOP, 0, 0)
    assert "The borrowed manager (a second manager beside ci-host) is unfinished" in outcome.decision.sentence
    assert "`vipconsole reclaim`" in outcome.decision.sentence


async def test_without_permission_nothing_is_done_and_the_command_is_told(tmp_path: Path) -> None:
    async with bench(exhausted(), tmp_path) as guard:
        outcome = await guard.act(replace(ALLOWED, may_restart=False))
    assert (outcome.verdict, guard.restarts) == (GuardVerdict.STOP, 0)
    assert "--allow-restart" in outcome.decision.hint


async def test_a_restart_that_does_not_help_is_said_and_not_repeated(tmp_path: Path) -> None:
    async with bench(exhausted(), tmp_path) as guard:
        guard.heals = False
        outcome = await guard.act()
        assert (outcome.verdict, guard.restarts) == (GuardVerdict.STOP, 1)
        assert "it did not help" in outcome.decision.sentence
        again = await guard.act()
    assert (again.verdict, guard.restarts) == (GuardVerdict.STOP, 1)
    assert "gave leaked addresses back" in again.decision.sentence


async def test_a_unit_that_does_not_come_up_is_an_error_and_is_remembered(tmp_path: Path) -> None:
    async def fails() -> None:
        raise HostError("`systemctl restart -- docker.service` failed: exit code 1.")

    async with bench(exhausted(), tmp_path) as guard:
        with pytest.raises(HostError, match="failed"):
            await guard.act(restart=fails)
        assert last_restart(tmp_path) is not None
        assert not (await guard.act()).has_restarted


async def test_a_restart_that_cannot_be_written_down_is_not_made(tmp_path: Path) -> None:
    (tmp_path / MEMORY_FILE).mkdir()
    async with bench(exhausted(), tmp_path) as guard:
        outcome = await guard.act()
    assert (outcome.verdict, guard.restarts) == (GuardVerdict.STOP, 0)
    assert "not known when addresses were given back last" in outcome.decision.sentence


async def test_a_busy_swarm_is_not_restarted(tmp_path: Path) -> None:
    engine = exhausted()
    numbers = itertools.count()

    def deploy() -> None:
        a_network(engine, f"deploy{next(numbers)}", f"10.8.{next(numbers) % 256}.0/24")

    async with bench(engine, tmp_path, deploy) as guard:
        outcome = await guard.act()
    assert (outcome.verdict, guard.restarts) == (GuardVerdict.STOP, 0)
    assert "not quiet" in outcome.decision.sentence


async def test_unused_overlays_go_while_it_is_quiet_and_the_network_of_the_batch_never(
    tmp_path: Path,
) -> None:
    engine = a_swarm()
    a_network(engine)
    a_network(engine, "old", "10.9.0.0/24")
    engine.advance(4000)
    a_network(engine, "young", "10.9.1.0/24")
    engine.advance(10)
    async with bench(engine, tmp_path) as guard:
        outcome = await guard.act()
        assert outcome.pruning.removed_names == ("old",)
        assert "1 unused overlay removed: old." in outcome.decision.sentence
    assert {each.name for each in engine.store.networks.values()} >= {"proxy", "young", "ingress"}


async def test_an_unfinished_run_is_stood_back_from(tmp_path: Path) -> None:
    remember_restart(tmp_path, datetime.now(UTC) - timedelta(days=9))
    async with bench(exhausted(), tmp_path) as guard:
        inputs = replace(
            await guard.collector.inputs(), unfinished_run="The maintenance run x was interrupted."
        )
    assert decide(inputs, ALLOWED, SETTINGS.thresholds).verdict is GuardVerdict.STOP


async def test_services_parked_from_another_host_are_stood_back_from(tmp_path: Path) -> None:
    engine = exhausted()
    web = next(each for each in engine.store.services.values() if each.name == "web")
    web.spec["Labels"] = {"vipconsole.parked": '{"machine": "another", "run": "proxy-16"}'}
    async with bench(engine, tmp_path) as guard:
        outcome = await guard.act()
    assert (outcome.verdict, guard.restarts) == (GuardVerdict.STOP, 0)
    assert "until the run proxy-16 of the machine another brings" in outcome.decision.sentence
