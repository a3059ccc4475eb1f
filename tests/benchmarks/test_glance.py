"""A whole `vipconsole glance` beside its floor: Python starting, the docker SDK imported, the same calls made."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.program import PROGRAM

pytestmark = pytest.mark.benchmark

ROUNDS = 9
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


@pytest.fixture(scope="module", params=["large", "evening"])
def socket(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A simulated engine of API 1.51 in a process of its own, so that it takes no time from the one measured."""
    path = tmp_path_factory.mktemp("engine") / "engine.sock"
    command = [sys.executable, "-m", "console.simulator", "--socket", str(path), "--scenario", request.param]
    with subprocess.Popen([*command, "--api-version", "1.51"], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"ready\n"
        yield request.param, path
        engine.terminate()


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=100)
    return time.perf_counter() - started


def test_a_glance_beside_the_same_calls(socket: tuple[str, Path]) -> None:
    scenario, path = socket
    host = f"unix://{path}"
    measured: dict[str, Callable[[], float]] = {
        "floor": lambda: seconds([sys.executable, "-c", FLOOR, host]),
        "glance": lambda: seconds([str(PROGRAM), "glance", "--host", host]),
        "glance --json": lambda: seconds([str(PROGRAM), "glance", "--json", "--host", host]),
    }
    # Round by round, so that whatever else the machine does falls on all of them alike.
    rounds = [{name: measure() for name, measure in measured.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in measured}
    print(f"\n{scenario}, median of {ROUNDS}:")
    for name, median in medians.items():
        print(f"  {name:14} {median:.3f} s  {median / medians['floor']:.2f} x floor")
