import os
from pathlib import Path

import pytest

from console.errors import HostError
from console.storage.state import write_atomically


def test_a_file_is_replaced_as_a_whole_and_readable_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "vipconsole.prom"
    write_atomically(path, "old\n", 0o600)
    write_atomically(path, "new\n", 0o644)
    assert path.read_text() == "new\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["vipconsole.prom"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vipconsole.prom"
    write_atomically(path, "old\n", 0o644)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HostError, match="No space left on device"):
        write_atomically(path, "new\n", 0o644)
    assert path.read_text() == "old\n"
    assert [each.name for each in tmp_path.iterdir()] == ["vipconsole.prom"]


def test_a_missing_directory_is_an_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="none/x cannot be written"):
        write_atomically(tmp_path / "none" / "x", "text", 0o644)
