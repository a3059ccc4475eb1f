"""What is read from a journal, as frozen values. Text in them is raw unless a field says that it is clean."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from types import MappingProxyType

from console.frozen import frozen

DEFAULT_UNIT = "docker.service"
"""The systemd unit of dockerd on Debian, Fedora and NixOS alike."""
MESSAGE_LIMIT_BYTES = 65_536
"""Longest message that is kept. journald cuts a line of standard output at 48 KiB (LineMax=, journald.conf(5))."""
BATCH_ENTRIES = 500
"""How many entries a batch of `follow` holds at most."""
EMPTY: Mapping[str, str] = MappingProxyType({})
"""No names, no fields."""


@frozen
class JournalEntry:
    """One entry of the journal that is dockerd's own, or journald's message about dockerd's unit.

    `realtime` is aware, in UTC, and not monotonic: entries keep the order of the journal, which is theirs.
    `boot_id` is 32 hex digits. `message` is decoded, with U+FFFD for what is
    no UTF-8, and raw: it is parsed, and cleaned before it is shown. `is_cut` means that the message is not
    whole. `dropped` is how many messages of the unit journald threw away here (0 for an ordinary entry).
    `stream` and `line_break` are `_STREAM_ID` and `_LINE_BREAK` of systemd.journal-fields(7).
    """

    cursor: str
    realtime: datetime
    boot_id: str
    transport: str
    unit: str
    identifier: str
    pid: int | None
    message: str
    dropped: int = 0
    stream: str = ""
    line_break: str = ""
    is_cut: bool = False


@frozen
class JournalGap:
    """Entries before what follows, after `after` (a cursor) if it is set, may be missing: `reason`, a sentence."""

    reason: str
    after: str = ""


@frozen
class Batch:
    """Entries in the order of the journal; the `gaps` come before the first of them.

    `is_partial` means that older entries of the window were left out by a bound (entries, bytes or time), and
    `unreadable` counts entries that were malformed. Either way, absence of a finding in the
    batch is no proof.
    """

    entries: tuple[JournalEntry, ...] = ()
    gaps: tuple[JournalGap, ...] = ()
    is_partial: bool = False
    unreadable: int = 0

    @property
    def cursor(self) -> str | None:
        """The place to go on from, or None when nothing was read."""
        return self.entries[-1].cursor if self.entries else None


@frozen
class Window:
    """What to read at most: from a time or from after a cursor on, the newest entries first when it is too much.

    A cursor wins over `since`. `deadline_s` bounds the reading by the clock of this process.
    """

    since: datetime | None = None
    after: str | None = None
    entries: int = 10_000
    bytes: int = 16 * 1024 * 1024
    deadline_s: float = 5.0


@frozen
class DaemonLine:
    """One line of dockerd's log, parsed: logfmt, or JSON with `log-format: json`.

    `error` and `message` are unquoted and raw. `fields` holds the rest. `is_well_formed` is false for a line
    that dockerd's formatter cannot have written (a fragment, a panic, anything else); then only `message` is
    set, to the line itself, and `level` is empty.
    """

    level: str
    message: str
    error: str = ""
    fields: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    is_well_formed: bool = True
