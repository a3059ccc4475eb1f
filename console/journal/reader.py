"""What every door to a journal can do, and the choice among the doors of this host."""

from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from console.journal import command, native
from console.journal.values import DEFAULT_UNIT, Batch, Window


class JournalReader(Protocol):
    """Reads what dockerd wrote to a journal, and what journald says about dockerd's unit."""

    async def read(self, window: Window) -> Batch:
        """Return the newest entries of the window, in the order of the journal, with gaps announced.

        Raises HostError when the journal cannot be read; the hint says what would help.
        """
        ...

    def follow(self, after: str | None = None, since: datetime | None = None) -> AsyncGenerator[Batch, None]:
        """Yield batches of at most `BATCH_ENTRIES` as they come, until closed.

        It begins after the cursor `after`, else with the first entry not older than `since`, else with what is
        written from now on. Close it (`contextlib.aclosing`) when it is no longer wanted. Raises HostError.
        """
        ...


def open_journal(unit: str = DEFAULT_UNIT, directory: Path | None = None) -> JournalReader:
    """Return the best door there is: systemd's library where its binding is installed, else `journalctl`.

    `directory` holds journal files; without it the journal of this host is read. Nothing is opened yet.
    """
    if native.is_available():
        return native.NativeJournal(unit, directory)
    return command.CommandJournal(unit, directory)
