"""What a look found out, part by part: a value, or why there is none."""

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from console.errors import VipconsoleError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A part that could not be read: why, and what to do about it."""

    reason: str
    hint: str = ""


Part: TypeAlias = T | Unknown
"""A value that was read, or why it was not."""


def known(part: T | Unknown, otherwise: T) -> T:
    """Return the value of a part, or a stand-in where it is unknown."""
    return otherwise if isinstance(part, Unknown) else part


def unknown_from(error: VipconsoleError) -> Unknown:
    """Return the part that an expected error leaves behind."""
    return Unknown(error.sentence, error.hint)
