"""The processes of this host, and a /proc made by hand."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.errors import HostError
from console.host.reader import WORDS, read_own, read_processes

BOOTED = 1_700_000_000


def made(folder: Path, pid: int, argv: bytes, *, name: str = "x", parent: int = 1, terminal: int = 0) -> None:
    own = folder / str(pid)
    own.mkdir(parents=True)
    (own / "cmdline").write_bytes(argv)
    ticks = 10 * os.sysconf("SC_CLK_TCK")
    fields = ["S", str(parent), "1", "1", str(terminal), *["0"] * 14, str(ticks), "0", "0"]
    (own / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "stat").write_text(f"cpu 1 2 3\nbtime {BOOTED}\n")
    made(tmp_path, 1, b"/sbin/init\0", parent=0)
    return tmp_path


def test_a_process_is_read_with_its_words_parent_start_and_terminal(proc: Path) -> None:
    # A name may look like the fields that follow it.
    made(proc, 7, b"docker\0stack\0deploy\0", name="a) R 9 (b", parent=3, terminal=os.makedev(136, 5))
    made(proc, 8, b"getty\0", terminal=os.makedev(4, 2))
    first, docker, getty = read_processes(proc)
    assert first.argv == ("/sbin/init",)
    assert (docker.pid, docker.parent, docker.terminal) == (7, 3, "pts/5")
    assert docker.argv == ("docker", "stack", "deploy")
    assert docker.started_at == datetime.fromtimestamp(BOOTED, UTC) + timedelta(seconds=10)
    assert getty.terminal == "tty2"


def test_kernel_threads_and_those_that_have_just_ended_are_passed_over(proc: Path) -> None:
    made(proc, 2, b"", name="kthreadd")
    (proc / "9").mkdir()
    (proc / "self").mkdir()
    assert [each.pid for each in read_processes(proc)] == [1]


def test_hostile_and_endless_command_lines_are_kept_short_and_escaped(proc: Path) -> None:
    made(proc, 7, b"\0".join([b"a\x1b[2J\xff", *[b"x" * 10_000] * 500]))
    _, found = read_processes(proc)
    assert found.argv[0] == "a\\x1b[2J\N{REPLACEMENT CHARACTER}"
    assert len(found.argv) == WORDS
    assert max(map(len, found.argv)) == 300


def test_a_proc_that_hides_others_is_an_error_with_a_hint(proc: Path) -> None:
    (proc / "1" / "cmdline").unlink()
    with pytest.raises(HostError, match="cannot be listed") as raised:
        read_processes(proc)
    assert "hidepid" in raised.value.hint


def test_this_process_and_a_child_are_among_those_of_this_host() -> None:
    # For an instant after its beginning a process has no arguments: it is looked at once it says something.
    command = [sys.executable, "-c", "print(flush=True); input()", "a word"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = {each.pid: each for each in read_processes()}
        child.communicate(b"\n")
    assert found[child.pid].argv[-1] == "a word"
    assert found[child.pid].parent == os.getpid()
    assert abs((datetime.now(UTC) - found[child.pid].started_at).total_seconds()) < 60


@pytest.mark.parametrize(
    ("cgroup", "session", "unit"),
    [
        ("0::/user.slice/user-0.slice/session-7.scope\n", "7", "session-7.scope"),
        ("0::/system.slice/upgrade-all.service\n", "", "upgrade-all.service"),
        ("0::/user.slice/user-1.slice/user@1.service/app.slice/tmux.scope/x\n", "", "tmux.scope"),
        ("0::/\n", "", ""),
    ],
)
def test_own_session_and_unit_come_from_the_cgroup(proc: Path, cgroup: str, session: str, unit: str) -> None:
    (proc / "self").mkdir()
    (proc / "self" / "cgroup").write_text(cgroup)
    own = read_own(proc)
    assert (own.pid, own.session, own.unit) == (os.getpid(), session, unit)


def test_without_a_cgroup_only_the_process_is_known(tmp_path: Path) -> None:
    assert read_own(tmp_path).session == ""
