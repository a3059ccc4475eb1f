"""Lines drawn one by one, cut, spread or wrapped to a width; what did not change is not sent again.

The last filter that every line passes on its way to the terminal is here too: ASCII where nothing else can be shown.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment, Segments
from rich.style import Style
from textual.color import Color as Background
from textual.filter import LineFilter
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBarRender
from textual.strip import Strip

from screens.present.text import PLAIN, UNICODE, Glyphs, Paragraph, Span, Spans
from screens.tui.colours import FADED_STYLES, STYLES, TERMINAL

THUMB, TRACK = "#", "|"
Tone: TypeAlias = Callable[[str], Style]
"""Gives the style of a tone."""
SELECTED = Style(bold=True, dim=False)
"""The row that keys act on, besides its mark in the margin."""
_Appearance: TypeAlias = tuple[Spans, int, bool]
"""All that a line looks like but for the theme: its parts, its columns, and whether it is under the cursor."""


def length(parts: Spans) -> int:
    """Return how many columns parts take."""
    return sum(cell_len(text) for text, _ in parts)


def truncate(parts: Spans, width: int, more: str) -> Spans:
    """Return parts that take at most so many columns; where text had to go, `more` ends them."""
    if length(parts) <= width:
        return parts
    room, pieces = width - cell_len(more), list[Span]()
    for text, tone in parts:
        if cell_len(text) > room:
            return (*pieces, (set_cell_size(text, max(0, room)) + more if width > 0 else "", tone))
        pieces.append((text, tone))
        room -= cell_len(text)
    return tuple(pieces)


def between(left: Spans, right: Spans, width: int, more: str) -> Spans:
    """Return a line of so many columns with something at either end; the left gives way where room is short."""
    left = truncate(left, width - length(right), more)
    return (*left, (" " * (width - length(left) - length(right)), PLAIN), *right)


def wrap(paragraph: Paragraph, width: int) -> Iterator[Spans]:
    """Yield the lines of a paragraph, none wider than so many columns; what fits stays as it is."""
    if length(paragraph.parts) <= width:
        yield paragraph.parts
        return
    hang = min(paragraph.hang, max(0, width - 8))
    line: list[Span] = []
    column = 0
    for word, tone, gap in _words(paragraph.parts):
        if column + gap + cell_len(word) <= width:
            line.append((" " * gap + word, tone))
            column += gap + cell_len(word)
            continue
        if column > hang:
            yield tuple(line)
            line, column = [(" " * hang, PLAIN)] if hang else [], hang
        # The first line has no indent, so more of the word fits there than on those below.
        piece = chop_cells(word, max(1, width - column))[0]
        for below in chop_cells(word[len(piece) :], max(1, width - hang)):
            yield (*line, (piece, tone))
            line, column, piece = ([(" " * hang, PLAIN)] if hang else []), hang, below
        line.append((piece, tone))
        column += cell_len(piece)
    if line:
        yield tuple(line)


def _words(parts: Spans) -> Iterator[tuple[str, str, int]]:
    """Yield each word with its tone, and how many spaces stand in front of it."""
    gap = 0
    for text, tone in parts:
        for place, word in enumerate(text.split(" ")):
            gap += place > 0
            if word:
                yield word, tone, gap
                gap = 0


class AsciiScrollBar(ScrollBarRender):
    """Shows by characters alone which part is visible: as `#`, between the rest as `|`."""

    @classmethod
    def render_bar(cls, *arguments: Any, **options: Any) -> Segments:
        """Return the bar as Textual lays it out, in these characters; the mouse does the same on it."""
        bar = super().render_bar(*arguments, **options)
        return Segments([_bar_segment(segment) for segment in bar.segments], new_lines=bar.new_lines)


def _bar_segment(segment: Segment) -> Segment:
    style = segment.style
    mouse_down = style.meta.get("@mouse.down") if style is not None else None
    if style is None or mouse_down is None:
        return segment
    is_thumb = mouse_down == "grab"
    ascii_style = Style(
        color=style.color if is_thumb else None, bgcolor=style.bgcolor, dim=not is_thumb, meta=style.meta
    )
    return Segment((THUMB if is_thumb else TRACK) * len(segment.text), ascii_style)


class LineView(ScrollView, can_focus=False):
    """A widget that gives its lines as parts, whatever is in them.

    Code that changes its content calls `renew`: of a line that looks different afterwards only what differs is repainted, so
    that an unchanging pane costs nothing on a slow line, and a clock costs its figures.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    LineView {
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        overflow-x: hidden;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id, classes=classes)
        self._strips: dict[int, Strip] = {}
        self._appearances: dict[int, _Appearance] = {}
        self._tones: dict[str, Style] = {}

    def parts_at(self, y: int) -> Spans:
        """Return what stands in the line `y` of the visible area."""
        raise NotImplementedError

    def wanted_lines(self, width: int) -> int:
        """Return in how many lines of so many columns everything is visible."""
        del width
        return 1

    @property
    def glyphs(self) -> Glyphs:
        """What the terminal can show."""
        environment = getattr(self.app, "environment", None)
        return UNICODE if environment is None else environment.glyphs

    @property
    def cursor_line(self) -> int | None:
        """The visible line that is wholly under the cursor, where there is one."""
        return None

    def render_line(self, y: int) -> Strip:
        """Return a line of the visible area, ready for the terminal."""
        appearance = self._appearance(y, self.scrollable_content_region.width)
        strip = self._strip(appearance)
        self._strips[y], self._appearances[y] = strip, appearance
        return strip

    def renew(self) -> None:
        """Repaint what looks different now."""
        if not self.is_mounted:
            return
        if not self._strips:
            # Nothing is on the terminal yet.
            self.refresh()
            return
        width, height = self.scrollable_content_region.size
        # Comparing parts costs a tenth of making a line of them, and most lines are as they were.
        appearances = ((y, self._appearance(y, width)) for y in range(height))
        regions = [
            Region(begin, y, end - begin, 1)
            for y, appearance in appearances
            if appearance != self._appearances.get(y)
            for begin, end in changed_columns(self._strips.get(y), self._strip(appearance), width)
        ]
        if regions:
            self.refresh(*regions)

    def tone(self, name: str) -> Style:
        """Return the style of a tone on the present background."""
        if not self._tones:
            plain = self.rich_style
            styles_by_theme = FADED_STYLES if plain.dim else STYLES
            styles = styles_by_theme.get(self.app.theme) or styles_by_theme[TERMINAL]
            self._tones = {tone: plain + style for tone, style in styles.items()}
        return self._tones[name]

    def notify_style_update(self) -> None:
        """Drop the styles of the old background."""
        self._tones = {}
        self._appearances = {}
        super().notify_style_update()

    def _appearance(self, y: int, width: int) -> _Appearance:
        # Not inverted: a bar keeps its colour and its length.
        return self.parts_at(y), width, self.has_focus and y == self.cursor_line

    def _strip(self, appearance: _Appearance) -> Strip:
        parts, width, is_selected = appearance
        parts = truncate(parts, width, self.glyphs.more)
        strip = strip_of(parts, self.tone).adjust_cell_length(width, self.tone(PLAIN))
        return strip.apply_style(SELECTED) if is_selected else strip


def changed_columns(before: Strip | None, now: Strip, width: int) -> Iterator[tuple[int, int]]:
    """Yield from where to where a line differs from what is on the terminal; nothing where it does not."""
    if before == now:
        return
    if before is None or before.cell_length != now.cell_length:
        yield 0, width
        return
    old, new = list(before), list(now)
    same = 0
    while old[same : same + 1] == new[same : same + 1]:
        same += 1
    at_end = 0
    while at_end < min(len(old), len(new)) - same and old[-1 - at_end] == new[-1 - at_end]:
        at_end += 1
    begin = sum(segment.cell_length for segment in new[:same])
    end = now.cell_length - sum(segment.cell_length for segment in new[len(new) - at_end :])
    if begin < end:
        yield begin, end


def strip_of(parts: Iterable[Span], tone: Tone) -> Strip:
    """Return parts as a strip: their text is shown literally."""
    return Strip([Segment(text, tone(name)) for text, name in parts])


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

    def apply(self, segments: list[Segment], background: Background) -> list[Segment]:
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
