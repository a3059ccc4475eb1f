"""How actions and predicates look at swarm and host, and answer."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

from pydantic import BaseModel, Field

from console.errors import Declined, EngineError, HostError, Part, SwarmError, Unknown, VipconsoleError
from console.journal.reader import doubt_unless_silent, whose_host
from console.nixos.file import NOT_NIXOS, STORE_PATH, Places
from console.runbook.contracts import Answer, Context, Found, Touched
from console.runbook.language.values import Effect, Json
from console.swarm.values import Network, Service, SwarmState

T = TypeVar("T")
S = TypeVar("S")
P = ParamSpec("P")
M = TypeVar("M", bound=BaseModel)

NOT_KNOWN = (EngineError, SwarmError, HostError)
"""What makes an answer unknown, and may be over in a moment."""


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
    state: SwarmState = await context.world.reader.state(context.world.settings.look.deadline_s)
    return state


async def glimpse(context: Context) -> SwarmState:
    """Return the swarm as it is now, no network inspected."""
    state: SwarmState = await context.world.reader.lists(context.world.settings.look.deadline_s)
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
        return found(True, "The snapshot was taken.")

    async def undo(self, context: Context, parameters: M, outputs: Mapping[str, Any]) -> None:
        """Do nothing, for nothing was changed."""


def time_to_wait_s(context: Context) -> float:
    """Return for how long an action may wait, so that it ends by itself before its attempt is ended from outside."""
    return context.timeout_s - min(2.0, 0.1 * context.timeout_s)


System: TypeAlias = Annotated[str, Field(pattern=STORE_PATH, max_length=300)]
"""The store path of a NixOS system."""


async def doubt_of_this_host(context: Context) -> str:
    """Return why this host must not be changed for that engine, a sentence, or nothing.

    A silent engine behind a unix socket is taken to be this host's own: it may be what has to be mended.
    """
    swarm = await glimpse(context)
    doubt = await doubt_unless_silent(context.world.host, swarm.engine)
    return (
        ""
        if doubt is None
        else (f"The engine is on another host, so this host is not changed. {doubt.reason}")
    )


async def require_this_host(context: Context, places: Places) -> None:
    """Raise HostError where this is no NixOS, and Declined where it is not the engine's host."""
    if not places.is_nixos:
        raise HostError(NOT_NIXOS)
    doubt = await doubt_of_this_host(context)
    if doubt:
        raise Declined(doubt)


async def folder_of(context: Context, name: str, text: str) -> Path:
    """Write a file into the run's folder, and return the folder."""
    return Path(await context.keep(name, text)).parent


def touched(context: Context, kind: str, *what: str) -> Iterator[Touched]:
    """Yield what earlier attempts touched of a kind in one of these ways, the latest first."""
    return (each for each in reversed(context.touched) if each.kind == kind and each.what in what)
