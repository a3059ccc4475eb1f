r"""Text from outside, made fit for a terminal.

Names, labels, task errors and log lines are written by others and may hold escape sequences, bidirectional
overrides or markup. They pass through `clean` once, where they enter the program; a renderer never has to ask.
"""

from collections.abc import Iterable

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

NAME_LIMIT = 128
"""Longest name that is kept; the engine's own limit for services and networks is 63."""
SENTENCE_LIMIT = 1000
"""Longest free text (an error, a log message) that is kept."""

ERROR_LIMIT = 120
"""Longest error that is shown whole within a sentence."""


LONGEST_S = 40 * 366 * 86_400.0
"""Longer than any swarm has been there, and shorter than since the time that stands where none is known."""
SHORTEST = 2
"""A single letter is the beginning of too much."""


def clean(value: str | bytes, limit: int = NAME_LIMIT) -> str:
    r"""Return text in which every character shows itself and nothing else.

    Control characters (C0, DEL, C1), format characters (bidirectional, zero-width, soft hyphen, tags), line and
    paragraph separators, lone surrogates and unassigned code points become visible escapes such as `\x1b`.
    Undecodable bytes become U+FFFD. More than `limit` characters are cut, with `…` as the last one.
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    visible = text if text.isprintable() else "".join(_escape(character) for character in text[: limit + 1])
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"


def last_line(text: str) -> str:
    """Return the last line of a log that is not blank, cleaned: mostly why a program ended; "" where there is none."""
    lines = text.strip().splitlines()
    return clean(lines[-1], SENTENCE_LIMIT) if lines else ""


def clean_error(value: str, limit: int = SENTENCE_LIMIT) -> str:
    """Return an error as `clean` does, but cut in the middle: Go writes the cause of an error last."""
    if len(value) > 3 * limit:
        # What is left out here is far behind the head and far before the tail that are kept below.
        value = value[:limit] + value[-limit:]
    visible = clean(value, len(value) * len("\\U00000000") + 1)
    if len(visible) <= limit:
        return visible
    head = limit // 3
    return f"{visible[:head]}…{visible[head + 1 - limit :]}"


def ending(error: str, limit: int = ERROR_LIMIT) -> str:
    """Return the end of an error, for Go writes its cause last: whole, or from the first boundary that leaves `limit`.

    A boundary is a `: ` between an error and its cause. A last part that is too long by itself is cut in front.
    """
    if len(error) <= limit:
        return error
    at = error.find(": ", len(error) - limit)
    if at >= 0 and at + 2 < len(error):
        return f"…{error[at + 1 :]}"
    return f"…{error[len(error) - limit + 1 :]}"


def _escape(character: str) -> str:
    # isprintable() is false for exactly the categories Other and Separator, the plain space excepted.
    if character.isprintable():
        return character
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def plural(count: int, noun: str, many: str = "") -> str:
    """Return the count with its noun: `1 address`, `2 addresses`."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def listed(names: list[str] | tuple[str, ...], most: int = 4) -> str:
    """Return names in a row, and how many more there are: `a, b, c and 9 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def duration(seconds: float) -> str:
    """Return a span as a person says it, in its largest unit or two: `40 s`, `14 min`, `2 h 5 min`, `3 d`.

    A span of decades began at a time that nobody knows: `an unknown time`.
    """
    # NaN is neither longer nor shorter.
    if not seconds <= LONGEST_S:
        return "an unknown time"
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} d"


def near_names(word: str, names: Iterable[str], most: int = 1) -> tuple[str, ...]:
    """Return the known words that are nearest to a mistyped one, the nearest first; none where none is near.

    Small letters and capitals are the same, and a word is near to what begins with it.
    """
    # Only a typing error pays for it.
    from difflib import get_close_matches  # noqa: PLC0415 - see above

    originals: dict[str, str] = {}
    for name in names:
        originals.setdefault(name.casefold(), name)
    folded_word = word.casefold()
    near = get_close_matches(folded_word, list(originals), most)
    if len(folded_word) >= SHORTEST:
        near += sorted(
            near_name
            for near_name in originals
            if near_name.startswith(folded_word) and near_name not in near
        )
    return tuple(clean(originals[name]) for name in near[:most])


def nearest(word: str, names: Iterable[str]) -> str:
    """Return a question in brackets that names the nearest known word, to follow a sentence's words; or nothing."""
    near = near_names(word, names)
    return f" (did you mean {near[0]}?)" if near else ""


def did_you_mean(word: str, names: Iterable[str], most: int = 1) -> str:
    """Return a question that names the nearest known words; or nothing."""
    near = near_names(word, names, most)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def name_hint(word: str, known_names: Iterable[str], kind: str) -> str:
    """Return a hint for a name that does not exist: the nearest one, else those that do exist.

    `kind` names them: `overlays`.
    """
    names = sorted(set(known_names))
    there_are = f"Known {kind}: {listed([clean(name) for name in names], 8)}."
    return did_you_mean(word, names) or (there_are if names else f"There are no {kind}.")
