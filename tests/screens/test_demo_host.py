"""The demo's host: the real runner carries out a whole run on it, and nothing outside is touched."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.host.lock_probe import LOCK
from console.runbook.run.view import StoredRun
from console.runbook.store.viewer import runs_in
from screens.cli.demo import SIMULATED
from tests.support.demo import NEW, OLD, DemoHost, demo_host, words
from tests.support.program import PROGRAM, Outcome, vipconsole
from tests.support.terminal import on_terminal

pytestmark = pytest.mark.process


# In a namespace of users of its own, root here is somebody else there.
NOBODY = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


@dataclass(frozen=True)
class WholeRun:
    """A run of the shipped runbook from plan to report, by somebody who is not root. Its tests only read."""

    host: DemoHost
    outcome: Outcome
    system_before: str
    locks: tuple[bool, bool]
    """Whether this machine had a maintenance lock before and after."""


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeRun]:
    with tempfile.TemporaryDirectory(prefix="whole-", ignore_cleanup_errors=True) as state:
        host = demo_host(tmp_path_factory.mktemp("whole"), state=Path(state))
        system, was_locked = host.running_system(), LOCK.exists()
        outcome = host.command("run", *words("recreate", "switch"), program=(*NOBODY, str(PROGRAM)))
        yield WholeRun(host, outcome, system, (was_locked, LOCK.exists()))


@pytest.fixture
def host(tmp_path: Path) -> DemoHost:
    return demo_host(tmp_path)


def test_the_shipped_runbook_goes_from_plan_to_report_and_no_root_is_needed(whole_run: WholeRun) -> None:
    host, done = whole_run.host, whole_run.outcome
    assert done.code == 0, done.out + done.err
    assert done.out.startswith(f"{SIMULATED}\n")
    assert host.subnet() == NEW
    assert host.running_system() != whole_run.system_before
    assert "--subnet 10.10.0.0/16 proxy" in host.file("etc/nixos/nix/modules/swarm.nix")
    (run,) = host.runs()
    assert (run["state"], run["blocks"]) == ("done", False)
    report = host.command("report", run["run"])
    assert report.code == 0
    assert report.out.startswith(f"{SIMULATED}\n")
    assert "10.10.0.0/16" in report.out
    # Every change is told to the host's own journal first.
    assert "step recreate" in host.file("var/log/vipconsole.log")


def test_afterwards_glance_shows_the_new_subnet(whole_run: WholeRun) -> None:
    document = whole_run.host.command("glance", "proxy", "--json", "--quick").json
    (network,) = [each for each in document["networks"] if each["name"] == "proxy"]
    assert network["subnets"][0]["subnet"] == NEW


def test_nothing_outside_of_the_demo_is_touched_or_blocked(whole_run: WholeRun) -> None:
    was_locked, is_locked = whole_run.locks
    assert was_locked == is_locked
    host = whole_run.host
    assert [path.name for path in host.state.iterdir()] == ["vipconsole"]
    assert vipconsole("runs", "--json", environment=host.environment).json["runs"] == []
    (run,) = runs_in(host.folder / "var/lib/vipconsole")
    assert isinstance(run, StoredRun)
    told = vipconsole("report", run.view.header.run_id, environment=host.environment)
    assert (told.code, "It is a run of the demo: add --demo." in told.err) == (64, True)
    # No file can have such a name.
    told = vipconsole("report", "x" * 300, environment=host.environment)
    assert (told.code, told.err.startswith("vipconsole: Run xxx")) == (64, True)


def test_reclaim_and_guard_do_their_real_thing_on_it(host: DemoHost) -> None:
    before = host.running_units()["docker.service"]["InvocationID"]
    done = host.command("reclaim", "--by", "restart", "--yes")
    assert done.code == 0, done.out + done.err
    assert host.running_units()["docker.service"]["InvocationID"] != before
    assert "systemctl restart docker.service" in done.err
    assert "restart docker.service (vipconsole reclaim)" in host.file("var/log/vipconsole.log")
    assert "Daemon has completed initialization" in host.file("var/log/journal.json")
    assert host.command("guard", "--no-prune").out.splitlines()[1].startswith("GUARD")


def test_fresh_begins_again_and_ends_what_was_there(tmp_path: Path) -> None:
    host = demo_host(tmp_path, "recreate")
    assert host.run().code == 0
    assert host.subnet() == NEW
    pid = int(host.file("run/engine.pid"))
    again = vipconsole("run", "--demo", "--fresh", "--check")
    assert "the demo begins" in again.err
    assert host.subnet() == "10.0.1.0/24"
    assert not _lives(pid)
    assert host.runs() == []


def test_the_console_shows_the_demos_host_and_says_that_it_is_simulated(
    host: DemoHost, tmp_path: Path
) -> None:
    assert host.file("etc/hostname") == "ci-host\n"
    with on_terminal("--demo", folder=tmp_path) as shown:
        shown.until_shown(OLD)
        assert b"SIMULATED" in shown.got
        shown.send(b"q")
        assert shown.end() == 0


def test_an_engine_that_does_not_answer_is_not_taken_for_a_dead_one(host: DemoHost, tmp_path: Path) -> None:
    pid, machine = int(host.file("run/engine.pid")), host.file("etc/machine-id")
    os.kill(pid, signal.SIGSTOP)
    try:
        demo_host(tmp_path)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert host.file("etc/machine-id") == machine
    assert host.subnet() == OLD


def test_without_its_engine_no_run_can_continue_and_the_demo_begins_again(
    host: DemoHost, tmp_path: Path
) -> None:
    machine = host.file("etc/machine-id")
    os.kill(int(host.file("run/engine.pid")), signal.SIGKILL)
    for command in (("resume",), ("decide", "any", "recreate", "retry")):
        told = host.command(*command)
        assert (told.code, "`vipconsole --demo run` begins again." in told.err) == (3, True), told
    demo_host(tmp_path)
    assert host.file("etc/machine-id") != machine
    assert host.subnet() == OLD


def test_the_engine_ends_once_its_folder_is_gone(host: DemoHost) -> None:
    pid = int(host.file("run/engine.pid"))
    host.folder.rename(host.folder.with_name("elsewhere"))
    end_s = time.monotonic() + 60
    while _lives(pid) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--fail-at", "build"), "for the demo only"),
        (("glance", "--fresh"), "for the demo only"),
        (("run", "--demo", "--fail-at", "bild"), "did you mean build?"),
        (("run", "--demo", "--fail-at", "switch=unit"), "did you mean units?"),
        (("runs", "--demo", "--state-dir", "/x"), "cannot be combined"),
        (("rehearse", "--demo"), "cannot be rehearsed"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_made(arguments: tuple[str, ...], said: str) -> None:
    outcome = vipconsole(*arguments)
    assert (outcome.code, outcome.out) == (64, "")
    assert said in outcome.err
    assert not Path(os.environ["XDG_STATE_HOME"], "vipconsole").exists()
