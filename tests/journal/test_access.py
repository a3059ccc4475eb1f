"""Without permission the journal is unknown, never empty."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.errors import HostError
from console.journal.access import require_access
from console.journal.journalctl import CommandJournal
from console.journal.native import NativeJournal
from console.journal.values import Window

_NOBODY = 65534


@pytest.fixture
def open_path() -> Iterator[Path]:
    """Return a directory that anybody may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Be a user without groups for a while."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def _system(path: Path, mode: int) -> Path:
    machine = path / "journal" / "0123456789abcdef0123456789abcdef"
    machine.mkdir(parents=True)
    (machine / "system.journal").write_bytes(b"LPKSHHRH")
    (machine / "system.journal").chmod(mode)
    (machine / "user-1000.journal").write_bytes(b"LPKSHHRH")
    (machine / "user-1000.journal").chmod(0o600)
    return machine.parent


def test_root_may_read(tmp_path: Path) -> None:
    root = _system(tmp_path, 0o640)
    require_access(None, [tmp_path / "none", root])
    require_access(root)


def test_a_host_without_a_journal_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no system journal"):
        require_access(None, [tmp_path])
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(HostError, match="not a directory"):
        require_access(file)


def test_a_user_without_the_groups_is_told_which_ones_help(open_path: Path) -> None:
    root = _system(open_path, 0o640)
    with nobody(), pytest.raises(HostError, match="cannot be read by this user") as failure:
        require_access(None, [root])
    assert "systemd-journal" in failure.value.hint
    machine = next(root.iterdir())
    with nobody(), pytest.raises(HostError, match="cannot be read by this user"):
        require_access(machine)


def test_a_user_with_the_permission_reads(open_path: Path) -> None:
    root = _system(open_path, 0o644)
    with nobody():
        require_access(None, [root])


def test_directories_that_are_closed_are_told_so(open_path: Path) -> None:
    root = _system(open_path, 0o644)
    machine = next(root.iterdir())
    machine.chmod(0o700)
    with nobody(), pytest.raises(HostError, match="cannot be read by this user"):
        require_access(None, [root])
    root.chmod(0o700)
    for directory in (None, root):
        with nobody(), pytest.raises(HostError, match="cannot be read by this user"):
            require_access(directory, [root])


@pytest.mark.parametrize("door", [NativeJournal, CommandJournal])
async def test_every_door_asks_first(
    open_path: Path, door: type[NativeJournal] | type[CommandJournal]
) -> None:
    machine = next(_system(open_path, 0o640).iterdir())
    with nobody(), pytest.raises(HostError, match="cannot be read by this user"):
        await door(directory=machine).read(Window())
