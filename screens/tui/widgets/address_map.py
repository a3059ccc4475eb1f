"""The address map: every address of a block of a subnet as one cell, and the blocks of a large subnet as rows."""

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive

from console.addresses.map import BLOCK, AddressMap, Block, CellKind
from console.frozen import frozen
from screens.present.addresses import LETTERS, MARK_TONES, block_parts
from screens.present.text import (
    CURSOR,
    DIM,
    MATCH,
    PLAIN,
    RESTING,
    STRONG,
    UNICODE,
    Glyphs,
    Span,
    Spans,
    text_of,
)
from screens.tui.keys import Command, CommandMixin, bindings
from screens.tui.widgets.line_view import LineView
from screens.tui.widgets.row_view import RowView, move

LABEL = 5
"""Columns in front of the cells: `.240 `."""
TICK = 4
"""Every so many columns of cells have their number above them."""
MOVE_KEYS: tuple[Command, ...] = (
    move("step(-1)", "left,h", "To the previous address", "Address before, after"),
    move("step(1)", "right,l", "To the next address", "Address before, after"),
    move("row(1)", "down,j", "Down, into the next block past the last row", "Row below, above"),
    move("row(-1)", "up,k", "Up, into the previous block past the first row", "Row below, above"),
    move("block(1)", "pagedown,ctrl+f", "To the next block", "Block"),
    move("block(-1)", "pageup,ctrl+b", "To the previous block", "Block"),
    move("go_first", "g,home", "To the first address of the block", "First, last"),
    move("go_last", "G,end", "To the last address of the block", "First, last"),
)


class AddressBlocks(RowView):
    """All blocks of a subnet, in order; each opens as a map."""

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._glyphs = glyphs
        self._map: AddressMap | None = None
        self._matches: Sequence[int] | None = None

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return self._map.blocks if self._map else 0

    def show(self, subnet: AddressMap, matches: Sequence[int] | None = None) -> None:
        """Show a subnet; with `matches`, addresses in order, blocks without any of them step back."""
        is_other = self._map is None or self._map.pool.subnet != subnet.pool.subnet
        self._map, self._matches = subnet, matches
        self.refresh_rows(0 if is_other else self.cursor)

    def row(self, index: int) -> Spans:
        """Return the figures of a block, and how many of its addresses match."""
        if self._map is None:
            return ()
        block = self._map.block(index)
        parts = block_parts(block, self._glyphs)
        if self._matches is None:
            return parts
        hits = self._hits(block, self._matches)
        return (*parts, (f"  {hits} found", MATCH)) if hits else ((text_of(parts), DIM),)

    def key(self, index: int) -> Hashable:
        """Return the index: blocks never change places."""
        return index

    def _hits(self, block: Block, matches: Sequence[int]) -> int:
        first = int(block.first)
        return bisect_left(matches, first + block.size) - bisect_left(matches, first)


@frozen
class GridLayout:
    """How the cells are laid out: how many in a row, and how many columns of the terminal each takes."""

    in_row: int
    cell: int

    @property
    def width(self) -> int:
        """Columns that the whole takes."""
        return LABEL + self.in_row * self.cell

    def rows(self, size: int) -> int:
        """Return how many rows so many addresses take."""
        return -(-size // self.in_row)


SHAPES = (GridLayout(16, 2), GridLayout(32, 2), GridLayout(32, 1), GridLayout(64, 1))
"""From the roomiest on; the first whose rows fit is taken."""


def shape_for(width: int, height: int, size: int) -> GridLayout:
    """Return the shape in which so many addresses, and the line of numbers above them, fit best."""
    for shape in SHAPES:
        if shape.width <= width and shape.rows(size) < height:
            return shape
    return next((layout for layout in SHAPES if layout.width <= width), SHAPES[0])


class AddressGrid(LineView, CommandMixin, can_focus=True):
    """One block of a subnet, and a cursor that moves through all of them.

    Repainted where a cell changed; the cursor stays on its address.
    """

    KEYS = MOVE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE_KEYS)
    cursor: reactive[int] = reactive(0, repaint=False)
    """The address that it is on, as a number."""

    @dataclass
    class Moved(Message):
        """The cursor came onto another address, or something else is known of it now."""

        grid: "AddressGrid"
        address: int

        @property
        def control(self) -> "AddressGrid":
            """The map."""
            return self.grid

    def __init__(self, letters: Mapping[CellKind, str] = LETTERS, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._letters = letters
        self._map: AddressMap | None = None
        self._matches: Sequence[int] | None = None

    @property
    def shape(self) -> GridLayout:
        """How the cells are laid out at present."""
        width, height = self.scrollable_content_region.size
        return shape_for(width, height, self._extent)

    @property
    def block(self) -> int:
        """The number of the visible block."""
        return self._map.block_of(self.cursor) if self._map else 0

    def show(self, subnet: AddressMap, matches: Sequence[int] | None = None) -> None:
        """Show a subnet; with `matches`, the addresses that match, in order, all others step back."""
        is_other = self._map is None or self._map.pool.subnet != subnet.pool.subnet
        self._map, self._matches = subnet, matches
        if is_other:
            self.set_reactive(AddressGrid.cursor, subnet.first)
            self.refresh()
        self.renew()
        self.post_message(self.Moved(self, self.cursor))

    def go(self, address: int) -> None:
        """Put the cursor on an address."""
        self.cursor = address

    def go_next(self, stops: Sequence[int], direction: int) -> bool:
        """Put the cursor on the next of these addresses, which are in order, or the one before; return whether any."""
        if not stops:
            return False
        place = bisect_right(stops, self.cursor) if direction > 0 else bisect_left(stops, self.cursor) - 1
        self.go(stops[place % len(stops)])
        return True

    def validate_cursor(self, address: int) -> int:
        """Keep the cursor inside the subnet."""
        if self._map is None:
            return 0
        return max(self._map.first, min(address, self._map.first + self._map.size - 1))

    def watch_cursor(self) -> None:
        """Repaint the old and the new cell, and report the move."""
        self.renew()
        self.post_message(self.Moved(self, self.cursor))

    def parts_at(self, y: int) -> Spans:
        """Return a row of cells; the first line numbers the columns."""
        if self._map is None:
            return ()
        shape, first = self.shape, self._first
        at = self._place // shape.in_row
        height = self.scrollable_content_region.height
        top = max(0, at - (height - 2)) if height > 1 else 0
        if y == 0:
            return self._ruler(shape)
        row = top + y - 1
        start = row * shape.in_row
        if start >= self._extent:
            return ()
        label = f".{(first + start) % BLOCK}".rjust(LABEL - 1) + " "
        parts: list[Span] = [(label, STRONG if row == at else DIM)]
        for place in range(start, min(start + shape.in_row, self._extent)):
            letter, tone = self._cell(first + place)
            # The cursor is as wide as a cell: a leak, which is filled as well, is narrower.
            is_wide = tone == CURSOR
            parts.append((letter.ljust(shape.cell) if is_wide else letter, tone))
            if shape.cell > 1 and not is_wide:
                parts.append((" " * (shape.cell - 1), PLAIN))
        return tuple(parts)

    @property
    def _extent(self) -> int:
        return min(BLOCK, self._map.size) if self._map else BLOCK

    @property
    def _first(self) -> int:
        return self._map.first + self.block * self._extent if self._map else 0

    @property
    def _place(self) -> int:
        return self.cursor - self._first

    def _cell(self, address: int) -> Span:
        assert self._map is not None  # noqa: S101 - only asked for while there is a map
        mark = self._map.cell(address).mark
        letter, tone = self._letters[mark], MARK_TONES.get(mark, PLAIN)
        if address == self.cursor:
            return letter, CURSOR if self.has_focus else RESTING
        if self._matches is not None:
            return letter, MATCH if _is_in(self._matches, address) else DIM
        return letter, tone

    def _ruler(self, shape: GridLayout) -> Spans:
        own = self._place % shape.in_row
        parts: list[Span] = [(" " * LABEL, PLAIN)]
        for column in range(0, shape.in_row, TICK):
            tone = STRONG if column <= own < column + TICK else DIM
            parts.append((str(column).ljust(TICK * shape.cell), tone))
        return tuple(parts)

    def on_resize(self) -> None:
        """Lay the cells out for the new size."""
        self.refresh()

    def on_focus(self) -> None:
        """Show the cursor as the one that keys move."""
        self.renew()

    def on_blur(self) -> None:
        """Show the cursor as one that rests."""
        self.renew()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the cell under the mouse."""
        shape = self.shape
        at = self._place // shape.in_row
        top = max(0, at - (self.scrollable_content_region.height - 2))
        column = (event.x - LABEL) // shape.cell
        place = (top + event.y - 1) * shape.in_row + column
        if event.y > 0 and 0 <= column < shape.in_row and place < self._extent:
            self.go(self._first + place)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the cursor down, into the next block past the last row."""
        event.stop()
        self.action_row(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move the cursor up, into the previous block past the first row."""
        event.stop()
        self.action_row(-1)

    def action_step(self, by: int) -> None:
        """Move the cursor by so many addresses."""
        self.go(self.cursor + by)

    def action_row(self, by: int) -> None:
        """Move the cursor by so many rows; past the end of a block it goes on in the next."""
        target = self.cursor + by * self.shape.in_row
        if self._map is not None and self._map.first <= target < self._map.first + self._map.size:
            self.go(target)

    def action_block(self, by: int) -> None:
        """Move the cursor to the same place in another block."""
        self.action_row(by * (self._extent // self.shape.in_row))

    def action_go_first(self) -> None:
        """Move the cursor to the first address of the block."""
        self.go(self._first)

    def action_go_last(self) -> None:
        """Move the cursor to the last address of the block."""
        self.go(self._first + self._extent - 1)


def _is_in(stops: Sequence[int], address: int) -> bool:
    place = bisect_left(stops, address)
    return place < len(stops) and stops[place] == address
