"""The demo killed at any moment of a run: nothing outside of its root is locked or left, and it goes on or begins again."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.host.lock_probe import LOCK, holder_of_lock
from console.runbook.store.database import last_entry
from console.runbook.store.finished import LOG
from console.runbook.store.folders import run_folders
from tests.support.demo import NEW, DemoHost, demo_host
from tests.support.program import PROGRAM, Outcome, program_environment, vipconsole

pytestmark = [pytest.mark.sweep, pytest.mark.process, pytest.mark.timeout(3600)]

MOMENTS = 12
WITHIN_S = 240.0
ENDED_WITHIN_S = 30.0
"""So long what a killed runner had started may take to end by itself: a build, a switch."""


@dataclass(frozen=True)
class KilledDemo:
    """A demo of its own, and the places of its user that have to stay empty."""

    host: DemoHost
    outside: Path

    @property
    def environment(self) -> dict[str, str]:
        places = {name: str(self.outside / name.lower()) for name in ("HOME", "TMPDIR")}
        return {**self.host.environment, "VIPCONSOLE_STATE_DIR": str(self.outside / "state"), **places}

    def command(self, *arguments: str) -> Outcome:
        return vipconsole(*arguments, environment=self.environment)

    def start(self) -> "subprocess.Popen[bytes]":
        """Begin a run and return the process that follows it."""
        return subprocess.Popen(
            [str(PROGRAM), "run", str(self.host.runbook), *self.host.words, "--demo"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=program_environment(self.environment),
        )

    def last_number(self) -> int:
        """Return the number of the newest event in the log of the run; 0 before there is one."""
        for folder in run_folders(self.host.folder / "var/lib/vipconsole"):
            if (folder / LOG).exists():
                entry = last_entry(folder / LOG)
                return 0 if entry is None else entry.number
        return 0

    def wait_for(self, number: int, process: "subprocess.Popen[bytes]") -> None:
        """Return as soon as an event of this number is in the log, or the run is over before."""
        end_s = time.monotonic() + WITHIN_S
        while self.last_number() < number and process.poll() is None:
            assert time.monotonic() < end_s, f"no event {number} within {WITHIN_S:g} s"
            # Often, so that the kill follows its event at once.
            time.sleep(0.005)

    def processes(self) -> set[int]:
        """Return the processes of the demo and of its user, by their environment or what they are called with."""
        needle = os.fsencode(self.host.state)
        found = set()
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if needle in (path / "cmdline").read_bytes() + (path / "environ").read_bytes():
                    found.add(int(path.name))
        return found

    def kill(self, *, is_all: bool) -> None:
        """Kill the runner, or everything of the demo, as the kernel does when memory runs out."""
        units = (self.host.folder / "run/systemd/transient").glob("vipconsole-run-*/pid")
        while pids := self.processes() if is_all else {int(path.read_text()) for path in units}:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not is_all:
                return

    def engine(self) -> set[int]:
        with suppress(OSError, ValueError):
            return {int(self.host.file("run/engine.pid"))}
        return set()

    def check_nothing_stays_outside(self) -> None:
        """Check what others on this machine would meet: processes, locks, files; and that their commands work."""
        end_s = time.monotonic() + ENDED_WITHIN_S
        while left := self.processes() - self.engine():
            commands = [_command(pid) for pid in left]
            assert time.monotonic() < end_s, f"still running: {commands}"
            time.sleep(0.05)
        assert holder_of_lock(LOCK) == ""
        assert holder_of_lock(self.host.folder.with_name("demo.lock")) == ""
        assert {path.name for path in self.host.folder.parent.iterdir()} == {"demo", "demo.lock"}
        assert [path.name for path in self.host.state.iterdir()] == ["vipconsole"]
        said = self.command("runs", "--json")
        assert (said.code, said.json["runs"]) == (0, []), said.err
        left_files = [str(path) for path in self.outside.rglob("*") if not path.is_dir()]
        assert left_files == []


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


@contextmanager
def killed_demo(folder: Path) -> Iterator[KilledDemo]:
    folder.mkdir()
    with tempfile.TemporaryDirectory(prefix="killed-", ignore_cleanup_errors=True) as state:
        demo = KilledDemo(demo_host(folder, state=Path(state)), folder / "outside")
        for name in ("home", "tmpdir", "state"):
            (demo.outside / name).mkdir(parents=True)
        try:
            yield demo
        finally:
            demo.kill(is_all=True)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return how many events the log of an uninterrupted run has."""
    with killed_demo(tmp_path_factory.mktemp("calm") / "0") as demo:
        assert demo.start().wait(WITHIN_S) == 0
        assert demo.host.subnet() == NEW
        return demo.last_number()


@pytest.mark.parametrize("at", range(MOMENTS))
def test_a_runner_killed_at_any_moment_is_resumed_to_the_end(tmp_path: Path, events: int, at: int) -> None:
    with killed_demo(tmp_path / "demo") as demo:
        before = demo.host.running_system()
        with demo.start() as process:
            demo.wait_for(1 + (events - 2) * at // (MOMENTS - 1), process)
            demo.kill(is_all=False)
            process.wait(WITHIN_S)
        demo.check_nothing_stays_outside()
        (run,) = demo.command("runs", "--demo", "--json").json["runs"]
        if run["state"] != "done":
            if run["blocks"]:
                refused = demo.command("run", "--demo", str(demo.host.runbook), *demo.host.words)
                assert f"resume {run['run']}" in refused.err, refused
            done = demo.command("resume", "--demo", run["run"], *demo.host.words)
            assert done.code == 0, (at, done.out + done.err)
        assert demo.host.subnet() == NEW
        assert demo.host.running_system() != before
        demo.check_nothing_stays_outside()


@pytest.mark.parametrize("at", range(MOMENTS))
def test_a_demo_killed_whole_at_any_moment_says_how_to_begin_again(
    tmp_path: Path, events: int, at: int
) -> None:
    with killed_demo(tmp_path / "demo") as demo:
        with demo.start() as process:
            demo.wait_for(1 + (events - 2) * at // (MOMENTS - 1), process)
            demo.kill(is_all=True)
        assert demo.processes() == set()
        demo.check_nothing_stays_outside()
        (run,) = demo.command("runs", "--demo", "--json").json["runs"]
        if run["state"] != "done":
            stopped = demo.command("resume", "--demo", run["run"], *demo.host.words)
            assert stopped.code == 3, (at, stopped)
            assert "`vipconsole --demo run` begins again." in stopped.err, (at, stopped)
        # At every second moment without being told to: its engine is gone, so there is nothing to go on with.
        fresh = ("--fresh",) if at % 2 else ()
        again = demo.command("run", "--demo", *fresh, "--check")
        assert "the demo begins" in again.err, (at, again)
        assert demo.command("runs", "--demo", "--json").json["runs"] == []
        demo.check_nothing_stays_outside()
