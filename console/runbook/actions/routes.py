"""The predicate that addresses behind the reverse proxy answer, as they did before where that is known."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar

from pydantic import BaseModel, Field

from console.concurrency import together
from console.host.web import Asking, Reply, ask
from console.runbook.actions.base import Answer, Context, Found
from console.runbook.actions.looking import found
from console.runbook.actions.parameters import Parameters, Seconds, Url
from console.runbook.values import Json
from console.text import listed, plural

AT_ONCE = 8
_LISTED_ROUTES = 5
_WORKS_BELOW = 500


class AskingParameters(Parameters):
    """How addresses are asked."""

    via: str | None = Field(
        default=None,
        pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$",
        description="`HOST:PORT` of the reverse proxy, to connect to instead of each address's own host; names and "
        "certificates stay the addresses'. Without it, names are looked up as they are everywhere.",
    )
    verify_tls: bool = Field(
        default=True, description="Whether a certificate that is not valid is a failure."
    )
    follow_redirects: int = Field(default=0, ge=0, le=10, description="How many redirects are followed.")
    each_within: Seconds = Field(default=10.0, gt=0, description="How long an address may take to answer.")

    def asking(self) -> Asking:
        """Return it as the door takes it."""
        return Asking(self.each_within, self.verify_tls, self.via or "", self.follow_redirects)


class RoutesParameters(AskingParameters):
    """Which addresses must answer, and how."""

    urls: list[Url] = Field(default=[], max_length=200, description="Addresses of applications.")
    first: list[Url] = Field(
        default=[],
        max_length=20,
        description="Addresses that the reverse proxy serves by itself. They are asked first: where one fails, it is "
        "the proxy that does not work, and the applications are not asked.",
    )
    may_be_none: bool = Field(default=False, description="Whether it holds where no address is named at all.")
    before: dict[str, int | None] | None = Field(
        default=None,
        description="What each answered before: `${steps.ID.outputs.routes}` of an `evidence.capture` step. An address "
        "must answer the same again; one that did not work then need not work now. Without it, an address must answer "
        "with less than 500.",
    )


class HttpRoutes:
    """Addresses answer, as before where it is known how they answered before."""

    name: ClassVar[str] = "http.routes"
    parameters: ClassVar[type[BaseModel]] = RoutesParameters

    async def check(self, context: Context, parameters: RoutesParameters) -> Found:
        """Ask those that the proxy serves by itself, then the others, and name those that do not answer as they should."""
        how, before = parameters.asking(), parameters.before
        own = await ask_all(parameters.first, how)
        failed = _failures(own, before)
        if failed:
            return found(
                False,
                f"The reverse proxy itself does not answer: {listed(failed, _LISTED_ROUTES)}.",
                statuses=statuses(own),
            )
        replies = await ask_all(parameters.urls or [each for each in before or {} if each not in own], how)
        failed, everything = _failures(replies, before), {**own, **replies}
        if not everything:
            answer = Answer.YES if parameters.may_be_none else Answer.CANNOT_TELL
            return Found(answer, "No address is named, so none was asked.")
        down = [url for url in everything if before is not None and url in before and not _works(before[url])]
        already = f" {listed(down, _LISTED_ROUTES)} did not work before either." if down else ""
        count = plural(len(everything), "address", "addresses")
        if failed:
            sentence = f"{len(failed)} of {count} do not answer as they should: {listed(failed, _LISTED_ROUTES)}.{already}"
        else:
            sentence = f"{count} answer{'s' if len(everything) == 1 else ''}{' as before' if before else ''}.{already}"
        return found(not failed, sentence, statuses=statuses(everything))


async def ask_all(urls: Iterable[str], how: Asking) -> dict[str, Reply]:
    """Ask addresses, a few at a time, and return their replies in the same order."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(url: str) -> Reply:
        async with room:
            return await ask(url, how)

    wanted = tuple(dict.fromkeys(urls))
    return dict(zip(wanted, await together(*(one(each) for each in wanted)), strict=True))


def statuses(replies: Mapping[str, Reply]) -> Json:
    """Return the status of each address; none where it did not answer."""
    return {url: each.status for url, each in replies.items()}


def _failures(replies: Mapping[str, Reply], before: Mapping[str, int | None] | None) -> list[str]:
    said = []
    for url, reply in replies.items():
        if before is None or url not in before:
            if not _works(reply.status):
                said.append(f"{url} ({reply.said})")
        elif _works(before[url]) and before[url] != reply.status:
            said.append(f"{url} ({reply.said} instead of {before[url]})")
    return said


def _works(status: int | None) -> bool:
    return status is not None and status < _WORKS_BELOW
