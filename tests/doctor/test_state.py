"""The doctor says of the state directory what the commands that keep something in it would meet."""

import os
from pathlib import Path

import pytest

from console.diagnosis.values import Severity
from console.doctor.state import examine_state
from console.doctor.values import Examination
from console.storage.history import HistoryStore


def examined(state: Path) -> dict[str, Examination]:
    return {each.subject: each for each in examine_state(state)}


def a_file(place: Path) -> Path:
    place.touch()
    return place


def below_a_file(place: Path) -> Path:
    return a_file(place) / "state"


def a_link_to_nothing(place: Path) -> Path:
    place.symlink_to(place.with_name("nothing"))
    return place


def a_circle(place: Path) -> Path:
    place.symlink_to(place)
    return place


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (a_file, "is not a directory"),
        (below_a_file, "Not a directory"),
        (a_link_to_nothing, "a link that leads nowhere"),
        (a_circle, "Too many levels of symbolic links"),
    ],
)
def test_what_can_never_hold_anything_is_told(tmp_path: Path, make: object, sentence: str) -> None:
    assert callable(make)
    found = examined(make(tmp_path / "place"))["state"]
    assert found.severity is Severity.CRITICAL
    assert sentence in found.sentence
    assert "--state-dir" in found.hint


def test_a_directory_behind_a_locked_door_is_told_and_is_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(self: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", locked)
    found = examined(tmp_path / "deep" / "state")
    assert found["state"].severity is Severity.CRITICAL
    assert "This user may not enter the directory in which" in found["state"].sentence
    assert "disk" in found


def test_root_is_told_of_a_directory_that_is_another_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def owned(self: Path, **_: object) -> os.stat_result:
        real = os.stat(self)  # noqa: PTH116 - it stands in for Path.stat() itself
        return os.stat_result((*real[:4], 1234, *real[5:10]))

    monkeypatch.setattr(Path, "stat", owned)
    monkeypatch.setattr("console.doctor.state.os.geteuid", lambda: 0)
    found = examined(tmp_path)["state"]
    assert found.severity is Severity.WARNING
    assert "is of another user (number 1234)" in found.sentence


def test_a_file_system_without_a_free_inode_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(tmp_path)
    values = list(real)
    values[5:8] = (100, 0, 0)
    monkeypatch.setattr("console.doctor.state.os.statvfs", lambda _: os.statvfs_result(values))
    found = examined(tmp_path)["disk"]
    assert found.severity is Severity.CRITICAL
    assert "no free inode" in found.sentence


def test_files_that_this_user_cannot_use_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "record.lock").touch()
    (tmp_path / "runs").mkdir()
    (tmp_path / "history.sqlite").touch()
    real = os.access
    monkeypatch.setattr(
        "console.doctor.state.os.access",
        lambda path, mode: Path(path).name not in ("record.lock", "runs") and real(path, mode),
    )
    found = examined(tmp_path)["state files"]
    assert found.severity is Severity.WARNING
    assert "this user cannot use record.lock, runs." in found.sentence


def test_a_damaged_database_is_told_with_what_helps(tmp_path: Path) -> None:
    HistoryStore(tmp_path).load("", "")
    assert set(examined(tmp_path)) == {"state", "disk"}
    (tmp_path / "history.sqlite").write_bytes(b"no database" * 100)
    (tmp_path / "record.sqlite").write_bytes(b"no database" * 100)
    found = examined(tmp_path)
    assert [found[subject].severity for subject in ("history", "record")] == [Severity.WARNING] * 2
    assert "remove the file" in found["history"].hint
    # Examining changes nothing.
    assert (tmp_path / "history.sqlite").read_bytes() == b"no database" * 100
