"""Records of changes, and the retrying changer: a change is repeated until it is seen, and none is made twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from console.clock import Clock
from console.errors import Declined, EngineError, EngineRefused, Result, SwarmError, Unknown, VipconsoleError
from console.operations.probes import remove_leftovers_in, unbroken
from console.swarm.changer import SwarmChanger
from console.swarm.managers import foreign, roles_of
from console.swarm.parse import PARKED_LABEL
from console.swarm.reader import SwarmReader
from console.swarm.values import Node, Service
from console.text import listed, plural


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who wants to change the swarm."""

    machine: str
    runs: frozenset[str]
    """Runs stored on this machine. Only its own may be unfinished, else it would have been declined."""
    run: str = ""
    """The ID of this run; empty for a command."""
    brings_back: bool = False
    """Whether it would bring parked services back. If so, it also handles services of runs that are no longer
    stored."""


async def clear_the_way(
    reader: SwarmReader, changer: SwarmChanger, claimant: Claimant, deadline_s: float
) -> tuple[str, ...]:
    """Make sure that nobody else is changing the swarm or has left it half changed; return what was removed.

    That are the names of probes and scratch networks which commands of this machine left behind. The caller holds the
    maintenance lock. Raises Declined, and EngineError when the services cannot be read.
    """
    state = await reader.lists(deadline_s)
    if isinstance(state.services, Unknown):
        raise EngineError(state.services.reason, state.services.hint)
    decline_if_claimed(state.services, claimant)
    if not _is_in_its_outage(state.services, claimant):
        decline_if_handed_over(state.nodes, claimant.machine)
    return await remove_leftovers_in(state, changer, claimant.machine)


def decline_if_claimed(services: Iterable[Service], claimant: Claimant) -> None:
    """Raise Declined where services are parked by a run of another machine, or by one that this machine knows no more.

    Those of a run that is kept here and is over are not its business any more: somebody gave it up, or rolled them back.
    """
    parked = [service for service in services if service.parked_by]
    if _is_in_its_outage(parked, claimant):
        return
    for service in parked:
        machine, _, run = service.parked_by.partition("/")
        names = [one.name for one in parked if one.parked_by == service.parked_by]
        if not run:
            _decline_unreadable(names)
        elif machine != claimant.machine:
            _decline_foreign(machine, run, names)
        elif run not in claimant.runs and not claimant.brings_back:
            _decline_forgotten(run, names)


def _is_in_its_outage(services: Iterable[Service], claimant: Claimant) -> bool:
    """Whether a run is in the middle of its own outage, which has to end, forward or back."""
    return any(service.parked_by == f"{claimant.machine}/{claimant.run}" for service in services)


def decline_if_handed_over(nodes: Result[tuple[Node, ...]], machine: str) -> None:
    """Raise Declined where another machine has a hand-over of the lead unfinished, EngineError where that is unknown."""
    if isinstance(nodes, Unknown):
        raise EngineError(nodes.reason, nodes.hint)
    refused = foreign(roles_of(nodes, ""), machine)
    if refused is not None:
        raise Declined(*refused)


def _decline_unreadable(names: list[str]) -> None:
    raise Declined(
        f"{_parked(names)} by an unknown program.",
        f"A newer vipconsole may know more. `docker service inspect {names[0]}` shows the label "
        f"{PARKED_LABEL}.",
    )


def _decline_foreign(machine: str, run: str, names: list[str]) -> None:
    raise Declined(
        f"Another machine is changing this swarm, or left it half changed: {_parked(names)} by run {run} of "
        f"machine {machine}.",
        f"On that machine, `vipconsole attach {run}` shows the run and takes an undo, and `vipconsole "
        f"resume {run}` continues it. If neither works, run `way-back.sh` in the run's folder there: it "
        "brings everything back with plain docker commands. If that machine is gone, recreate the network "
        "if needed, then deploy the stacks again. That also removes the label.",
    )


def _decline_forgotten(run: str, names: list[str]) -> None:
    raise Declined(
        f"{_parked(names)} by run {run}, which is no longer stored on this machine. Nothing else may change "
        "the swarm until they are back.",
        "`vipconsole run` with a runbook that recreates their network finishes that run, or undoes it, "
        "from their labels.",
    )


def _parked(names: list[str]) -> str:
    return f"{plural(len(names), 'service')} {'is' if len(names) == 1 else 'are'} parked ({listed(names)})"


class ChangeRecords(Protocol):
    """A durable record of what is being changed. The caller of an operation stores it: a run in its store, a test in a list.

    When `before` returns, the record is on disk: only then may the change be made. A touch without its `after` may have
    been made or not; the next attempt checks first.
    """

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        """Record that an object is about to be changed, and return the number of this touch.

        `kind` is `service`, `network`, `container` …; `what` is a phrase such as `park`; `state` is what the object was
        before, as JSON, enough to bring it back. It may hold secrets and never leaves the store.
        """
        ...

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        """Record that a change was made; `result` is what came of it, such as the ID of what was created."""
        ...


T = TypeVar("T")

TRIES = 3
"""After so many refusals a change has failed."""
RETRY_S = 0.25
SLOWEST_RETRY_S = 2.0
NOT_ANSWERED = (EngineError, SwarmError)
"""What the engine or its stand-in may raise."""


Note = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Records the result of a change."""


@dataclass(frozen=True, slots=True)
class RetryingChanger:
    """How patiently the engine is asked, and where its changes are recorded."""

    clock: Clock
    change_records: ChangeRecords
    max_wait_s: float = 60.0
    """Give up after an engine has not answered properly for so long: a restart of dockerd takes seconds."""
    at_once: int = 4
    """Changes under way at the same time."""
    unrecorded: list[str] = field(default_factory=list)
    """Why changes could not be recorded that were made nevertheless, each a sentence."""

    async def asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return an answer; ask again while the engine may be coming back."""
        failing = _Failing(self.clock.monotonic(), self.max_wait_s)
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
            number = await self.change_records.before(
                change.kind, change.object_id, change.what, change.state
            )
        except VipconsoleError as error:
            if not change.is_way_back:
                raise
            self.unrecorded.append(error.sentence)
            return _forget

        async def note(result: Mapping[str, Any]) -> None:
            try:
                await self.change_records.after(number, result)
            except VipconsoleError as error:
                if not change.is_way_back:
                    raise
                self.unrecorded.append(error.sentence)

        return note

    async def _made(self, change: "Change") -> Mapping[str, Any] | VipconsoleError:
        """Return what came of a change, or why it was certainly not made; raise where that is not known."""
        failing, refusals = _Failing(self.clock.monotonic(), self.max_wait_s), 0
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
    """Do nothing: the caller makes such a change itself."""


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
    """What the object was before the change; see `ChangeRecords.before`."""
    act: Callable[[], Awaitable[Mapping[str, Any] | None]] = nothing
    """Makes the change, and returns its result for the record."""
    is_made: Callable[[], Awaitable[bool]] = never
    """Checks whether the change is made, or no longer needed."""
    is_way_back: bool = False
    """Whether it brings back what is down."""


@dataclass(slots=True)
class _Failing:
    """Since when something fails, and how long to wait before it is tried again."""

    since_s: float
    max_wait_s: float
    times: int = field(default=0)

    def is_over(self, now_s: float) -> bool:
        return now_s - self.since_s >= self.max_wait_s

    def pause_s(self) -> float:
        self.times += 1
        return min(RETRY_S * self.times, SLOWEST_RETRY_S)
