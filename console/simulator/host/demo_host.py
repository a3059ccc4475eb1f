"""The demo's host as the command line uses it: made on first use, with an engine that lives on, begun again when asked to."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console.errors import SimulatorError
from console.host.root import VARIABLE, choose_root
from console.simulator.host.control import JOURNAL_SOCKET
from console.simulator.host.processes import end_engine, end_units, engine_lives
from console.simulator.host.tree import COMPLETE, make_tree, shorter
from console.text import clean, last_line

MOST_PATH_BYTES = 107
"""A unix socket has no longer path (unix(7))."""
_FORBIDDEN = " '\"$\\#?\n\t"
"""Characters that a path in a Nix store or of a flake has not."""
_ELSEWHERE = "Set XDG_STATE_HOME to another folder."


def demo_folder(environment: Mapping[str, str]) -> Path:
    """Return where this user's demo host is; it need not be there yet."""
    base = environment.get("XDG_STATE_HOME") or f"{environment.get('HOME', '/')}/.local/state"
    return (Path(base) / "vipconsole" / "demo").absolute()


def is_made(folder: Path) -> bool:
    """Return whether there is a demo host."""
    return (folder / COMPLETE).exists()


def enter(folder: Path, *, is_needed: bool, scenario: str = "evening") -> bool:
    """Make the demo host the one that this process works on, and return whether its engine had to be started.

    What is not there yet is made where it is needed; else only what is there can be seen. Raises SimulatorError.
    """
    choose_root(folder)
    if not is_made(folder) and not is_needed:
        return False
    with _locked(folder):
        if is_made(folder) and (engine_lives(folder) or not is_needed):
            return False
        # Without its engine, what the host remembers is about a swarm that is gone.
        _remove(folder)
        _make(folder)
        _start_engine(folder, scenario)
        return True


def forget(folder: Path) -> None:
    """End everything of the demo host and remove it, so that it begins with the evening before the maintenance again."""
    if folder.exists():
        with _locked(folder):
            _remove(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let nobody else make or remove the demo host meanwhile."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder.with_name("demo.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SimulatorError(
            f"The demo's host cannot be made in {clean(str(folder))}: {error}.", _ELSEWHERE
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _make(folder: Path) -> None:
    where = clean(str(folder), 300)
    if any(character in str(folder) for character in _FORBIDDEN):
        raise SimulatorError(
            f"The demo's host cannot be in {where}: its path has a special character.", _ELSEWHERE
        )
    if len(os.fsencode(folder / JOURNAL_SOCKET)) > MOST_PATH_BYTES:
        raise SimulatorError(
            f"The demo's host cannot be in {where}: the path is too long for a socket.", _ELSEWHERE
        )
    from console.runbook.language.source import shipped_runbook  # noqa: PLC0415 - it takes its paths when it is loaded

    before = os.umask(0o077)
    try:
        make_tree(folder, shorter(shipped_runbook().read_text("utf-8")))
    except OSError as error:
        raise SimulatorError(f"The demo's host cannot be made in {where}: {error}.", _ELSEWHERE) from error
    finally:
        os.umask(before)


def _start_engine(folder: Path, scenario: str) -> None:
    packages = os.pathsep.join(entry for entry in sys.path if entry.startswith("/"))
    with (folder / "var/log/engine.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - this program itself
            (sys.executable, "-P", "-m", "console.simulator.host", "engine", str(folder), scenario),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env={"PATH": os.defpath, VARIABLE: str(folder), "PYTHONPATH": packages, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
    out = process.stdout
    first_line = out.readline() if out is not None else b""
    if out is not None:
        out.close()
    if first_line != b"ready\n":
        reason = last_line((folder / "var/log/engine.log").read_text("utf-8", "replace"))
        raise SimulatorError(f"The demo's engine did not start: {reason or 'it printed nothing'}")


def _remove(folder: Path) -> None:
    end_units(folder)
    end_engine(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        # A process that was about to end may have written something meanwhile.
        shutil.rmtree(folder)
