"""Builders of dockerd's log as whoever watches it has it: each takes only what a test is about."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from console.journal.matching import LogMatcher
from console.journal.summary import Summary, summarise
from console.journal.values import Batch, JournalEntry
from console.monitor.values import Line, Log
from console.text import SENTENCE_LIMIT, clean
from tests.support.swarms import NOW

SERVICE = "ab1cd2ef3gh4ij5kl6mn7op8q"
NO_ADDRESS = (
    f'level=error msg="Failed allocation for service {SERVICE}" '
    'error="could not find an available IP while allocating VIP"'
)
STRANGE = 'level=error msg="something nobody knows" error="really"'
CHATTER = 'level=info msg="container start"'


def entry(message: str, at: datetime, number: int = 0) -> JournalEntry:
    stamped = f'time="{at:%Y-%m-%dT%H:%M:%SZ}" {message}'
    return JournalEntry(f"c{number}", at, "boot", "stdout", "docker.service", "dockerd", 1, stamped)


def log(messages: Iterable[str], *, first: int = 0, dropped: int = 0, summary: Summary | None = None) -> Log:
    """Return a log of these messages, a second apart, the newest just before now."""
    texts = list(messages)
    entries = [
        entry(each, NOW - timedelta(seconds=len(texts) - place), first + place)
        for place, each in enumerate(texts)
    ]
    recogniser = LogMatcher()
    lines = tuple(
        Line(
            first + place,
            clean(each.message, SENTENCE_LIMIT),
            each.realtime,
            _level(each.message),
            recogniser.recognise(each),
        )
        for place, each in enumerate(entries)
    )
    told = summarise([Batch(tuple(entries))], {SERVICE: "ghost_app"}, 3600) if summary is None else summary
    return Log(told, lines, dropped)


def _level(message: str) -> str:
    return message.partition("level=")[2].partition(" ")[0]
