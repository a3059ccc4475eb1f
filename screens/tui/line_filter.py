"""The last filter that every line passes on its way to the terminal: ASCII where nothing else can be shown."""

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

SIMILAR = {
    "─━═╌╍┄┅┈┉╴╶╸╺╼╾": "-",
    "│┃║╎╏┆┇┊┋╵╷╹╻╽╿▏▎▍▌▋▊▉▐▕": "|",
    "▁": "_",
    "▔": "~",
    "░▒": ".",
    "▂▃▄▅▆▇█▀▓■▖▗▘▙▚▛▜▝▞▟": "#",
    "…·": ".",
    "•●◆": "*",
    "○": "o",
    "✓✔": "+",
    "✗✘✕\N{MULTIPLICATION SIGN}": "x",
    "→▶▸►≥⇒": ">",
    "←◀◂◄≤⇐": "<",
    "↑▲△": "^",
    "↓▼▽": "v",
    "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}": '"',
    "\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}": "-",
    "\N{NO-BREAK SPACE}": " ",
}


CORNERS = {chr(code): "+" for code in range(0x2500, 0x2580)}
"""What is drawn with lines and stands in no row above: corners and crossings."""


STAND_INS = str.maketrans(
    CORNERS | {character: plain for characters, plain in SIMILAR.items() for character in characters}
)
"""For a terminal that has nothing but ASCII: each as wide as what it stands for. `?` is no stand-in: it means unknown."""


class Printable(LineFilter):
    """Lets through what shows itself and takes the columns that were counted for it, and nothing else.

    Text from outside is cleaned where it enters the program. This is the last safety net: text that was missed, or was
    pasted, cannot move the cursor or control the terminal. Without Unicode, characters beyond ASCII have a stand-in.
    """

    def __init__(self, *, is_ascii: bool) -> None:
        super().__init__()
        self._to_printable = _as_ascii if is_ascii else _as_is

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return segments in which every character can be printed."""
        del background
        to_printable = self._to_printable
        return [
            segment
            if segment.control or (text := to_printable(segment.text)) is segment.text
            else Segment(text, segment.style)
            for segment in segments
        ]


@lru_cache(4096)
def _as_is(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" * cell_len(character) for character in text)


@lru_cache(4096)
def _as_ascii(text: str) -> str:
    if text.isascii():
        return _as_is(text)
    ascii_text = text.translate(STAND_INS)
    return "".join(
        character if character.isascii() and character.isprintable() else "?" * cell_len(character)
        for character in ascii_text
    )
