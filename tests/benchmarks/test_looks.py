"""Snapshots in a loop while services come, are scaled and go on a real engine that counts: what leaked before is all that they tell.

No engine that is packaged counts yet (API 1.52): put another dockerd first in PATH.
"""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from console.addresses.accounting import account
from console.clock import SystemClock
from console.monitor.snapshot import take_snapshot
from console.settings import SnapshotSettings
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.contract.world import NOWHERE, Refused, World
from tests.engine.lab import Engine, running_engine
from tests.support.monitors import NO_LOG

pytestmark = [pytest.mark.benchmark, pytest.mark.engine]

LASTS_S = 60
LEAKED = 5
AT_ONCE = 12
PAUSES_S = (0.0, 0.0, 0.02, 0.05, 0.2, 0.5, 1.5, 2.5, 4.0)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running_engine() as running:
        yield running


def churn(engine: Engine, networks: tuple[str, ...], ending: threading.Event) -> None:
    """Create, scale and remove services in bursts, until told to end; none of that leaks."""
    chance = random.Random(1)  # noqa: S311 - it guards nothing
    with World(engine.socket, time.sleep, engine.restart, "engine") as world:
        services: list[str] = []
        for number in range(1_000_000):
            if ending.wait(chance.choice(PAUSES_S)):
                return
            kind = chance.random()
            try:
                if kind < 0.45 or not services:
                    chosen = chance.sample(networks, chance.choice((1, 2)))
                    replicas = chance.randrange(5)
                    services.append(
                        world.create_service(f"churn{number}", chosen, replicas=replicas, constraints=NOWHERE)
                    )
                elif kind < 0.75:
                    world.scale(chance.choice(services), chance.randrange(5))
                else:
                    world.remove_service(services.pop(chance.randrange(len(services))))
                while len(services) > AT_ONCE:
                    world.remove_service(services.pop(0))
            except Refused:
                # The engine has written to the service meanwhile.
                continue


def test_under_load_no_leak_is_made_up_and_none_is_missed(engine: Engine) -> None:
    with World(engine.socket, time.sleep, engine.restart, "engine") as world:
        if not world.traits.counts_addresses:
            pytest.skip("this engine does not count addresses")
        proxy = world.create_overlay("proxy", world.fresh_subnet(23))
        leaky = world.create_overlay("leaky", world.fresh_subnet(24))
        leaked = {"proxy": 0, "leaky": len(world.leak_fast(leaky, LEAKED)), "ingress": 0}
    ending = threading.Event()
    churning = threading.Thread(target=churn, args=(engine, (proxy, leaky), ending))
    churning.start()
    connection = EngineConnection(engine.host, 30)
    told: Counter[tuple[str, str]] = Counter()
    end_s = time.monotonic() + LASTS_S
    try:
        while time.monotonic() < end_s:
            taking = take_snapshot(EngineReader(connection), NO_LOG, SystemClock(), SnapshotSettings())
            snapshot = asyncio.run(taking)
            looks = "one look" if snapshot.earlier is snapshot.swarm else "two looks"
            for found in account(snapshot.swarm, snapshot.earlier):
                if found.network.name in leaked:
                    right = found.leaked == leaked[found.network.name]
                    told[looks, "unknown" if found.leaked is None else "right" if right else "wrong"] += 1
    finally:
        ending.set()
        churning.join()
        connection.close()
    print(f"\nfor {LASTS_S} s:", {" ".join(key): count for key, count in sorted(told.items())})
    assert told["one look", "right"]
    assert not told["one look", "wrong"]
    assert not told["two looks", "wrong"]
