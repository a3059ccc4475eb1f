"""`vipconsole reclaim --by borrow --demo`: a manager is borrowed on the demo's host, and nothing of this machine is touched."""

import sys
from pathlib import Path

import pytest

from console.host.root import VARIABLE
from console.storage.borrow import BorrowPhase, BorrowStore
from screens.cli.demo import SIMULATED
from tests.support import mortal_borrow
from tests.support.demo import DemoHost, demo_host
from tests.support.program import vipconsole

pytestmark = pytest.mark.process

DEMOTED = 15
"""The real manager has been demoted, and the temporary one leads."""


@pytest.fixture
def host(tmp_path: Path) -> DemoHost:
    return demo_host(tmp_path)


def test_a_manager_is_borrowed_and_one_that_was_cut_short_is_finished(host: DemoHost) -> None:
    state = host.folder / "var/lib/vipconsole"
    killer = (sys.executable, str(mortal_borrow.__file__), str(DEMOTED), "program")
    root = {**host.environment, VARIABLE: str(host.folder)}
    assert vipconsole("reclaim", "--by", "borrow", "--yes", program=killer, environment=root).code == -9
    record = BorrowStore(state).read()
    assert record is not None
    assert record.phase is BorrowPhase.HANDING_OVER
    # The record is the demo's: this machine's commands know nothing of it.
    assert [path.name for path in host.state.iterdir()] == ["vipconsole"]
    finished = host.command("reclaim", "--yes")
    assert (finished.code, finished.out.splitlines()[0]) == (0, SIMULATED), finished.out + finished.err
    assert "All leaked addresses are free" in finished.out
    assert not (state / "borrow").exists()
    whole = host.command("reclaim", "--by", "borrow", "--yes")
    assert whole.code == 0, whole.out + whole.err
    lines = whole.out.splitlines()
    assert lines[0] == SIMULATED
    assert lines[1].startswith(
        "All leaked addresses are free: the temporary manager led the swarm. ci-host leads again"
    )
    assert lines[2] == "proxy: 0 leaked now, 0 leaked before."
    assert lines[3].endswith("of this host ran on (same IDs, same start times).")
    assert "vipconsole --demo reclaim` finishes it" in whole.err
    assert not (state / "borrow").exists()
    assert [path.name for path in host.state.iterdir()] == ["vipconsole"]
