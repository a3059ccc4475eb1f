"""The entries in the system journal about what this program changed, and who made it do so."""

import os
import socket
from pathlib import Path

from console.host.root import under_root
from console.host.who import Who
from console.text import SENTENCE_LIMIT, clean

JOURNAL_SOCKET = under_root("/run/systemd/journal/socket")
"""journald's native protocol: a datagram of `FIELD=value` lines (systemd, docs/JOURNAL_NATIVE_PROTOCOL.md)."""
NOTICE = 5
"""The syslog priority of what is normal but significant."""


class Audit:
    """Sends each change to the journal before it is made, with who makes it."""

    def __init__(self, who: Who, command: str, path: Path = JOURNAL_SOCKET) -> None:
        self.who = who
        self._command = command
        self._path = path

    def tell(self, change: str) -> bool:
        """Send a change, in words; return False where there is no journal to take it.

        A missing journal stops no operation: the caller says so once.
        """
        fields = {
            "MESSAGE": f"{self.who}: {change} ({self._command})",
            "PRIORITY": str(NOTICE),
            "SYSLOG_IDENTIFIER": "vipconsole",
            "SYSLOG_PID": str(os.getpid()),
            "VIPCONSOLE_COMMAND": self._command,
            "VIPCONSOLE_USER": self.who.user,
            "VIPCONSOLE_LOGIN": self.who.login,
            "VIPCONSOLE_PEER": self.who.peer,
        }
        # A cleaned value has no line break, so the plain form of the protocol holds every one.
        lines = "".join(f"{name}={clean(value, SENTENCE_LIMIT)}\n" for name, value in fields.items() if value)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
                journal.settimeout(1)
                journal.sendto(lines.encode(), str(self._path))
        except OSError:
            return False
        return True
