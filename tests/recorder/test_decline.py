"""Eleven days in which a network fills up while nobody looks, and the recorder is killed ten times: nothing is missing."""

import re
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest

from console.addresses.leaks import allocator_key, allocator_of
from console.recorder.values import EventKind, RecordedEvent
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.stacks import Part, deploy, remove_at_once
from console.storage.history import HistoryStore
from console.storage.record import FILE, RecordStore
from console.swarm.model import Engine
from tests.recorder.stage import Stage, stage
from tests.support.engines import read_swarm

pytestmark = pytest.mark.timeout(280)

DAYS, KILLS = 11, 10
IDLE_S = 3600.0
"""Between two snapshots when nothing happens: 30 s would only take longer."""
RESTART_S = 3.5
"""Until systemd has started it again, and it has read the swarm."""
MAX_BYTES = 128 * 1024


def a_swarm() -> SimulatedEngine:
    engine = SimulatedEngine(EngineInfo("1.41"))
    config = {"Driver": "default", "Config": [{"Subnet": "10.0.1.0/25"}]}
    engine.networks.create({"Name": "proxy", "Driver": "overlay", "Attachable": True, "IPAM": config})
    deploy(engine, "traefik", (Part("app", ("proxy",), is_internal=False),))
    engine.advance(60)
    return engine


def leaked(events: tuple[RecordedEvent, ...]) -> list[str]:
    """Return the addresses that events of leaks name, each as often as it is named."""
    return [
        address
        for event in events
        if event.kind is EventKind.LEAK
        for address in re.findall(r"\d+\.\d+\.\d+\.\d+", event.sentence)
    ]


class Decline:
    """Stacks that come and go, and kills."""

    def __init__(self, shown: Stage, random: Random) -> None:
        self.shown, self.random = shown, random
        self.stacks = list[str]()
        self.kills = 0

    async def kill(self) -> None:
        self.kills += 1
        await self.shown.kill()
        await self.shown.let(RESTART_S)
        self.shown.start()

    async def stack(self, name: str, kill_after_s: float | None) -> None:
        """Deploy a stack and remove it; where a number is given, kill the recorder so long after the removal begins."""
        parts = (Part("app", ("proxy",), replicas=self.random.randint(9, 10)), Part("db"))
        stack = self.shown.do(partial(deploy, stack=name, parts=parts))
        self.stacks.append(name)
        await self.shown.let(20, step_s=0.5)
        await self.shown.let(2 * 3600, step_s=IDLE_S / 2)
        if kill_after_s is not None and kill_after_s < 0:
            await self.kill()
            await self.shown.let(-kill_after_s)
        await self.shown.heard(partial(remove_at_once, stack=stack))
        if kill_after_s is not None and kill_after_s >= 0:
            await self.shown.let(kill_after_s)
            await self.kill()
        await self.shown.let(20, step_s=0.5)


@pytest.mark.parametrize(
    "seed", [1, 8, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in (2, 3, 4, 5, 6, 7))]
)
async def test_every_leak_of_eleven_days_is_in_the_record_of_a_recorder_that_is_killed(
    seed: int, tmp_path: Path
) -> None:
    random = Random(seed)  # noqa: S311 - nothing is secret
    numbers = range(DAYS)
    # Half of the kills are at any time; half are where something can be lost.
    at_removals = {number: random.uniform(-3, 14) for number in random.sample(numbers, KILLS // 2)}
    at_any_time = set(random.sample(numbers, KILLS - KILLS // 2))
    async with stage(a_swarm(), tmp_path / "state", idle_s=IDLE_S) as shown:
        shown.max_bytes = MAX_BYTES
        decline = Decline(shown, random)
        shown.start()
        await shown.let(10)
        for number in numbers:
            await decline.stack(f"s{number}", at_removals.get(number))
            rest_s = random.uniform(20, 23) * 3600
            await shown.let(rest_s, step_s=IDLE_S / 2)
            if number in at_any_time:
                await decline.kill()
                await shown.let(5)
        assert decline.kills == KILLS
        await shown.stop()
        truth = shown.do(lambda engine: engine.addresses_of("proxy", "leaked"))
        free = shown.do(lambda engine: engine.truth())
        events = shown.events()
        swarm = await read_swarm(shown.simulated.host)
        spans = RecordStore(shown.state).spans(shown.cluster_id)
        now = shown.do(lambda engine: engine.now)
    assert len(truth) >= 99, free
    assert sorted(leaked(events)) == sorted(truth)
    for event in events:
        if event.kind is EventKind.LEAK:
            assert (event.network, event.subject) == ("proxy", f"{event.stack}_app")
    by_kind = {
        kind: Counter(event.subject for event in events if event.kind is kind)
        for kind in (EventKind.DEPLOY, EventKind.REMOVAL)
    }
    services = {f"{name}_{part}": 1 for name in decline.stacks for part in ("app", "db")}
    assert by_kind[EventKind.DEPLOY] == services
    assert by_kind[EventKind.REMOVAL] == services | {f"{name}_internal": 1 for name in decline.stacks}
    assert (shown.state / FILE).stat().st_size <= MAX_BYTES
    # What consoles and `vipconsole history` read has them too.
    assert isinstance(swarm.engine, Engine)
    key = allocator_key(allocator_of(swarm), swarm.engine.managers)
    entries = HistoryStore(shown.state).entries(swarm.engine.cluster_id, key)
    assert sorted(str(address) for entry in entries for address in entry.addresses) == sorted(truth)
    watched = sum((span.ended - span.began for span in spans), timedelta())
    # The present span reaches the disk with a snapshot.
    assert watched >= now - spans[0].began - KILLS * timedelta(seconds=2 * IDLE_S)
