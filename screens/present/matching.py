"""Which texts a few typed letters mean, and how well. Pure, and never slower than the text is long.

Textual's own matcher (8.2) tries all ways in which letters can stand in a text. Usual names take it 1 ms. In a name of 60
letters that is `ab` again and again, `aaaaaa` takes it 0.75 s and `aaaaaaaa` 6.6 s (measured), for each name and while the
console stands still; this one needs 0.1 ms.
"""

from console.frozen import frozen

WHOLE, BEGINNING, KIND, WORD, INSIDE, SCATTERED = 100.0, 80.0, 70.0, 60.0, 40.0, 10.0
LENGTH_COST = 0.01
"""Of two that match as well, the shorter one is better."""


@frozen
class TextMatch:
    """How well a text matches, and the places of the letters that were typed."""

    score: float
    places: tuple[int, ...]


def match(query: str, text: str, name_at: int = 0) -> TextMatch | None:
    """Return how well a text matches what was typed; None if it does not.

    The name begins at `name_at`; in front of it stands what it is, such as `network `.
    """
    query, text = _lower(query.strip()), _lower(text)
    if not query:
        return None
    name = text[name_at:]
    cost = LENGTH_COST * len(name)
    if name.startswith(query):
        score = WHOLE if name == query else BEGINNING
        return TextMatch(score - cost, tuple(range(name_at, name_at + len(query))))
    at = text.find(query)
    while at > 0 and text[at - 1].isalnum() and (later := text.find(query, at + 1)) >= 0:
        at = later
    if at >= 0:
        is_word = at > 0 and not text[at - 1].isalnum()
        score = KIND if at == 0 else WORD if is_word else INSIDE
        return TextMatch(score - cost, tuple(range(at, at + len(query))))
    places = _scattered(query, name)
    if not places:
        return None
    score = SCATTERED * len(query) / (places[-1] - places[0] + 1)
    return TextMatch(score - cost, tuple(name_at + place for place in places))


def _lower(text: str) -> str:
    """Return a text in lower case, each letter at its place."""
    return "".join(lower if len(lower := letter.lower()) == 1 else letter for letter in text)


def _scattered(query: str, text: str) -> tuple[int, ...]:
    """Return where the letters of a query stand in this order, close together; nothing where they do not."""
    end = 0
    for letter in query:
        end = text.find(letter, end) + 1
        if not end:
            return ()
    places: list[int] = []
    for letter in reversed(query):
        end = text.rfind(letter, 0, end)
        places.append(end)
    return tuple(reversed(places))
