"""What actions and predicates share when they look: parts that may be unread, and answers where they are."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import wraps
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

from pydantic import BaseModel

from console.errors import EngineError, HostError, Part, SwarmError, Unknown, VipconsoleError
from console.journal.reader import whose_host
from console.runbook.actions.base import Answer, Context, Found
from console.runbook.values import Effect, Json
from console.swarm.values import Network, Service, SwarmState

T = TypeVar("T")
S = TypeVar("S")
P = ParamSpec("P")
M = TypeVar("M", bound=BaseModel)

NOT_KNOWN = (EngineError, SwarmError, HostError)
"""What keeps an answer from being known, and may be over in a moment."""


class Unread(HostError):
    """A part that an answer rests on could not be read."""


def read(part: Part[T]) -> T:
    """Return a part that was read. Raises Unread for one that was not."""
    if isinstance(part, Unknown):
        raise Unread(part.reason, part.hint)
    return part


_Check: TypeAlias = Callable[Concatenate[S, P], Coroutine[Any, Any, Found]]


def tells(check: _Check[S, P]) -> _Check[S, P]:
    """Let a check that cannot read what it rests on answer that it cannot tell, and why."""

    @wraps(check)
    async def answered(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Found:
        try:
            return await check(self, *args, **kwargs)
        except NOT_KNOWN as error:
            return cannot_tell(error)

    return answered


def cannot_tell(error: VipconsoleError) -> Found:
    """Return the answer that an error leaves."""
    return Found(Answer.CANNOT_TELL, f"{error.sentence} {error.hint}".strip())


def found(is_so: bool, sentence: str, **evidence: Json) -> Found:  # noqa: FBT001 - it is the answer itself
    """Return an answer that is known."""
    return Found(Answer.YES if is_so else Answer.NO, sentence, evidence)


def all_of(answers: Iterable[Found]) -> Answer:
    """Return what several answers come to: no where any is, then cannot tell where any is."""
    told = {each.answer for each in answers}
    return next((each for each in (Answer.NO, Answer.CANNOT_TELL) if each in told), Answer.YES)


async def look(context: Context) -> SwarmState:
    """Return the swarm as it is now, its overlays inspected."""
    state: SwarmState = await context.world.reader.look(context.world.settings.look.deadline_s)
    return state


async def glimpse(context: Context) -> SwarmState:
    """Return the swarm as it is now, no network inspected."""
    state: SwarmState = await context.world.reader.glimpse(context.world.settings.look.deadline_s)
    return state


async def doubt_of_host(context: Context, swarm: SwarmState) -> Unknown | None:
    """Return why what this host tells cannot be taken to belong to the engine, or None when it can."""
    return await whose_host(context.world.host, swarm.engine)


def overlays_named(swarm: SwarmState, name: str) -> tuple[Network, ...]:
    """Return the overlays of this name; more than one is possible. Raises Unread."""
    return tuple(each for each in read(swarm.networks) if each.is_overlay and each.name == name)


def services_on(swarm: SwarmState, name: str) -> tuple[Service, ...]:
    """Return the services on the overlays of this name. Raises Unread."""
    ids = {each.id for each in overlays_named(swarm, name)}
    return tuple(each for each in read(swarm.services) if not ids.isdisjoint(each.network_ids))


class ReadOnly(Generic[M]):
    """The part that every action which only looks has in common."""

    effect: ClassVar[Effect] = Effect.READ
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = "It changes nothing."

    async def probe(self, context: Context, parameters: M) -> Found:
        """Tell that a look has to be taken each time."""
        return found(False, "What was seen once may have changed since.")

    async def verify(self, context: Context, parameters: M, outputs: Mapping[str, Json]) -> Found:
        """Tell that there is nothing more to it: where it was not so, it failed."""
        return found(True, "It was seen.")

    async def undo(self, context: Context, parameters: M, outputs: Mapping[str, Any]) -> None:
        """Do nothing, for nothing was changed."""


def time_to_wait_s(context: Context) -> float:
    """Return for how long an action may wait, so that it ends by itself before its attempt is ended from outside."""
    return context.timeout_s - min(2.0, 0.1 * context.timeout_s)
