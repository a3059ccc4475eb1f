"""The terminal of the console: its state is restored, however the console ends."""

import asyncio
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from textual.app import App

from screens.tui.app import ConsoleApp

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
MAX_WAIT_S = 5.0
"""How long the console may take to end after a signal: a terminal that accepts no output would block it."""
INPUT, OUTPUT = 0, 2
"""Where Textual reads, and where it draws."""
BACK = "\x1b[?2004l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h"
"""Gives a terminal back: no paste, mouse and focus reports, wrapped lines, the first screen, the cursor."""


def show(make: Callable[[], ConsoleApp]) -> int:
    """Show the console until the operator quits, and return its exit code. Raises what went wrong inside it."""
    return asyncio.run(_show(make))


async def _show(make: Callable[[], ConsoleApp]) -> int:
    app = make()
    app.on_whole = app.collector.begin
    ending = _Ending(app, asyncio.get_running_loop())
    with ending.handle_signals():
        code = await app.run_async()
    if ending.code:
        # Whatever else went wrong went wrong because the terminal was taken away.
        if ending.code == 128 + signal.SIGHUP:
            _give_up_output()
        return ending.code
    if app.failure is not None:
        raise app.failure
    return code or 0


def _give_up_output() -> None:
    # Python would complain once more when it flushes at its end.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())


class _Ending:
    """Ends the console when the process gets a signal to end."""

    def __init__(self, app: App[int], loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop
        self.code = 0

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Handle the signals that end a process."""
        # Not by the loop's own handlers: the loop itself may wait for a terminal that takes nothing any more.
        before = {number: signal.signal(number, self._begin) for number in ENDING}
        self._attributes = termios.tcgetattr(INPUT)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _begin(self, number: int, _: object) -> None:
        if self.code:
            return
        self.code = 128 + number
        self._loop.call_soon_threadsafe(self._app.exit, self.code)
        timer = threading.Timer(MAX_WAIT_S, self._insist)
        timer.daemon = True
        timer.start()

    def _insist(self) -> None:
        """Give the terminal back by hand, without waiting for it, and end."""
        with suppress(OSError, termios.error):
            # What has not been taken until now would only stand in the way.
            termios.tcflush(INPUT, termios.TCOFLUSH)
            termios.tcsetattr(INPUT, termios.TCSANOW, self._attributes)
            os.set_blocking(OUTPUT, False)
            os.write(OUTPUT, BACK.encode())
            os.set_blocking(OUTPUT, True)
        os._exit(self.code)
