"""Several things at once, and waits that can end early. When one fails, none of the others is left running."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, TypeVar, overload

from console.clock import Clock

T = TypeVar("T")


async def until(
    look: Callable[[], Awaitable[T | None]],
    clock: Clock,
    within_s: float,
    every_s: float,
    despite: tuple[type[Exception], ...] = (),
) -> T | None:
    """Look again and again; return the first answer that is true, or None when the time is over.

    It looks at least once, and the last look ends after the time is over. Errors of the kinds in `despite` are no answer
    yet; one that the last look raises is raised.
    """
    end_s = clock.monotonic() + within_s
    while True:
        try:
            if answer := await look():
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


A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
Work: TypeAlias = Coroutine[Any, Any, A]


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
    failed: BaseException | None = None
    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(each) for each in works]
    except BaseExceptionGroup as errors:
        failed = errors.exceptions[0]
    if failed is not None:
        raise failed
    return tuple(each.result() for each in tasks)


async def cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and return when they have ended, whatever they end with."""
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
