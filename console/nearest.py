"""What a mistyped word was probably meant to be. The one place that guesses it."""

from collections.abc import Iterable

from console.text import clean, listed

SHORTEST = 2
"""A single letter is the beginning of too much."""


def near_names(word: str, known: Iterable[str], most: int = 1) -> tuple[str, ...]:
    """Return the known words that are nearest to a mistyped one, the nearest first; none where none is near.

    Small letters and capitals are the same, and a word is near to what begins with it.
    """
    # Only a typing error pays for it.
    from difflib import get_close_matches  # noqa: PLC0415 - see above

    folded: dict[str, str] = {}
    for each in known:
        folded.setdefault(each.casefold(), each)
    wanted = word.casefold()
    near = get_close_matches(wanted, list(folded), most)
    if len(wanted) >= SHORTEST:
        near += sorted(each for each in folded if each.startswith(wanted) and each not in near)
    return tuple(clean(folded[each]) for each in near[:most])


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a question in brackets that names the nearest known word, to follow a sentence's words; or nothing."""
    near = near_names(word, known)
    return f" (did you mean {near[0]}?)" if near else ""


def did_you_mean(word: str, known: Iterable[str], most: int = 1) -> str:
    """Return a question that names the nearest known words; or nothing."""
    near = near_names(word, known, most)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def or_what_there_is(word: str, known: Iterable[str], what: str) -> str:
    """Return a hint for a name that does not exist: the nearest one, else those that do exist.

    `what` names them: `overlays`.
    """
    names = sorted(set(known))
    there_are = f"There are these {what}: {listed([clean(each) for each in names], 8)}."
    return did_you_mean(word, names) or (there_are if names else f"There are no {what}.")
