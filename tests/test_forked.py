"""A program that is forked is as honest as one that is started: the same output, the same exit code, nothing shared."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.changes import operator
from tests.support.demo import demo_host
from tests.support.forked import ZYGOTES, ForkedProgram, Inside, can_fork
from tests.support.program import PROGRAM, Outcome, program_environment, vipconsole
from tests.support.terminal import on_terminal

GONE = ("--host", "unix:///nonexistent")
COMMANDS = (
    ("--help",),
    ("glance", "--no-such-option"),
    ("glance", *GONE),
    ("glance", "--json", *GONE),
    ("schema",),
    ("validate", "/nonexistent"),
    ("runs",),
    ("decide", "none", "none", "retry"),
    ("history", "--state-dir", "/proc/nowhere"),
    ("why", "drone", "--demo"),
)


def both_ways(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[], Outcome]
) -> tuple[tuple[int, str, str], tuple[int, str, str]]:
    """Return exit code, output and errors, and those where nothing is forked; figures that differ are left out."""
    forked = run()
    with monkeypatch.context() as patch:
        patch.setattr(ZYGOTES, "are_allowed", False)
        return _parts(forked), _parts(run())


def _parts(outcome: Outcome) -> tuple[int, str, str]:
    return outcome.code, re.sub("[0-9]+", "0", outcome.out), re.sub("[0-9]+", "0", outcome.err)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_output_and_exit_code_are_those_of_a_program_that_is_started(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    forked, started = both_ways(monkeypatch, lambda: vipconsole(*command, environment={"COLUMNS": "70"}))
    assert forked == started
    assert forked[1] + forked[2]


def test_a_demo_host_is_entered_and_left_by_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = demo_host(tmp_path, "build")
    for command in (("run", str(host.runbook), "--check"), ("runs",), ("why", "nosuch")):
        # From the second one on, they are forked from a zygote that has been loaded for this host.
        forked, started = both_ways(monkeypatch, lambda arguments=command: host.command(*arguments))  # type: ignore[misc]
        assert forked == started
    assert "SIMULATED" in host.command("runs", "--fresh").out
    assert not host.folder.exists()
    # Without a demo host, what only looks has an engine of its own, whatever has been loaded.
    forked, started = both_ways(monkeypatch, lambda: host.command("why", "drone"))
    assert forked == started
    assert not host.folder.exists()


def test_nothing_of_a_program_is_left_for_the_next(tmp_path: Path) -> None:
    before = vipconsole("runs", "--json", home=tmp_path).out
    # It sets its own environment, and it chooses a root of the host.
    (tmp_path / "else/runs/20260101-000000").mkdir(parents=True)
    assert vipconsole("runs", "--json", "--state-dir", str(tmp_path / "else"), home=tmp_path).out != before
    vipconsole("runs", "--demo", environment={"XDG_STATE_HOME": str(tmp_path)})
    assert vipconsole("runs", "--json", home=tmp_path).out == before


@contextmanager
def waiting(folder: Path, inside: Inside | None = None) -> Iterator["ForkedProgram[bytes]"]:
    """Fork a program, and give it once it waits for an engine that does not answer."""
    engine = folder / "engine.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(engine))
        listener.listen()
        command = [str(PROGRAM), "glance", "--host", f"unix://{engine}"]
        with ForkedProgram[bytes](command, environment=program_environment(), inside=inside) as process:
            connection, _ = listener.accept()
            try:
                yield process
            finally:
                connection.close()
                process.kill()


def test_it_is_a_child_with_arguments_and_streams_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with waiting(tmp_path) as process:
        here = Path(f"/proc/{process.pid}")
        status = dict(
            line.split(":\t", 1) for line in (here / "status").read_text().splitlines() if ":\t" in line
        )
        assert (status["PPid"], status["Name"]) == (str(os.getpid()), "vipconsole")
        shown = (here / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        assert shown[1:3] == [os.fsencode(PROGRAM), b"glance"]
        assert (here / "cwd").readlink() == tmp_path
        assert process.stdout is not None
        assert process.stderr is not None
        ours = [
            Path(f"/proc/self/fd/{pipe.fileno()}").readlink() for pipe in (process.stdout, process.stderr)
        ]
        assert [(here / "fd" / str(number)).readlink() for number in (1, 2)] == ours
        # Nothing of the zygote's is open in it.
        assert not [
            path
            for path in (here / "fd").iterdir()
            if str(path.readlink()).startswith("pipe:") and path.name not in "12"
        ]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_signal_ends_it_as_it_ends_any_program(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with waiting(tmp_path) as process:
        process.send_signal(number)
        assert process.wait(60) == code
    # The next one is none the worse for it.
    assert vipconsole("runs", home=tmp_path).code == 0


def test_a_reader_that_has_gone_is_noticed(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with ForkedProgram[bytes](
        [str(PROGRAM), "schema"], environment=program_environment(home=tmp_path), stdout=theirs
    ) as process:
        os.close(theirs)
        assert process.wait(60) == 141


def test_it_has_a_terminal_of_its_own(tmp_path: Path) -> None:
    got = []
    for is_forked in (True, False):
        with on_terminal("why", "--demo", folder=tmp_path, is_forked=is_forked) as shown:
            assert os.getsid(shown.process.pid) == shown.process.pid
            code = shown.end()
        got.append((code, re.sub(rb"[0-9]+", b"0", bytes(shown.got))))
    assert got[0] == got[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_an_operator_has_a_lock_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with operator() as someone:
        (someone.folder / "run").mkdir()
        (someone.folder / "run/lock").write_text("")
        forked, started = both_ways(monkeypatch, lambda: someone.run("guard", "--json", *GONE))
        assert forked == started


@contextmanager
def namespaces() -> Iterator[int]:
    """Give the first process of namespaces of its own, whose host has a name of its own too."""
    command = ["unshare", "-n", "-m", "-p", "-u", "-i", "--fork", "--mount-proc", "--kill-child=KILL"]
    waits = ["sh", "-c", "hostname elsewhere && echo ready && exec cat"]
    with subprocess.Popen([*command, *waits], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outer:
        assert outer.stdout is not None
        assert outer.stdout.readline() == b"ready\n"
        yield int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
        outer.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters namespaces")
@pytest.mark.parametrize("letters", ["m", "nmpui", "nmpuirw"])
def test_it_is_in_the_namespaces_that_it_is_to_be_in(
    tmp_path: Path, letters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"n": "net", "m": "mnt", "p": "pid", "u": "uts", "i": "ipc"}
    with namespaces() as init:
        inside = Inside(init, letters)
        with waiting(tmp_path, inside) as process:
            for letter, kind in kinds.items():
                place = init if letter in letters else os.getpid()
                there = Path(f"/proc/{place}/ns/{kind}").readlink()
                assert Path(f"/proc/{process.pid}/ns/{kind}").readlink() == there, kind
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert f"\nPPid:\t{os.getpid()}\n" in status
            assert status.startswith("Name:\tvipconsole\n")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        forked, started = both_ways(monkeypatch, lambda: vipconsole("glance", *GONE, inside=inside))
        assert forked == started
    with pytest.raises(OSError, match="No such file"):
        ForkedProgram[bytes]([str(PROGRAM)], environment=program_environment(), inside=Inside(init, letters))


@pytest.mark.parametrize("variable", ["LANG", "LC_ALL", "PYTHONWARNINGS", "VIPCONSOLE_ROOT"])
def test_what_python_or_a_module_reads_at_its_start_is_given_to_a_program_that_is_started(
    variable: str,
) -> None:
    assert can_fork(program_environment())
    assert not can_fork(program_environment({variable: "C"}))
