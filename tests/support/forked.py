"""The program as a process that was forked from one in which it is loaded: a fifth of a second instead of one.

`ForkedProgram` is a `subprocess.Popen`: a child of this process, with pipes, signals and an exit code like any other. What it
shares with a program that was started, and what not, is in `tests/support/zygote.py`. A test of how the program starts, of
what is loaded, or of Python's own environment starts the program itself.
"""

import atexit
import json
import os
import platform
import socket
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, AnyStr, NamedTuple

from console.simulator.host.demo_host import demo_folder, is_made
from screens.cli.demo import THROWAWAY
from tests.support.zygote import MOVED, ROOT, SYS_CLONE

_SCRIPT = Path(__file__).with_name("zygote.py")
_PADDING = "-" * 8000
"""The arguments of a forked program are written over it."""
_LOCALE = {"LANG": "C.UTF-8"}
"""What Python itself reads when it starts: a program that has another one is started."""
_READ_AT_START = ("LC_", "LANG", "PYTHON", "LD_", "MALLOC_", "AIOHTTP_", "SSL", "OPENSSL", ROOT)
_MOST_ZYGOTES = 3
"""One that has loaded libraries, one for this host, and one for the demo host that is in use."""


class Inside(NamedTuple):
    """Namespaces in which a program runs: those of a process, as letters of nsenter(1); `r` and `w` are its root and folder."""

    init: int
    letters: str

    def entering(self, *command: str) -> list[str]:
        """Return the command line that runs a command there."""
        return ["nsenter", "-t", str(self.init), *(f"-{letter}" for letter in self.letters), "--", *command]


class Zygotes:
    """The zygotes of this process, by the root of the host for which they have loaded the program."""

    def __init__(self) -> None:
        self.are_allowed = True
        """Where starts are measured, none is forked."""
        self._lock = threading.Lock()
        self._owner = 0
        self._first: subprocess.Popen[bytes] | None = None
        self._doors: OrderedDict[str, tuple[int, socket.socket]] = OrderedDict()
        self._used: set[str] = set()

    def start(self, root: str, request: Mapping[str, object], streams: Sequence[int]) -> int:
        """Fork a program that will work on this root of the host, and return its number."""
        with self._lock:
            if self._owner != os.getpid():
                # A process that was forked from a test has none yet.
                self._owner, self._doors, self._used = os.getpid(), OrderedDict(), set()
                atexit.register(self.end, os.getpid())
            return _ask(self._door(root), request, streams)

    def end(self, owner: int) -> None:
        """End all zygotes of a process at its end."""
        if owner == os.getpid():
            for root in tuple(self._doors)[::-1]:
                self._end(root)

    def _door(self, root: str) -> socket.socket:
        if "" not in self._doors:
            self._first, door = _first()
            self._doors[""] = (self._first.pid, door)
        if root != "/" and root not in self._used:
            # Many a demo host is used once: only what its one command needs is loaded.
            self._used.add(root)
            return self._doors[""][1]
        if root not in self._doors:
            mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                pid = _ask(self._doors[""][1], {"another": root}, (theirs.fileno(),))
            self._doors[root] = (pid, mine)
            while len(self._doors) > _MOST_ZYGOTES:
                self._end(next(known for known in self._doors if known not in ("", "/")))
        self._doors.move_to_end(root)
        return self._doors[root][1]

    def _end(self, root: str) -> None:
        pid, door = self._doors.pop(root)
        door.close()
        if self._first is not None and self._first.pid == pid:
            self._first.wait()
        else:
            os.waitpid(pid, 0)


ZYGOTES = Zygotes()


def _first() -> "tuple[subprocess.Popen[bytes], socket.socket]":
    """Start the zygote from which all others are forked."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, str(_SCRIPT), str(theirs.fileno()), _PADDING],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env={**inherited, **_LOCALE, "TZ": "UTC"},
        )
    return process, mine


def _ask(door: socket.socket, request: Mapping[str, object], descriptors: Sequence[int]) -> int:
    socket.send_fds(door, [json.dumps(request).encode()], list(descriptors))
    answer = door.recv(64)
    if not answer:
        raise RuntimeError("the zygote has ended; what it wrote is above")
    return int(answer)


def can_fork(environment: Mapping[str, str]) -> bool:
    """Return whether a program with this environment may be forked: Python itself reads nothing else there."""
    read = {name: text for name, text in environment.items() if name.startswith(_READ_AT_START)}
    return (
        ZYGOTES.are_allowed
        and read == _LOCALE
        and sys.platform == "linux"
        and platform.machine() in SYS_CLONE
    )


def root_of(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the root of the host that the program will work on; where that is wrong, it is started after all."""
    if "--demo" in arguments:
        folder = demo_folder(environment)
        if is_made(folder) or not set(arguments[:1]) & {*THROWAWAY, "-h", "--help"}:
            return str(folder)
    return "/"


class ForkedProgram(subprocess.Popen[AnyStr]):
    """The program, forked. Like `subprocess.Popen`, with what a test would do before it starts a program."""

    def __init__(
        self,
        program: Sequence[str],
        *,
        environment: Mapping[str, str],
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = subprocess.PIPE,
        stderr: int | IO[Any] | None = subprocess.PIPE,
        text: bool | None = None,
        is_session: bool = False,
        mounts: Sequence[tuple[str, str]] = (),
        without: Sequence[int] = (),
        inside: Inside | None = None,
    ) -> None:
        """Fork it; as a session of its own, its standard input is its terminal. Mounts are pairs of folders.

        Inside of namespaces its working directory is `/`. It is without the capabilities of these numbers, as are those that it starts.
        """
        self._request = {
            "arguments": list(program),
            "environment": dict(environment),
            "folder": str(Path.cwd()),
            "is_session": is_session,
            "mounts": [list(pair) for pair in mounts],
            "without": list(without),
            "inside": inside,
        }
        self._root = root_of(program[1:], environment)
        super().__init__(list(program), stdin=stdin, stdout=stdout, stderr=stderr, text=text)

    def _execute_child(self, arguments: Sequence[str], *how: Any) -> None:
        # The ends of the pipes: the first, fourth and sixth are the child's; -1 is this process's own stream.
        ends: tuple[int, ...] = how[9:15]
        sys.audit("subprocess.Popen", arguments[0], arguments, None, self._request["environment"])
        streams: list[int] = [
            ends[number] if ends[number] >= 0 else own for own, number in enumerate((0, 3, 5))
        ]
        reading, writing = os.pipe()
        try:
            try:
                self.pid = ZYGOTES.start(self._root, self._request, (*streams, writing))
                self._child_created = True
            finally:
                os.close(writing)
            # As with any program, it is there once this returns.
            with open(reading, closefd=False) as news:
                for line in sorted(news, key=lambda line: not line.startswith(MOVED)):
                    _, status = os.waitpid(self.pid, 0)
                    if not line.startswith(MOVED):
                        self.returncode = os.waitstatus_to_exitcode(status)
                        raise OSError(line.rstrip())
                    self.pid = int(line.removeprefix(MOVED))
        finally:
            os.close(reading)
            close_ends: Any = getattr(self, "_close_pipe_fds")  # noqa: B009 - Python's own, and not typed
            close_ends(*ends)
