"""The copy of the swarm's state before a manager is borrowed, and the way back by hand, run as an operator would run it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from console.errors import HostError
from console.operations.borrow.backup import COPY, Places, copy_state, require_room, way_back
from tests.support.borrowing import borrow_record

MB = 1024 * 1024
REAL, TEMPORARY = "unix:///run/my docker.sock", "unix:///var/lib/a state/borrow/engine/docker.sock"
DOCKER = """#!/bin/sh
case "$2" in
*docker.sock) echo "$*" >>"$CALLS" ;;
*) echo "no socket: $2" >>"$CALLS" ;;
esac
case "$*" in
*"$DEAD"*) exit 1 ;;
*Reachability*) sed -n 1p "$REACHABLE"; sed -i 1d "$REACHABLE" ;;
*handover.availability*--format* | *format*handover.availability*) echo active ;;
*Dispatcher* | *handover.heartbeat*) echo 7000000000 ;;
*"node ls --filter"*) echo temporary-id ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an engine's data directory with the state of a swarm."""
    folder = tmp_path / "docker"
    (folder / "swarm/raft/wal").mkdir(parents=True)
    (folder / "swarm/docker-state.json").write_text("{}")
    (folder / "swarm/raft/wal/1.wal").write_bytes(b"x" * 1000)
    return folder


def test_the_state_is_copied_whole_and_again_over_an_older_copy(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "borrow"
    (target / COPY).mkdir(parents=True)
    (target / COPY / "old").touch()
    copy_state(str(root), target)
    copied = sorted(
        str(path.relative_to(target / COPY)) for path in (target / COPY).rglob("*") if path.is_file()
    )
    assert copied == ["docker-state.json", "raft/wal/1.wal"]
    assert (target / COPY / "raft/wal/1.wal").read_bytes() == b"x" * 1000


def changing_while_copied(changes: int, root: Path) -> Callable[..., str]:
    """Return a copy of a file during which the log of the state grows, so many times in all."""
    done: list[int] = [0]
    copyfile: Any = shutil.copyfile

    def copy(source: object, target: str, *, follow_symlinks: bool) -> str:
        copied: str = copyfile(source, target, follow_symlinks=follow_symlinks)
        if target.endswith(".wal"):
            done[0] += 1
            if done[0] <= changes:
                (root / "swarm/raft/wal/1.wal").write_bytes(b"y" * (1000 + done[0]))
        return copied

    return copy


def test_a_copy_during_which_something_was_written_does_not_count(root: Path, tmp_path: Path) -> None:
    with patch.object(shutil, "copyfile", changing_while_copied(2, root)):
        copy_state(str(root), tmp_path / "borrow")
    assert (tmp_path / "borrow" / COPY / "raft/wal/1.wal").read_bytes() == b"y" * 1002


def test_where_something_is_written_all_the_time_there_is_no_copy(root: Path, tmp_path: Path) -> None:
    with (
        patch.object(shutil, "copyfile", changing_while_copied(99, root)),
        pytest.raises(HostError, match="changes all the time") as told,
    ):
        copy_state(str(root), tmp_path / "borrow")
    assert "vipconsole quiet" in told.value.hint


def test_without_a_state_nothing_is_borrowed(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read"):
        copy_state(str(tmp_path / "nowhere"), tmp_path / "borrow")


@pytest.mark.parametrize(("free_mb", "is_enough"), [(199, False), (201, True)])
def test_it_needs_room_for_the_copy_and_a_second_engine(
    free_mb: int, root: Path, tmp_path: Path, *, is_enough: bool
) -> None:
    state = tmp_path / "not/there/yet"
    with patch.object(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_mb * MB)):
        if is_enough:
            require_room(str(root), state)
            return
        with pytest.raises(HostError) as told:
            require_room(str(root), state)
    assert told.value.sentence == f"{tmp_path} has 199 MB free, and a borrowed manager needs 200 MB."


def test_a_large_state_needs_twice_its_size(root: Path, tmp_path: Path) -> None:
    with (root / "swarm/raft/wal/2.wal").open("wb") as file:
        file.truncate(100 * MB)
    with (
        patch.object(shutil, "disk_usage", lambda _: SimpleNamespace(free=399 * MB)),
        pytest.raises(HostError, match="needs 400 MB"),
    ):
        require_room(str(root), tmp_path)


# By hand.


@pytest.fixture
def script(tmp_path: Path) -> Path:
    places = Places(tmp_path / "a state/borrow", REAL, TEMPORARY, "/var/lib/docker", "docker.service")
    path = tmp_path / "way-back.sh"
    path.write_text(way_back(borrow_record(), places))
    return path


def by_hand(script: Path, folder: Path, dead: str = "nobody") -> list[str]:
    """Run it with a `docker` that writes down what it is called with, and return the calls."""
    commands = folder / "bin"
    commands.mkdir()
    (commands / "docker").write_text(DOCKER)
    (commands / "sleep").write_text("#!/bin/sh\n")
    for command in commands.iterdir():
        command.chmod(0o755)
    (folder / "reachable").write_text("unknown\nunreachable\nreachable\n")
    environment = {
        "PATH": f"{commands}:{os.defpath}",
        "CALLS": str(folder / "calls"),
        "REACHABLE": str(folder / "reachable"),
        "DEAD": dead,
    }
    subprocess.run(["/bin/sh", str(script)], env=environment, check=True, capture_output=True, timeout=30)
    return (folder / "calls").read_text().splitlines()


@pytest.mark.process
def test_the_way_back_is_a_valid_script_whose_commented_commands_are_valid_too(script: Path) -> None:
    subprocess.run(["/bin/sh", "-n", str(script)], check=True, timeout=30)
    comments = [
        line.removeprefix("#   ") for line in script.read_text().splitlines() if line.startswith("#   ")
    ]
    assert len(comments) == 14
    subprocess.run(["/bin/sh", "-n", "-c", "\n".join(comments)], check=True, timeout=30)


@pytest.mark.process
def test_the_way_back_asks_the_right_sockets_in_the_right_order(script: Path, tmp_path: Path) -> None:
    calls = by_hand(script, tmp_path)
    assert all(call.startswith((f"-H {REAL} ", f"-H {TEMPORARY} ")) for call in calls)
    changes = [
        call.removeprefix("-H ").replace(REAL, "real").replace(TEMPORARY, "temporary")
        for call in calls
        if " --format " not in call
    ]
    assert changes == [
        "temporary node promote node-here",
        "real node update --availability active node-here",
        "real swarm update --dispatcher-heartbeat 7000000000ns",
        "real node update --label-rm vipconsole.handover --label-rm vipconsole.handover.availability node-here",
        "real node demote temporary-id",
        "temporary swarm leave --force",
        "real node rm --force temporary-id",
        "real node ls",
    ]
    # An unreachable manager is not a reachable one.
    assert len([call for call in calls if "Reachability" in call]) == 3


@pytest.mark.process
def test_where_the_temporary_manager_is_dead_the_real_one_promotes_itself(
    script: Path, tmp_path: Path
) -> None:
    calls = by_hand(script, tmp_path, dead=f"{TEMPORARY} node promote")
    assert [call for call in calls if "promote" in call] == [
        f"-H {TEMPORARY} node promote node-here",
        f"-H {REAL} node promote node-here",
    ]
