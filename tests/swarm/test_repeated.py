"""A swarm read again and again: what did not change is the very same, and tasks are asked for after networks."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.errors import Unknown, known
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.stacks import Part, deploy
from console.swarm import parse
from console.swarm.engine_client import EngineClient
from console.swarm.model import SwarmState
from console.swarm.reader import EngineReader
from console.swarm.repeated import RepeatedReader, RowCache
from tests.support.engines import Simulation, simulation
from tests.support.monitors import CountingConnection

RECORDED = Path(__file__).with_name("recorded") / "20.10.24"
APP = (Part("app", ("proxy",), grace_s=2.0),)


@pytest.fixture(params=["1.41", "1.52"])
def simulated(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    engine = SimulatedEngine(EngineInfo(request.param))
    engine.networks.create({"Name": "proxy", "Driver": "overlay", "Attachable": True})
    for name in ("traefik", "ghost"):
        deploy(engine, name, APP)
    engine.advance(30)
    with simulation(engine) as running:
        yield running


class Rig:
    def __init__(self, host: str) -> None:
        self.connection = CountingConnection(host, 30)
        self.reader = RepeatedReader(self.connection)

    async def snapshot(self, *inspected: str) -> SwarmState:
        return await self.reader.next_state(30, lambda _: inspected)

    def inspections(self) -> list[str]:
        found = [each for each in self.connection.asked if each.startswith("inspect")]
        self.connection.asked.clear()
        return sorted(found)


@pytest.fixture
def rig(simulated: Simulation) -> Iterator[Rig]:
    found = Rig(simulated.host)
    yield found
    found.connection.close()


async def test_it_sees_what_a_single_look_sees(rig: Rig) -> None:
    again, once = await rig.snapshot(), await EngineReader(rig.connection).state(30)
    assert {each.id: each for each in known(again.networks, ())} == {
        each.id: each for each in known(once.networks, ())
    }
    assert (again.services, again.tasks, again.nodes) == (once.services, once.tasks, once.nodes)


async def test_what_did_not_change_is_the_very_same(rig: Rig) -> None:
    before, after = await rig.snapshot(), await rig.snapshot()
    assert after.networks is before.networks
    assert after.services is before.services
    assert after.tasks is before.tasks
    assert after.nodes is before.nodes


async def test_of_a_list_that_changed_the_rest_is_the_very_same(rig: Rig, simulated: Simulation) -> None:
    before = await rig.snapshot()
    simulated.running.run(lambda engine: deploy(engine, "late", APP))
    simulated.running.run(lambda engine: engine.advance(5))
    after = await rig.snapshot()
    old, new = known(before.services, ()), known(after.services, ())
    assert len(new) == len(old) + 1
    assert {id(each) for each in old} <= {id(each) for each in new}
    assert {id(each) for each in known(before.tasks, ())} <= {id(each) for each in known(after.tasks, ())}
    kept = {id(each) for each in known(after.networks, ())}
    assert all(id(each) in kept for each in known(before.networks, ()) if each.name != "proxy")


async def test_a_service_of_which_only_its_specification_changed_carries_the_new_one(
    rig: Rig, simulated: Simulation
) -> None:
    before = known((await rig.snapshot()).services, ())

    def update(engine: SimulatedEngine) -> None:
        service = engine.store.find_service("ghost_app")
        template = service.spec["TaskTemplate"]
        container = {**template["ContainerSpec"], "Env": ["COLOUR=blue"]}
        spec = {**service.spec, "TaskTemplate": {**template, "ContainerSpec": container}}
        engine.services.update(service.id, service.index, spec)

    simulated.running.run(update)
    after = {service.name: service for service in known((await rig.snapshot()).services, ())}
    changed = after["ghost_app"].spec["TaskTemplate"]["ContainerSpec"]
    assert changed["Env"] == ["COLOUR=blue"]
    assert [service.name for service in before if service is after[service.name]] == ["traefik_app"]


async def test_of_a_list_that_changed_only_the_rows_that_changed_are_parsed(
    rig: Rig, simulated: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.snapshot()
    parsed: list[str] = []

    def count(name: str, parser: Callable[[Any], object]) -> Callable[[Any], object]:
        def counted(data: Any) -> object:
            parsed.append(name)
            return parser(data)

        return counted

    for name in ("service", "task", "node"):
        monkeypatch.setattr(parse, name, count(name, getattr(parse, name)))
    simulated.running.run(lambda engine: deploy(engine, "late", APP))
    after = await rig.snapshot()
    assert sorted(parsed) == ["service", "task"]
    monkeypatch.undo()
    once = await EngineReader(rig.connection).lists(30)
    assert (after.services, after.tasks, after.nodes) == (once.services, once.tasks, once.nodes)


class CountedRows:
    """Reads lists as they are, and counts what is parsed."""

    def __init__(self) -> None:
        self._cache = RowCache()
        self._parsed = 0

    def read(self, answer: bytes) -> tuple[Any, int]:
        before = self._parsed
        return list(self._cache.read(answer, self._parse)), self._parsed - before

    def _parse(self, row: Any) -> Any:
        self._parsed += 1
        return row


def compact(rows: Any) -> bytes:
    return json.dumps(rows, separators=(",", ":")).encode() + b"\n"


def test_rows_are_told_apart_as_a_real_engine_writes_them() -> None:
    for name in ("services", "tasks", "nodes"):
        recorded = json.loads((RECORDED / f"{name}.json").read_bytes())
        rows = [{**row, "ID": f"{row['ID']}{turn}"} for turn in (1, 2) for row in recorded]
        cached = CountedRows()
        assert cached.read(compact(rows)) == (rows, len(rows))
        assert cached.read(compact(rows)) == (rows, 0)
        assert cached.read(compact(rows[1:])) == (rows[1:], 0)
        changed = [*rows[:-1], {**rows[-1], "Version": {"Index": -1}}]
        assert cached.read(compact(changed)) == (changed, 2)


TEXT = [{"ID": "a", "Label": '"},{"ID":"x"},{"ID":'}, {"ID": "b", "Label": "\\"}, {"ID": "\u6642"}]
NESTED = [{"ID": "a", "Volumes": [{"ID": "v"}, {"ID": "w"}]}, {"ID": "b"}]


def test_no_text_in_a_row_is_taken_for_the_end_of_one() -> None:
    cached = CountedRows()
    assert cached.read(compact(TEXT)) == (TEXT, 3)
    assert cached.read(compact([{"ID": "b"}, *TEXT])) == ([{"ID": "b"}, *TEXT], 1)


@pytest.mark.parametrize(
    "answer",
    [
        *(b"[]", b"null\n", b"5", b"{}", compact(NESTED), compact(NESTED[:1]), json.dumps(TEXT).encode()),
        *(b'[{"ID":"a"},{"ID":]', b'[{"ID":"a"},{"ID":"b"}', b'[{"ID":1},{"ID":2}],{"ID":3}]'),
    ],
)
def test_what_is_no_plain_list_of_rows_is_left_to_be_parsed_as_a_whole(answer: bytes) -> None:
    cached = CountedRows()
    assert cached.read(compact(TEXT))[0] == TEXT
    assert cached.read(answer)[0] == []
    assert cached.read(compact(TEXT))[0] == TEXT


@pytest.mark.parametrize(
    "answer", [compact(NESTED), b"null", b"[]", b"5", b'[{"ID":"a"},{"ID":"b"}]', b'[{"ID":]']
)
async def test_a_list_is_read_as_a_single_look_reads_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    await rig.snapshot()
    monkeypatch.setattr(EngineClient, "get", lambda *_: answer)
    again, once = await rig.snapshot(), await EngineReader(rig.connection).lists(30)
    assert (again.services, again.tasks, again.nodes) == (once.services, once.tasks, once.nodes)


async def test_networks_are_inspected_when_they_are_new_or_chosen(rig: Rig, simulated: Simulation) -> None:
    state = await rig.snapshot()
    assert len(rig.inspections()) == 4
    proxy = next(each for each in known(state.networks, ()) if each.name == "proxy")
    assert not isinstance(proxy.detail, Unknown)
    await rig.snapshot()
    assert rig.inspections() == []
    again = await rig.snapshot(proxy.id)
    assert rig.inspections() == ["inspect the network proxy"]
    assert again.networks is state.networks
    simulated.running.run(lambda engine: engine.networks.create({"Name": "new", "Driver": "overlay"}))
    await rig.snapshot()
    assert rig.inspections() == ["inspect the network new"]


async def test_whoever_chooses_sees_the_details_of_earlier_looks(rig: Rig) -> None:
    seen: list[SwarmState] = []

    def choose(state: SwarmState) -> list[str]:
        seen.append(state)
        return []

    await rig.reader.next_state(30, choose)
    await rig.reader.next_state(30, choose)
    first, second = (
        [isinstance(each.detail, Unknown) for each in known(state.networks, ()) if each.is_overlay]
        for state in seen
    )
    assert all(first)
    assert not any(second)


async def test_tasks_are_asked_for_when_the_networks_are_there(rig: Rig) -> None:
    await rig.snapshot()
    asked = rig.connection.asked
    assert asked.index("list the networks") < asked.index("list the tasks")
    assert asked.index("list the services") < asked.index("list the tasks")


async def test_a_removed_network_that_lingers_on_its_node_is_no_overlay(
    rig: Rig, simulated: Simulation
) -> None:
    before = await rig.snapshot()
    own = next(each for each in known(before.networks, ()) if each.name == "ghost_internal")

    def remove(engine: SimulatedEngine) -> None:
        service = engine.store.find_service("ghost_app")
        engine.services.remove(service.id)
        engine.networks.remove(own.id)

    simulated.running.run(remove)
    after = await rig.snapshot()
    copy = next(each for each in known(after.networks, ()) if each.id == own.id)
    assert copy.created != own.created
    if simulated.model.identity.api < (1, 52):
        assert (copy.is_leftover, copy.is_overlay) == (True, False)
    simulated.running.run(lambda engine: engine.advance(20))
    assert own.id not in {each.id for each in known((await rig.snapshot()).networks, ())}


async def test_a_network_that_cannot_be_inspected_is_unknown_and_then_known_again(
    rig: Rig, simulated: Simulation
) -> None:
    state = await rig.snapshot()
    proxy = next(each for each in known(state.networks, ()) if each.name == "proxy")
    simulated.break_call("/networks/*", "cut")
    broken = next(each for each in known((await rig.snapshot(proxy.id)).networks, ()) if each.name == "proxy")
    assert isinstance(broken.detail, Unknown)
    simulated.mend()
    assert (await rig.snapshot(proxy.id)).networks == state.networks


@pytest.mark.parametrize("path", ["/networks", "/services", "/tasks", "/nodes", "/info"])
async def test_a_list_that_fails_is_unknown_and_the_others_stand(
    rig: Rig, simulated: Simulation, path: str
) -> None:
    before = await rig.snapshot()
    simulated.break_call(path, "garbage")
    state = await rig.snapshot()
    parts = {
        "/info": state.engine,
        "/networks": state.networks,
        "/services": state.services,
        "/tasks": state.tasks,
        "/nodes": state.nodes,
    }
    assert {key for key, part in parts.items() if isinstance(part, Unknown)} == {path}
    simulated.mend()
    after = await rig.snapshot()
    assert after.services is before.services
    assert after.tasks is before.tasks


async def test_a_removal_in_the_middle_of_a_look_leaves_nothing_behind(
    rig: Rig, simulated: Simulation
) -> None:
    await rig.snapshot()

    def choose(state: SwarmState) -> list[str]:
        def remove(engine: SimulatedEngine) -> None:
            for service in list(engine.store.services.values()):
                if service.name == "ghost_app":
                    engine.services.remove(service.id)
            engine.advance(20)
            for network in list(engine.store.networks.values()):
                if network.name == "ghost_internal":
                    engine.networks.remove(network.id)

        simulated.running.run(remove)
        return [each.id for each in known(state.networks, ()) if each.is_overlay]

    state = await rig.reader.next_state(30, choose)
    assert "ghost_internal" not in {each.name for each in known(state.networks, ())}
