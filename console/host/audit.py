"""Who runs this program, and the entries in the system journal about what it changed."""

import os
import pwd
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from console.text import SENTENCE_LIMIT, clean

NOBODY = 4294967295
"""What `/proc/self/loginuid` holds for a process that no login started (proc(5))."""


@dataclass(frozen=True, slots=True)
class Who:
    """An operator: the user that acts, the one who logged in, and from where. Empty where it is not known."""

    user: str
    login: str = ""
    """The user who logged in, which survives `su` and `sudo`; else what sudo says."""
    terminal: str = ""
    peer: str = ""
    """Address of the SSH client."""

    def __str__(self) -> str:
        """Return it as a phrase: `root (login alice, from 192.0.2.7, pts/3)`."""
        more = (
            f"login {self.login}" if self.login and self.login != self.user else "",
            f"from {self.peer}" if self.peer else "",
            self.terminal,
        )
        told = ", ".join(each for each in more if each)
        return f"{self.user} ({told})" if told else self.user


def who_runs_this(environment: Mapping[str, str]) -> Who:
    """Return who runs this process."""
    return Who(
        user=_name(os.geteuid()),
        login=_login() or clean(environment.get("SUDO_USER", "")),
        terminal=_terminal(),
        peer=clean(environment.get("SSH_CONNECTION", "").partition(" ")[0]),
    )


def _login() -> str:
    try:
        uid = int(Path("/proc/self/loginuid").read_text("ascii"))
    except (OSError, ValueError):
        return ""
    return "" if uid == NOBODY else _name(uid)


def _name(uid: int) -> str:
    try:
        return clean(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return f"uid {uid}"


def _terminal() -> str:
    for descriptor in (0, 1, 2):
        try:
            return clean(os.ttyname(descriptor).removeprefix("/dev/"))
        except OSError:
            continue
    return ""


JOURNAL_SOCKET = Path("/run/systemd/journal/socket")
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

        A journal that is not there stops no cure: whoever composes the command says so once.
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
