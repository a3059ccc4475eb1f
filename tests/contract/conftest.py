"""The worlds in which every contract is held: a simulated engine, and a real one."""

import time
from collections.abc import Iterator

import pytest

from tests.contract.world import World
from tests.engine.lab import running_engine


@pytest.fixture(scope="module", params=["simulator", pytest.param("engine", marks=pytest.mark.engine)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Give a swarm of one manager; its tests share it, and so each makes networks of its own."""
    if request.param == "engine":
        with (
            running_engine() as engine,
            World(engine.socket, time.sleep, engine.restart, "engine") as real,
        ):
            real.log = engine.log
            yield real
    else:
        # Whoever asks for the real engine alone needs none of what the simulator imports.
        from tests.contract.simulated import simulated_world  # noqa: PLC0415

        with simulated_world() as simulated:
            yield simulated
