"""Pipes that programs write their output to, and that end even where the program left its children behind."""

import asyncio
import os
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

DRAIN_S = 1.0
"""Once the program has ended and nothing is in the pipe, nobody who still holds it open is waited for longer."""


MOST_AFTER_END_BYTES = 1024 * 1024
"""A pipe holds no more (/proc/sys/fs/pipe-max-size): what comes beyond it after the end is not the program's."""


class OutputPipe:
    """One pipe: a program is given `write_end`, and what it writes comes from `reader`."""

    def __init__(self, read_end: int, write_end: int) -> None:
        self.reader = asyncio.StreamReader()
        self.write_end = write_end
        self._read_end = read_end
        self._protocol = _Protocol(self.reader)
        self._transport: asyncio.BaseTransport | None = None
        self._is_held = True

    async def open(self) -> None:
        """Begin to read. To be called once."""
        file = os.fdopen(self._read_end, "rb", buffering=0)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: self._protocol, file)

    def release(self) -> None:
        """Leave the write end to the program."""
        if self._is_held:
            os.close(self.write_end)
        self._is_held = False

    def close(self) -> None:
        """Stop reading: the reader gives what it has already, and then the end."""
        self.release()
        if self._transport is not None:
            self._transport.close()

    async def finish(self) -> bool:
        """Wait until all that a program wrote has been read, once it has ended; then the reader comes to its end.

        Return whether another process still holds the pipe. Nobody waits for that one; what it writes is lost.
        """
        at_end = self._protocol.received
        while not self._protocol.is_over.is_set():
            before = self._protocol.received
            over = asyncio.ensure_future(self._protocol.is_over.wait())
            await asyncio.wait((over,), timeout=DRAIN_S)
            over.cancel()
            # What is in the pipe while nothing is received waits for a slow listener.
            is_idle = self._protocol.received == before and not self._has_more()
            is_flooded = self._protocol.received - at_end > MOST_AFTER_END_BYTES
            if not self._protocol.is_over.is_set() and (is_idle or is_flooded):
                self.close()
                return True
        return False

    def _has_more(self) -> bool:
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        return bool(poll.poll(0))


@asynccontextmanager
async def output_pipe() -> AsyncIterator[OutputPipe]:
    """Give a pipe; both its ends are closed when this ends."""
    pipe = OutputPipe(*os.pipe())
    try:
        await pipe.open()
        yield pipe
    finally:
        pipe.close()


class _Protocol(asyncio.StreamReaderProtocol):
    """Counts what comes, and knows when the last of it has come."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self.received = 0
        self.is_over = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Hand data on."""
        self.received += len(data)
        super().data_received(data)

    def eof_received(self) -> Any:
        """Take in that nobody holds the other end any more."""
        self.is_over.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take in that the pipe is closed."""
        self.is_over.set()
        super().connection_lost(exc)
