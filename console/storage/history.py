"""Keeps how full networks were, and what was seen leaking, in the state directory: one SQLite file.

Two consoles may write to it at once: what both saw is the same row. Nothing in it is needed for anything but trends and
names of what leaked, so an error in it is reported and otherwise ignored.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeVar

from console.addresses.forecast import Point
from console.addresses.leaks import LeakEntry
from console.errors import HostError
from console.storage.state import OWNER_HINT, make_private
from console.text import clean

T = TypeVar("T")

FILE = "history.sqlite"
VERSION = 1
BUSY_S = 1.0
"""So long another console may be writing."""
MAX_DAYS = 60
MAX_ROWS = 300_000
MAX_LEAKS = 5000
"""Of one swarm."""
THINNING = ((2 * 3600, 600), (86_400, 7200))
"""Of points older than so many seconds, one is kept in each span of so many."""
_SCHEMA = """
CREATE TABLE points (
  cluster TEXT NOT NULL, network TEXT NOT NULL, series TEXT NOT NULL, at INTEGER NOT NULL, used INTEGER NOT NULL,
  PRIMARY KEY (cluster, network, series, at)
) WITHOUT ROWID;
CREATE INDEX points_at ON points (at);
CREATE TABLE leaks (
  cluster TEXT NOT NULL, allocator TEXT NOT NULL, network TEXT NOT NULL, task TEXT NOT NULL, ended_at REAL NOT NULL,
  entry TEXT NOT NULL,
  PRIMARY KEY (cluster, allocator, network, task)
) WITHOUT ROWID;
"""

SeriesKey = tuple[str, str]
"""Network ID and key of the series."""


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """The points of use of one swarm's networks, and the leaks seen under its present allocator."""

    points: Mapping[SeriesKey, tuple[Point, ...]]
    """Oldest first."""
    entries: tuple[LeakEntry, ...]
    """Newest first."""


class HistoryStore:
    """The file in a state directory. Every method opens it, and raises HostError where it cannot be used."""

    def __init__(self, state: Path) -> None:
        self._path = (state / FILE).absolute()

    def load(self, cluster_id: str, allocator: str) -> StoredHistory:
        """Return what was kept of a swarm; of its leaks only those of an allocator."""

        def read(file: sqlite3.Connection) -> StoredHistory:
            return StoredHistory(_points(file, cluster_id), _entries(file, cluster_id, allocator))

        return self._do(read, "BEGIN")

    def entries(self, cluster_id: str, allocator: str) -> tuple[LeakEntry, ...]:
        """Return what was seen leaking, newest first; nothing where there is no file; it creates none."""
        return self._read(lambda file: _entries(file, cluster_id, allocator), ())

    def points(self, cluster_id: str) -> Mapping[SeriesKey, tuple[Point, ...]]:
        """Return the use of a swarm's networks, oldest first; nothing where there is no file; it creates none."""
        return self._read(lambda file: _points(file, cluster_id), {})

    def add_points(self, cluster_id: str, points: Iterable[tuple[SeriesKey, Point]]) -> None:
        """Keep points, each once for its minute."""
        rows = [
            (cluster_id, network, series, int(point.at.timestamp()) // 60 * 60, point.used)
            for (network, series), point in points
        ]
        self._do(lambda file: file.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)", rows))

    def change_leaks(
        self,
        cluster_id: str,
        allocator: str,
        new_entries: Sequence[LeakEntry],
        old_entries: Sequence[LeakEntry],
    ) -> None:
        """Keep what leaked, and forget what has not leaked after all."""
        new = [
            (cluster_id, allocator, entry.network_id, entry.task_id, entry.ended_at.timestamp(), _text(entry))
            for entry in new_entries
        ]
        old = [(cluster_id, allocator, entry.network_id, entry.task_id) for entry in old_entries]

        def write(file: sqlite3.Connection) -> None:
            file.executemany(
                "DELETE FROM leaks WHERE cluster = ? AND allocator = ? AND network = ? AND task = ?", old
            )
            file.executemany("INSERT OR REPLACE INTO leaks VALUES (?, ?, ?, ?, ?, ?)", new)

        self._do(write)

    def thin(self, now: datetime, allocator_of: Mapping[str, str]) -> None:
        """Let go of what is old, and of leaks of other allocators than these (by cluster ID)."""
        second = int(now.timestamp())

        def write(file: sqlite3.Connection) -> None:
            file.execute("DELETE FROM points WHERE at < ?", (second - MAX_DAYS * 86_400,))
            for age, span in THINNING:
                file.execute(
                    "DELETE FROM points WHERE at < ? AND EXISTS (SELECT 1 FROM points AS newer WHERE "
                    "newer.cluster = points.cluster AND newer.network = points.network AND "
                    "newer.series = points.series AND newer.at > points.at AND newer.at < (points.at / ? + 1) * ?)",
                    (second - age, span, span),
                )
            (count,) = file.execute("SELECT count(*) FROM points").fetchone()
            if count > MAX_ROWS:
                (oldest,) = file.execute(
                    "SELECT at FROM points ORDER BY at DESC LIMIT 1 OFFSET ?", (MAX_ROWS,)
                ).fetchone()
                file.execute("DELETE FROM points WHERE at <= ?", (oldest,))
            for cluster, allocator in allocator_of.items():
                file.execute("DELETE FROM leaks WHERE cluster = ? AND allocator <> ?", (cluster, allocator))
                file.execute(
                    "DELETE FROM leaks WHERE cluster = ? AND ended_at < (SELECT ended_at FROM leaks WHERE cluster = ? "
                    "ORDER BY ended_at DESC LIMIT 1 OFFSET ?)",
                    (cluster, cluster, MAX_LEAKS - 1),
                )

        self._do(write)

    def _read(self, read: Callable[[sqlite3.Connection], T], empty: T) -> T:
        with self._host_errors():
            try:
                # SQLite would only say that it cannot open the file.
                with self._path.open("rb"):
                    pass
            except FileNotFoundError:
                return empty
        with self._host_errors(), closing(_connect(f"{self._path.as_uri()}?mode=ro")) as file:
            return read(file) if _check(file) else empty

    def _do(self, act: Callable[[sqlite3.Connection], T], begin: str = "BEGIN IMMEDIATE") -> T:
        with self._host_errors(), self._open() as file, file:
            # A transaction that begins by reading and goes on to write is refused at once while another writes.
            file.execute(begin)
            return act(file)

    @contextmanager
    def _host_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
            reason = error.strerror if isinstance(error, OSError) else clean(str(error), 200)
            raise HostError(
                f"The history in {clean(str(self._path), 300)} cannot be used: {reason}.",
                OWNER_HINT
                if isinstance(error, PermissionError | NotADirectoryError | IsADirectoryError)
                else "If it is damaged, remove the file: a new one is created. Until then trends cover this session only.",
            ) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        make_private(self._path.parent)
        # SQLite would make the file readable for others.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        with closing(_connect(self._path.as_uri())) as file:
            if not _check(file):
                _make(file)
            yield file


def _connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(address, timeout=BUSY_S, isolation_level=None, uri=True)


def _check(file: sqlite3.Connection) -> bool:
    """Return whether the tables were made; raise where another version made them."""
    (version,) = file.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION):
        raise ValueError("another version of this program wrote it")
    return bool(version)


def _points(file: sqlite3.Connection, cluster_id: str) -> Mapping[SeriesKey, tuple[Point, ...]]:
    points: dict[SeriesKey, list[Point]] = {}
    for network, series, at, used in file.execute(
        "SELECT network, series, at, used FROM points WHERE cluster = ? ORDER BY at", (cluster_id,)
    ):
        moment = datetime.fromtimestamp(int(at), UTC)
        points.setdefault((str(network), str(series)), []).append(Point(moment, int(used)))
    return {key: tuple(series_points) for key, series_points in points.items()}


def _entries(file: sqlite3.Connection, cluster_id: str, allocator: str) -> tuple[LeakEntry, ...]:
    rows = file.execute(
        "SELECT entry FROM leaks WHERE cluster = ? AND allocator = ? ORDER BY ended_at DESC",
        (cluster_id, allocator),
    )
    return tuple(_entry(text) for (text,) in rows)


def _make(file: sqlite3.Connection) -> None:
    with file:
        file.execute("BEGIN IMMEDIATE")
        # Another console may have been first.
        (version,) = file.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                file.execute(statement)
            file.execute(f"PRAGMA user_version = {VERSION}")


def _text(entry: LeakEntry) -> str:
    return json.dumps(
        {
            "network_id": entry.network_id,
            "network_name": entry.network_name,
            "addresses": [str(address) for address in entry.addresses],
            "task_id": entry.task_id,
            "task_name": entry.task_name,
            "service_name": entry.service_name,
            "stack": entry.stack,
            "removed_network": entry.removed_network,
            "ended_at": entry.ended_at.isoformat(),
        }
    )


def _entry(text: str) -> LeakEntry:
    data = json.loads(text)
    names = ("network_id", "network_name", "task_id", "task_name", "service_name", "stack", "removed_network")
    ended_at = datetime.fromisoformat(data["ended_at"])
    if ended_at.tzinfo is None:
        raise ValueError("a time without its zone")
    return LeakEntry(
        addresses=tuple(IPv4Address(str(address)) for address in data["addresses"]),
        ended_at=ended_at,
        **{name: clean(str(data[name])) for name in names},
    )
