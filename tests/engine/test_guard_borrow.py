"""The guard, and a run, borrow a manager on a real swarm with one: addresses are there again, and no container notices."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import console.guard
from tests.engine.borrowing import ADDRESS, BusyManager, busy_manager
from tests.engine.guarding import CONFIG
from tests.engine.managed import Host, managed_engine
from tests.support.program import PROGRAM

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


UNIT = "vipconsole-guard"
DOCS = Path(__file__).parents[2] / "docs" / "guard.md"


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
    assert len(host.world.free_addresses(host.proxy)) == host.room
    assert host.containers() == before
    host.check_nothing_is_left()


def start_guard(host: Host, need: int, drop_in: str) -> str:
    """Start the shipped unit with a drop-in, and return what it wrote."""
    run = host.machine.run
    command = f"ExecStart=\nExecStart={PROGRAM} guard --need {need} --config {CONFIG}\nProtectHome=no\n"
    host.write(f"/etc/systemd/system/{UNIT}.service.d/lab.conf", f"[Service]\n{command}")
    host.write(f"/etc/systemd/system/{UNIT}.service.d/borrow.conf", drop_in)
    run("systemctl", "daemon-reload")
    host.machine.call("systemctl", "start", UNIT, within_s=200)
    return run("journalctl", f"--unit={UNIT}", "--output=cat", "--no-pager")


@pytest.mark.sweep
def test_the_hardened_unit_borrows_a_manager_with_the_drop_in_of_the_docs() -> None:
    found = re.search(r"```ini\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found is not None
    with managed_engine(ADDRESS) as host:
        world, run = host.world, host.machine.run
        proxy = world.create_overlay("proxy", "10.77.0.0/28", attachable=True)
        world.wait_for_state(world.create_service(world.fresh("box"), [proxy], replicas=2), "running", 2)
        need = len(world.free_addresses(proxy)) - 1
        world.leak_fast(proxy, 3)
        unit = Path(console.guard.__file__).parent / f"{UNIT}.service"
        host.write(f"/etc/systemd/system/{UNIT}.service", unit.read_text())
        host.write(CONFIG, f"{SETTINGS}[guard]\nallow_borrow = true\n")
        run("mkdir", f"/etc/systemd/system/{UNIT}.service.d")
        before = run("docker", "ps", "-q")
        assert "it lacks CAP_NET_ADMIN" in start_guard(host, need, "")
        done = start_guard(host, need, found[1])
        assert "GUARD OK - A manager was borrowed for some seconds (" in done, done
        assert run("docker", "ps", "-q") == before
        assert "vipconsole" not in run("docker", "node", "ls") + run("ip", "-o", "link")
