"""What lines are made of: text, which is only ever data, with a tone; and paragraphs that wrap."""

import re
from collections.abc import Hashable, Mapping, Sequence
from contextvars import ContextVar
from typing import TypeAlias

from console.diagnosis.values import Severity
from console.frozen import frozen
from console.host.root import has_own_root

MARKS = {Severity.OK: " ", Severity.WARNING: "*", Severity.UNKNOWN: "?", Severity.CRITICAL: "!"}
"""State as a character, so that nothing depends on colour."""
NARROWEST_BAR = 4
"""Cells."""
PEP_538_LOCALES = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python itself sets LC_CTYPE to under the locale C (PEP 538): the operator did not choose that."""
Span: TypeAlias = tuple[str, str]
"""A text and its tone."""
Spans: TypeAlias = tuple[Span, ...]
PLAIN, DIM, STRONG, BAD, WARN, UNKNOWN, MATCH = "", "dim", "strong", "bad", "warn", "unknown", "match"
CURSOR, RESTING, ENTERED = "cursor", "resting", "entered"
WORST, ACCENT, LEAK, CONTAINER, BALANCER = "worst", "accent", "leak", "container", "balancer"
"""Each is shown by a letter, a word or a weight as well; colour only repeats what is wrong, what is unknown, where the
cursor is, and who holds an address. Only what is worst is bold."""
_COMMAND = re.compile(
    r"\bvipconsole (?=(?:abandon|alert|attach|census|config|decide|doctor|glance|guard|history|journal|quiet|reclaim|record|report|resume|runs?|stack-rm|why)\b)"
)
"""The commands that are there for the demo."""


_is_throwaway: ContextVar[bool] = ContextVar("is_throwaway", default=False)


def enter_throwaway_demo() -> None:
    """Let commands be typed for the demo, though the host is this machine: the engine alone is simulated."""
    _is_throwaway.set(True)


def is_demo() -> bool:
    """Whether commands have to be typed for the demo."""
    return has_own_root() or _is_throwaway.get()


def typed_here(text: str) -> str:
    """Return a text in which every command can be typed as it stands: in the demo it says that it is for the demo."""
    if not is_demo() or "--demo" in text:
        return text
    return _COMMAND.sub("vipconsole --demo ", text)


@frozen
class Glyphs:
    """What bars, bounds, gaps, rules and the marks for hidden rows are drawn with."""

    full: str
    empty: str
    at_most: str
    at_least: str
    more: str
    rule: str
    above: str
    below: str
    selected: str
    """In the margin of the row that keys act on."""


UNICODE = Glyphs("█", "░", "≤", "≥", "…", "─", "▲", "▼", "▌")
ASCII = Glyphs("#", ".", "<=", ">=", "...", "-", "^", "v", ">")


def glyphs_for(environment: Mapping[str, str]) -> Glyphs:
    """Return the glyphs of the locale: plain ASCII unless it says UTF-8."""
    language, characters = environment.get("LANG") or "C", environment.get("LC_CTYPE")
    if language in ("C", "POSIX") and characters in PEP_538_LOCALES:
        characters = None
    locale = environment.get("LC_ALL") or characters or language
    return UNICODE if "utf" in locale.lower() else ASCII


def bar(share: float, width: int, glyphs: Glyphs) -> str:
    """Return a bar, or nothing where it would be too narrow to tell. Only nothing looks empty and only everything full."""
    if width < NARROWEST_BAR:
        return ""
    full_cells = round(share * width)
    if 0 < share < 1:
        full_cells = min(max(full_cells, 1), width - 1)
    return glyphs.full * full_cells + glyphs.empty * (width - full_cells)


def names_that_fit(names: Sequence[str], width: int) -> str:
    """Return as many names as fit, and how many more there are."""
    for count in range(len(names), 1, -1):
        rest = f" and {len(names) - count} more" if count < len(names) else ""
        text = ", ".join(names[:count]) + rest
        if len(text) <= width:
            return text
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def text_of(parts: Spans) -> str:
    """Return parts as text."""
    return "".join(text for text, _ in parts)


@frozen
class Row:
    """One row of a list."""

    key: Hashable
    """What makes it the same row after a change."""
    parts: Spans
    value: object = None
    """What it stands for."""
    severity: Severity = Severity.OK


@frozen
class Paragraph:
    """Parts that belong together; lines after the first are indented by `hang` columns."""

    parts: Spans
    hang: int = 0


EMPTY = Paragraph(())
"""An empty line."""


def paragraph(text: str, tone: str = PLAIN, *, label: str = "", label_tone: str = DIM) -> Paragraph:
    """Return a paragraph of one text, with a word in front of it that stands out to the left."""
    text = typed_here(text)
    if not label:
        return Paragraph(((text, tone),))
    return Paragraph(((f"{label} ", label_tone), (text, tone)), len(label) + 1)
