"""Keeps what the recorder saw, in the state directory: one SQLite file.

One recorder writes to it, everybody reads. Nothing that changes a swarm rests on it, so an error in it is reported and
otherwise ignored.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.diagnosis.values import Severity
from console.recorder.values import EventKind, RecordedEvent, WatchSpan
from console.storage.database import DatabaseKind, StateDatabase, version_of
from console.storage.state import RECORD_FILE
from console.text import SENTENCE_LIMIT, clean

FILE = RECORD_FILE
MAX_DAYS = 60
SHARE_PER_STEP = 10
"""Where the file is too large, one in so many of its events goes at a time, the oldest first."""
_HOUR_S = 3600
_SCHEMA = """
CREATE TABLE events (
  cluster TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, sentence TEXT NOT NULL,
  network TEXT NOT NULL, stack TEXT NOT NULL, severity TEXT NOT NULL, is_end INTEGER NOT NULL,
  addresses INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (cluster, at, kind, subject, sentence, network, is_end)
) WITHOUT ROWID;
CREATE TABLE spans (
  cluster TEXT NOT NULL, began INTEGER NOT NULL, ended INTEGER NOT NULL,
  PRIMARY KEY (cluster, began)
) WITHOUT ROWID;
CREATE TABLE counts (
  cluster TEXT NOT NULL, hour INTEGER NOT NULL, signature TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (cluster, hour, signature)
) WITHOUT ROWID;
CREATE TABLE baselines (cluster TEXT PRIMARY KEY, baseline TEXT NOT NULL) WITHOUT ROWID;
"""
_WITHOUT_ADDRESSES = 1
"""Up to this version a leak told its number of addresses only in its sentence."""
_KIND = DatabaseKind(
    "record",
    "If the disk has room and the file is damaged, remove the file: the recorder creates a new one.",
    version=2,
    schema=_SCHEMA,
    upgrades={_WITHOUT_ADDRESSES: "ALTER TABLE events ADD COLUMN addresses INTEGER NOT NULL DEFAULT 0"},
    before_tables="PRAGMA auto_vacuum = INCREMENTAL",
)


class RecordStore:
    """The file in a state directory. Every method opens it, and raises HostError where it cannot be used.

    Reading creates no file: where there is none, there is nothing.
    """

    def __init__(self, state: Path) -> None:
        self._database = StateDatabase(state / FILE, _KIND)

    def add(self, cluster_id: str, events: Iterable[RecordedEvent]) -> None:
        """Keep events. One that is there already stays one."""
        self._database.do(lambda file: _add_events(file, cluster_id, events))

    def keep(
        self,
        cluster_id: str,
        events: Iterable[RecordedEvent],
        counts: Mapping[datetime, Mapping[str, int]],
        baseline: str,
    ) -> None:
        """Keep events, and what the next state is compared with, and add counts by the hour: all of it or nothing.

        A recorder that is killed at any moment has neither lost an event nor keeps one twice.
        """

        def write(file: sqlite3.Connection) -> None:
            _add_events(file, cluster_id, events)
            for hour, hour_counts in counts.items():
                _add_counts(file, cluster_id, hour, hour_counts)
            file.execute("INSERT OR REPLACE INTO baselines VALUES (?, ?)", (cluster_id, baseline))

        self._database.do(write)

    def baseline(self, cluster_id: str) -> str:
        """Return what `keep` was given last, or nothing."""

        def read(file: sqlite3.Connection) -> str:
            row = file.execute("SELECT baseline FROM baselines WHERE cluster = ?", (cluster_id,)).fetchone()
            return "" if row is None else str(row[0])

        return self._database.read(read, "")

    def events(
        self, cluster_id: str, since: datetime, until: datetime | None = None
    ) -> tuple[RecordedEvent, ...]:
        """Return what happened to a swarm from a moment until before another one, oldest first."""
        last = 2**62 if until is None else _stored_moment(until)

        def read(file: sqlite3.Connection) -> tuple[RecordedEvent, ...]:
            addresses = "0" if version_of(file) <= _WITHOUT_ADDRESSES else "addresses"
            rows = file.execute(
                f"SELECT at, kind, subject, sentence, network, stack, severity, is_end, {addresses} FROM events "  # noqa: S608 - of two constants
                "WHERE cluster = ? AND at >= ? AND at < ? ORDER BY at",
                (cluster_id, _stored_moment(since), last),
            )
            return tuple(
                RecordedEvent(
                    _moment(at),
                    EventKind(kind),
                    clean(str(subject)),
                    clean(str(sentence), SENTENCE_LIMIT),
                    clean(str(network)),
                    clean(str(stack)),
                    Severity(severity),
                    bool(is_end),
                    max(0, int(addresses)),
                )
                for at, kind, subject, sentence, network, stack, severity, is_end, addresses in rows
            )

        return self._database.read(read, ())

    def count(self, cluster_id: str) -> int:
        """Return how many events are kept of a swarm."""

        def read(file: sqlite3.Connection) -> int:
            (count,) = file.execute("SELECT count(*) FROM events WHERE cluster = ?", (cluster_id,)).fetchone()
            return int(count)

        return self._database.read(read, 0)

    def note_watching(self, cluster_id: str, span: WatchSpan) -> None:
        """Keep a time of watching. The present one grows: what began at the same moment is replaced."""
        self._database.do(
            lambda file: file.execute(
                "INSERT OR REPLACE INTO spans VALUES (?, ?, ?)",
                (cluster_id, _stored_moment(span.began), _stored_moment(span.ended)),
            )
        )

    def spans(self, cluster_id: str) -> tuple[WatchSpan, ...]:
        """Return when a swarm was watched, oldest first."""

        def read(file: sqlite3.Connection) -> tuple[WatchSpan, ...]:
            rows = file.execute(
                "SELECT began, ended FROM spans WHERE cluster = ? ORDER BY began", (cluster_id,)
            )
            return tuple(WatchSpan(_moment(began), _moment(ended)) for began, ended in rows)

        return self._database.read(read, ())

    def clusters(self) -> tuple[str, ...]:
        """Return the swarms that were watched, by their IDs, the one that was watched last first."""

        def read(file: sqlite3.Connection) -> tuple[str, ...]:
            rows = file.execute("SELECT cluster FROM spans GROUP BY cluster ORDER BY max(ended) DESC")
            return tuple(str(cluster) for (cluster,) in rows)

        return self._database.read(read, ())

    def counts(self, cluster_id: str, since: datetime) -> Mapping[datetime, Mapping[str, int]]:
        """Return how often dockerd logged what, by the beginning of the hour and the signature's ID, oldest first."""
        first = int(since.timestamp()) // _HOUR_S * _HOUR_S

        def read(file: sqlite3.Connection) -> Mapping[datetime, Mapping[str, int]]:
            counts: dict[datetime, dict[str, int]] = {}
            for hour, signature_id, count in file.execute(
                "SELECT hour, signature, count FROM counts WHERE cluster = ? AND hour >= ? ORDER BY hour, signature",
                (cluster_id, first),
            ):
                moment = datetime.fromtimestamp(int(hour), UTC)
                counts.setdefault(moment, {})[clean(str(signature_id))] = int(count)
            return counts

        return self._database.read(read, {})

    def thin(self, now: datetime, max_bytes: int) -> None:
        """Let go of what is older than 60 days, and of the oldest where the file is larger than `max_bytes`.

        Leaks stay longest. What is in the file of several swarms counts together.
        """
        oldest = now - timedelta(days=MAX_DAYS)

        def write(file: sqlite3.Connection) -> None:
            file.execute("DELETE FROM events WHERE at < ?", (_stored_moment(oldest),))
            file.execute("DELETE FROM spans WHERE ended < ?", (_stored_moment(oldest),))
            file.execute("DELETE FROM counts WHERE hour < ?", (int(oldest.timestamp()),))
            while _bytes_in_use(file) > max_bytes and _drop_oldest(file):
                pass

        with self._database.opened() as file:
            with file:
                file.execute("BEGIN IMMEDIATE")
                write(file)
            # Pages in which nothing is any more go back to the disk; execute() would give back a single one.
            file.executescript("PRAGMA incremental_vacuum")


def _add_events(file: sqlite3.Connection, cluster_id: str, events: Iterable[RecordedEvent]) -> None:
    file.executemany(
        "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_row(cluster_id, event) for event in events],
    )


def _add_counts(file: sqlite3.Connection, cluster_id: str, hour: datetime, counts: Mapping[str, int]) -> None:
    second = int(hour.timestamp()) // _HOUR_S * _HOUR_S
    file.executemany(
        "INSERT INTO counts VALUES (?, ?, ?, ?) "
        "ON CONFLICT (cluster, hour, signature) DO UPDATE SET count = count + excluded.count",
        [(cluster_id, second, signature_id, count) for signature_id, count in counts.items() if count],
    )


def _row(cluster_id: str, event: RecordedEvent) -> tuple[str | int, ...]:
    return (
        cluster_id,
        _stored_moment(event.at),
        event.kind,
        event.subject,
        event.sentence,
        event.network,
        event.stack,
        event.severity,
        int(event.is_end),
        event.addresses,
    )


def _bytes_in_use(file: sqlite3.Connection) -> int:
    pages, free_pages, page_size = (
        int(file.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free_pages) * page_size


def _drop_oldest(file: sqlite3.Connection) -> bool:
    """Delete the oldest part of what matters least; return whether there was anything."""
    for where in ("kind <> 'leak'", "kind = 'leak'"):
        (count,) = file.execute(f"SELECT count(*) FROM events WHERE {where}").fetchone()  # noqa: S608 - of two constants
        if count:
            last = (max(1, count // SHARE_PER_STEP) - 1,)
            (at,) = file.execute(
                f"SELECT at FROM events WHERE {where} ORDER BY at LIMIT 1 OFFSET ?",  # noqa: S608 - the same
                last,
            ).fetchone()
            file.execute(f"DELETE FROM events WHERE {where} AND at <= ?", (at,))  # noqa: S608 - the same
            return True
    return False


def _stored_moment(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(microseconds))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
