"""Predicates about this host: its units, what dockerd logged, and the web addresses that it serves."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, Field

from console.concurrency import together
from console.durations import seconds_of, stamp
from console.host.activity import Unit
from console.host.process import output_of
from console.host.reader import BOOTED, Run, has_systemd, read_units
from console.host.web import HttpOptions, Reply, ask
from console.journal.failures import ALL_SIGNATURES
from console.journal.reader import read_recent
from console.journal.signatures import LogSeverity
from console.journal.summary import Summary, describe, summarise
from console.runbook.answers import (
    Unreadable,
    cannot_tell_on_error,
    check_result,
    quick_snapshot,
    read,
    why_not_this_host,
)
from console.runbook.contracts import Answer, CheckResult, Context, Parameters, Seconds, UnitName, Url
from console.runbook.language.values import Json
from console.swarm.snapshots import object_names
from console.text import listed, nearest, plural

AT_ONCE = 8
_LISTED_ROUTES = 5
_WORKS_BELOW = 500

NAMED = 5


class HttpParameters(Parameters):
    """How addresses are asked."""

    via: str | None = Field(
        default=None,
        pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$",
        description="`HOST:PORT` of the reverse proxy. Requests connect to it, not to the host in each "
        "URL; host names and certificates stay those of the URLs. Default: the URL's own host.",
    )
    verify_tls: bool = Field(default=True, description="Whether an invalid certificate is a failure.")
    follow_redirects: int = Field(default=0, ge=0, le=10, description="How many redirects are followed.")
    each_within: Seconds = Field(default=10.0, gt=0, description="How long a URL may take to answer.")

    def http_options(self) -> HttpOptions:
        """Return it as the door takes it."""
        return HttpOptions(self.each_within, self.verify_tls, self.via or "", self.follow_redirects)


class RoutesParameters(HttpParameters):
    """Which addresses must answer, and how."""

    urls: list[Url] = Field(default=[], max_length=200, description="URLs of applications.")
    first: list[Url] = Field(
        default=[],
        max_length=20,
        description="URLs that the reverse proxy serves by itself. They are requested first. If one fails, "
        "the proxy does not work, and the applications are not requested.",
    )
    may_be_none: bool = Field(default=False, description="Whether it holds when no URL is given.")
    before: dict[str, int | None] | None = Field(
        default=None,
        description="The earlier answer of each URL: `${steps.ID.outputs.routes}` of an `evidence.capture` "
        "step. A URL must answer the same again, but one that failed before may fail again. "
        "Without it, a URL must answer with a status below 500.",
    )


class HttpRoutes:
    """Addresses answer, as before where it is known how they answered before."""

    name: ClassVar[str] = "http.routes"
    parameters: ClassVar[type[BaseModel]] = RoutesParameters

    async def check(self, context: Context, parameters: RoutesParameters) -> CheckResult:
        """Ask those that the proxy serves by itself, then the others, and name those that do not answer as they should."""
        options, before = parameters.http_options(), parameters.before
        own = await ask_all(parameters.first, options)
        failures = _failures(own, before)
        if failures:
            return check_result(
                False,
                f"The reverse proxy does not answer: {listed(failures, _LISTED_ROUTES)}.",
                statuses=statuses(own),
            )
        replies = await ask_all(parameters.urls or [url for url in before or {} if url not in own], options)
        failures, everything = _failures(replies, before), {**own, **replies}
        if not everything:
            answer = Answer.YES if parameters.may_be_none else Answer.CANNOT_TELL
            return CheckResult(answer, "No URL is given, so none was requested.", nothing_checked=True)
        down = [url for url in everything if before is not None and url in before and not _works(before[url])]
        already = f" Already failing before: {listed(down, _LISTED_ROUTES)}." if down else ""
        count = plural(len(everything), "address", "addresses")
        if failures:
            sentence = (
                f"{len(failures)} of {count} do not answer as expected: "
                f"{listed(failures, _LISTED_ROUTES)}.{already}"
            )
        else:
            sentence = f"{count} answer{'s' if len(everything) == 1 else ''}{' as before' if before else ''}.{already}"
        return check_result(not failures, sentence, statuses=statuses(everything))


async def ask_all(urls: Iterable[str], options: HttpOptions) -> dict[str, Reply]:
    """Ask addresses, a few at a time, and return their replies in the same order."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(url: str) -> Reply:
        async with room:
            return await ask(url, options)

    unique_urls = tuple(dict.fromkeys(urls))
    return dict(zip(unique_urls, await together(*(one(url) for url in unique_urls)), strict=True))


def statuses(replies: Mapping[str, Reply]) -> Json:
    """Return the status of each address; none where it did not answer."""
    return {url: reply.status for url, reply in replies.items()}


def _failures(replies: Mapping[str, Reply], before: Mapping[str, int | None] | None) -> list[str]:
    failures = []
    for url, reply in replies.items():
        if before is None or url not in before:
            if not _works(reply.status):
                failures.append(f"{url} ({reply.summary})")
        elif _works(before[url]) and before[url] != reply.status:
            failures.append(f"{url} ({reply.summary} instead of {before[url]})")
    return failures


def _works(status: int | None) -> bool:
    return status is not None and status < _WORKS_BELOW


class UnitsParameters(Parameters):
    """Which units must be well."""

    units: list[UnitName] = Field(default=[], max_length=100, description="Units that must be active.")
    finished: list[UnitName] = Field(
        default=[],
        max_length=100,
        description="Units that may be inactive if they ended well: oneshots without RemainAfterExit.",
    )


class UnitsOk:
    """Units of systemd are active, or have ended well."""

    name: ClassVar[str] = "units.ok"
    parameters: ClassVar[type[BaseModel]] = UnitsParameters

    def __init__(self, run: Run = output_of) -> None:
        self._run = run

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: UnitsParameters) -> CheckResult:
        """Tell whether the units are well, and name those that are not."""
        refusal = await why_not_this_host(context, await quick_snapshot(context))
        if refusal is not None:
            raise Unreadable(
                f"The units of the engine's host are unknown here. {refusal.reason}", refusal.hint
            )
        if not has_systemd(BOOTED):
            raise Unreadable("systemd does not run this machine.")
        names = tuple(dict.fromkeys((*parameters.units, *parameters.finished)))
        if not names:
            return CheckResult(Answer.CANNOT_TELL, "No unit is given, so none was checked.")
        limit_s = context.world.settings.snapshot.call_timeout_s
        units = {unit.name: unit for unit in await read_units(names, limit_s, self._run)}
        wrong = {
            name: what
            for name in names
            if (what := _trouble(units.get(name), may_be_finished=name in parameters.finished))
        }
        troubles = [f"{name} {what}" for name, what in wrong.items()]
        states = {name: units[name].state if name in units else "unknown" for name in names}
        if wrong:
            return check_result(False, f"{listed(troubles, NAMED)}.", states=dict(states))
        return check_result(
            True,
            f"{plural(len(names), 'unit')} running well: {listed(list(names), NAMED)}.",
            states=dict(states),
        )


def _trouble(unit: Unit | None, *, may_be_finished: bool) -> str:
    """Return what is wrong with a unit, as what follows its name, or nothing."""
    if unit is None or unit.load == "not-found":
        return "is not a unit of this host"
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
    codes = [signature.id for signature in ALL_SIGNATURES]
    if text not in codes:
        raise ValueError(f"names no known failure{nearest(text, codes)}")
    return text


class CleanSinceParameters(Parameters):
    """From when on dockerd must not have failed."""

    since: Annotated[str, AfterValidator(_moment)] = Field(
        description="A time with its zone, such as `${run.started_at}`, or how long ago, such as `10m`."
    )
    accept: list[Annotated[str, AfterValidator(_code)]] = Field(
        default=[], description="Codes of failures that are accepted; `vipconsole journal` shows them."
    )


class JournalCleanSince:
    """dockerd has logged no failure about addresses since then, and its journal was read without a gap."""

    name: ClassVar[str] = "journal.clean_since"
    parameters: ClassVar[type[BaseModel]] = CleanSinceParameters

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: CleanSinceParameters) -> CheckResult:
        """Tell whether nothing failed. Where lines may be missing, that nothing was found proves nothing."""
        since = moment_of(parameters.since, context.world.clock.now())
        summary = await logged_since(context, since)
        failures = [
            finding
            for finding in summary.findings
            if finding.signature.severity is not LogSeverity.NOTE
            and finding.signature.id not in parameters.accept
        ]
        since_text = stamp(since)
        if failures:
            descriptions = [f"{failure.signature.id} {describe(failure)}" for failure in failures]
            codes = {failure.signature.id: failure.count for failure in failures}
            return check_result(
                False,
                f"dockerd has logged failures since {since_text}: {listed(descriptions, NAMED)}.",
                failures=dict(codes),
            )
        if not summary.is_complete:
            why = " ".join(dict.fromkeys(gap.reason for gap in summary.gaps)) or "Lines were left out."
            return CheckResult(
                Answer.CANNOT_TELL, f"dockerd's journal since {since_text} was read only in part. {why}"
            )
        return check_result(
            True, f"dockerd has logged no failure about addresses since {since_text}.", lines=summary.entries
        )


def moment_of(text: str, now: datetime) -> datetime:
    """Return the time that a text names: itself, or so long before now."""
    try:
        return now - timedelta(seconds=seconds_of(text))
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is None else moment.astimezone(UTC)


async def logged_since(context: Context, since: datetime) -> Summary:
    """Return what dockerd has logged since then. Raises Unreadable where it cannot be read, or is another host's."""
    world, swarm = context.world, await quick_snapshot(context)
    refusal = None if world.log.is_recorded else await why_not_this_host(context, swarm)
    now = world.clock.now()
    window_s = max((now - since).total_seconds(), 0.0)
    batch = read(await read_recent(world.log, refusal, now, window_s, world.settings.snapshot.call_timeout_s))
    return summarise([batch], object_names(swarm), window_s)
