"""Real engines as fixtures: one with a swarm that a module's tests share."""

from collections.abc import Iterator

import pytest

from tests.engine.lab import Engine, running_engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Give a running engine that manages a swarm of its own and has the image `lab/box:1`."""
    with running_engine() as running:
        yield running
