"""In which order the rows of a table stand: its own order, or by a column, either way round. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from console.frozen import frozen
from screens.present.text import Glyphs

T = TypeVar("T")


@frozen
class Order(Generic[T]):
    """An order of rows by one column."""

    name: str
    """A word behind `by`: in the title of the pane and in the help."""
    heading: str
    """The heading of the column."""
    key: Callable[[T], Any]
    """Gives what is compared; None where the figure is unknown."""
    is_largest_first: bool = False


@frozen
class Sorting(Generic[T]):
    """The orders of a table, and the one that its rows have now."""

    orders: tuple[Order[T], ...]
    order: Order[T] | None = None
    """None for the table's own order."""
    is_reversed: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the rows stand in the table's own order."""
        return self.order is None

    def next(self) -> "Sorting[T]":
        """Return the next order; after the last one, the table's own."""
        place = self.orders.index(self.order) + 1 if self.order is not None else 0
        return replace(
            self, order=self.orders[place] if place < len(self.orders) else None, is_reversed=False
        )

    def choose(self, heading: str) -> "Sorting[T]":
        """Return the order by a column; again, it is reversed; once more, it is the table's own.

        A column without an order changes nothing.
        """
        order = next((order for order in self.orders if order.heading == heading), None)
        if order is None:
            return self
        if order is not self.order:
            return replace(self, order=order, is_reversed=False)
        return replace(self, order=None if self.is_reversed else order, is_reversed=not self.is_reversed)

    def sort(self, items: Iterable[T]) -> list[T]:
        """Return items in this order, those with an unknown figure last; equal ones keep their places."""
        order, items = self.order, list(items)
        if order is None:
            return items
        known = [item for item in items if order.key(item) is not None]
        unknown = [item for item in items if order.key(item) is None]
        return [*sorted(known, key=order.key, reverse=self._is_descending), *unknown]

    def mark(self, heading: str, glyphs: Glyphs) -> str:
        """Return the mark of a heading: down where the largest comes first; nothing on other columns."""
        if self.order is None or self.order.heading != heading:
            return ""
        return glyphs.below if self._is_descending else glyphs.above

    @property
    def _is_descending(self) -> bool:
        return self.order is not None and self.order.is_largest_first != self.is_reversed
