"""One `[[alert]]` of the settings, and what can be wrong with it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from console.text import clean, nearest

KEY = "alert"
"""Its key in a settings file."""
LEVELS = ("warning", "critical")
"""From which severity on an alert is sent."""
FORMATS = ("json", "slack", "ntfy", "matrix")
"""What the body of a webhook can be."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Alert:
    """Who is told what the recorder finds: a program or a web address."""

    # A text may be empty here, which the settings forbid elsewhere: it is the same as one that is left out.
    name: str = ""
    """What it is called; default: the program's name, or the host of the webhook."""
    command: tuple[str, ...] = ()
    """A program (absolute path) and its arguments. It gets one JSON document on its standard input; no shell is used."""
    webhook: str = field(default="", repr=False)
    """Or an http or https address, to which the same is posted."""
    format: str = "json"
    """The body of a webhook: `json`, `slack` (also Mattermost, Rocket.Chat), `ntfy`, or `matrix` (hookshot)."""
    at: str = "critical"
    """From which severity on: `critical`, or `warning`, which includes what is unknown."""

    @property
    def title(self) -> str:
        """What it is called. It holds nothing secret, as the path of a webhook may."""
        if self.name:
            return self.name
        title = self.command[0].rpartition("/")[2] if self.command else urlsplit(self.webhook).hostname
        return clean(title or "alert")


def contradictions_of(alerts: tuple[Alert, ...]) -> Iterator[str]:
    """Yield what is wrong with alerts although each key by itself is right; people count them from 1."""
    titles: dict[str, int] = {}
    for place, alert in enumerate(alerts):
        problem = _problem(alert)
        if problem:
            yield f"[[{KEY}]] {place + 1}: {problem}"
            continue
        first = titles.setdefault(alert.title, place)
        if first != place:
            yield f"[[{KEY}]] {first + 1} and {place + 1} are both called {clean(alert.title)}: give them names"


def _problem(alert: Alert) -> str:
    """Return the first thing that is wrong with an alert, or nothing. A webhook is never named: it may hold a secret."""
    return next(_problems(alert), "")


def _problems(alert: Alert) -> Iterator[str]:
    if bool(alert.command) == bool(alert.webhook):
        yield "it needs one of command and webhook" + (", not both" if alert.webhook else "")
    elif alert.command:
        program = alert.command[0]
        if (
            not program.startswith("/")
            or program.endswith("/")
            or any("\0" in word for word in alert.command)
        ):
            yield f"command must begin with the absolute path of a program, not {clean(program)}"
        if alert.format != "json":
            yield "format is for a webhook; a command gets JSON"
    elif not _is_webhook(alert.webhook):
        yield "webhook must be an http or https address"
    for key, value, words in (("at", alert.at, LEVELS), ("format", alert.format, FORMATS)):
        if value not in words:
            yield f"{key} must be {', '.join(words[:-1])} or {words[-1]}, not {clean(value, 100)}{nearest(value, words)}"
    if alert.name and not _NAME.fullmatch(alert.name):
        yield f"name must be letters, digits, dots, dashes and underscores, not {clean(alert.name)}"


def _is_webhook(address: str) -> bool:
    try:
        url = urlsplit(address)
        # A port that is none is an error as soon as it is read.
        has_place = bool(url.hostname) and url.port != 0
        (url.hostname or "").encode("idna")
    except ValueError:
        return False
    return has_place and url.scheme in ("http", "https") and address.isprintable() and " " not in address
