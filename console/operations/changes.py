"""The recorder of changes, and the retrying changer: a change is repeated until it is seen, and none is made twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from console.clock import Clock
from console.errors import EngineError, EngineRefused, SwarmError, VipconsoleError
from console.frozen import frozen
from console.operations.probes import run_to_end

T = TypeVar("T")

TRIES = 3
"""After so many refusals a change has failed."""
RETRY_S = 0.25
SLOWEST_RETRY_S = 2.0
NOT_ANSWERED = (EngineError, SwarmError)
"""What the engine or its stand-in may raise."""
Note = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Records the result of a change."""


class ChangeRecorder(Protocol):
    """Records durably what is being changed. The caller of an operation brings it: a run records in its store, a test in a list.

    When `before` returns, the record is on disk: only then may the change be made. A change without its `after` may have
    been made or not; the next attempt checks first.
    """

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        """Record that an object is about to be changed, and return the number of this record.

        `kind` is `service`, `network`, `container` …; `what` is a phrase such as `park`; `state` is what the object was
        before, as JSON, enough to bring it back. It may hold secrets and never leaves the store.
        """
        ...

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        """Record that a change was made; `result` is what came of it, such as the ID of what was created."""
        ...


@frozen
class RetryingChanger:
    """Retries changes until they are seen, and records each before and after."""

    clock: Clock
    change_recorder: ChangeRecorder
    max_wait_s: float = 60.0
    """Give up after an engine has not answered properly for so long: a restart of dockerd takes seconds."""
    at_once: int = 4
    """Changes under way at the same time."""
    record_failures: list[str] = field(default_factory=list)
    """Why changes could not be recorded that were made nevertheless, each a sentence."""

    async def ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return an answer; ask again while the engine may be coming back."""
        timer = _RetryTimer(self.clock.monotonic(), self.max_wait_s)
        while True:
            try:
                return await ask()
            except NOT_ANSWERED:
                if timer.is_over(self.clock.monotonic()):
                    raise
            await self.clock.sleep(timer.pause_s())

    async def make(self, change: "Change") -> None:
        """Make a change, recorded before and after, unless it is made already.

        Whatever the engine answers, or does not, only a snapshot tells whether the change was made. Raises what it answered
        last when it was not made: refused `TRIES` times, or given up.
        """
        if await self.ask(change.is_made):
            return
        note = await self.begin(change)
        result = await self._act(change)
        if isinstance(result, VipconsoleError):
            await note({"not_made": result.sentence})
            raise result
        await note(result)

    async def begin(self, change: "Change") -> "Note":
        """Record that a change is about to be made, and return what records the result of it.

        What ends an outage is done also where it cannot be recorded; then `record_failures` says so.
        """
        try:
            number = await self.change_recorder.before(
                change.kind, change.object_id, change.what, change.state
            )
        except VipconsoleError as error:
            if not change.is_way_back:
                raise
            self.record_failures.append(error.sentence)
            return _forget

        async def note(result: Mapping[str, Any]) -> None:
            try:
                await self.change_recorder.after(number, result)
            except VipconsoleError as error:
                if not change.is_way_back:
                    raise
                self.record_failures.append(error.sentence)

        return note

    async def _act(self, change: "Change") -> Mapping[str, Any] | VipconsoleError:
        """Return what came of a change, or why it was certainly not made; raise where that is not known."""
        timer, refusals = _RetryTimer(self.clock.monotonic(), self.max_wait_s), 0
        while True:
            try:
                return await run_to_end(change.act()) or {}
            except NOT_ANSWERED as error:
                if await self.ask(change.is_made):
                    return {"seen": True}
                refusals += isinstance(error, EngineRefused)
                if refusals >= TRIES or timer.is_over(self.clock.monotonic()):
                    return error
            await self.clock.sleep(timer.pause_s())

    async def act_on_all(self, items: Iterable[T], act: Callable[[T], Awaitable[object]]) -> None:
        """Do something to each of several objects, a few at a time. After a failure no more is begun, and it is raised.

        What is under way is waited for: nothing is left half-known.
        """
        waiting, errors = iter(tuple(items)), list[VipconsoleError]()

        async def work() -> None:
            for item in waiting:
                if errors:
                    return
                try:
                    await act(item)
                except VipconsoleError as error:
                    errors.append(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(work())
        if errors:
            raise errors[0]


async def nothing() -> None:
    """Do nothing: the caller makes such a change itself."""


async def never() -> bool:
    """Tell that it is not made."""
    return False


async def _forget(_: Mapping[str, Any]) -> None:
    """Record nothing: it was not recorded that the change was begun either."""


@frozen
class Change:
    """A change of one object: how it is recorded, how it is made, and how it is seen to be made."""

    kind: str
    object_id: str
    what: str
    state: Mapping[str, Any]
    """What the object was before the change; see `ChangeRecorder.before`."""
    act: Callable[[], Awaitable[Mapping[str, Any] | None]] = nothing
    """Makes the change, and returns its result for the record."""
    is_made: Callable[[], Awaitable[bool]] = never
    """Checks whether the change is made, or no longer needed."""
    is_way_back: bool = False
    """Whether it brings back what is down."""


@dataclass(slots=True)
class _RetryTimer:
    """Since when something fails, and how long to wait before it is tried again."""

    since_s: float
    max_wait_s: float
    times: int = field(default=0)

    def is_over(self, now_s: float) -> bool:
        return now_s - self.since_s >= self.max_wait_s

    def pause_s(self) -> float:
        self.times += 1
        return min(RETRY_S * self.times, SLOWEST_RETRY_S)
