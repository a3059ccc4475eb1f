"""Where runbooks come from: only small regular files, and for root only those that nobody else could have written."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from console.errors import RunbookError
from console.runbook.language import source
from console.runbook.language.file import read_runbook
from console.runbook.language.source import MAX_BYTES, default_runbook, distrust, read_bytes, shipped_runbook

REPOSITORY = Path(__file__).resolve().parents[2]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def a_loop(path: Path) -> None:
    path.symlink_to(path)


def a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1024**3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (a_fifo, "is a pipe"),
        (a_socket, "is a socket"),
        (a_loop, "cannot be read: Too many levels of symbolic links"),
        (a_huge_file, "is larger than 64 KiB"),
        (Path.mkdir, "is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device"),
        (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), "is larger than 64 KiB"),
        (lambda _: None, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_small_file_is_answered_at_once(
    make: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "r.yaml"
    make(path)
    began_s = time.monotonic()
    with pytest.raises(RunbookError, match=said):
        read_bytes(path)
    assert time.monotonic() - began_s < 60


def test_a_file_that_is_exchanged_for_a_pipe_at_the_last_moment_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, harmless = tmp_path / "r.yaml", tmp_path / "harmless"
    os.mkfifo(path)
    harmless.write_text("")
    seen = harmless.stat()
    monkeypatch.setattr(Path, "stat", lambda _: seen)
    with pytest.raises(RunbookError, match="is a pipe"):
        read_bytes(path)


def test_files_of_the_kernel_have_no_size_and_are_read_all_the_same() -> None:
    assert len(read_bytes(Path("/proc/self/status"))) > 0


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"#" * MAX_BYTES)
    assert len(read_bytes(tmp_path / "r.yaml")) == MAX_BYTES


def test_the_default_is_this_hosts_own_then_the_shipped_one_and_never_one_that_lies_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runbook.yaml").write_text("schema: x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source, "SYSTEM_FILE", tmp_path / "etc" / "runbook.yaml")
    assert default_runbook() == shipped_runbook() == REPOSITORY / "runbook.yaml"
    (tmp_path / "etc").mkdir()
    # A link that leads nowhere is this host's own all the same: whoever put it there must hear of it.
    (tmp_path / "etc" / "runbook.yaml").symlink_to("nowhere")
    assert default_runbook() == tmp_path / "etc" / "runbook.yaml"


def a_runbook(folder: Path) -> Path:
    folder.mkdir(mode=0o755, exist_ok=True)
    path = folder / "r.yaml"
    path.write_text("schema: x\n")
    path.chmod(0o644)
    return path


def test_a_runbook_of_root_in_directories_of_root_is_trusted(tmp_path: Path) -> None:
    assert distrust(a_runbook(tmp_path / "a")) == ""
    assert distrust(shipped_runbook()) == ""


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_file_that_others_can_write_is_not(mode: int, tmp_path: Path) -> None:
    path = a_runbook(tmp_path / "a")
    path.chmod(mode)
    assert distrust(path) == f"Others than its owner can write {path} (mode {mode:04o})."


def test_a_directory_that_others_can_write_is_not_wherever_it_is_on_the_way(tmp_path: Path) -> None:
    path = a_runbook(tmp_path / "a")
    (tmp_path / "a").chmod(0o775)
    assert distrust(path) == f"Others than its owner can write {tmp_path}/a (mode 0775)."
    # In a sticky one nobody can put another file in its place.
    (tmp_path / "a").chmod(0o1777)
    assert distrust(path) == ""


def test_links_are_followed_and_so_are_the_directories_that_hold_them(tmp_path: Path) -> None:
    path = a_runbook(tmp_path / "a")
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "link.yaml").symlink_to("../a/r.yaml")
    assert distrust(tmp_path / "open" / "link.yaml") == ""
    (tmp_path / "open").chmod(0o777)
    assert f"Others than its owner can write {tmp_path}/open" in distrust(tmp_path / "open" / "link.yaml")
    (tmp_path / "open").chmod(0o755)
    path.chmod(0o666)
    assert f"Others than its owner can write {tmp_path}/a/r.yaml" in distrust(tmp_path / "open" / "link.yaml")
    (tmp_path / "round").symlink_to("round")
    assert "is unknown: " in distrust(tmp_path / "round" / "r.yaml")


@AS_ROOT
def test_what_belongs_to_somebody_else_is_not_trusted_unless_that_is_who_called_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = a_runbook(tmp_path / "a")
    os.chown(path, 12345, 0)
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert distrust(path) == f"{path} belongs to another user (uid 12345)."
    with pytest.raises(
        RunbookError, match=r"As root, vipconsole does not use the runbook .* belongs to another user"
    ):
        read_runbook(path)
    monkeypatch.setenv("SUDO_UID", "12345")
    assert distrust(path) == ""
    with pytest.raises(RunbookError, match="has errors"):
        read_runbook(path)


@AS_ROOT
def test_in_a_sticky_directory_what_belongs_to_others_is_still_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    a_runbook(tmp_path / "a")
    (tmp_path / "a").chmod(0o1777)
    link = tmp_path / "a" / "link.yaml"
    link.symlink_to("r.yaml")
    os.lchown(link, 12345, 0)
    assert "link.yaml belongs to another user" in distrust(link)
