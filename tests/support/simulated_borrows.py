"""Managers borrowed on a simulated swarm of one: what may end them at any moment, and how the swarm is afterwards."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from console.errors import known
from console.operations.borrow.facts import read_facts
from console.operations.borrow.options import BorrowCaller, BorrowOptions
from console.operations.borrow.session import BorrowOutcome, BorrowSession
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.host.borrowing import SimulatedHost
from console.simulator.host.temporary import SimulatedTemporaryEngine
from console.storage.borrow import BorrowRecord, BorrowStore
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.parse import REBUILT_LABEL
from console.swarm.reader import EngineReader
from tests.simulator.swarms import START, a_network, a_service
from tests.support.engines import Simulation, simulation
from tests.support.simtime import BEGAN
from tests.support.simulated_handovers import containers, leader_of, roles
from tests.support.temporary import temporary_of

HERE = "ci-host"
OWNER = "this-machine/7"
HEARTBEAT_NS = 5_000_000_000
STEP_S = 1.0
"""The least that time moves: what is asked every 0.1 s on a real host is asked as often as it can matter here."""


class Killed(BaseException):
    """The program was killed: nothing of it goes on."""


@dataclass
class BorrowTime:
    """The swarm's time. It passes while the program's own task sleeps; what the program does beside that wakes in between."""

    running: Simulation
    _own: "asyncio.Task[Any] | None" = None
    _passed: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> Any:
        return BEGAN + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return self.running.model.store.timeline.elapsed_s

    def belong_to_this_task(self) -> None:
        self._own = asyncio.current_task()

    async def sleep(self, seconds: float) -> None:
        seconds = max(seconds, STEP_S)
        if asyncio.current_task() is self._own:
            self.running.running.run(lambda model: model.advance(seconds))
            passed, self._passed = self._passed, asyncio.Event()
            passed.set()
            await asyncio.sleep(0)
            return
        end_s = self.monotonic() + seconds
        while self.monotonic() < end_s:
            await self._passed.wait()


@dataclass
class BorrowWorld:
    """A swarm of one manager with leaks on `proxy`, and what borrows another one for it."""

    running: Simulation
    state: Path
    temporary: SimulatedTemporaryEngine
    before: dict[str, str]
    owner: str = OWNER
    key: str = ""
    rotates_tokens: bool = False
    told: list[str] = field(default_factory=list)

    @property
    def model(self) -> SimulatedEngine:
        return self.running.model

    @property
    def store(self) -> BorrowStore:
        return BorrowStore(self.state)

    @property
    def host(self) -> SimulatedHost:
        return SimulatedHost(self.temporary)

    @property
    def options(self) -> BorrowOptions:
        return BorrowOptions(self.state, "docker.service", self.key, self.rotates_tokens)

    async def run(self) -> BorrowOutcome:
        """Borrow a manager."""
        with self._connection() as connection:
            swarm = await EngineReader(connection).state(10)
            facts = await read_facts(connection, swarm, self.options, self.host)
            leader = next(node for node in known(swarm.nodes, ()) if node.is_leader)
            return await self._session(connection).run(facts, leader)

    async def finish(self) -> BorrowOutcome | None:
        """Finish one that was cut short; None where there is none. The program is another process then."""
        record = self.store.read()
        if record is None:
            return None
        with self._connection() as connection:
            return await self._session(connection).finish(record)

    def is_free(self) -> bool:
        """Whether every leaked address is free again."""
        return self.model.addresses_of("proxy", "leaked") == []

    def pass_time(self, seconds: float) -> None:
        self.running.running.run(lambda model: model.advance(seconds))

    def kill_temporary(self, back_after_s: float | None = None, *, loses_data: bool = False) -> None:
        """Kill the temporary manager; its unit starts it again after so long, or nobody does."""
        self.running.control("temporary", {"act": "kill", "back_after_s": back_after_s})
        if loses_data:
            self.running.control("temporary", {"act": "lose_data"})

    def _session(self, connection: EngineConnection) -> BorrowSession:
        clock = BorrowTime(self.running)
        clock.belong_to_this_task()
        caller = BorrowCaller(self.owner, lambda _: None, self.told.append)
        return BorrowSession(connection, self.host, clock, caller, self.options)

    @contextmanager
    def _connection(self) -> Iterator[EngineConnection]:
        connection = EngineConnection(self.running.host, 30)
        try:
            yield connection
        finally:
            connection.close()

    async def require_as_before(self) -> None:
        """Fail unless the swarm is what it was, nothing is left of the temporary manager, and no container ended."""
        self.pass_time(40.0)
        model, spec = self.model, self.model.membership.spec
        assert (roles(model), leader_of(model)) == ({HERE: "manager"}, HERE)
        assert (model.node.state, model.node.availability) == ("ready", "active")
        # That its allocator is a new one stays noted.
        assert set(model.node.labels) <= {REBUILT_LABEL}
        assert (spec["Dispatcher"]["HeartbeatPeriod"], spec["Labels"]) == (HEARTBEAT_NS, {})
        assert containers(model) == self.before
        assert await self.temporary.leftovers() == ()
        assert not self.store.folder.exists()


@contextmanager
def borrow_world(folder: Path, *, is_locked: bool = False) -> Iterator[BorrowWorld]:
    """Serve a swarm of one manager, two of whose addresses leaked, with tasks that only a manager may run."""
    engine = SimulatedEngine(EngineInfo("1.41"), START)
    proxy, own = a_network(engine, subnet="10.0.1.0/26"), a_network(engine, "own", "10.0.2.0/26")
    a_service(engine, proxy, name="traefik", replicas=3, constraint="node.role==manager")
    leaky = a_service(engine, proxy, own, name="leaky", replicas=2)
    engine.advance(10.0)
    engine.services.remove(leaky)
    engine.networks.remove(own)
    engine.advance(20.0)
    assert len(engine.addresses_of("proxy", "leaked")) == 2
    if is_locked:
        spec = {**engine.membership.spec, "EncryptionConfig": {"AutoLockManagers": True}}
        engine.membership.update(str(engine.membership.index), spec, roles=(), is_key_new=False)
    with simulation(engine) as running:
        yield BorrowWorld(running, folder / "state", temporary_of(running), containers(engine))


class Moments:
    """Counts the moments of a borrowed manager, before and after each write and each change, and lets something happen at one."""

    def __init__(self, at: int, happen: Callable[[], object]) -> None:
        self._at = at
        self._happen = happen
        self.count = 0

    def pass_one(self) -> None:
        self.count += 1
        if self.count == self._at:
            self._happen()


@contextmanager
def happening_at(at: int, happen: Callable[[], object]) -> Iterator[Moments]:
    """Let something happen at a moment of that number, from 1 on."""
    moments = Moments(at, happen)
    write, node, swarm = BorrowStore.write, EngineChanger.update_node, EngineChanger.update_swarm

    def write_record(self: BorrowStore, record: BorrowRecord) -> None:
        moments.pass_one()
        write(self, record)
        moments.pass_one()

    async def update_node(
        self: EngineChanger, node_id: str, change: Callable[[dict[str, Any]], None]
    ) -> None:
        moments.pass_one()
        await node(self, node_id, change)
        moments.pass_one()

    async def update_swarm(self: EngineChanger, change: Callable[[dict[str, Any]], None]) -> None:
        moments.pass_one()
        await swarm(self, change)
        moments.pass_one()

    with (
        patch.object(BorrowStore, "write", write_record),
        patch.object(EngineChanger, "update_node", update_node),
        patch.object(EngineChanger, "update_swarm", update_swarm),
    ):
        yield moments


def kill_program() -> None:
    """Let the program end on the spot."""
    raise Killed


async def until_killed(world: BorrowWorld) -> BorrowOutcome | None:
    """Borrow a manager, as far as it gets."""
    with suppress(Killed):
        return await world.run()
    return None
