"""A manager borrowed for some seconds on a real swarm with one: the leaks are back, and no container notices."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from console.swarm.parse import REBUILT_LABEL
from tests.contract.world import World
from tests.engine.borrowing import CONTAINERS, BusyManager, busy_manager
from tests.engine.lab import running_engine
from tests.engine.namespaces import only_child
from tests.support.forked import ForkedProgram

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(900)]

HANDING_OVER = 15
"""The moment when the real manager has been demoted (`tests.support.mortal_borrow`)."""
ONLY_MANAGER = "vipconsole-temporary leads now"
FLOOR_S = 3.0
"""For so long probes are made with nothing going on."""


@pytest.fixture(scope="module")
def host() -> Iterator[BusyManager]:
    with busy_manager() as ready:
        yield ready


def test_every_leaked_address_comes_back_and_no_container_notices(host: BusyManager) -> None:
    host.begin_probing()
    host.world.pass_time(FLOOR_S)
    floor = host.end_probing()
    before = host.containers()
    host.begin_probing()
    done = host.borrow("--json")
    felt = host.end_probing()
    assert done.code == 0, done.err
    assert host.containers() == before
    assert felt.missed == 0, felt
    # The pause between two probes, and what a loaded machine adds to one.
    assert felt.longest_gap_s <= floor.longest_gap_s + 1.0, (felt, floor)
    assert len(host.world.free_addresses(host.proxy)) == host.room
    host.check_nothing_is_left()
    assert REBUILT_LABEL in host.all_labels()
    report = json.loads(done.out)["borrow"]
    assert report["gave_back"]
    assert report["leaked"] == {"proxy": {"before": 6, "after": 0}}
    assert (report["containers"], report["containers_lost"]) == (len(before), [])
    assert report["unanswered_s"] < 10
    assert "SWMTKN" not in done.out + done.err


def test_a_swarm_that_locks_its_managers_needs_the_key_and_borrows_again(host: BusyManager) -> None:
    host.world.leak_fast(host.proxy, 3)
    host.engine.docker("swarm", "update", "--autolock=true")
    try:
        refused = host.borrow()
        assert (refused.code, "--unlock-key-file" in refused.err) == (3, True), refused.err
        key = host.engine.namespaces.directory / "key"
        key.write_text(host.engine.docker("swarm", "unlock-key", "-q"))
        before = host.containers()
        done = host.borrow("--unlock-key-file", str(key))
        assert done.code == 0, done.err
        assert "proxy: 0 leaked now" in done.out
        assert key.read_text().strip() not in done.out + done.err
        assert host.containers() == before
    finally:
        host.engine.docker("swarm", "update", "--autolock=false")
    host.check_nothing_is_left()


def test_killed_once_the_real_manager_is_demoted_the_next_call_finishes_it(host: BusyManager) -> None:
    before = host.containers()
    assert host.borrow_until(HANDING_OVER, "program").code == -9
    glance = host.run("glance", "--host", host.engine.host)
    assert glance.code == 2
    assert "`vipconsole reclaim`" in " ".join((glance.out + glance.err).split())
    refused = host.run("stack-rm", "nothing", "--yes", "--host", host.engine.host)
    assert "borrowed manager" in refused.err
    done = host.finish()
    assert done.code == 0, done.err
    assert "All leaked addresses are free" in done.out
    assert host.containers() == before
    host.check_nothing_is_left()


def signalled(host: BusyManager, number: signal.Signals) -> tuple[int, str]:
    """Borrow, send a signal once the temporary manager is the only one, and return exit code and results."""
    with host.start("reclaim", "--by", "borrow", "--yes", "--host", host.engine.host) as process:
        assert process.stderr is not None
        assert any(ONLY_MANAGER in line for line in process.stderr)
        # Where it is not forked, it is the child of the one that enters the engine's namespaces.
        os.kill(process.pid if isinstance(process, ForkedProgram) else only_child(process.pid), number)
        if number is signal.SIGHUP:
            # As a terminal that has gone: nobody reads any more.
            process.stderr.close()
            process.stderr = None
        out, _ = process.communicate(timeout=300)
    return process.returncode, out


def test_a_lost_terminal_does_not_end_it(host: BusyManager) -> None:
    before = host.containers()
    code, out = signalled(host, signal.SIGHUP)
    # Python exits with 120 where its last words reach nobody.
    assert code in (0, 120)
    assert "All leaked addresses are free" in out
    assert host.containers() == before
    host.check_nothing_is_left()


def test_an_order_to_end_puts_everything_back_first(host: BusyManager) -> None:
    before = host.containers()
    signalled(host, signal.SIGTERM)
    assert host.containers() == before
    host.check_nothing_is_left()


@pytest.mark.sweep
def test_the_temporary_manager_dies_while_it_is_the_only_one(host: BusyManager) -> None:
    before = host.containers()
    done = host.borrow_until(HANDING_OVER, "temporary")
    assert done.code == 0, done.err
    assert host.containers() == before
    host.check_nothing_is_left()


def test_all_die_at_once_as_in_a_reboot(host: BusyManager) -> None:
    with host.engine.kept_alive():
        host.borrow_until(HANDING_OVER, "all")
        host.finish()
    host.check_nothing_is_left()
    host.world.wait_until(lambda: len(host.containers()) >= CONTAINERS, "the services run again")


def test_a_manager_that_advertises_a_loopback_address_is_refused() -> None:
    with (
        running_engine("node1") as engine,
        World(engine.socket, time.sleep, engine.restart, "node1") as world,
    ):
        done = BusyManager(engine, world, "").borrow()
    assert done.code == 3
    assert "loopback" in done.err
    assert "--advertise-addr" in done.err


@pytest.mark.sweep
@pytest.mark.timeout(14_400)
@pytest.mark.parametrize("victim", ["program", "temporary", "real", "all"])
def test_whatever_dies_at_any_moment(
    host: BusyManager, victim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = 0
    while True:
        moments += 1
        before = host.containers()
        with host.engine.kept_alive() if victim in ("real", "all") else nullcontext():
            done = host.borrow_until(moments, victim)
            host.finish() if (host.state / "borrow").exists() else None
        host.check_nothing_is_left()
        if victim in ("program", "temporary"):
            assert host.containers() == before, (victim, moments, done.err)
        else:
            host.world.wait_until(lambda: len(host.containers()) >= CONTAINERS, "the services run again", 120)
        if f"moments: {moments - 1}" in done.err.splitlines():
            break
    with capsys.disabled():
        print(f"\na borrowed manager, {victim} killed at {moments - 1} moments: nothing was left")  # noqa: T201 - the number is what is asked for
