"""Keeps how full networks were, and what was seen leaking, in the state directory: one SQLite file.

Two consoles may write to it at once: what both saw is the same row. Nothing in it is needed for anything but trends and
names of what leaked, so an error in it is reported and otherwise ignored.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from console.addresses.forecast import Point
from console.addresses.leaks import LeakEntry
from console.durations import parse_time
from console.frozen import frozen
from console.storage.database import DatabaseKind, StateDatabase
from console.text import clean

FILE = "history.sqlite"
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
_KIND = DatabaseKind(
    "history",
    "If it is damaged, remove the file: a new one is created. Until then trends cover this session only.",
    version=1,
    schema=_SCHEMA,
)

SeriesKey = tuple[str, str]
"""Network ID and key of the series."""


@frozen
class StoredHistory:
    """The points of use of one swarm's networks, and the leaks seen under its present allocator."""

    points: Mapping[SeriesKey, tuple[Point, ...]]
    """Oldest first."""
    entries: tuple[LeakEntry, ...]
    """Newest first."""


class HistoryStore:
    """The file in a state directory. Every method opens it, and raises HostError where it cannot be used."""

    def __init__(self, state: Path) -> None:
        self._database = StateDatabase(state / FILE, _KIND)

    def load(self, cluster_id: str, allocator: str) -> StoredHistory:
        """Return what was kept of a swarm; of its leaks only those of an allocator."""

        def read(file: sqlite3.Connection) -> StoredHistory:
            return StoredHistory(_points(file, cluster_id), _entries(file, cluster_id, allocator))

        return self._database.do(read, "BEGIN")

    def entries(self, cluster_id: str, allocator: str) -> tuple[LeakEntry, ...]:
        """Return what was seen leaking, newest first; nothing where there is no file; it creates none."""
        return self._database.read(lambda file: _entries(file, cluster_id, allocator), ())

    def points(
        self, cluster_id: str, network_ids: Collection[str] | None = None
    ) -> Mapping[SeriesKey, tuple[Point, ...]]:
        """Return the use of these networks of a swarm, or of all, oldest first; nothing where there is no file; it creates none."""
        return self._database.read(lambda file: _points(file, cluster_id, network_ids), {})

    def add_points(self, cluster_id: str, points: Iterable[tuple[SeriesKey, Point]]) -> None:
        """Keep points, each once for its minute."""
        rows = [
            (cluster_id, network, series, int(point.at.timestamp()) // 60 * 60, point.used)
            for (network, series), point in points
        ]
        self._database.do(
            lambda file: file.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)", rows)
        )

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

        self._database.do(write)

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

        self._database.do(write)


def _points(
    file: sqlite3.Connection, cluster_id: str, network_ids: Collection[str] | None = None
) -> Mapping[SeriesKey, tuple[Point, ...]]:
    points: dict[SeriesKey, list[Point]] = {}
    # In the order of the key: nothing is sorted, and of many networks only those that are wanted are read.
    select = "SELECT network, series, at, used FROM points WHERE cluster = ?"
    order = " ORDER BY network, series, at"
    if network_ids is None:
        rows: Iterable[tuple[str, str, int, int]] = file.execute(select + order, (cluster_id,))
    else:
        rows = (
            row
            for network_id in network_ids
            for row in file.execute(f"{select} AND network = ?{order}", (cluster_id, network_id))
        )
    for network, series, at, used in rows:
        moment = datetime.fromtimestamp(int(at), UTC)
        points.setdefault((str(network), str(series)), []).append(Point(moment, int(used)))
    return {key: tuple(series_points) for key, series_points in points.items()}


def _entries(file: sqlite3.Connection, cluster_id: str, allocator: str) -> tuple[LeakEntry, ...]:
    rows = file.execute(
        "SELECT entry FROM leaks WHERE cluster = ? AND allocator = ? ORDER BY ended_at DESC",
        (cluster_id, allocator),
    )
    return tuple(_entry(text) for (text,) in rows)


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
    return LeakEntry(
        addresses=tuple(IPv4Address(str(address)) for address in data["addresses"]),
        ended_at=parse_time(data["ended_at"]),
        **{name: clean(str(data[name])) for name in names},
    )
