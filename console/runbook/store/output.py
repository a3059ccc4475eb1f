"""Files beside the log: what the steps printed, the runner's heartbeat, and what the run waits for now."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from console.durations import LONGEST_KNOWN_S
from console.errors import DAMAGE, HostError
from console.frozen import frozen
from console.host.identity import boot_id
from console.runbook.run.codec import plain, value_from
from console.runbook.run.waits import Waiting
from console.storage.state import OWNER_HINT
from console.text import SENTENCE_LIMIT, clean

WAITING = "waiting.json"
_MOST_BYTES = 256 * 1024

PULSE = "pulse"
_SIZE = 192

OUTPUT = "output.db"
LINES_KEPT = 5_000
"""For each step; older lines are dropped."""
_TRIM_EVERY = 500
BUSY_S = 1.0


def write_waiting(folder: Path, waiting: Waiting) -> None:
    """Replace what a run waits for."""
    sibling = folder / f".{WAITING}.new"
    with suppress(OSError):
        descriptor = os.open(
            sibling, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(plain(waiting), file, separators=(",", ":"))
        sibling.replace(folder / WAITING)


def read_waiting(folder: Path) -> Waiting | None:
    """Return what a run waits for, or waited for when its runner was killed; None where nothing is known of that."""
    try:
        with (folder / WAITING).open("rb") as file:
            return value_from(Waiting, json.loads(file.read(_MOST_BYTES)))
    except (OSError, HostError, *DAMAGE):
        return None


def clear_waiting(folder: Path) -> None:
    """Remove it: the run waits no longer."""
    with suppress(OSError):
        (folder / WAITING).unlink(missing_ok=True)


def waiting_mark(folder: Path) -> int:
    """Return a number that differs whenever the file was replaced; 0 where there is none."""
    try:
        return (folder / WAITING).stat().st_mtime_ns
    except OSError:
        return 0


@frozen
class Pulse:
    """A runner's last sign of life, of this boot."""

    age_s: float
    engine_silent_s: float | None
    """For how long the engine had owed it an answer at that moment; None where it owed none."""


def beat(folder: Path, engine_silent_s: float | None = None) -> None:
    """Write a sign of life. One that cannot be written is left out: viewers then see that it is missing."""
    pulse = json.dumps(
        {
            "boot": boot_id(),
            "monotonic": time.monotonic(),
            "pid": os.getpid(),
            "engine_silent_s": engine_silent_s,
        }
    )
    with suppress(OSError):
        descriptor = os.open(folder / PULSE, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, pulse.ljust(_SIZE).encode(), 0)
        finally:
            os.close(descriptor)


def read_pulse(folder: Path) -> Pulse | None:
    """Return the last sign of life; None where there is none of this boot."""
    try:
        pulse = json.loads((folder / PULSE).read_bytes())
        if pulse["boot"] != boot_id():
            return None
        # CLOCK_MONOTONIC is one for all processes of a boot.
        age_s = _span_s(max(0.0, time.monotonic() - pulse["monotonic"]))
        silent_s = pulse.get("engine_silent_s")
        return Pulse(age_s, None if silent_s is None else _span_s(silent_s))
    except (OSError, *DAMAGE):
        return None


def _span_s(seconds: float) -> float:
    """Return a span that there can be since this machine booted. Raises ValueError."""
    if not 0 <= seconds < LONGEST_KNOWN_S:
        raise ValueError("no such span")
    return float(seconds)


def pulse_age_s(folder: Path) -> float | None:
    """Return how long ago the last sign of life was; None where there is none of this boot."""
    pulse = read_pulse(folder)
    return None if pulse is None else pulse.age_s


class Output:
    """Where lines are put. One that cannot be kept is lost, and counted."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / OUTPUT
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._since_trimmed = 0
        self.lost = 0
        """Lines that could not be stored."""

    def put(self, step: str, line: str) -> None:
        """Keep a line of a step, cleaned."""
        # Steps tell from several tasks at once, each on a thread of its own.
        with self._lock:
            self._put(step, line)

    def _put(self, step: str, line: str) -> None:
        try:
            connection = self._open()
            connection.execute(
                "INSERT INTO lines (step, line) VALUES (?, ?)", (step, clean(line, SENTENCE_LIMIT))
            )
            self._since_trimmed += 1
            if self._since_trimmed >= _TRIM_EVERY:
                self._since_trimmed = 0
                connection.execute(
                    "DELETE FROM lines WHERE step = ? AND number <= (SELECT number FROM lines WHERE step = ? "
                    "ORDER BY number DESC LIMIT 1 OFFSET ?)",
                    (step, step, LINES_KEPT),
                )
        except (sqlite3.Error, OSError):
            self.lost += 1

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            # Not synced line by line: what the machine's death may take of it is no part of the log.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS lines (number INTEGER PRIMARY KEY, step TEXT NOT NULL, line TEXT NOT NULL)"
            )
            connection.execute("CREATE INDEX IF NOT EXISTS by_step ON lines (step, number)")
            self._connection = connection
        return self._connection


NOT_OURS = "it is damaged, or another program wrote it"


def last_number(folder: Path) -> int:
    """Return a number that grows with every line; 0 where there is none."""
    with _reading(folder) as connection:
        if connection is None:
            return 0
        (number,) = connection.execute("SELECT coalesce(max(number), 0) FROM lines").fetchone()
        if not isinstance(number, int):
            raise sqlite3.DataError(NOT_OURS)
    return number


def last_lines(folder: Path, steps: tuple[str, ...], most: int) -> Mapping[str, tuple[str, ...]]:
    """Return the newest lines of some steps, at most so many of each, oldest first. Raises HostError."""
    lines: dict[str, tuple[str, ...]] = {}
    with _reading(folder) as connection:
        if connection is None:
            return lines
        for step in steps:
            rows = connection.execute(
                "SELECT line FROM lines WHERE step = ? ORDER BY number DESC LIMIT ?", (step, most)
            ).fetchall()
            if any(not isinstance(line, str) for (line,) in rows):
                raise sqlite3.DataError(NOT_OURS)
            if rows:
                lines[step] = tuple(line for (line,) in reversed(rows))
    return lines


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection | None]:
    path = folder / OUTPUT
    try:
        path.stat()
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise HostError(f"The output of the steps cannot be read: {error.strerror}.", OWNER_HINT) from error
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as connection:
            yield connection
    except (sqlite3.Error, UnicodeError) as error:
        raise HostError(
            f"The output of the steps cannot be read: {clean(str(error), 200)}.",
            "The run itself is not touched: its log is another file.",
        ) from error
