"""What the guard remembers of its last restart."""

from pathlib import Path

import pytest

from console.errors import HostError, Unknown
from console.guard.collector import MEMORY_FILE, last_restart, remember_restart
from tests.support.swarms import NOW


def test_a_restart_is_remembered_by_whoever_asks_next(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert last_restart(state) is None
    remember_restart(state, NOW)
    assert last_restart(state) == NOW
    assert (state / MEMORY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": "vipconsole.guard-memory/9"}',
                                  '{"schema": "vipconsole.guard-memory/1", "restarted_at": "2026-06-12T02:00:00"}',
                                  '{"schema": "vipconsole.guard-memory/1", "restarted_at": 7}'])  # fmt: skip
def test_a_memory_that_makes_no_sense_is_unknown_and_never_long_ago(tmp_path: Path, text: str) -> None:
    (tmp_path / MEMORY_FILE).write_text(text)
    assert isinstance(last_restart(tmp_path), Unknown)


def test_what_cannot_be_written_down_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError):
        remember_restart(tmp_path / "file", NOW)
