"""The stacks that hold a network's addresses: what can be removed, and the command that does it."""

from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType

from console.addresses.holder_groups import HolderGroup
from console.errors import Result, Unknown, known
from screens.present.holder_groups import ORDERS, count_text, group_table, order_paragraph
from screens.present.sorting import Sorting
from screens.present.text import MATCH, PLAIN
from screens.present.why import runnable
from screens.tui.environment import ConsoleEnvironment, copy
from screens.tui.keys import Command, bindings
from screens.tui.widgets.heading import Heading, SortMixin
from screens.tui.widgets.pane import Pane, TextView
from screens.tui.widgets.row_view import MARGIN
from screens.tui.widgets.rows import Rows

KEYS: tuple[Command, ...] = (
    Command(
        "copy_removal",
        "c",
        "Copy the command that removes this stack",
        "copy command",
        brief="Copy the removal command",
        when=lambda rows: bool(rows.removal_command),
    ),
)


class StackRows(Rows):
    """The stacks, each with the command that removes it."""

    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    def __init__(self, where: tuple[str, str], *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(empty="Not read yet.", id=id)
        self._where = where

    @property
    def removal_command(self) -> str:
        """The command that removes what is under the cursor; nothing where only its own node can."""
        row = self.current
        if row is None or not isinstance(row.value, HolderGroup):
            return ""
        return runnable(row.value.command, self._where)

    def action_copy_removal(self) -> None:
        """Copy the command that removes the stack under the cursor."""
        copy(self.screen, self.removal_command)


class StacksPane(Pane, SortMixin):
    """A row for each stack, drawn for the width that the pane has."""

    DEFAULT_CSS = """
    StacksPane #order { height: auto; max-height: 5; }
    """

    def __init__(
        self,
        number: int,
        name: str,
        environment: ConsoleEnvironment,
        *,
        id: str | None = None,  # noqa: A002 - Textual's own word
    ) -> None:
        self._order = TextView(id="order")
        self._order.can_focus = False
        self._glyphs = environment.glyphs
        self._heading = Heading(self._glyphs)
        self.rows = StackRows(environment.where, id="stacks")
        self.sorting = Sorting(ORDERS)
        self._groups: Result[tuple[HolderGroup, ...]] = Unknown("Not read yet.")
        self._now: datetime | None = None
        self._filter_text = ""
        super().__init__(number, name, self._order, self._heading, self.rows, glyphs=self._glyphs, id=id)

    @property
    def text(self) -> str:
        """The table as text."""
        return self.rows.text

    def show(self, groups: Result[tuple[HolderGroup, ...]], now: datetime, filter_text: str = "") -> None:
        """Show the groups of a network whose names contain a text."""
        if groups is self._groups and (now, filter_text) == (self._now, self._filter_text):
            return
        if filter_text != self._filter_text:
            self.rows.reset_selection()
        self._groups, self._now, self._filter_text = groups, now, filter_text
        note = ((f"  /{filter_text}", MATCH),) if filter_text else ()
        self.title.show(((count_text(groups), PLAIN), *note))
        self.draw()

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self.draw()

    def draw(self) -> None:
        """Draw the groups that match, in their present order, for the present width."""
        if self._now is None or not self.size.width:
            return
        groups = self.sorting.sort(
            group for group in known(self._groups, ()) if self._filter_text in group.label.lower()
        )
        width = self.rows.row_width or self.size.width - self.rows.scrollbar_size_vertical - MARGIN
        heading, rows = group_table(groups, self._now, width, self._glyphs)
        empty = "No stack, service or container holds an address of it."
        if isinstance(self._groups, Unknown):
            empty = f"Who holds its addresses is unknown. {self._groups.reason}"
        elif self._groups:
            empty = "No name matches."
        self._order.show([order_paragraph(self.sorting)] if rows else ())
        self._heading.show(heading if rows else "", self.sorting)
        self.rows.show(rows, empty)
