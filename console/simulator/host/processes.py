"""The processes of a demo host: its engine, and what runs in its transient units. Looked up by number, known by their folder."""

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ENGINE_PID = "run/engine.pid"
TRANSIENT = "run/systemd/transient"
ENDED_WITHIN_S = 5.0
POLL_S = 0.02


def wait_until(holds: Callable[[], bool], within_s: float) -> bool:
    """Block until something holds, and return whether it does; checked at least once.

    For processes that do one thing and have no event loop; everywhere else it is `console.concurrency.until`.
    """
    end_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() >= end_s:
            return False
        time.sleep(POLL_S)
    return True


def engine_lives(root: Path) -> bool:
    """Return whether there is an engine, even one that does not answer at the moment."""
    return _process(root, root / ENGINE_PID) is not None


def end_engine(root: Path) -> None:
    """End the engine, and return once it is gone."""
    pid = _process(root, root / ENGINE_PID)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            ended = select.poll()
            ended.register(descriptor, select.POLLIN)
            for signals in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(descriptor, signals)
                if ended.poll(ENDED_WITHIN_S * 1000):
                    return
        finally:
            os.close(descriptor)


def unit_processes(root: Path) -> tuple[int, ...]:
    """Return the processes that run in transient units: runners and switches."""
    pids = (_process(root, path) for path in (root / TRANSIENT).glob("*/pid"))
    return tuple(pid for pid in pids if pid is not None)


def end_units(root: Path) -> None:
    """Kill everything in transient units at once, as the kernel does when memory runs out."""
    for pid in unit_processes(root):
        with suppress(ProcessLookupError):
            # Each leads a session of its own.
            os.killpg(pid, signal.SIGKILL)


def _process(root: Path, path: Path) -> int | None:
    try:
        pid = int(path.read_text("ascii"))
        # The number may have been given to another process since.
        return pid if os.fsencode(root) in Path(f"/proc/{pid}/cmdline").read_bytes() else None
    except (OSError, ValueError):
        return None
