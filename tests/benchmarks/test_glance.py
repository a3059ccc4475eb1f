"""A whole `vipconsole glance` beside its floor, Python starting, the docker SDK imported and the same calls made; and beside a shell."""

import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.program import PROGRAM

pytestmark = pytest.mark.benchmark

ROUNDS = 9
ENGINE = """
import sys
from console.simulator import __main__ as program, scenarios
count = int(sys.argv[1])
scenarios.SCENARIOS["sized"] = lambda date, api_version: scenarios.large(date, api_version, count, 2 * count)
sys.exit(program.main(["--scenario", "sized", *sys.argv[2:]]))
"""
FLOOR = """
import sys, docker
client = docker.APIClient(base_url=sys.argv[1], version="auto", timeout=30)
client.info()
networks = client.networks()
client.services(), client.tasks({"runtime": ["container", "attachment", ""]}), client.nodes()
for network in networks:
    if network["Driver"] == "overlay":
        client.inspect_network(network["Id"][:12])
"""
BY_SHELL = """
for service in $(docker --host "$1" service ls --quiet); do
  docker --host "$1" service inspect --format '{{range .Endpoint.VirtualIPs}}{{.Addr}} {{end}}' "$service"
done
"""
"""What people use instead: one call of the docker command a service."""
NOT_COUNTING, COUNTING = "1.51", "1.52"
WANTED = {NOT_COUNTING: 1.5, COUNTING: 1.8}
WANTED_OVER_SHELL = 15
BESIDE_SHELL = 200
"""Services."""


@dataclass(frozen=True)
class Engine:
    """A simulated engine in a process of its own, so that it takes no time from the one measured."""

    host: str
    services: int
    api: str


@pytest.fixture(
    scope="module",
    params=[(services, api) for services in (50, 200, 1000) for api in (NOT_COUNTING, COUNTING)],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    services, api = request.param
    path: Path = tmp_path_factory.mktemp("engine") / "engine.sock"
    command = [sys.executable, "-c", ENGINE, str(services), "--socket", str(path), "--api-version", api]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield Engine(f"unix://{path}", services, api)
        process.terminate()


@dataclass(frozen=True)
class Cost:
    """What a command takes: seconds that pass, and seconds of a processor, which depend less on what else the machine does."""

    passed_s: float
    busy_s: float


def cost_of(command: list[str]) -> Cost:
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # With a timeout its end would be looked for every 50 ms, which is a third of a glance.
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    passed_s, after = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(passed_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def test_a_glance_beside_the_same_calls(engine: Engine) -> None:
    glance = [str(PROGRAM), "glance", "--host", engine.host]
    commands = {
        "floor": [sys.executable, "-c", FLOOR, engine.host],
        "glance": glance,
        "glance --json": [*glance, "--json"],
        "glance --prometheus": [*glance, "--prometheus"],
    }
    # Round by round, so that whatever else the machine does falls on all of them alike.
    rounds = [{name: cost_of(command) for name, command in commands.items()} for _ in range(ROUNDS)]
    passed_s = {name: statistics.median(costs[name].passed_s for costs in rounds) for name in commands}
    busy_s = {name: statistics.median(costs[name].busy_s for costs in rounds) for name in commands}
    kind = "counts addresses" if engine.api == COUNTING else "does not count"
    print(
        f"\n{engine.services} services, an engine that {kind}, median of {ROUNDS}; wanted <= {WANTED[engine.api]} x:"
    )
    for name in commands:
        print(
            f"  {name:20} {passed_s[name]:.3f} s  {passed_s[name] / passed_s['floor']:.2f} x floor;"
            f"  processor {busy_s[name]:.3f} s  {busy_s[name] / busy_s['floor']:.2f} x"
        )


def test_a_glance_beside_the_shell(engine: Engine) -> None:
    if engine.services != BESIDE_SHELL:
        return
    if shutil.which("docker") is None:
        pytest.skip("the docker command is not installed")
    by_shell_s = cost_of(["sh", "-c", BY_SHELL, "sh", engine.host]).passed_s
    glance = [str(PROGRAM), "glance", "--host", engine.host]
    glance_s = statistics.median(cost_of(glance).passed_s for _ in range(3))
    print(
        f"\n{engine.services} services, API {engine.api}; wanted >= {WANTED_OVER_SHELL} x:"
        f"\n  one `docker service inspect` a service {by_shell_s:.1f} s, glance {glance_s:.3f} s: {by_shell_s / glance_s:.1f} x"
    )
