"""A SQLite file in the state directory that nothing vital rests on: an error in it is reported and otherwise ignored.

Several processes may use it at once. Reading creates no file: where there is none, there is nothing.
"""

import errno
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import field
from pathlib import Path
from typing import TypeVar

from console.errors import DAMAGE, HostError
from console.frozen import frozen
from console.storage.state import OWNER_HINT, make_private
from console.text import clean

T = TypeVar("T")

BUSY_S = 1.0
"""So long another process may be reading or writing."""


@frozen
class DatabaseKind:
    """What is in such a file, and how it is spoken of."""

    name: str
    """As in "The history in … cannot be used"."""
    hint: str
    """What to do where it is damaged."""
    version: int
    schema: str
    """The statements that make its tables, with `;` between them."""
    before_tables: str = ""
    """What has to be set before the first table, outside a transaction."""
    upgrades: Mapping[int, str] = field(default_factory=dict)
    """The statements that make of each earlier version the next one. A file that is only read stays as it is."""


class StateDatabase:
    """The file. Every method opens it, and raises HostError where it cannot be used."""

    def __init__(self, path: Path, kind: DatabaseKind) -> None:
        self._path = path.absolute()
        self._kind = kind

    def read(self, read: Callable[[sqlite3.Connection], T], empty: T) -> T:
        """Return what `read` gives, or `empty` where there is no file or nothing in it."""
        with self._host_errors():
            try:
                # SQLite would only say that it cannot open the file, and of a pipe it would wait for a writer.
                descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                        raise IsADirectoryError(errno.EISDIR, "it is no regular file")
                finally:
                    os.close(descriptor)
            except FileNotFoundError:
                return empty
        with self._host_errors(), closing(_connect(f"{self._path.as_uri()}?mode=ro")) as file:
            return read(file) if self._version(file) else empty

    def do(self, act: Callable[[sqlite3.Connection], T], begin: str = "BEGIN IMMEDIATE") -> T:
        """Do something in one transaction, all of it or nothing; the file is made where there is none."""
        with self.opened() as file, file:
            # A transaction that begins by reading and goes on to write is refused at once while another writes.
            file.execute(begin)
            return act(file)

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Give the file outside a transaction; it is made where there is none."""
        with self._host_errors():
            make_private(self._path.parent)
            # SQLite would make the file readable for others.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            with closing(_connect(self._path.as_uri())) as file:
                if self._version(file) != self._kind.version:
                    self._make(file)
                yield file

    @contextmanager
    def _host_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, *DAMAGE) as error:
            reason = error.strerror if isinstance(error, OSError) else clean(str(error), 200)
            is_ours = not isinstance(error, PermissionError | NotADirectoryError | IsADirectoryError)
            raise HostError(
                f"The {self._kind.name} in {clean(str(self._path), 300)} cannot be used: {reason}.",
                self._kind.hint if is_ours else OWNER_HINT,
            ) from error

    def _version(self, file: sqlite3.Connection) -> int:
        """Return which version made the tables, 0 where there are none; raise where it is none that is known."""
        version = version_of(file)
        if version not in (0, self._kind.version, *self._kind.upgrades):
            raise ValueError("another version of this program wrote it")
        return version

    def _make(self, file: sqlite3.Connection) -> None:
        """Make the tables, or bring those of an earlier version up to this one."""
        if self._kind.before_tables and version_of(file) == 0:
            file.execute(self._kind.before_tables)
        with file:
            file.execute("BEGIN IMMEDIATE")
            # Another process may have been first.
            version = version_of(file)
            scripts = [self._kind.schema]
            if version:
                scripts = [self._kind.upgrades[step] for step in range(version, self._kind.version)]
            for script in scripts:
                for statement in filter(str.strip, script.split(";")):
                    file.execute(statement)
            file.execute(f"PRAGMA user_version = {self._kind.version}")


def version_of(file: sqlite3.Connection) -> int:
    """Return the version of a file's tables; 0 where it has none."""
    (version,) = file.execute("PRAGMA user_version").fetchone()
    return int(version)


def _connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(address, timeout=BUSY_S, isolation_level=None, uri=True)
