"""The headings of a table, and panes that are sorted by a key or by a click on a heading."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from screens.present.sorting import Sorting
from screens.present.text import DIM, PLAIN, STRONG, Glyphs, Span, Spans
from screens.tui.keys import Command, CommandMixin, bindings
from screens.tui.widgets.line_view import LineView
from screens.tui.widgets.row_view import MARGIN
from screens.tui.widgets.rows import Rows

_HEADING = re.compile(r"\S+(?: \S+)*")
"""Two blanks or more are between two headings, one is inside a heading."""
SORT_KEYS: tuple[Command, ...] = (
    Command(
        "sort",
        "s",
        "Sort by the next column",
        "sort",
        brief="Sort; or click a heading",
        about="A click on a heading sorts by it, the next click the other way round.",
        when=lambda pane: pane.can_sort,
    ),
)


class Heading(LineView):
    """The line above a table. The heading that the rows are sorted by has a mark."""

    DEFAULT_CSS = "Heading { height: 1; &.-empty { display: none; } }"

    @dataclass
    class Clicked(Message):
        """The operator clicked on the heading of a column."""

        column: str

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._text = ""
        self._sorting: Sorting[Any] = Sorting(())

    @property
    def columns(self) -> tuple[str, ...]:
        """The headings that are shown."""
        return tuple(match.group() for match in _HEADING.finditer(self._text))

    def show(self, text: str, sorting: Sorting[Any]) -> None:
        """Replace the headings, and the order that is marked."""
        self._text, self._sorting = text.rstrip(), sorting
        self.set_class(not self._text, "-empty")
        self.renew()

    def parts_at(self, y: int) -> Spans:
        """Return the headings, whatever the line. The mark takes a blank beside its heading: no column moves."""
        del y
        parts: list[Span] = [(" " * MARGIN, PLAIN)]
        column = 0
        for match in _HEADING.finditer(self._text):
            begin, text = match.start(), match.group()
            mark = self._sorting.mark(text, self._glyphs)
            if mark and match.end() < self.size.width - MARGIN:
                text += mark
            elif mark:
                begin, text = begin - 1, mark + text
            parts += [(" " * (begin - column), PLAIN), (text, STRONG if mark else DIM)]
            column = begin + len(text)
        return tuple(parts)

    def on_click(self, event: events.Click) -> None:
        """Report the column under the mouse; the blanks behind a heading belong to it."""
        columns = [
            match.group() for match in _HEADING.finditer(self._text) if match.start() - 1 <= event.x - MARGIN
        ]
        if columns:
            self.post_message(self.Clicked(columns[-1]))


class SortMixin(CommandMixin):
    """Mixed into a pane whose rows can be sorted: it has `sorting` and one list of rows, which it draws in that order."""

    KEYS = SORT_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(SORT_KEYS)
    sorting: Sorting[Any]

    @property
    def can_sort(self) -> bool:
        """Whether there are rows to sort."""
        return any(rows.count > 1 for rows in self.query(Rows))

    def draw(self) -> None:
        """Draw the rows in their present order."""
        raise NotImplementedError

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._take(self.sorting.next())

    def on_heading_clicked(self, event: Heading.Clicked) -> None:
        """Sort by the column that was clicked."""
        event.stop()
        if self.can_sort:
            self._take(self.sorting.choose(event.column))

    def _take(self, sorting: Sorting[Any]) -> None:
        self.sorting = sorting
        self.query_one(Rows).sort_changed(is_worst_first=sorting.is_own)
        self.draw()
