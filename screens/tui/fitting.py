"""Lines that fit a width: cut, spread or wrapped by the columns that characters take on a terminal."""

from collections.abc import Iterator

from rich.cells import cell_len, chop_cells, set_cell_size

from screens.present.text import (
    PLAIN,
    Paragraph,
    Part,
    Parts,
)


def length(parts: Parts) -> int:
    """Return how many columns parts take."""
    return sum(cell_len(text) for text, _ in parts)


def fitted(parts: Parts, width: int, more: str) -> Parts:
    """Return parts that take at most so many columns; where something had to go, `more` tells."""
    if length(parts) <= width:
        return parts
    left, kept = width - cell_len(more), list[Part]()
    for text, tone in parts:
        if cell_len(text) > left:
            return (*kept, (set_cell_size(text, max(0, left)) + more if width > 0 else "", tone))
        kept.append((text, tone))
        left -= cell_len(text)
    return tuple(kept)


def between(left: Parts, right: Parts, width: int, more: str) -> Parts:
    """Return a line of so many columns with something at either end; the left gives way where room is short."""
    left = fitted(left, width - length(right), more)
    return (*left, (" " * (width - length(left) - length(right)), PLAIN), *right)


def wrapped(paragraph: Paragraph, width: int) -> Iterator[Parts]:
    """Yield the lines of a paragraph, none wider than so many columns; what fits is left as it is."""
    if length(paragraph.parts) <= width:
        yield paragraph.parts
        return
    hang = min(paragraph.hang, max(0, width - 8))
    line: list[Part] = []
    used = 0
    for word, tone, gap in _words(paragraph.parts):
        if used + gap + cell_len(word) <= width:
            line.append((" " * gap + word, tone))
            used += gap + cell_len(word)
            continue
        if used > hang:
            yield tuple(line)
            line, used = [(" " * hang, PLAIN)] if hang else [], hang
        # The first line has no indent, so more of the word fits there than on those below.
        piece = chop_cells(word, max(1, width - used))[0]
        for below in chop_cells(word[len(piece) :], max(1, width - hang)):
            yield (*line, (piece, tone))
            line, used, piece = ([(" " * hang, PLAIN)] if hang else []), hang, below
        line.append((piece, tone))
        used += cell_len(piece)
    if line:
        yield tuple(line)


def _words(parts: Parts) -> Iterator[tuple[str, str, int]]:
    """Yield each word with its tone, and how many spaces stand in front of it."""
    gap = 0
    for text, tone in parts:
        for place, word in enumerate(text.split(" ")):
            gap += place > 0
            if word:
                yield word, tone, gap
                gap = 0
