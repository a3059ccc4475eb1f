import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.errors import HostError, LockHeld
from console.host.lock import maintenance_lock
from console.host.lock_probe import holder_of_lock
from console.host.who import Who

ALICE = Who("root", "alice", "pts/3", "192.0.2.7")
HOLD = """
import asyncio, sys
from pathlib import Path
from console.clock import SystemClock
from console.host.lock import maintenance_lock
from console.host.audit import Who
async def hold():
    async with maintenance_lock("vipconsole first", Who("root"), SystemClock(), Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.sleep(600)
asyncio.run(hold())
"""
SHARE = """
import fcntl, sys, time
with open(sys.argv[1]) as file:
    fcntl.flock(file, fcntl.LOCK_SH)
    print("shared", flush=True)
    time.sleep(0.3)
"""


@contextmanager
def held(path: Path, command: str = "vipconsole test") -> Iterator[None]:
    """Hold the lock of this process."""
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        runner.run(stack.enter_async_context(maintenance_lock(command, ALICE, SystemClock(), path)))
        try:
            yield
        finally:
            runner.run(stack.aclose())


@contextmanager
def another(script: str, path: Path, says: bytes) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a script in a process of its own, and begin once it has said something."""
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == says
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "vipconsole" / "lock"


def test_the_second_names_the_holder_and_gets_nothing(lock: Path) -> None:
    with held(lock, "vipconsole census proxy"), pytest.raises(LockHeld) as refused, held(lock):
        raise AssertionError("both hold it")
    said = refused.value.sentence
    holder = f"vipconsole census proxy, process {os.getpid()}, by root (login alice, from 192.0.2.7, pts/3)"
    assert holder in said
    assert "since 20" in said


def test_it_is_free_again_afterwards_whatever_happened_and_the_note_is_gone(lock: Path) -> None:
    async def fail() -> None:
        async with maintenance_lock("first", ALICE, SystemClock(), lock):
            assert holder_of_lock(lock).startswith("first, process ")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(fail())
    assert (holder_of_lock(lock), lock.read_text()) == ("", "")
    with held(lock, "second"):
        assert holder_of_lock(lock).startswith("second, process ")
    assert lock.stat().st_mode & 0o777 == 0o644


def test_every_user_may_see_who_holds_it_whatever_its_holder_keeps_to_itself(lock: Path) -> None:
    before = os.umask(0o077)
    try:
        with held(lock):
            assert [path.stat().st_mode & 0o777 for path in (lock, lock.parent)] == [0o644, 0o755]
    finally:
        os.umask(before)


def test_the_kernel_frees_the_lock_of_a_killed_holder(lock: Path) -> None:
    with another(HOLD, lock, b"held\n") as holder:
        assert f"vipconsole first, process {holder.pid}" in holder_of_lock(lock)
        with pytest.raises(LockHeld, match=f"vipconsole first, process {holder.pid}"), held(lock):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(60)
        assert holder_of_lock(lock) == ""
        # The note of the dead is still there, and misleads nobody.
        assert "vipconsole first" in lock.read_text()
        with held(lock, "second"):
            assert holder_of_lock(lock).startswith("second, ")


def test_whoever_only_looks_at_the_lock_does_not_keep_anybody_from_it(lock: Path) -> None:
    with held(lock):
        pass
    # A probe shares the lock for an instant; one that shares it for longer stands for many of them.
    with another(SHARE, lock, b"shared\n"), held(lock, "second"):
        assert "second" in lock.read_text()


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="cannot be created: File exists"), held(tmp_path / "file" / "lock"):
        pass


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(HostError, match="cannot be created"), held(tmp_path / "lock"):
        pass
    assert (tmp_path / "target").read_text() == "precious"
