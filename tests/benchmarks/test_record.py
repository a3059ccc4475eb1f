"""What the recorder costs, beside a process that has the same library and only listens to the engine's events."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.benchmarks.test_console import IN_MOTION, WATCHED_S, cpu_s, engine, memory_mb
from tests.support.program import PROGRAM, program_environment

pytestmark = pytest.mark.benchmark

SETTLED_S = 30.0
"""What the first snapshots cost is paid once."""
LISTENER = """
import sys
import docker
client = docker.APIClient(base_url=sys.argv[1], version="1.45", timeout=30)
for event in client.events(decode=True):
    pass
"""


def cost(processes: Sequence["subprocess.Popen[bytes]"]) -> list[tuple[float, float]]:
    """Return the share of a core in percent and the memory in MB of each, over the same time."""
    time.sleep(SETTLED_S)
    used, began = [cpu_s(process.pid) for process in processes], time.monotonic()
    time.sleep(WATCHED_S)
    took = time.monotonic() - began
    return [
        (100 * (cpu_s(process.pid) - before) / took, memory_mb(process.pid))
        for process, before in zip(processes, used, strict=True)
    ]


@pytest.mark.parametrize("name", ["200 services", IN_MOTION])
def test_what_recording_costs(tmp_path: Path, name: str) -> None:
    # As its unit starts it.
    environment = program_environment({"MALLOC_ARENA_MAX": "1"}, tmp_path)
    with engine(name, tmp_path) as host:
        commands = (
            [sys.executable, "-c", LISTENER, host],
            [str(PROGRAM), "record", "--host", host, "--journal", "/dev/null"],
        )
        processes = [
            subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for command in commands
        ]
        try:
            floor, recorder = cost(processes)
        finally:
            for process in processes:
                process.terminate()
                process.wait(60)
    print(f"\nrecording {name} for {WATCHED_S:g} s:")
    for who, (share, memory) in (("floor", floor), ("recorder", recorder)):
        print(f"  {who:8} {share:5.2f} % of a core  {memory:5.1f} MB  {memory / floor[1]:.2f} x floor")
    print(
        f"  wanted at 200 services: under 1 % of a core, under 60 MB: {recorder[0] < 1 and recorder[1] < 60}"
    )
