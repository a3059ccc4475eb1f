"""What actions and predicates tell: answers, and plans. Values only, so that whoever reads a record loads no door."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from console.runbook.values import NOTHING, Json


class Answer(StrEnum):
    """What looking at something came to."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, in a sentence, with what it rests on."""

    answer: Answer
    sentence: str
    evidence: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    """For the report. No environment, arguments or config data of services: they may be secrets."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a step would do, told before anything is done."""

    summary: str
    """A sentence."""
    reads: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    """Each a line, in order."""
    calls: tuple[str, ...] = ()
    """The exact API calls and commands, each a line."""
    checked: tuple[Found, ...] = ()
    refused: tuple[str, ...] = ()
    """Why it must not be done, each a sentence; nothing where it may."""
    not_applicable: str = ""
    """Why it has no meaning on this host; then the step is skipped, which is no failure."""
    no_return: str = ""
    """What cannot be taken back, a sentence; nothing where everything can."""
    outage_s: float | None = None
    """How long services are expected to be down; None where none is."""
    basis: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    """What the plan rests on. If it differs at the moment of acting, the operator's decision has lapsed."""
