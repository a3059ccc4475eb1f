"""What the recorder costs, beside a process that has the same library and only listens to the engine's events."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
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
    settings = tmp_path / "config.toml"
    # Nobody listens at port 9: that is tried again and again.
    settings.write_text(
        '[[alert]]\ncommand = ["/bin/true"]\nat = "warning"\n[[alert]]\nwebhook = "http://127.0.0.1:9/"\nat = "warning"\n'
    )
    with engine(name, tmp_path) as host:
        listener = [sys.executable, "-c", LISTENER, host]
        recorder = [
            str(PROGRAM),
            "record",
            "--host",
            host,
            "--journal",
            "/dev/null",
            "--config",
            str(settings),
        ]
        commands: Mapping[str, tuple[list[str], Mapping[str, str]]] = {
            "floor": (listener, {}),
            "its unit": (recorder, {"MALLOC_ARENA_MAX": "1"}),
            "by hand": (recorder, {}),
        }
        processes = [
            subprocess.Popen(
                command, env=program_environment(more, tmp_path / who), stderr=subprocess.DEVNULL
            )
            for who, (command, more) in commands.items()
        ]
        try:
            figures = dict(zip(commands, cost(processes), strict=True))
        finally:
            for process in processes:
                process.terminate()
                process.wait(60)
    floor_mb = figures["floor"][1]
    print(f"\nrecording {name} with two alerts for {WATCHED_S:g} s:")
    for who, (share, memory) in figures.items():
        print(f"  {who:8} {share:5.2f} % of a core  {memory:5.1f} MB  {memory / floor_mb:.2f} x floor")
    is_met = all(share < 1 and memory < 60 for share, memory in figures.values())
    print(f"  wanted at 200 services: under 1 % of a core, under 60 MB: {is_met}")
