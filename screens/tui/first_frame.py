"""What the terminal shows while the console is still loaded: the console's own first lines, before it can draw them."""

import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

INPUT, OUTPUT = 0, 2
"""Where the console reads, and where it draws."""
ENDING = (signal.SIGTERM, signal.SIGHUP)
LOCAL_MODES = 3
"""Where in what tcgetattr() returns it says whether what is typed is shown, and waits for the end of a line."""
ENTER = "\x1b[?1049h\x1b[?25l\x1b[H"
"""The terminal's other screen, which that empties, without a cursor."""
LEAVE = "\x1b[?1049l\x1b[?25h"
NAME, MODE, DECIDES = " vipconsole", "  read-only  ", "  decides  "
WAITING = "waiting"
READING, WHAT = " READING ", " waiting for the engine"
"""The same words as the console's own header has before the first snapshot."""
BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


@contextmanager
def first_frame(mode: str = MODE) -> Iterator[Callable[[], None]]:
    """Show that the console begins, and give what the console calls before it takes the terminal itself.

    What is typed meanwhile is not shown, and waits for the console. In the end the terminal is given back as it was,
    however that comes about.
    """
    attributes = termios.tcgetattr(INPUT)
    before = {number: signal.signal(number, _end) for number in ENDING}

    def hand_over() -> None:
        # The console gives back what it finds, also when it is stopped and the shell goes on.
        termios.tcsetattr(INPUT, termios.TCSANOW, attributes)

    try:
        quiet = [*attributes]
        quiet[LOCAL_MODES] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(INPUT, termios.TCSANOW, quiet)
        _write(ENTER + _lines(mode))
        yield hand_over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        # A terminal that is gone needs nothing any more.
        with suppress(OSError, termios.error):
            _write(LEAVE)
            hand_over()


def _lines(mode: str) -> str:
    try:
        width = os.get_terminal_size(OUTPUT).columns
    except OSError:
        return ""
    right = f"{mode}{WAITING} "
    room = width - len(right)
    if room < len(NAME):
        return ""
    return (
        f"{BOLD}{NAME:{room}}{PLAIN}{DIM}{mode}{PLAIN}{BOLD}{WAITING}{PLAIN}\r\n"
        f"{BOLD}{READING}{PLAIN}{WHAT[: width - len(READING)]}"
    )


def _write(text: str) -> None:
    with suppress(OSError):
        os.write(OUTPUT, text.encode())


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
