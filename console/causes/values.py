"""One cause in the registry, one error that was recognised, and the texts filled with what the error names."""

import shlex
from collections.abc import Mapping
from enum import StrEnum

from console.frozen import frozen
from console.journal.signatures import Confidence, LogSeverity

COMMAND_WORDS = {
    "service": "SERVICE",
    "node": "NODE",
    "port": "PORT",
    "network": "NETWORK",
    "netname": "NETWORK",
    "image": "IMAGE",
    "path": "PATH",
    "address": "",
    "subnet": "",
    "reason": "",
    "reasons": "",
    "holder": "",
}
"""Placeholders for unknown names in a command."""


SENTENCE_WORDS = {
    "port": "it publishes",
    "network": "that it names",
    "netname": "that it names",
    "image": "of that name",
    "path": "",
    "reasons": "the scheduler gives no reason",
}
"""Placeholders for unknown names in a sentence."""


def fill_command(template: str, names: Mapping[str, str]) -> str:
    """Return a text with names in its braces, each quoted for a shell; a word in capitals where one is not known."""
    return _fill(template, {**COMMAND_WORDS, **{key: shlex.quote(value) for key, value in names.items()}})


def fill_sentence(template: str, names: Mapping[str, str]) -> str:
    """Return a sentence with names in its braces; a few words in place of a name that is not known."""
    return _fill(template, {**COMMAND_WORDS, **SENTENCE_WORDS, **names})


def _fill(template: str, names: Mapping[str, str]) -> str:
    return " ".join(template.format_map(names).split())


class Area(StrEnum):
    """What an error is about; this selects the advice."""

    ADDRESS = "address"
    NETWORK = "network"
    PORT = "port"
    IMAGE = "image"
    STORAGE = "storage"
    NODE = "node"
    SCHEDULING = "scheduling"


class ErrorSource(StrEnum):
    """Where an error comes from; the same words mean different causes at either."""

    TASK = "task"
    """A task's own status, or the agent of its node: something went wrong on one node."""
    ALLOCATOR = "allocator"
    """The manager that gives out addresses, subnets and VXLAN numbers."""


@frozen
class Cause:
    """A cause: how its errors read, what it means and what to do.

    `patterns` are regular expressions for the error behind its wrapping, matched from a boundary (the beginning, or
    after a `: ` outside quotes) to the very end, in upper or lower case. Their named groups may stand in braces in
    `verdict`, `advice` and `command`, besides `{service}` and `{node}`; an unknown one becomes a word such as
    `the network`. A pattern that takes whatever follows (`.+`) must begin with words of dockerd's own.
    """

    id: str
    """Stable, for machines."""
    area: Area
    title: str
    """A few words, for lists."""
    verdict: str
    """What holds the task up, without the service's name; `{reason}` is the end of the error."""
    meaning: str
    advice: str
    patterns: tuple[str, ...]
    severity: LogSeverity | None = None
    """How much it matters in dockerd's log; None leaves it among the other errors there."""
    is_address_problem: bool | None = None
    """None where it is unknown, or where the task's own addresses decide it."""
    certainty: Confidence = Confidence.CERTAIN
    command: str = ""
    """The next command, for a shell on the engine's host; empty for `docker service ps`."""
    place: ErrorSource = ErrorSource.TASK
    is_fallback: bool = False
    """Whether it is used only where no other cause fits."""


@frozen
class CauseMatch:
    """The cause of an error, and what the error names: such as its `network`, `port` or `image`."""

    cause: Cause
    names: Mapping[str, str]
    is_whole: bool
    """Whether the error begins with the cause."""
