"""Private engines do what tests rely on, and leave nothing behind however they end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.lab import Engine, require_engine, running_engine
from tests.engine.namespaces import LabError, Namespaces

pytestmark = pytest.mark.engine

ABANDONED = """
import sys
from tests.engine.lab import Engine
engine = Engine("abandoned")
engine.start()
engine.create_swarm()
engine.docker("run", "-d", "lab/box:1")
engine.pause()
print(engine.namespaces.directory, engine.namespaces.init, flush=True)
sys.stdin.read()
"""
"""A test run that makes an engine with a container hang, tells of it, and then waits to be killed."""


def eventually(predicate: Callable[[], bool], within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    while not predicate():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def traces(directory: Path) -> list[str]:
    """Return what is left of an engine: its directory, cgroups, mounts, and processes that name it."""
    found = [str(directory)] if directory.exists() else []
    # At the top of each hierarchy only: other engines' groups come and go deeper down while one looks.
    roots = (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir())
    found += [str(each) for root in roots if (each := root / f"lab-{directory.name}").is_dir()]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if directory.name in line]
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = each.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if directory.name.encode() in command and int(each.parent.name) != os.getpid():
            found.append(command.replace(b"\0", b" ").decode())
    return found


def inhabitants(directory: Path) -> int:
    """Return how many processes are in the cgroups of an engine's containers."""
    roots = (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir())
    groups = [each for root in roots for each in root.glob(f"lab-{directory.name}/*/cgroup.procs")]
    # Each hierarchy of cgroups lists the same processes.
    return len({pid for each in groups for pid in each.read_text().split()})


def test_a_swarm_with_an_image_is_there(engine: Engine) -> None:
    assert engine.docker("info", "--format", "{{.Swarm.LocalNodeState}} {{.Name}}").split() == [
        "active",
        "lab",
    ]
    assert engine.docker("image", "ls", "-q", "lab/box:1").strip()
    assert "level=debug" not in engine.log()
    assert "API listen on" in engine.log()


def test_a_restarted_engine_is_the_same_swarm(engine: Engine) -> None:
    before = engine.docker("info", "--format", "{{.Swarm.Cluster.ID}}")

    engine.restart()
    assert engine.docker("info", "--format", "{{.Swarm.Cluster.ID}}") == before

    engine.kill()
    assert not engine.answers()
    engine.start()
    assert engine.docker("info", "--format", "{{.Swarm.Cluster.ID}}") == before


def test_a_paused_engine_hangs_until_it_is_resumed(engine: Engine) -> None:
    engine.pause()
    try:
        assert not engine.answers(within_s=0.3)
    finally:
        engine.resume()

    assert eventually(engine.answers)


def test_a_paused_engine_can_be_killed() -> None:
    with running_engine(swarm=False) as engine:
        engine.pause()
        engine.kill()
        engine.start()

        assert engine.answers()


def test_its_host_name_is_its_own() -> None:
    with running_engine("manager-7", swarm=False) as engine:
        assert engine.docker("info", "--format", "{{.Name}}").strip() == "manager-7"
    assert os.uname().nodename != "manager-7"


def test_two_engines_do_not_meet() -> None:
    with running_engine("one") as one, running_engine("two") as two:
        one.docker("network", "create", "--driver", "overlay", "only-one")

        assert "only-one" not in two.docker("network", "ls")


def test_nothing_is_left_after_the_end() -> None:
    with running_engine() as engine:
        directory = engine.namespaces.directory
        engine.docker("run", "-d", "lab/box:1")
        engine.docker("service", "create", "--detach", "--name", "app", "lab/box:1")
        assert eventually(lambda: inhabitants(directory) == 2)
        assert traces(directory)

    assert traces(directory) == []


def test_nothing_is_left_after_a_failure_in_the_middle() -> None:
    kept: list[Path] = []

    def failing() -> None:
        with running_engine() as engine:
            kept.append(engine.namespaces.directory)
            engine.pause()
            engine.namespaces.run("no-such-command")

    with pytest.raises(LabError, match="no-such-command"):
        failing()
    (directory,) = kept
    assert traces(directory) == []


def test_nothing_is_left_when_the_test_run_is_killed() -> None:
    require_engine()
    with subprocess.Popen(
        [sys.executable, "-c", ABANDONED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as run:
        assert run.stdout is not None
        told = run.stdout.readline().split()
        directory, init = Path(told[0].decode()), int(told[1])
        assert inhabitants(directory) == 1

        run.send_signal(signal.SIGKILL)

    assert eventually(lambda: not traces(directory)), traces(directory)
    assert not Path(f"/proc/{init}").exists()


def test_namespaces_that_cannot_be_made_are_an_error() -> None:
    require_engine()

    # The host name is longer than the kernel takes.
    with pytest.raises(LabError, match="no namespaces"):
        Namespaces("x" * 65)
