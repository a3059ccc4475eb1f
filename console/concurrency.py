"""Several things at once, and waits that can end early. When one fails, none of the others is left running.

Also blocking calls on threads of their own.
"""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeAlias, TypeVar, overload

from console.clock import Clock

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")
Resource = TypeVar("Resource")
Work: TypeAlias = Coroutine[Any, Any, A]
_Job = tuple[Callable[[Any], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


async def until(
    attempt: Callable[[], Awaitable[T | None]],
    clock: Clock,
    within_s: float,
    every_s: float,
    despite: tuple[type[Exception], ...] = (),
) -> T | None:
    """Repeat an attempt; return its first true answer, or None when the time is over.

    It attempts at least once, and the last attempt ends after the time is over. Errors of the kinds in `despite` are no
    answer yet; one that the last attempt raises is raised.
    """
    end_s = clock.monotonic() + within_s
    while True:
        try:
            if answer := await attempt():
                return answer
        except despite:
            if clock.monotonic() >= end_s:
                raise
        if clock.monotonic() >= end_s:
            return None
        await clock.sleep(every_s)


async def sleep_unless(event: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Return after so many seconds of the clock, or as soon as the event is set."""
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    waking = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        waking.cancel()
        await asyncio.gather(sleeping, waking, return_exceptions=True)


@overload
async def together(a: Work[A], b: Work[B], /) -> tuple[A, B]: ...
@overload
async def together(a: Work[A], b: Work[B], c: Work[C], /) -> tuple[A, B, C]: ...
@overload
async def together(a: Work[A], b: Work[B], c: Work[C], d: Work[D], /) -> tuple[A, B, C, D]: ...
@overload
async def together(a: Work[A], b: Work[B], c: Work[C], d: Work[D], e: Work[E], /) -> tuple[A, B, C, D, E]: ...
@overload
async def together(
    a: Work[A], b: Work[B], c: Work[C], d: Work[D], e: Work[E], f: Work[F], /
) -> tuple[A, B, C, D, E, F]: ...
@overload
async def together(*works: Work[A]) -> tuple[A, ...]: ...


async def together(*works: Work[Any]) -> tuple[Any, ...]:
    """Return the results in the order of the works.

    `asyncio.gather` lets the others run on when one fails. Here they are cancelled and waited for; then the first
    failure is raised as it is, not in a group.
    """
    failure: BaseException | None = None
    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        failure = errors.exceptions[0]
    if failure is not None:
        raise failure
    return tuple(task.result() for task in tasks)


async def cancel_all(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and return when they have ended, whatever they end with."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class OwningThreads(Generic[Resource]):
    """Runs blocking calls on at most `count` daemon threads, started when first needed, each with its own object.

    It is not the standard executor: that joins its threads when the interpreter ends, so one call that hangs would hold the
    whole program. And here each thread owns an object, such as a client of an engine: those are not thread-safe.

    `make` builds the object of a thread, in that thread, before its first call; what it raises is raised to the
    caller. `close` is given each object when the threads end.
    """

    def __init__(self, make: Callable[[], Resource], close: Callable[[Resource], None], count: int) -> None:
        self._make = make
        self._close = close
        self._count = count
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._unfinished = 0
        """Calls that no thread is done with. One that was given up counts as long as it blocks its thread."""

    async def call(self, function: Callable[[Resource], R]) -> R:
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
        resource: Resource | None = None
        while (job := self._jobs.get()) is not None:
            function, loop, future = job
            if future.cancelled():
                self._finish()
                continue
            try:
                if resource is None:
                    resource = self._make()
                result = function(resource)
            except BaseException as error:  # noqa: BLE001 - it is raised to the caller, in the caller's loop
                self._finish()
                _report(loop, future, None, error)
            else:
                self._finish()
                _report(loop, future, result, None)
        if resource is not None:
            self._close(resource)

    def _finish(self) -> None:
        # Before the caller resumes: its next call must find this thread free.
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
