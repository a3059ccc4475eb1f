"""The shipped runbook from end to end on a real engine: the overlay becomes a /16 under everything that is on it, and back."""

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from console.swarm.client import EngineConnection
from tests.contract.traits import EngineTraits
from tests.contract.world import JSON, World
from tests.engine.lab import Engine, running_engine
from tests.engine.recreations import Stage, small_stacks
from tests.support.changes import Operator, operator

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(600)]

RUNBOOK = Path(__file__).parents[2] / "runbook.yaml"
OLD, NEW = "10.0.1.0/26", "10.10.0.0/16"
"""The old one is a quarter of a usual one, so that its census, and each walk of a test's own, takes a quarter as long."""
ROUNDED_S = 1.0
"""The report tells outages in whole seconds; with as much for the moment between a container and its task's state."""


def quick(folder: Path) -> str:
    """Return the shipped runbook with a shorter time of quiet."""
    path = folder / "runbook.yaml"
    path.write_text(RUNBOOK.read_text().replace("stable_for: 60s", "stable_for: 3s"))
    return str(path)


@dataclass(frozen=True)
class Seen:
    """What the engine told while somebody listened: when each container of a service started and ended."""

    path: Path

    def down_s(self) -> dict[str, float]:
        """Return for each service from its first container that ended to the last one that started, in seconds."""
        at = defaultdict[str, dict[str, list[float]]](lambda: {"start": [], "die": []})
        for line in self.path.read_text().splitlines():
            event = json.loads(line)
            name = event["Actor"]["Attributes"].get("com.docker.swarm.service.name")
            if name:
                at[name][event["Action"]].append(event["timeNano"] / 1e9)
        return {name: max(each["start"]) - min(each["die"]) for name, each in at.items()}


@contextmanager
def listening(engine: Engine, path: Path) -> Iterator[Seen]:
    """Listen to what containers do, for as long as this lasts."""
    with path.open("w") as told:
        command = ("docker", "--host", engine.host, "events", "--format", "{{json .}}")
        # On a loaded machine it may be late to listen: what it missed is told from this moment on.
        since = ("--since", f"{time.time():.9f}")
        wanted = (*since, "--filter", "type=container", "--filter", "event=start", "--filter", "event=die")
        with subprocess.Popen([*command, *wanted], stdout=told) as process:
            try:
                yield Seen(path)
            finally:
                process.terminate()


def report(root: Operator, run: str) -> JSON:
    said = root.run("report", run, "--json")
    assert said.code == said.json["exit_code"], said.err
    return dict(said.json)


def run_of(said: str) -> str:
    (name,) = (
        line.removeprefix("vipconsole: run ")
        for line in said.splitlines()
        if line.startswith("vipconsole: run ")
    )
    return name


def outages_in(step: JSON) -> dict[str, tuple[float, float]]:
    """Return for each service that a report lists how long it was down, and the least that would have taken."""
    found = {}
    for each in step["outputs"]["outages"]:
        name, _, rest = each.partition(": down for ")
        down, _, floor = rest.partition(" s (stopping and starting alone take ")
        found[name] = float(down), float(floor.removesuffix(" s)"))
    assert len(found) == len(step["outputs"]["outages"])
    return found


def check_outages(step: JSON, running: dict[str, int], seen: Seen) -> None:
    """Compare the outages that a report tells with what the engine told meanwhile."""
    told, down_s = outages_in(step), seen.down_s()
    began, ended = (datetime.fromisoformat(step[each]) for each in ("began_at", "ended_at"))
    whole_s, floor_s = step["outputs"]["outage_s"], step["outputs"]["floor_s"]
    assert set(told) == set(down_s) == {name for name, count in running.items() if count}
    for name, (outage_s, least_s) in told.items():
        assert 0 < least_s <= outage_s <= whole_s + ROUNDED_S, name
        assert outage_s >= down_s[name] - ROUNDED_S, name
    assert 0 < floor_s <= whole_s <= step["took_s"] <= (ended - began).total_seconds() + ROUNDED_S
    assert whole_s >= max(down_s.values()) - ROUNDED_S


def check_network(step: JSON, subnet: str, capacity: int, held: int, traits: EngineTraits) -> None:
    """Compare the account of the network that a report holds with one's own."""
    (account,) = step["outputs"]["network"]
    assert (account["name"], account["subnets"], account["capacity"]) == ("proxy", [subnet], capacity)
    # Only an engine that counts tells what leaked.
    known = (held, 0, capacity - held) if traits.counts_addresses else (held, None, None)
    assert (account["accounted"], account["leaked"], account["free"]) == known
    assert account["free_at_most"] == capacity - held


def test_the_window_makes_it_larger_as_it_was_and_undo_brings_it_back(tmp_path: Path) -> None:
    with (
        running_engine() as engine,
        World(engine.socket, time.sleep, engine.restart, "engine") as world,
        operator() as root,
    ):
        connection = EngineConnection(engine.host, 30)
        try:
            stage = Stage(engine, world, connection, tmp_path, "proxy", OLD, small_stacks())
            stage.deploy()
            there_and_back(stage, root)
        finally:
            connection.close()


def there_and_back(stage: Stage, root: Operator) -> None:
    before, held = stage.facts(), len(stage.held("proxy"))
    assert len(before["specs"]) == 6
    assert stage.leaked() == {}
    arguments = (
        *("run", quick(stage.folder), "--headless", "--host", stage.engine.host),
        *("--set", "may_change_address=proxy-*", "--set", "first=*_web"),
    )

    with listening(stage.engine, stage.folder / "there.events") as seen:
        done = root.run(*arguments, "--confirm", "recreate=proxy", "--confirm", "switch=switch", within_s=300)

    assert done.code == 0, done.out
    assert stage.subnets() == [NEW]
    assert stage.facts() == before
    assert stage.leaked() == {}
    run = run_of(done.err)
    told = report(root, run)
    assert (told["state"], told["exit_code"], told["blocks"], told["left_behind"]) == ("done", 0, False, [])
    steps = {each["id"]: each for each in told["steps"]}
    states = {name: each["state"] for name, each in steps.items()}
    assert {name for name, state in states.items() if state != "done"} == {"build", "switch"}
    assert (states["build"], states["switch"]) == ("skipped", "skipped")
    recreate = steps["recreate"]
    check_outages(recreate, before["running"], seen)
    check_network(steps["before"], OLD, 61, held, stage.world.traits)
    check_network(steps["after"], NEW, 65_533, len(stage.held("proxy")), stage.world.traits)
    outputs = recreate["outputs"]
    assert (outputs["subnet"], outputs["differences"], outputs["newcomers"]) == (NEW, [], [])
    assert outputs["rolls_back_to_parked"] == []
    assert all(each["is_finished"] for each in recreate["changed_objects"])
    for each in ("reproduce", "verify"):
        assert (steps[each]["outputs"]["naive"], steps[each]["outputs"]["safe"]) == (3, 0)
    assert (steps["census"]["outputs"]["leaked"], steps["census"]["outputs"]["addresses"]) == (0, [])
    assert steps["census-after"]["outputs"]["leaked"] is None
    page = root.run("report", run, "--full").out
    assert "No address of proxy leaked." in page
    assert "Leaks of proxy are unknown: proxy can have" in page
    assert f"{run}`, done (exit code 0)" in page
    assert all(each in page for each in (*outputs["outages"], NEW, f'"outage_s": {outputs["outage_s"]}'))
    assert "hunter2" not in page + json.dumps(told)

    with listening(stage.engine, stage.folder / "back.events") as seen:
        said = root.run("decide", run, "recreate", "undo")
        assert said.code == 0, said.err
        undone = root.run("attach", run, "--headless", within_s=300)

    # What lies before it stays done, and says how it is undone as well.
    assert undone.code == 1, undone.out
    assert "Undone back to recreate. Not undone: reproduce, census." in undone.out
    assert set(seen.down_s()) == {name for name, count in before["running"].items() if count}
    assert stage.subnets() == [OLD]
    assert stage.facts() == before
    assert stage.address("proxy-fixed") == stage.given_address
    assert stage.leaked() == {}
    assert report(root, run)["blocks"]
    assert root.run("decide", run, "reproduce", "undo").code == 0
    assert root.run("attach", run, "--headless", within_s=60).code == 1
    told = report(root, run)
    assert (told["state"], told["blocks"], told["left_behind"]) == ("undone", False, [])
