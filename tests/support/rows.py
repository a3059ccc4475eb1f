"""Which entries of a run's log are read from disk, and by what kind of thread."""

import sqlite3
import threading

import pytest

from console.runbook.run.events import LogEntry
from console.runbook.store import database


def numbers_read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return a list that grows with every entry that is read: the name of the thread that read it, and its number."""
    numbers: list[tuple[str, int]] = []
    read = database.entries_after

    def counted(connection: sqlite3.Connection, number: int) -> tuple[LogEntry, ...]:
        found = read(connection, number)
        numbers.extend((threading.current_thread().name, each.number) for each in found)
        return found

    monkeypatch.setattr(database, "entries_after", counted)
    return numbers
