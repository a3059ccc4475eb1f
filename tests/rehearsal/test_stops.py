"""How containers stop, from ended tasks and from processes in a folder that looks like /proc."""

from dataclasses import replace
from pathlib import Path

import pytest

from console.rehearsal.shape import StopBehavior
from console.rehearsal.stops import stop_behaviors
from console.swarm.model import Task
from console.swarm.snapshots import WholeSwarm
from tests.support.swarms import HERE, ago, engine, service, task

CONTAINER = "c0ffee" + "0" * 58
CATCHES_TERM, CATCHES_NONE = "0000000000004000", "0000000000000000"
CGROUPS = {
    "version 1": f"11:memory:/docker/{CONTAINER}\n10:cpu:/docker/{CONTAINER}\n",
    "version 2 with systemd": f"0::/system.slice/docker-{CONTAINER}.scope\n",
}


def running(container: str = CONTAINER) -> Task:
    return replace(task("web"), container_id=container)


def stopped(code: int | None, seconds_ago: float) -> Task:
    ended = task("web", state="shutdown", desired="shutdown", since=ago(seconds_ago), slot=round(seconds_ago))
    return replace(ended, exit_code=code)


def write_process(proc: Path, cgroup: str, caught: str, inner: str = "1") -> None:
    folder = proc / "4242"
    folder.mkdir()
    (folder / "cgroup").write_text(cgroup)
    (folder / "status").write_text(
        f"Name:\tsleep\nNSpid:\t4242\t{inner}\nSigBlk:\t{CATCHES_NONE}\nSigCgt:\t{caught}\n"
    )


def behavior(proc: Path, *tasks: Task) -> StopBehavior | None:
    snapshot = WholeSwarm(engine(), (), (service("web"),), tasks, (HERE,), ())
    return stop_behaviors(snapshot, proc).get("id-web")


@pytest.mark.parametrize("cgroup", CGROUPS.values(), ids=CGROUPS)
def test_a_first_process_that_does_not_catch_sigterm_takes_the_whole_grace(
    tmp_path: Path, cgroup: str
) -> None:
    write_process(tmp_path, cgroup, CATCHES_NONE)
    assert behavior(tmp_path, running()) is StopBehavior.WHOLE_GRACE


def test_what_a_process_does_with_a_signal_that_it_catches_is_unknown(tmp_path: Path) -> None:
    write_process(tmp_path, CGROUPS["version 1"], CATCHES_TERM)
    assert behavior(tmp_path, running()) is None


def test_another_process_of_the_container_tells_nothing(tmp_path: Path) -> None:
    write_process(tmp_path, CGROUPS["version 1"], CATCHES_NONE, inner="7")
    assert behavior(tmp_path, running()) is None


def test_the_last_task_that_was_stopped_tells_before_any_process(tmp_path: Path) -> None:
    write_process(tmp_path, CGROUPS["version 1"], CATCHES_NONE)
    assert behavior(tmp_path, running(), stopped(137, 60), stopped(0, 30)) is StopBehavior.AT_ONCE
    assert behavior(tmp_path, running(), stopped(0, 60), stopped(137, 30)) is StopBehavior.WHOLE_GRACE


def test_a_task_that_ended_by_itself_or_without_a_code_tells_nothing(tmp_path: Path) -> None:
    crashed = replace(stopped(137, 30), state="failed")
    assert behavior(tmp_path, crashed, stopped(None, 20)) is None
