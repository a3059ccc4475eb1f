"""Who runs this program, as far as the system knows."""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from console.frozen import frozen
from console.text import clean

NOBODY = 4294967295
"""What `/proc/self/loginuid` holds for a process that no login started (proc(5))."""


@frozen
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
        parts = (
            f"login {self.login}" if self.login and self.login != self.user else "",
            f"from {self.peer}" if self.peer else "",
            self.terminal,
        )
        details = ", ".join(part for part in parts if part)
        return f"{self.user} ({details})" if details else self.user


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
