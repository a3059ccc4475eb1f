"""`allocator.reclaim`: leaked addresses back in a run, by a hand-over or by a borrowed manager."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from console.errors import Declined, Result, StepFailed, Unknown
from console.host.identity import machine_id
from console.host.temporary.values import INTERFACE, Cable, TemporaryEngine
from console.operations.borrow import this_host
from console.runbook.actions.registry import action_by_name
from console.runbook.contracts import Answer
from console.runbook.language.values import Effect
from console.runbook.store.viewer import decline_if_unfinished
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.storage.borrow import BorrowPhase, BorrowStore
from console.swarm.model import Engine
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.benches import Bench, bench, is_yes
from tests.support.borrowing import borrow_record
from tests.support.swarms import NOW
from tests.support.temporary import temporary_of

NAME = "allocator.reclaim"
BORROW, HANDOVER = {"by": "borrow"}, {"by": "handover"}
CABLE = Cable(INTERFACE, "198.18.0.1", "198.18.0.2", 30, "192.0.2.10")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path))
    return tmp_path


@dataclass(frozen=True)
class PaperHost:
    """A host on which a manager can be borrowed: the simulated one's."""

    bench: Bench

    async def why_foreign(self, address: str, engine: Result[Engine]) -> Unknown | None:  # noqa: ARG002
        return None

    async def why_not_allowed(self) -> Unknown | None:
        return None

    async def find_cable(self, manager_address: str, used: Iterable[IPv4Network]) -> Cable:  # noqa: ARG002
        return CABLE

    def require_room(self, root_dir: str, state: Path) -> None:
        """There is room."""

    def copy_state(self, root_dir: str, folder: Path) -> None:
        """The simulation keeps no state of its swarm on disk."""

    async def temporary_engine(self, version: str, folder: Path) -> TemporaryEngine:  # noqa: ARG002
        return temporary_of(self.bench.running, self.bench.clock)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A swarm with one manager, on a host where one can be borrowed."""
    engine = a_swarm()
    a_service(engine, a_network(engine), name="traefik", replicas=2, constraint="node.role==manager")
    engine.advance(10.0)
    with bench(engine) as ready:
        ready.is_read_only = False
        ready.timeout_s = 300

        monkeypatch.setattr(this_host, "host_of", lambda *_: PaperHost(ready))
        monkeypatch.setattr(this_host, "SystemClock", lambda: ready.clock)
        yield ready


def containers(host: Bench) -> set[str]:
    return {task.container_id for task in host.model.store.tasks.values() if task.state == "running"}


def test_it_changes_and_is_no_outage() -> None:
    assert action_by_name(NAME).effect is Effect.CHANGE


async def test_the_plan_of_a_borrowed_manager_names_every_step_and_the_risk(host: Bench) -> None:
    planned = await host.plan(NAME, **BORROW)
    assert "No container stops." in planned.summary
    assert "For 5 to 20 s the second dockerd is the only manager." in planned.summary
    assert any(step.startswith("docker node demote ci-host") for step in planned.changes)
    assert planned.refused == ()


async def test_addresses_come_back_and_no_container_stops(host: Bench, state: Path) -> None:
    before = containers(host)
    assert not is_yes(await host.probe(NAME, **BORROW))
    outputs = await host.act(NAME, **BORROW)
    assert outputs == {"old_leader": "ci-host", "new_leader": "ci-host"}
    assert is_yes(await host.verify(NAME, outputs, **BORROW))
    assert containers(host) == before
    assert BorrowStore(state).read() is None
    assert host.change_recorder.lines[0][3] == "borrow a manager"
    assert host.change_recorder.states[1] == {"leader": "ci-host", "gave_back": True}
    with pytest.raises(Declined, match="nothing is to be brought back"):
        await host.undo(NAME, outputs, **BORROW)


async def test_one_that_is_unfinished_is_neither_done_nor_verified_and_its_run_finishes_it(
    host: Bench, state: Path
) -> None:
    node = host.model.store.find_node("ci-host")
    record = borrow_record(BorrowPhase.PREPARING, "start the temporary manager")
    BorrowStore(state).write(replace(record, node_id=node.id, owner=f"{machine_id()}/{host.run_id}"))
    assert (await host.probe(NAME, **BORROW)).answer is Answer.NO
    assert "A borrowed manager was interrupted" in (await host.plan(NAME, **BORROW)).summary
    with pytest.raises(Declined, match="The borrowed manager is unfinished"):
        decline_if_unfinished(state)
    with pytest.raises(Declined, match="The borrowed manager is unfinished"):
        decline_if_unfinished(state, but="another-run")
    decline_if_unfinished(state, but=host.run_id)
    with pytest.raises(StepFailed, match="No address was given back"):
        await host.act(NAME, **BORROW)
    assert BorrowStore(state).read() is None
    assert (await host.probe(NAME, **BORROW)).answer is Answer.NO


async def test_where_none_can_be_borrowed_the_plan_says_why(
    host: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> Cable:
        raise Declined("It advertises a loopback address.", "Change it.")

    monkeypatch.setattr(PaperHost, "find_cable", refuse)
    planned = await host.plan(NAME, **BORROW)
    assert planned.refused == ("It advertises a loopback address. Change it.",)
    with pytest.raises(Declined, match="loopback"):
        await host.act(NAME, **BORROW)


async def test_a_limit_in_which_it_would_be_cut_short_is_refused(host: Bench) -> None:
    host.timeout_s = 60
    (refused,) = (await host.plan(NAME, **BORROW)).refused
    assert "the limit of this step is 60 s. Give it `timeout: 5m`." in refused


async def test_a_hand_over_is_that_of_its_own_action() -> None:
    others = [("two", "manager"), ("three", "manager")]
    engine = SimulatedEngine(EngineInfo("1.52", host="one"), NOW, others=others, leader="two")
    a_service(engine, a_network(engine), name="traefik", replicas=3, constraint="node.role==manager")
    engine.advance(10.0)
    with bench(engine) as host:
        host.is_read_only = False
        assert await host.plan(NAME, **HANDOVER) == await host.plan("allocator.handover")
        outputs = await host.act(NAME, **HANDOVER)
        assert outputs["old_leader"] == "two"
        assert is_yes(await host.verify(NAME, outputs, **HANDOVER))
        with pytest.raises(Declined):
            await host.undo(NAME, outputs, **HANDOVER)
        host.timeout_s = 300
        assert "one manager only" in (await host.plan(NAME, **BORROW)).refused[0]
