"""The live console over a real engine: what happens is seen, with no key pressed."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.world import World
from tests.engine.lab import Engine
from tests.support.emulator import screen_of
from tests.support.terminal import OnTerminal, on_terminal

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

WITHIN_S = 60.0
SIZE = (80, 24)


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    with World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


def until(shown: OnTerminal, pattern: str) -> None:
    """Wait until a line of the terminal is like this."""
    shown.until(lambda got: re.search(pattern, "\n".join(screen_of(got, SIZE))) is not None, WITHIN_S)


def test_a_deploy_a_leak_a_full_network_and_a_restart_are_seen_as_they_happen(
    engine: Engine, world: World, tmp_path: Path
) -> None:
    name = world.fresh("shared")
    proxy = world.create_overlay(name, world.fresh_subnet(28), attachable=True)
    with on_terminal("--host", engine.host, folder=tmp_path, size=SIZE) as shown:
        until(shown, rf"{name} +10\.")
        stack = world.deploy_stack([proxy], replicas=1)
        until(shown, f"{stack.name}")
        world.wait_for_state(stack.services[0], "running", 1)

        lost = world.leak(proxy, 1)
        assert lost
        until(shown, rf"{name} .* ≥ {len(lost)} ")

        for number in range(13):
            world.client.create_service(
                {"ContainerSpec": {"Image": "lab/box:1"}, "Networks": [{"Target": proxy}]},
                name=world.fresh(f"fill{number}"),
                mode={"Replicated": {"Replicas": 0}},
            )
        until(shown, rf"{name} is full")

        engine.stop()
        until(shown, "STALE")
        engine.start()
        until(shown, "live")
        shown.send(b"q")
        assert shown.end() == 0
        assert shown.is_given_back
