"""Predicates about this host: units of systemd, and what dockerd logged. They hold only where the engine is its own."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, Field

from console.durations import seconds_of, stamp
from console.host.activity import Unit
from console.host.process import output_of
from console.host.units import BOOTED, Run, has_systemd, read_units
from console.journal.failures import ALL_SIGNATURES
from console.journal.reader import read_lately
from console.journal.signatures import Severity
from console.journal.summary import Summary, describe, summarise
from console.runbook.actions.base import Answer, Context, Found
from console.runbook.actions.looking import Unread, doubt_of_host, found, glimpse, read, tells
from console.runbook.actions.parameters import Parameters, UnitName
from console.swarm.names import object_names
from console.text import listed, nearest, plural

NAMED = 5


class UnitsParameters(Parameters):
    """Which units must be well."""

    units: list[UnitName] = Field(default=[], max_length=100, description="Units that must be active.")
    finished: list[UnitName] = Field(
        default=[],
        max_length=100,
        description="Units that need not be active, if they ended well: oneshots that do not stay.",
    )


class UnitsOk:
    """Units of systemd are active, or have ended well."""

    name: ClassVar[str] = "units.ok"
    parameters: ClassVar[type[BaseModel]] = UnitsParameters

    def __init__(self, run: Run = output_of) -> None:
        self._run = run

    @tells
    async def check(self, context: Context, parameters: UnitsParameters) -> Found:
        """Tell whether the units are well, and name those that are not."""
        doubt = await doubt_of_host(context, await glimpse(context))
        if doubt is not None:
            raise Unread(f"Its units are not known here. {doubt.reason}")
        if not has_systemd(BOOTED):
            raise Unread("systemd does not run this machine.")
        wanted = tuple(dict.fromkeys((*parameters.units, *parameters.finished)))
        if not wanted:
            return Found(Answer.CANNOT_TELL, "No unit is named, so none was looked at.")
        limit_s = context.world.settings.look.call_timeout_s
        units = {each.name: each for each in await read_units(wanted, limit_s, self._run)}
        wrong = {
            name: what
            for name in wanted
            if (what := _trouble(units.get(name), may_be_finished=name in parameters.finished))
        }
        said = [f"{name} {what}" for name, what in wrong.items()]
        states = {name: units[name].state if name in units else "unknown" for name in wanted}
        if wrong:
            return found(False, f"{listed(said, NAMED)}.", states=dict(states))
        return found(
            True, f"{plural(len(wanted), 'unit')} well: {listed(list(wanted), NAMED)}.", states=dict(states)
        )


def _trouble(unit: Unit | None, *, may_be_finished: bool) -> str:
    """Return what is wrong with a unit, as what follows its name, or nothing."""
    if unit is None or unit.load == "not-found":
        return "is no unit of this host"
    if unit.state == "active":
        return ""
    if unit.state == "inactive" and may_be_finished and unit.result in ("", "success"):
        return ""
    why = f" ({unit.result})" if unit.result not in ("", "success") else ""
    return f"is {unit.state}{why}"


def _moment(text: str) -> str:
    try:
        moment = moment_of(text, datetime.now(UTC))
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - like every time without a zone, none that could be meant
    if moment.tzinfo is None:
        raise ValueError("must be a time such as 2026-06-12T02:00:00+00:00, or how long ago, such as 10m")
    return text


def _code(text: str) -> str:
    known = [each.id for each in ALL_SIGNATURES]
    if text not in known:
        raise ValueError(f"names no failure that is known{nearest(text, known)}")
    return text


class CleanSinceParameters(Parameters):
    """From when on dockerd must not have failed."""

    since: Annotated[str, AfterValidator(_moment)] = Field(
        description="A time with its zone, such as `${run.started_at}`, or how long ago, such as `10m`."
    )
    accept: list[Annotated[str, AfterValidator(_code)]] = Field(
        default=[], description="Codes of failures that may be there; `vipconsole journal` tells them."
    )


class JournalCleanSince:
    """dockerd has logged no failure about addresses since then, and its journal was read without a gap."""

    name: ClassVar[str] = "journal.clean_since"
    parameters: ClassVar[type[BaseModel]] = CleanSinceParameters

    @tells
    async def check(self, context: Context, parameters: CleanSinceParameters) -> Found:
        """Tell whether nothing failed. Where lines may be missing, that nothing was found proves nothing."""
        since = moment_of(parameters.since, context.world.clock.now())
        summary = await logged_since(context, since)
        failures = [
            each
            for each in summary.findings
            if each.signature.severity is not Severity.NOTE and each.signature.id not in parameters.accept
        ]
        shown = stamp(since)
        if failures:
            said = [f"{each.signature.id} {describe(each)}" for each in failures]
            codes = {each.signature.id: each.count for each in failures}
            return found(
                False, f"dockerd has failed since {shown}: {listed(said, NAMED)}.", failures=dict(codes)
            )
        if not summary.is_complete:
            why = " ".join(dict.fromkeys(each.reason for each in summary.gaps)) or "Lines were left out."
            return Found(
                Answer.CANNOT_TELL, f"dockerd's journal since {shown} was not read as a whole. {why}"
            )
        return found(
            True, f"dockerd has logged no failure about addresses since {shown}.", lines=summary.entries
        )


def moment_of(text: str, now: datetime) -> datetime:
    """Return the time that a text names: itself, or so long before now."""
    try:
        return now - timedelta(seconds=seconds_of(text))
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is None else moment.astimezone(UTC)


async def logged_since(context: Context, since: datetime) -> Summary:
    """Return what dockerd has logged since then. Raises Unread where it cannot be read, or is another host's."""
    world, swarm = context.world, await glimpse(context)
    doubt = None if world.log.is_recorded else await doubt_of_host(context, swarm)
    now = world.clock.now()
    window_s = max((now - since).total_seconds(), 0.0)
    batch = read(await read_lately(world.log, doubt, now, window_s, world.settings.look.call_timeout_s))
    return summarise([batch], object_names(swarm), window_s)
