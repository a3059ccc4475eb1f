"""A lost terminal, and an order to end, while a manager is borrowed on a real swarm: nothing stays half done."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.engine.borrowing import BusyManager, busy_manager
from tests.engine.namespaces import only_child

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ONLY_MANAGER = "vipconsole-temporary leads now"


@pytest.fixture(scope="module")
def host() -> Iterator[BusyManager]:
    with busy_manager() as ready:
        yield ready


def signalled(host: BusyManager, number: signal.Signals) -> tuple[int, str]:
    """Borrow, send a signal once the temporary manager is the only one, and return exit code and results."""
    command = host.command("reclaim", "--by", "borrow", "--yes", "--host", host.engine.host)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any(ONLY_MANAGER in line for line in process.stderr)
        # The command is the child of the one that enters the engine's namespaces.
        os.kill(only_child(process.pid), number)
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
