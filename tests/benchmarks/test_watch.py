"""What watching costs, beside a loop that makes the same calls with the docker SDK alone; and how soon a change is seen."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import docker
import pytest

from console.clock import SystemClock
from console.errors import known
from console.monitor.values import MonitorState
from tests.support.engines import simulation
from tests.support.live import live

pytestmark = pytest.mark.benchmark

SECONDS = 60
EVENTS = 15
BEGIN = """
import resource, sys, time
sys.path.insert(0, sys.argv[2])
SECONDS = float(sys.argv[3])
def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
"""
FLOOR = (
    BEGIN
    + """
import docker
client = docker.APIClient(base_url=sys.argv[1], version="auto", timeout=30)
networks = [each["Id"][:12] for each in client.networks() if each["Driver"] == "overlay"]
began, used, place = time.monotonic(), cpu_s(), 0
while time.monotonic() - began < SECONDS:
    client.info(), client.networks(), client.services(), client.nodes()
    client.tasks({"runtime": ["container", "attachment", ""]})
    for _ in range(4):
        client.inspect_network(networks[place % len(networks)])
        place += 1
    time.sleep(2)
print(cpu_s() - used, place, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
)
WATCHER = (
    BEGIN
    + """
import asyncio
from contextlib import aclosing
from pathlib import Path
from console.journal.reader import DaemonLog
from console.journal.recordings import RecordedJournal
from console.settings import Settings
from console.monitor.monitor import Monitor, Sources
from tests.support.monitors import CountingConnection
async def main():
    connection = CountingConnection(sys.argv[1], 30)
    log = DaemonLog(RecordedJournal(Path("/dev/null")), is_recorded=True, is_growing=False)
    used = began = None
    async with aclosing(Monitor(Sources(connection, log, None), Settings()).monitor_states()) as monitor_states:
        async for monitor_state in monitor_states:
            now = time.monotonic()
            # What the first snapshots cost is paid once.
            if began is None and monitor_state.snapshot.value is not None and monitor_state.number > 10:
                began, used, asked = now, cpu_s(), len(connection.asked)
            if began is not None and now - began >= SECONDS:
                break
    inspections = sum(each.startswith("inspect the network") for each in connection.asked[asked:])
    print(cpu_s() - used, inspections, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    connection.close()
asyncio.run(main())
"""
)
FLOOD = (
    BEGIN
    + """
import asyncio
from datetime import datetime, UTC
from console.clock import SystemClock
from console.errors import known
from console.monitor.values import MonitorState
from console.journal.reader import DaemonLog
from console.journal.values import Batch, JournalEntry
from console.settings import SnapshotSettings
from console.monitor.log_follower import LogFollower
from console.monitor.values import StatePublisher
from tests.journal.lines import VIP_LINE
from tests.support.swarms import swarm
PLAIN = 'time="2026-06-12T02:00:00.000000000Z" level=info msg="line" container=abc module=libcontainerd'
class Journal:
    async def read(self, window):
        return Batch()
    async def follow(self, after=None, since=None):
        number, began = 0, time.monotonic()
        while True:
            due = int((time.monotonic() - began) * 5000)
            while number < due:
                now, count = datetime.now(UTC), min(500, due - number)
                yield Batch(tuple(
                    JournalEntry(f"c{number + one}", now, "b", "stdout", "docker.service", "dockerd", 1,
                          VIP_LINE if one % 100 == 0 else PLAIN, stream="s")
                    for one in range(count)))
                number += count
            await asyncio.sleep(0.02)
async def main():
    clock = SystemClock()
    stage = StatePublisher(clock)
    following = LogFollower(DaemonLog(Journal(), is_proven=True), "unix:///none", SnapshotSettings(), clock, stage)
    following.learn(swarm())
    task = asyncio.create_task(following.run())
    began, used, lags = time.monotonic(), cpu_s(), []
    while time.monotonic() - began < SECONDS:
        before = time.monotonic()
        await asyncio.sleep(0.005)
        lags.append(time.monotonic() - before - 0.005)
    log = stage.monitor_state.log.value
    print(cpu_s() - used, log.lines[-1].number / SECONDS, max(lags) * 1000, sorted(lags)[len(lags) * 99 // 100] * 1000,
          stage.monitor_state.number / SECONDS)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
asyncio.run(main())
"""
)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a hundred stacks (200 services), in a process of their own, where nothing happens."""
    path = tmp_path_factory.mktemp("engine") / "engine.sock"
    command = [sys.executable, "-m", "console.simulator", "--socket", str(path), "--scenario", "hundred"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"ready\n"
        yield f"unix://{path}"
        engine.terminate()


def started(program: str, host: str, seconds: float) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", program, host, str(ROOT), str(seconds)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def figures(process: "subprocess.Popen[str]") -> list[float]:
    out, _ = process.communicate(timeout=300)
    return [float(each) for each in out.split()]


def test_cpu_of_watching_a_swarm_that_does_not_change(hundred: str) -> None:
    # At the same time, so that whatever else the machine does falls on both alike.
    processes = [started(program, hundred, SECONDS) for program in (FLOOR, WATCHER)]
    floor, monitor = map(figures, processes)
    print(f"\n200 services, 100 own networks, nothing changes, {SECONDS} s:")
    for name, (used, inspections, memory) in (("floor", floor), ("watcher", monitor)):
        share = used / SECONDS
        print(
            f"  {name:8} {used:.2f} s CPU, {share:.2%} of a core, {inspections:.0f} inspections, {memory:.0f} MiB"
            f"  {used / floor[0]:.2f} x floor"
        )


def test_time_from_a_change_to_the_scene() -> None:
    took: list[float] = []
    floor: list[float] = []
    with simulation("hundred") as simulated:
        clock = SystemClock()
        client: Any = docker.APIClient(base_url=simulated.host, version="auto", timeout=30)
        listener = docker.APIClient(base_url=simulated.host, version="auto", timeout=30)
        events = listener.events(decode=True)
        with live(simulated.host) as shown:
            shown.until(lambda monitor_state: monitor_state.number > 8, "the first looks")
            for number in range(EVENTS):
                name = f"late{number}"
                began = clock.monotonic()
                client.create_service({"ContainerSpec": {"Image": "x"}}, name=name)
                next(events)
                client.services(), client.tasks(), client.networks(), client.nodes(), client.info()
                floor.append(clock.monotonic() - began)
                shown.until(partial(is_there, name), "it is seen")
                took.append(clock.monotonic() - began)
                time.sleep(1.2)
        events.close()
        client.close()
        listener.close()
    print(f"\nfrom a created service to the scene that shows it, 200 services, median of {EVENTS}:")
    for kind, figures_s in (("floor", floor), ("watcher", took)):
        print(
            f"  {kind:8} {statistics.median(figures_s) * 1000:.0f} ms, at most {max(figures_s) * 1000:.0f} ms"
        )


def is_there(name: str, monitor_state: MonitorState) -> bool:
    snapshot = monitor_state.snapshot.value
    services = () if snapshot is None else known(snapshot.snapshot.swarm.services, ())
    return any(each.name == name for each in services)


def test_five_thousand_lines_a_second() -> None:
    used, rate, worst, usual, shown = figures(started(FLOOD, "none", 10))
    print("\n5,000 lines of dockerd's log a second, for 10 s:")
    print(f"  {rate:.0f} lines/s read, {used / 10:.0%} of a core, {shown:.1f} scenes/s")
    print(f"  the loop was late by {usual:.1f} ms at most in 99 % of turns, {worst:.1f} ms at worst")
