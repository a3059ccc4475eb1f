"""How one object is changed so that it is known afterwards whether it was: recorded, tried, looked at, tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from console.clock import Clock
from console.errors import EngineError, EngineRefused, SwarmError, VipconsoleError
from console.remedies.probes import unbroken
from console.remedies.touches import Touches

T = TypeVar("T")

TRIES = 3
"""What the engine refuses so often is refused."""
RETRY_S = 0.25
SLOWEST_RETRY_S = 2.0
NOT_ANSWERED = (EngineError, SwarmError)
"""What the engine, or what stands for it, may raise."""


Note = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Records what came of a change."""


@dataclass(frozen=True, slots=True)
class Steady:
    """How patiently the engine is asked, and where its changes are recorded."""

    clock: Clock
    touches: Touches
    patience_s: float = 60.0
    """An engine that has not answered properly for so long is given up: a restart of dockerd takes seconds."""
    at_once: int = 4
    """Changes under way at the same time."""
    unrecorded: list[str] = field(default_factory=list)
    """Why changes could not be recorded that were made all the same, each a sentence."""

    async def asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return an answer; ask again while the engine may be coming back."""
        failing = _Failing(self.clock.monotonic(), self.patience_s)
        while True:
            try:
                return await ask()
            except NOT_ANSWERED:
                if failing.is_over(self.clock.monotonic()):
                    raise
            await self.clock.sleep(failing.pause_s())

    async def make(self, change: "Change") -> None:
        """Make a change, recorded before and after, unless it is made already.

        Whatever the engine answers, or does not, only a look tells whether the change was made. Raises what it answered
        last when it was not made: refused `TRIES` times, or given up.
        """
        if await self.asked(change.is_made):
            return
        note = await self.begin(change)
        result = await self._made(change)
        if isinstance(result, VipconsoleError):
            await note({"not_made": result.sentence})
            raise result
        await note(result)

    async def begin(self, change: "Change") -> "Note":
        """Record that a change is about to be made, and return what records the result of it.

        What ends an outage is done also where it cannot be recorded; then `unrecorded` says so.
        """
        try:
            number = await self.touches.before(change.kind, change.object_id, change.what, change.state)
        except VipconsoleError as error:
            if not change.is_way_back:
                raise
            self.unrecorded.append(error.sentence)
            return _forget

        async def note(result: Mapping[str, Any]) -> None:
            try:
                await self.touches.after(number, result)
            except VipconsoleError as error:
                if not change.is_way_back:
                    raise
                self.unrecorded.append(error.sentence)

        return note

    async def _made(self, change: "Change") -> Mapping[str, Any] | VipconsoleError:
        """Return what came of a change, or why it was certainly not made; raise where that is not known."""
        failing, refusals = _Failing(self.clock.monotonic(), self.patience_s), 0
        while True:
            try:
                return await unbroken(change.act()) or {}
            except NOT_ANSWERED as error:
                if await self.asked(change.is_made):
                    return {"seen": True}
                refusals += isinstance(error, EngineRefused)
                if refusals >= TRIES or failing.is_over(self.clock.monotonic()):
                    return error
            await self.clock.sleep(failing.pause_s())

    async def each(self, items: Iterable[T], act: Callable[[T], Awaitable[object]]) -> None:
        """Do something to each of several objects, a few at a time. After a failure no more is begun, and it is raised.

        What is under way is waited for: nothing is left half-known.
        """
        waiting, failed = iter(tuple(items)), list[VipconsoleError]()

        async def work() -> None:
            for item in waiting:
                if failed:
                    return
                try:
                    await act(item)
                except VipconsoleError as error:
                    failed.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(work())
        if failed:
            raise failed[0]


async def nothing() -> None:
    """Do nothing: whoever begins such a change makes it himself."""


async def never() -> bool:
    """Tell that it is not made."""
    return False


async def _forget(_: Mapping[str, Any]) -> None:
    """Record nothing: it was not recorded that the change was begun either."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object."""

    kind: str
    object_id: str
    what: str
    state: Mapping[str, Any]
    """What the object was before; see `Touches.before`."""
    act: Callable[[], Awaitable[Mapping[str, Any] | None]] = nothing
    """Makes it, and returns what came of it for the record."""
    is_made: Callable[[], Awaitable[bool]] = never
    """Looks whether it is made, or has become needless."""
    is_way_back: bool = False
    """Whether it brings back what is down."""


@dataclass(slots=True)
class _Failing:
    """Since when something fails, and how long to wait before it is tried again."""

    since_s: float
    patience_s: float
    times: int = field(default=0)

    def is_over(self, now_s: float) -> bool:
        return now_s - self.since_s >= self.patience_s

    def pause_s(self) -> float:
        self.times += 1
        return min(RETRY_S * self.times, SLOWEST_RETRY_S)
