"""The processes of this host, read from /proc without starting any."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.errors import HostError
from console.host.activity import Own, Process
from console.text import clean

PROC = Path("/proc")
WORDS = 16
"""Words of a command line that are kept: a program, its options and what it is told to do come first."""

_PTS_MAJORS = range(136, 144)
"""Device majors of pseudo terminals (Linux, Documentation/admin-guide/devices.txt)."""
_SESSION = re.compile(r"session-([^/]+)\.scope")
_UNIT = re.compile(r"/([^/]+\.(?:service|scope))(?:/|$)")


def read_processes(proc: Path = PROC) -> tuple[Process, ...]:
    """Return every process that has a command line; kernel threads and zombies have none.

    Raises HostError when /proc is not there or hides the processes of others (mounted with hidepid).
    """
    try:
        booted = _boot_time(proc)
        # Whoever may not see the first process may not see others either.
        (proc / "1" / "cmdline").read_bytes()
        numbers = sorted(int(each.name) for each in proc.iterdir() if each.name.isdecimal())
    except (OSError, ValueError, StopIteration) as error:
        raise HostError(
            f"The processes of this host cannot be seen: {clean(str(error), 200)}.",
            "Run this as root; /proc may be mounted with hidepid.",
        ) from error
    found = (_process(proc / str(number), number, booted) for number in numbers)
    return tuple(each for each in found if each is not None)


def read_own(proc: Path = PROC) -> Own:
    """Return which process, login session and systemd unit this is, as its cgroup tells."""
    pid = os.getpid()
    try:
        cgroup = (proc / "self" / "cgroup").read_text("utf-8", "replace")
    except OSError:
        # Not told: then nothing is taken for our own but this process and its ancestors.
        return Own(pid, "", "")
    session, units = _SESSION.search(cgroup), _UNIT.findall(cgroup)
    return Own(pid, clean(session[1]) if session else "", clean(units[-1]) if units else "")


def _boot_time(proc: Path) -> datetime:
    lines = (proc / "stat").read_text().splitlines()
    return datetime.fromtimestamp(
        int(next(each for each in lines if each.startswith("btime ")).split()[1]), UTC
    )


def _process(folder: Path, number: int, booted: datetime) -> Process | None:
    try:
        line = (folder / "cmdline").read_bytes()
        # The name in parentheses may hold anything; fields are counted from behind it (proc(5)).
        fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # It has ended since it was listed, or is another user's under a strict security module.
        return None
    if not line or len(fields) < 20:
        return None
    words = line.rstrip(b"\0").split(b"\0")[:WORDS]
    age = timedelta(seconds=int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    return Process(
        number,
        int(fields[1]),
        booted + age,
        _terminal(int(fields[4])),
        tuple(clean(each, 300) for each in words),
    )


def _terminal(device: int) -> str:
    major, minor = os.major(device), os.minor(device)
    if major in _PTS_MAJORS:
        return f"pts/{(major - _PTS_MAJORS.start) * 256 + minor}"
    return f"tty{minor}" if major == 4 and minor < 64 else ""
