"""The few characters beyond letters, with their stand-ins for terminals that have none of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from console.diagnosis.values import Severity


@dataclass(frozen=True, slots=True)
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


UNICODE = Glyphs("█", "░", "≤", "≥", "…", "─", "▲", "▼")
ASCII = Glyphs("#", ".", "<=", ">=", "...", "-", "^", "v")

MARKS = {Severity.OK: " ", Severity.WARNING: "*", Severity.UNKNOWN: "?", Severity.CRITICAL: "!"}
"""State as a character, so that nothing depends on colour."""

STYLES = {
    Severity.OK: "green",
    Severity.WARNING: "yellow",
    Severity.UNKNOWN: "magenta",
    Severity.CRITICAL: "bold red",
}


COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python itself sets LC_CTYPE to under the locale C (PEP 538): that is not what the operator said."""


def glyphs_for(environment: Mapping[str, str]) -> Glyphs:
    """Return the glyphs of the locale: plain ASCII unless it says UTF-8."""
    language, characters = environment.get("LANG") or "C", environment.get("LC_CTYPE")
    if language in ("C", "POSIX") and characters in COERCED:
        characters = None
    locale = environment.get("LC_ALL") or characters or language
    return UNICODE if "utf" in locale.lower() else ASCII


def bar(share: float, width: int, glyphs: Glyphs) -> str:
    """Return a bar. Only nothing looks empty and only everything looks full."""
    filled = round(share * width)
    if 0 < share < 1:
        filled = min(max(filled, 1), width - 1)
    return glyphs.full * filled + glyphs.empty * (width - filled)
