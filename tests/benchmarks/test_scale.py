"""Commands and the console on swarms of 50 to 5,000 services, and on a nearly full /16; it writes the figures of docs/performance.md.

Each figure stands beside its floor of the same round: the bare minimum that does the same calls.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.addresses.forecast import Point
from console.storage.history import HistoryStore
from tests.benchmarks.test_console import FLOOR as EMPTY_TABLE
from tests.benchmarks.test_console import memory_mb
from tests.benchmarks.test_glance import BY_SHELL, FLOOR
from tests.support.costs import Cost, cost_of, median_of
from tests.support.performance import (
    COMMANDS,
    CONSOLE,
    COUNTING,
    FIGURES,
    FULL,
    IN_A_FULL_SWARM,
    NOT_COUNTING,
    SIZES,
    Figure,
    Measurement,
    write_figures,
)
from tests.support.program import PROGRAM, program_environment
from tests.support.terminal import on_terminal

pytestmark = pytest.mark.benchmark

ROUNDS = {50: 5, 200: 5, 1000: 5, 5000: 3}
FULL_ROUNDS = 1
BESIDE_SHELL = (50, 200)
"""Services at which the shell's way is measured, on one engine: at 5,000 it takes minutes."""
KEYS = (
    (CONSOLE[1], b"", b"\r", "VIP TASK"),
    (CONSOLE[2], b"/", b"stack0001", "found"),
)
"""What is measured in the console: the keys before it, the keys of it, and what they show."""
WALKED = "10.99.0.0/26"
"""Whose addresses are walked by a census, however large the swarm around it is."""
NAMED = "walked"
ENGINE = """
import sys
from datetime import timedelta
from console.simulator import __main__ as program, scenarios
services, tasks = int(sys.argv[1]), int(sys.argv[2])
def sized(date, api_version):
    # What was made in the last seconds might still be changing hands: then a glance looks twice.
    engine = scenarios.large(date - timedelta(minutes=1), api_version, services, tasks)
    ipam = {"Driver": "default", "Config": [{"Subnet": sys.argv[3]}]}
    engine.networks.create({"Name": sys.argv[4], "Driver": "overlay", "IPAM": ipam})
    engine.advance(60.0)
    return engine
scenarios.SCENARIOS["sized"] = sized
sys.exit(program.main(["--scenario", "sized", *sys.argv[5:]]))
"""
CENSUS = """
import asyncio, gc, sys
from console.clock import SystemClock
from console.operations.census import CensusDependencies, take_census
from console.operations.probes import ProbeOwner
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from screens.cli.main import RARE_COLLECTIONS
gc.set_threshold(*RARE_COLLECTIONS)
connection = EngineConnection(sys.argv[1], 100)
changer = EngineChanger(connection, lambda _: None)
owner = ProbeOwner("benchmark", 1)
result = asyncio.run(take_census(CensusDependencies(EngineReader(connection), changer, SystemClock(), owner, 100), sys.argv[2]))
assert result.is_settled and not result.unaccounted, result
print(sum(walk.steps for walk in result.walks))
"""
CENSUS_FLOOR = """
import sys, time, docker
client = docker.APIClient(base_url=sys.argv[1], version="auto", timeout=100)
def look():
    networks = client.networks()
    client.info(), client.services(), client.tasks({"runtime": ["container", "attachment", ""]}), client.nodes()
    return {network["Name"]: client.inspect_network(network["Id"]) for network in networks if network["Driver"] == "overlay"}
walks = 2
template = {"ContainerSpec": {"Image": "none"}, "Networks": [{"Target": look()[sys.argv[2]]["Id"]}]}
for walk in range(walks):
    for step in range(int(sys.argv[3]) // walks):
        made = client.create_service(template, name="floor", mode={"Replicated": {"Replicas": 0}})
        while not client.inspect_service(made["ID"]).get("Endpoint", {}).get("VirtualIPs"):
            time.sleep(0.002)
        client.remove_service("floor")
    look()
"""


@dataclass(frozen=True)
class Swarm:
    """A simulated engine in a process of its own, so that it takes no time from the one measured."""

    host: str
    api: str
    services: int
    tasks: int

    @property
    def rounds(self) -> int:
        return FULL_ROUNDS if self.tasks == FULL else ROUNDS[self.services]

    def figure(
        self, name: str, costs: Mapping[str, Cost], floor: str = "floor", shell_s: float = 0.0
    ) -> Figure:
        own, least = costs[name], costs[floor]
        return Figure(
            name,
            self.api,
            self.services,
            self.tasks,
            self.rounds,
            own.passed_s,
            own.busy_s,
            own.memory_mb,
            least.passed_s,
            least.busy_s,
            least.memory_mb,
            shell_s,
        )


SWARMS = [
    *((services, 2 * services, api) for services in SIZES for api in (NOT_COUNTING, COUNTING)),
    (SIZES[-1], FULL, NOT_COUNTING),
]


@pytest.fixture(
    scope="module", params=SWARMS, ids=lambda param: f"{param[0]}-services-{param[1]}-tasks-{param[2]}"
)
def swarm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    services, tasks, api = request.param
    path: Path = tmp_path_factory.mktemp("engine") / "engine.sock"
    arguments = [
        str(services),
        str(tasks),
        WALKED,
        NAMED,
        "--socket",
        str(path),
        "--api-version",
        api,
        "--clock",
        "real",
    ]
    with subprocess.Popen([sys.executable, "-c", ENGINE, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield Swarm(f"unix://{path}", api, services, tasks)
        process.terminate()


@pytest.fixture(scope="module")
def figures() -> Iterator[list[Figure]]:
    """Give the list of figures; at the end they are written, if all were measured."""
    found: list[Figure] = []
    began_s, loads = time.monotonic(), list[float]()
    yield found
    loads.append(os.getloadavg()[2] if time.monotonic() - began_s > 600 else os.getloadavg()[1])
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    measured = Measurement(cores, memory_gb, platform.python_version(), statistics.mean(loads), tuple(found))
    keys = {figure.key for figure in found}
    wanted = {
        (name, api, services, tasks)
        for services, tasks, api in SWARMS
        for name in (*_commands(tasks), *_more(tasks, api))
    }
    if keys >= wanted:
        write_figures(measured)
        print(f"\n{FIGURES} is written, in {time.monotonic() - began_s:.0f} s")
    else:
        print(f"\n{FIGURES} is left as it is: {len(wanted - keys)} figures were not measured")


def _commands(tasks: int) -> tuple[str, ...]:
    return IN_A_FULL_SWARM if tasks == FULL else COMMANDS


def _more(tasks: int, api: str) -> tuple[str, ...]:
    """Return what is measured on one engine only."""
    return ("census", *CONSOLE) if api == NOT_COUNTING and tasks != FULL else ()


def in_rounds(rounds: int, measures: Mapping[str, Callable[[], Cost]]) -> Mapping[str, Cost]:
    """Return the medians; round by round, so that whatever else the machine does falls on all of them alike."""
    costs = [{name: measure() for name, measure in measures.items()} for _ in range(rounds)]
    return {name: median_of(row[name] for row in costs) for name in measures}


def test_commands_beside_the_same_calls(swarm: Swarm, figures: list[Figure], tmp_path: Path) -> None:
    environment = program_environment(home=tmp_path)
    remember(swarm, tmp_path)
    at = ["--host", swarm.host]
    commands = {
        "floor": [sys.executable, "-c", FLOOR, swarm.host],
        "glance": [str(PROGRAM), "glance", *at],
        "why": [str(PROGRAM), "why", *at],
        "quiet": [str(PROGRAM), "quiet", "--for", "0s", "--timeout", "100s", *at],
        "history": [str(PROGRAM), "history", *at],
    }
    measured = {
        name: (lambda command=command: cost_of(command, environment))
        for name, command in commands.items()
        if name == "floor" or name in _commands(swarm.tasks)
    }
    costs = dict(in_rounds(swarm.rounds, measured))
    shell_s = 0.0
    if swarm.services in BESIDE_SHELL and swarm.api == NOT_COUNTING and shutil.which("docker"):
        shell_s = cost_of(["sh", "-c", BY_SHELL, "sh", swarm.host]).passed_s
    for name in measured:
        if name != "floor":
            found = swarm.figure(name, costs, shell_s=shell_s if name == "glance" else 0.0)
            figures.append(found)
            show(found)


def remember(swarm: Swarm, state: Path) -> None:
    """Keep a history of the swarm's `proxy` of eleven days, as the recorder would."""
    import docker  # noqa: PLC0415 - only here

    client = docker.APIClient(base_url=swarm.host, version="1.45", timeout=100)
    network = next(network["Id"] for network in client.networks() if network["Name"] == "proxy")
    cluster = client.info()["Swarm"]["Cluster"]["ID"]
    client.close()
    now = datetime.now(UTC)
    points = [
        ((network, "before"), Point(now - timedelta(hours=hour), swarm.services - hour // 10))
        for hour in range(1, 264)
    ]
    HistoryStore(state).add_points(cluster, points)


def test_a_census_beside_its_steps(swarm: Swarm, figures: list[Figure]) -> None:
    if "census" not in _more(swarm.tasks, swarm.api):
        return
    steps = subprocess.run(
        [sys.executable, "-c", CENSUS, swarm.host, NAMED], check=True, capture_output=True, text=True
    ).stdout.strip()
    commands = {
        "floor": [sys.executable, "-c", CENSUS_FLOOR, swarm.host, NAMED, steps],
        "census": [sys.executable, "-c", CENSUS, swarm.host, NAMED],
    }
    measured = {name: (lambda command=command: cost_of(command)) for name, command in commands.items()}
    found = swarm.figure("census", in_rounds(min(3, swarm.rounds), measured))
    figures.append(found)
    show(found)


def test_the_console_beside_an_empty_table(swarm: Swarm, figures: list[Figure], tmp_path: Path) -> None:
    if CONSOLE[0] not in _more(swarm.tasks, swarm.api):
        return
    floor = (sys.executable, "-c", EMPTY_TABLE)
    rounds = [(empty_table(floor, tmp_path), console(swarm, tmp_path)) for _ in range(min(3, swarm.rounds))]
    floor_cost = median_of(least for least, _ in rounds)
    for name in CONSOLE:
        own = median_of(costs[name] for _, costs in rounds)
        # Between a key and its frame there is no floor but the terminal.
        least = floor_cost if name == CONSOLE[0] else Cost(0, 0, 0)
        found = replace(swarm.figure(name, {name: own, "floor": least}), rounds=len(rounds))
        figures.append(found)
        show(found)


def empty_table(command: tuple[str, ...], folder: Path) -> Cost:
    began_s = time.monotonic()
    with on_terminal(folder=folder, command=command) as shown:
        shown.until_shown("EMPTY")
        return Cost(time.monotonic() - began_s, 0, memory_mb(shown.process.pid))


def console(swarm: Swarm, folder: Path) -> Mapping[str, Cost]:
    """Return what it takes until the overview has data, until the map of the fullest network is there, and a search in it."""
    environment = {"XDG_CONFIG_HOME": program_environment()["XDG_CONFIG_HOME"]}
    costs = {}
    began_s = time.monotonic()
    with on_terminal("--host", swarm.host, folder=folder, environment=environment, size=(120, 40)) as shown:

        def until(text: str, name: str, began_s: float, seen: int = 0) -> None:
            wanted = text.encode()
            while wanted not in bytes(shown.got[seen:]):
                shown.read(0.005)
                assert time.monotonic() - began_s < 250, f"{name}: {bytes(shown.got[-500:])!r}"
            costs[name] = Cost(time.monotonic() - began_s, 0, memory_mb(shown.process.pid))

        until("overlays, fullest", CONSOLE[0], began_s)
        # What comes at first is over.
        shown.read(3)
        for name, before, keys, text in KEYS:
            if before:
                shown.send(before)
                shown.read(1)
            seen, began_s = len(shown.got), time.monotonic()
            shown.send(keys)
            until(text, name, began_s, seen)
            shown.read(2)
    return costs


def show(figure: Figure) -> None:
    kind = "counts" if figure.api == COUNTING else "does not count"
    floor = f"  {figure.passed_s / figure.floor_s:.2f} x floor" if figure.floor_s else ""
    print(
        f"\n{figure.services} services, {figure.tasks} tasks, an engine that {kind}: {figure.name} {figure.passed_s:.3f} s{floor};"
        f" processor {figure.busy_s:.3f} s; {figure.memory_mb:.0f} MB",
        end="",
    )
