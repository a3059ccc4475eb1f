"""A whole `vipconsole glance` beside its floor, Python starting, the docker SDK imported and the same calls made; and beside a shell."""

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=600)
    return time.perf_counter() - started


def test_a_glance_beside_the_same_calls(engine: Engine) -> None:
    measured: dict[str, Callable[[], float]] = {
        "floor": lambda: seconds([sys.executable, "-c", FLOOR, engine.host]),
        "glance": lambda: seconds([str(PROGRAM), "glance", "--host", engine.host]),
        "glance --json": lambda: seconds([str(PROGRAM), "glance", "--json", "--host", engine.host]),
        "glance --prometheus": lambda: seconds(
            [str(PROGRAM), "glance", "--prometheus", "--host", engine.host]
        ),
    }
    # Round by round, so that whatever else the machine does falls on all of them alike.
    rounds = [{name: measure() for name, measure in measured.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(figures[name] for figures in rounds) for name in measured}
    kind = "counts addresses" if engine.api == COUNTING else "does not count"
    print(
        f"\n{engine.services} services, an engine that {kind}, median of {ROUNDS}; wanted <= {WANTED[engine.api]} x:"
    )
    for name, median in medians.items():
        print(f"  {name:20} {median:.3f} s  {median / medians['floor']:.2f} x floor")


def test_a_glance_beside_the_shell(engine: Engine) -> None:
    if engine.services != 200:
        return
    if shutil.which("docker") is None:
        pytest.skip("the docker command is not installed")
    by_shell_s = seconds(["sh", "-c", BY_SHELL, "sh", engine.host])
    glance_s = statistics.median(seconds([str(PROGRAM), "glance", "--host", engine.host]) for _ in range(3))
    print(
        f"\n200 services, API {engine.api}; wanted >= {WANTED_OVER_SHELL} x:"
        f"\n  one `docker service inspect` a service {by_shell_s:.1f} s, glance {glance_s:.3f} s: {by_shell_s / glance_s:.1f} x"
    )
