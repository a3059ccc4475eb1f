"""How actions and predicates read swarm and host, and answer."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

from pydantic import BaseModel, Field

from console.errors import Declined, EngineError, HostError, Result, SwarmError, Unknown, VipconsoleError
from console.journal.reader import whose_host, why_foreign_unless_silent
from console.nixos.file import NOT_NIXOS, STORE_PATH, NixosPaths
from console.runbook.contracts import Answer, ChangeRecord, CheckResult, Context
from console.runbook.language.values import Effect, Json
from console.swarm.model import Network, Service, SwarmState

T = TypeVar("T")
S = TypeVar("S")
P = ParamSpec("P")
M = TypeVar("M", bound=BaseModel)

NOT_KNOWN = (EngineError, SwarmError, HostError)
"""What makes an answer unknown, and may be over in a moment."""

_Check: TypeAlias = Callable[Concatenate[S, P], Coroutine[Any, Any, CheckResult]]

System: TypeAlias = Annotated[str, Field(pattern=STORE_PATH, max_length=300)]
"""The store path of a NixOS system."""


class Unreadable(HostError):
    """Something that an answer rests on could not be read."""


def read(result: Result[T]) -> T:
    """Return a part that was read. Raises Unreadable for one that was not."""
    if isinstance(result, Unknown):
        raise Unreadable(result.reason, result.hint)
    return result


def cannot_tell_on_error(check: _Check[S, P]) -> _Check[S, P]:
    """Let a check that cannot read what it rests on answer that it cannot tell, and why."""

    @wraps(check)
    async def checked_or_unknown(self: S, /, *args: P.args, **kwargs: P.kwargs) -> CheckResult:
        try:
            return await check(self, *args, **kwargs)
        except NOT_KNOWN as error:
            return cannot_tell(error)

    return checked_or_unknown


def cannot_tell(error: VipconsoleError) -> CheckResult:
    """Return the answer that an error leaves."""
    return CheckResult(Answer.CANNOT_TELL, f"{error.sentence} {error.hint}".strip())


def check_result(is_so: bool, sentence: str, **evidence: Json) -> CheckResult:  # noqa: FBT001 - it is the answer itself
    """Return an answer that is known."""
    return CheckResult(Answer.YES if is_so else Answer.NO, sentence, evidence)


def all_of(answers: Iterable[CheckResult]) -> Answer:
    """Return the worst of several answers: no, then cannot tell, then yes."""
    kinds = {answer.answer for answer in answers}
    return next((answer for answer in (Answer.NO, Answer.CANNOT_TELL) if answer in kinds), Answer.YES)


async def read_state(context: Context) -> SwarmState:
    """Return the swarm as it is now, its overlays inspected."""
    state: SwarmState = await context.world.reader.state(context.world.settings.snapshot.deadline_s)
    return state


async def quick_snapshot(context: Context) -> SwarmState:
    """Return the swarm as it is now, no network inspected."""
    state: SwarmState = await context.world.reader.lists(context.world.settings.snapshot.deadline_s)
    return state


async def why_not_this_host(context: Context, swarm: SwarmState) -> Unknown | None:
    """Return why what this host tells cannot be taken to belong to the engine, or None when it can."""
    return await whose_host(context.world.host, swarm.engine)


def overlays_by_name(swarm: SwarmState, name: str) -> tuple[Network, ...]:
    """Return the overlays of this name; more than one is possible. Raises Unreadable."""
    return tuple(network for network in read(swarm.networks) if network.is_overlay and network.name == name)


def services_on(swarm: SwarmState, name: str) -> tuple[Service, ...]:
    """Return the services on the overlays of this name. Raises Unreadable."""
    ids = {overlay.id for overlay in overlays_by_name(swarm, name)}
    return tuple(service for service in read(swarm.services) if not ids.isdisjoint(service.network_ids))


class ReadOnly(Generic[M]):
    """The base of every action that only reads."""

    effect: ClassVar[Effect] = Effect.READ
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = "It changes nothing."

    async def probe(self, context: Context, parameters: M) -> CheckResult:
        """Tell that it is to be done: an earlier snapshot may be out of date."""
        return check_result(False, "What was seen once may have changed since.")

    async def verify(self, context: Context, parameters: M, outputs: Mapping[str, Json]) -> CheckResult:
        """Tell that there is nothing more to it: where it was not so, it failed."""
        return check_result(True, "The snapshot was taken.")

    async def undo(self, context: Context, parameters: M, outputs: Mapping[str, Any]) -> None:
        """Do nothing, for nothing was changed."""


def time_to_wait_s(context: Context) -> float:
    """Return for how long an action may wait, so that it ends by itself before its attempt is ended from outside."""
    return context.timeout_s - min(2.0, 0.1 * context.timeout_s)


async def why_this_host_is_refused(context: Context) -> str:
    """Return why this host must not be changed for that engine, a sentence, or nothing.

    A silent engine behind a unix socket is taken to be this host's own: it may be what has to be mended.
    """
    swarm = await quick_snapshot(context)
    refusal = await why_foreign_unless_silent(context.world.host, swarm.engine)
    return (
        ""
        if refusal is None
        else (f"The engine is on another host, so this host is not changed. {refusal.reason}")
    )


async def require_this_host(context: Context, places: NixosPaths) -> None:
    """Raise HostError where this is no NixOS, and Declined where it is not the engine's host."""
    if not places.is_nixos:
        raise HostError(NOT_NIXOS, "Skip this step: it is for a host with NixOS.")
    refusal = await why_this_host_is_refused(context)
    if refusal:
        raise Declined(refusal)


async def folder_of(context: Context, name: str, text: str) -> Path:
    """Write a file into the run's folder, and return the folder."""
    return Path(await context.keep(name, text)).parent


def recorded_changes(context: Context, kind: str, *what: str) -> Iterator[ChangeRecord]:
    """Yield the change records of earlier attempts for one kind of object and these changes, the latest first."""
    return (
        change for change in reversed(context.recorded_changes) if change.kind == kind and change.what in what
    )
