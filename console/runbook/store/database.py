"""The log of a run on disk. The one place that speaks SQL.

When an append returns, the event is on disk (WAL, synchronous=FULL); whatever the process dies of, the log then ends
with a whole event. Viewers append their decisions to the same log, so all of them and the runner agree on what came
first.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from console.durations import parse_time
from console.errors import HostError, StoreFailed
from console.runbook.run.codec import from_json, kind_of, to_json
from console.runbook.run.events import DAMAGED_LOG_HINT, Event, LogEntry
from console.storage.state import ROOM_HINT
from console.text import clean

BUSY_S = 10.0
"""How long a writer waits for another one."""
_SCHEMA = """
CREATE TABLE events (number INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the log is only appended to'); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the log is only appended to'); END;
"""


def create(path: Path) -> sqlite3.Connection:
    """Return a connection to a new log. Raises StoreFailed."""
    # The files that SQLite puts beside it have the mode of this one.
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise StoreFailed(
            f"The run's log {clean(str(path), 300)} cannot be created: {error.strerror}.",
            ROOM_HINT,
        ) from error
    connection = connect(path)
    with _failing(path, "made"):
        connection.executescript(_SCHEMA)
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that can append. Raises StoreFailed."""
    with _failing(path, "opened"):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write. Raises HostError."""
    with _failing(path, "opened"):
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )


def append(
    connection: sqlite3.Connection, event: Event, at: datetime, expected: int | None = None
) -> LogEntry | None:
    """Append an event and return its entry; None, with nothing written, where the log does not end at `expected`.

    Raises StoreFailed; then the event is not in the log, unless a later read shows it.
    """
    with _failing(None, "written"), _transaction(connection):
        (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()
        if expected is not None and last != expected:
            return None
        return _insert(connection, event, last + 1, at)


def append_in_transaction(
    connection: sqlite3.Connection,
    rule: Callable[[tuple[LogEntry, ...]], Sequence[Event]],
    now: Callable[[], datetime],
) -> tuple[LogEntry, ...]:
    """Append what a rule makes of the whole log, all of it or nothing, and return the new entries.

    From before the log is read until they are written nobody else can append, a runner that starts included. So what the
    rule reads besides the log, such as whether a runner is there, is older than everything that comes after them.
    Raises what the rule raises, then nothing is written; HostError where the log cannot be read, StoreFailed where it
    cannot be written.
    """
    with _failing(None, "written"), _transaction(connection):
        entries = entries_after(connection, 0)
        last = entries[-1].number if entries else 0
        return tuple(
            _insert(connection, event, number, now())
            for number, event in enumerate(rule(entries), start=last + 1)
        )


def _insert(connection: sqlite3.Connection, event: Event, number: int, at: datetime) -> LogEntry:
    row = (number, at.isoformat(), kind_of(event), to_json(event))
    connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
    return LogEntry(number, at, event)


def entries_after(connection: sqlite3.Connection, number: int) -> tuple[LogEntry, ...]:
    """Return the entries that follow a number. Raises HostError."""
    with _failing(None, "read"):
        rows = connection.execute(
            "SELECT number, at, kind, body FROM events WHERE number > ? ORDER BY number", (number,)
        ).fetchall()
    return tuple(map(_entry, rows))


def last_entry(path: Path) -> LogEntry | None:
    """Return the last entry of a log, whatever is before it; None for an empty one. Raises HostError."""
    with closing(connect_to_read(path)) as connection, _failing(path, "read"):
        row = connection.execute(
            "SELECT number, at, kind, body FROM events ORDER BY number DESC LIMIT 1"
        ).fetchone()
    return None if row is None else _entry(row)


def read_log(path: Path) -> tuple[LogEntry, ...]:
    """Return all entries of a log. Raises HostError."""
    with closing(connect_to_read(path)) as connection:
        return entries_after(connection, 0)


def _entry(row: tuple[int, str, str, str]) -> LogEntry:
    place, at, kind, body = row
    event = from_json(kind, body)
    try:
        return LogEntry(place, parse_time(at), event)
    except (TypeError, ValueError) as error:
        raise HostError(
            f"Entry {place} of the run's log has no time that can be read.", DAMAGED_LOG_HINT
        ) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Whatever it was, a cancellation too, nobody else can append until this is undone; it is raised again. A full
        # disk has rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _failing(path: Path | None, what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        which = "The run's log" if path is None else f"The run's log {clean(str(path), 300)}"
        sentence = f"{which} cannot be {what}: {clean(str(error), 200)}."
        hint = "Check the disk, its free space and the folder's permissions."
        if what == "read":
            raise HostError(sentence, hint) from error
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise StoreFailed(sentence, hint, is_full=is_full) from error
