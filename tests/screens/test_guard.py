"""`vipconsole guard` and `vipconsole reclaim`, as an operator and a scheduler start them."""

import json
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.host.identity import machine_id
from console.operations.probes import ProbeOwner, probe_spec
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.server import serve_in_thread
from tests.simulator.swarms import a_network, a_swarm
from tests.support.changes import operator
from tests.support.engines import simulation
from tests.support.program import vipconsole
from tests.support.swarms import NOW


def settings(folder: Path, **guard: object) -> str:
    path = folder / "config.toml"
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in guard.items())
    path.write_text(f'[quiet]\ndwell_s = 1\ndeploy_tools = ["no-such-tool"]\n[guard]\n{lines}')
    return str(path)


def test_a_healthy_swarm_is_one_line_with_its_figures(tmp_path: Path) -> None:
    engine = a_swarm()
    a_network(engine)
    with simulation(engine) as running:
        said = vipconsole("guard", "--host", running.host, "--config", settings(tmp_path))
        as_json = vipconsole("guard", "--host", running.host, "--config", settings(tmp_path), "--json").json
    assert (said.code, said.out) == (
        0, "GUARD OK - proxy has 13 of 13 addresses free. | 'free'=13;;;0;13\n",
    )  # fmt: skip
    assert (as_json["schema"], as_json["verdict"], as_json["exit_code"]) == ("vipconsole.guard/1", "go", 0)


def test_metrics_are_written_for_a_collector(tmp_path: Path) -> None:
    engine = a_swarm()
    a_network(engine)
    target = tmp_path / "guard.prom"
    with simulation(engine) as running:
        vipconsole(
            *("guard", "--host", running.host, "--config", settings(tmp_path), "--prometheus", str(target))
        )
    assert "vipconsole_guard_last_exit_code 0.0\n" in target.read_text()


def test_a_network_that_is_not_there_is_no_place_for_a_batch(tmp_path: Path) -> None:
    with simulation(a_swarm()) as running:
        said = vipconsole("guard", "--host", running.host, "--config", settings(tmp_path))
    assert said.code == 2
    assert "There is no overlay named proxy." in said.out


def test_an_engine_that_is_gone_is_unknown(tmp_path: Path) -> None:
    said = vipconsole("guard", "--host", "unix:///nonexistent", "--config", settings(tmp_path))
    assert said.code == 3
    assert said.out.startswith("GUARD UNKNOWN - ")


def test_the_dry_run_tells_what_would_be_done_and_does_nothing(tmp_path: Path) -> None:
    engine = a_swarm()
    a_network(engine)
    a_network(engine, "old", "10.9.0.0/24")
    engine.advance(4000)
    with simulation(engine) as running, operator() as root:
        arguments = ("guard", "--host", running.host, "--config", settings(tmp_path))
        dry = root.run(*arguments, "--dry-run")
        assert "would remove the unused overlay old" in dry.out
        assert "old" in {each.name for each in engine.store.networks.values()}
        kept = root.run(*arguments, "--no-prune", "--dry-run")
        assert "would change nothing" in kept.out
        done = root.run(*arguments)
        assert "1 unused overlay removed: old." in done.out
    assert "old" not in {each.name for each in engine.store.networks.values()}
    assert (dry.code, done.code) == (0, 0)


def test_another_machine_that_changes_the_swarm_is_stood_back_from(tmp_path: Path) -> None:
    engine = a_swarm()
    proxy = a_network(engine)
    a_network(engine, "old", "10.9.0.0/24")
    engine.services.create(dict(probe_spec(ProbeOwner("elsewhere", 77), proxy)))
    engine.advance(4000)
    with simulation(engine) as running, operator() as root:
        said = root.run("guard", "--host", running.host, "--config", settings(tmp_path))
    assert said.code == 2
    assert "GUARD CRITICAL - Another machine is changing this swarm: 1 probe of machine elsewhere" in said.out
    assert "old" in {each.name for each in engine.store.networks.values()}


def test_where_leaks_are_unknown_a_census_tells_whether_there_is_enough(tmp_path: Path) -> None:
    engine = a_swarm("1.41")
    a_network(engine)
    socket = tmp_path / "engine.sock"
    with serve_in_thread(engine, socket, SystemClock()), operator() as root:
        arguments = (
            "guard",
            "--host",
            str(socket),
            "--config",
            settings(tmp_path, prune=False),
            "--need",
            "4",
        )
        dry = root.run(*arguments, "--dry-run")
        done = root.run(*arguments)
    assert (dry.code, done.code) == (3, 0), done.out + done.err
    assert "vipconsole census proxy" in dry.out
    assert "and 4 are needed" in done.out


@pytest.mark.parametrize("need", ["-1", "many", "1.5", "99999999999"])
def test_a_need_that_is_no_number_is_wrong_usage(need: str) -> None:
    assert vipconsole("guard", f"--need={need}").code == 64


def three(leader: str) -> SimulatedEngine:
    others = [("two", "manager"), ("three", "manager")]
    return SimulatedEngine(EngineInfo("1.52", host="one"), NOW, others=others, leader=leader)


def test_a_single_manager_elsewhere_is_told_that_there_is_no_cure_from_here() -> None:
    with simulation(a_swarm()) as running, operator() as root:
        said = root.run("reclaim", "--yes", "--host", running.host)
        by_handover = root.run("reclaim", "--yes", "--by", "handover", "--host", running.host)
    assert (said.code, by_handover.code) == (3, 3)
    assert "is not restarted" in said.err
    assert "needs 3 reachable managers, and there is 1" in by_handover.err
    # What cannot be done is not announced.
    assert "stops and comes back" not in said.err
    assert "systemctl" not in said.err
    assert "takes the lead" not in by_handover.err
    assert "docker node" not in by_handover.err


def test_on_the_leader_it_is_told_where_to_run() -> None:
    with simulation(three("one")) as running, operator() as root:
        said = root.run("reclaim", "--yes", "--host", running.host)
    assert said.code == 3
    assert "cannot promote itself" in said.err
    assert "name its engine with --via" in said.err
    assert "takes the lead" not in said.err


def test_on_three_managers_it_is_told_what_happens_to_whom_before_the_question() -> None:
    engine = three("two")
    network = a_network(engine)
    edge = engine.services.create(
        {
            "Name": "edge",
            "TaskTemplate": {
                "ContainerSpec": {"Image": "busybox"},
                "Networks": [{"Target": network}],
                "Placement": {"Constraints": ["node.role == manager"]},
            },
            "Mode": {"Global": {}},
        }
    )
    engine.advance(10.0)
    assert len(engine.store.tasks_of(edge)) == 3
    with simulation(engine) as running, operator() as root:
        said = root.run("reclaim", "--host", running.host)
        assert said.code == 64
        assert "No container stops. two is paused meanwhile: no new task starts on it." in said.err
        assert "Do not update edge meanwhile" in said.err
        commands = [each for each in said.err.splitlines() if each.startswith("  docker")]
        assert [each.split("#")[0].strip() for each in commands] == [
            "docker node update --availability pause two",
            "docker node demote two",
            "docker node promote two",
            "docker node update --availability active two",
        ]
        engine.set_node("two", availability="drain")
        drained = root.run("reclaim", "--host", running.host)
    assert "two keeps its availability (drain)" in drained.err
    assert "--availability" not in drained.err


def test_another_machines_hand_over_is_told_before_anything_else() -> None:
    engine = three("two")
    engine.store.find_node("two").labels["vipconsole.handover"] = "another-machine/7"
    with simulation(engine) as running, operator() as root:
        said = root.run("reclaim", "--yes", "--host", running.host)
    assert said.code == 3
    assert "Another machine is handing over the lead" in said.err
    assert "takes the lead" not in said.err


@pytest.mark.parametrize("is_short", [False, True])
def test_one_that_was_cut_short_is_ended_and_it_says_how(*, is_short: bool) -> None:
    engine = three("two")
    two = engine.store.find_node("two")
    two.availability = "pause"
    two.labels = {
        "vipconsole.handover": f"{machine_id()}/7",
        "vipconsole.handover.availability": "active",
    }
    two.is_leader = not is_short
    engine.store.find_node("three").is_leader = is_short
    if not is_short:
        engine.set_node("three", state="down")
    with simulation(engine, clock=SystemClock()) as running, operator() as root:
        done = root.run("reclaim", "--yes", "--host", running.host)
    assert (two.availability, two.labels) == ("active", {})
    assert "A hand-over was interrupted: two becomes what it was before. No container stops." in done.err
    assert "docker node update --availability active --label-rm vipconsole.handover" in done.err
    if is_short:
        assert done.code == 0
        assert "A hand-over was finished: three leads, two is a manager again" in done.out
    else:
        assert done.code == 1
        assert "was undone: two leads and is as it was before" in done.out
        assert "No address was given back. A hand-over needs 3 reachable managers" in done.out


def test_without_a_confirmation_nothing_is_handed_over() -> None:
    engine = three("two")
    with simulation(engine) as running, operator() as root:
        said = root.run("reclaim", "--host", running.host)
    assert said.code == 64
    assert next(each.hostname for each in engine.store.nodes.values() if each.is_leader) == "two"


def test_a_context_that_is_not_there_is_wrong_usage() -> None:
    with operator() as root:
        assert root.run("reclaim", "--yes", "--via", "no-such-context").code == 64
