"""The program on a terminal of its own, as tmux or SSH would give it one."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.forked import ForkedProgram
from tests.support.program import PROGRAM

SHELL_MODES = 3
"""Where in what tcgetattr() returns the modes are that a full-screen program changes."""


@dataclass
class OnTerminal:
    """A process on a terminal."""

    process: "subprocess.Popen[bytes]"
    master: int
    before: list[Any]
    """How the terminal was set before."""
    got: bytearray = field(default_factory=bytearray)
    """Every byte that it has sent to the terminal."""

    def read(self, within_s: float = 0.1) -> bytes:
        """Take what comes within a time, and return what is new."""
        new = bytearray()
        end = time.monotonic() + within_s
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            with suppress(OSError):
                piece = os.read(self.master, 65536)
                new += piece
                if piece:
                    continue
            break
        self.got += new
        return bytes(new)

    def until(self, holds: Callable[[bytes], bool], within_s: float = 60) -> bytes:
        """Return all that came, as soon as it is so."""
        end = time.monotonic() + within_s
        while not holds(bytes(self.got)):
            if time.monotonic() > end:
                raise AssertionError(f"it did not come to that: {bytes(self.got[-2000:])!r}")
            self.read()
        return bytes(self.got)

    def until_shown(self, text: str, within_s: float = 60) -> bytes:
        """Return all that came, as soon as a text is in it."""
        return self.until(lambda got: text.encode() in got, within_s)

    def send(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def end(self, within_s: float = 60) -> int:
        """Return the exit code once it has ended; everything that it sent is read meanwhile."""
        end = time.monotonic() + within_s
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError(f"it did not end: {bytes(self.got[-2000:])!r}")
            self.read()
        self.read()
        return self.process.wait()

    @property
    def is_given_back(self) -> bool:
        """Whether the terminal is as it was: its modes, its first screen, its cursor."""
        got = bytes(self.got)
        modes = termios.tcgetattr(self.master)[SHELL_MODES] == self.before[SHELL_MODES]
        screen = got.rfind(b"\x1b[?1049l") > got.rfind(b"\x1b[?1049h")
        cursor = got.rfind(b"\x1b[?25h") > got.rfind(b"\x1b[?25l")
        return modes and screen and cursor


@contextmanager
def on_terminal(
    *arguments: str,
    folder: Path,
    size: tuple[int, int] = (80, 24),
    environment: Mapping[str, str] | None = None,
    command: tuple[str, ...] = (str(PROGRAM),),
    is_forked: bool = False,
) -> Iterator[OnTerminal]:
    """Start the program with a terminal as its own, or fork it; what still runs at the end is killed."""
    master, slave = pty.openpty()
    width, height = size
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    before = termios.tcgetattr(slave)
    whole_environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "VIPCONSOLE_STATE_DIR": str(folder / "state"),
        "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"],
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "TZ": "UTC",
        **(environment or {}),
    }
    process: subprocess.Popen[bytes]
    if is_forked:
        process = ForkedProgram(
            [*command, *arguments],
            environment=whole_environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            is_session=True,
        )
    else:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - there is no other way to give a process a terminal
            env=whole_environment,
        )
    os.close(slave)
    shown = OnTerminal(process, master, before)
    try:
        yield shown
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(60)
        with suppress(OSError):
            os.close(master)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
