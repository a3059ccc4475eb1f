from collections.abc import Iterator

import pytest

from tests.nixos.attempts import Attempts, switches
from tests.support.nixos import Host, nixos


@pytest.fixture
def host() -> Iterator[Host]:
    """Return a NixOS host in a folder."""
    with nixos() as made:
        yield made


@pytest.fixture(params=["session", "unit"])
def keeper(request: pytest.FixtureRequest) -> str:
    """Return what keeps the switch alive: a session of its own, or a unit of systemd where that runs the machine."""
    return str(request.param)


@pytest.fixture
def new(host: Host) -> str:
    """Return a system that is built and differs from the one that runs."""
    host.swarm_nix.write_text(
        host.swarm_nix.read_text().replace("--attachable", "--attachable --subnet 10.10.0.0/16")
    )
    return host.built("new")


@pytest.fixture
def step(host: Host, new: str, keeper: str) -> Attempts:
    return switches(host, new, systemd=keeper == "unit")


@pytest.fixture
def simple(host: Host, new: str) -> Attempts:
    """Return the step on a machine without systemd, for what does not depend on it."""
    return switches(host, new, systemd=False)
