"""A few daemon threads, each with its own object, for blocking calls.

Not the standard executor: its threads are joined when the interpreter ends, so one call that hangs would hold the
whole program; and here each thread owns a client, because the docker SDK's clients are not thread-safe.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

Owned = TypeVar("Owned")
R = TypeVar("R")

_Job = tuple[Callable[[Any], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class OwningThreads(Generic[Owned]):
    """Runs calls on at most `count` threads, started when first needed.

    `make` builds the object of a thread, in that thread, before its first call; what it raises is raised to the
    caller. `close` is given each object when the threads end.
    """

    def __init__(self, make: Callable[[], Owned], close: Callable[[Owned], None], count: int) -> None:
        self._make = make
        self._close = close
        self._count = count
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._unfinished = 0
        """Calls that no thread is done with. One that was given up counts as long as it blocks its thread."""

    async def call(self, function: Callable[[Owned], R]) -> R:
        """Return what the function returns for the object of some thread.

        When the caller is cancelled or gives up, the thread finishes on its own and its result is dropped.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        with self._lock:
            self._unfinished += 1
            is_one_short = self._unfinished > len(self._threads)
        if is_one_short and len(self._threads) < self._count:
            thread = threading.Thread(target=self._work, name="engine", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put((function, loop, future))
        return await future

    def close(self) -> None:
        """Let every idle thread end at once, and the others after their call."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        owned: Owned | None = None
        while (job := self._jobs.get()) is not None:
            function, loop, future = job
            if future.cancelled():
                self._finish()
                continue
            try:
                if owned is None:
                    owned = self._make()
                result = function(owned)
            except BaseException as error:  # noqa: BLE001 - it is raised to the caller, in the caller's loop
                self._finish()
                _report(loop, future, None, error)
            else:
                self._finish()
                _report(loop, future, result, None)
        if owned is not None:
            self._close(owned)

    def _finish(self) -> None:
        # Before the caller hears of it: its next call must find this thread free.
        with self._lock:
            self._unfinished -= 1


def _report(
    loop: asyncio.AbstractEventLoop,
    future: "asyncio.Future[Any]",
    result: object,
    error: BaseException | None,
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    # The loop may have ended while the call hung; then nobody waits for it any more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)
