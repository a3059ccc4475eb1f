"""The guard, and a run, borrow a manager on a real swarm with one: addresses are there again, and no container notices."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.borrowing import BusyManager, busy_manager

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SETTINGS = '[quiet]\ndwell_s = 2\ndeploy_tools = ["no-such-tool"]\n[snapshot]\ndeadline_s = 60\ncall_timeout_s = 30\n'
RUNBOOK = """\
schema: vipconsole.runbook/1
id: addresses-back
title: Addresses back
steps:
  - id: reclaim
    title: Give leaked addresses back
    uses: allocator.reclaim
    with: {by: borrow}
    timeout: 5m
"""


@pytest.fixture(scope="module")
def host() -> Iterator[BusyManager]:
    with busy_manager() as ready:
        yield ready


def settings(host: BusyManager) -> Path:
    path = Path(host.engine.namespaces.directory) / "guard.toml"
    path.write_text(SETTINGS)
    return path


def test_the_guard_borrows_a_manager_where_it_may(host: BusyManager) -> None:
    # With the leaked addresses back there are enough, and without them there are not.
    need = (
        "guard",
        "--need",
        str(host.room - 2),
        "--host",
        host.engine.host,
        "--config",
        str(settings(host)),
    )
    before = host.containers()
    refused = host.run(*need)
    assert refused.code == 2
    assert "`vipconsole guard --allow-borrow` borrows a second manager" in refused.out, refused.out
    done = host.run(*need, "--allow-borrow", "--allow-restart")
    assert done.code == 0, done.out + done.err
    assert "GUARD OK - A manager was borrowed for some seconds (" in done.out
    assert host.containers() == before
    host.check_nothing_is_left()
    again = host.run(*need, "--allow-borrow")
    assert again.code == 0, again.out
    assert "borrowed" not in again.out


def test_a_run_borrows_a_manager(host: BusyManager) -> None:
    host.world.leak_fast(host.proxy, 3)
    before = host.containers()
    file = Path(host.engine.namespaces.directory) / "back.yaml"
    file.write_text(RUNBOOK)
    done = host.run(
        "run", str(file), "--headless", "--host", host.engine.host, "--config", str(settings(host))
    )
    assert done.code == 0, done.out + done.err
    assert len(host.world.walk_ring(host.proxy)) == host.room
    assert host.containers() == before
    host.check_nothing_is_left()
