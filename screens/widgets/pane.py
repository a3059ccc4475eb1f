"""A pane: a title with its number over what it shows."""

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from console.diagnosis.values import Severity
from screens.output.glyphs import MARKS, Glyphs
from screens.views.parts import BAD, DIM, PLAIN, RESTING, STRONG, Part, Parts, fitted, length
from screens.widgets.painted import Painted
from screens.widgets.rows import Hidden, RowView


class Title(Painted):
    """A rule with the pane's number, its name, and what is to be said about all of it."""

    DEFAULT_CSS = "Title { height: 1; }"

    def __init__(self, number: int, name: str, glyphs: Glyphs) -> None:
        super().__init__()
        self._number = number
        self._name = name
        self._glyphs = glyphs
        self._said: Parts = ()
        self._is_entered = False
        self._above = self._below = Hidden()
        self._is_position_minor = False

    def say(self, said: Parts, name: str = "") -> None:
        """Say this behind the name from now on."""
        self._said, self._name = said, name or self._name
        self.renew()

    def mark(self, above: Hidden, below: Hidden, *, is_minor: bool) -> None:
        """Tell how many rows are out of sight from now on; where that is minor, after whatever else is to be said."""
        self._above, self._below, self._is_position_minor = above, below, is_minor
        self.renew()

    def enter(self, is_entered: bool) -> None:  # noqa: FBT001 - a watcher's value
        """Show whether keys go to this pane."""
        self._is_entered = is_entered
        self.renew()

    def parts_at(self, y: int) -> Parts:
        """Return the rule."""
        del y
        width = self.size.width
        rule = self._glyphs.rule
        # The pane that keys go to is told by weight and by its rule, not by colour.
        tone = STRONG if self._is_entered else DIM
        number = f"{self._number} " if self._number else ""
        name: Part = (f" {number}{self._name} ", RESTING if self._is_entered else STRONG)
        said: Parts = ((rule, tone), (" ", PLAIN), *self._said, (" ", PLAIN)) if self._said else ()
        others: Parts = self._others(tone)
        room = width - length((*others, (rule, tone), name))
        marks = self._marks(tone, room - length(said) if self._is_position_minor else room)
        others = (*marks, *others)
        head = fitted(((rule, tone), name, *said), width - length(others), self._glyphs.more)
        return (*head, (rule * (width - length(head) - length(others)), tone), *others)

    def _marks(self, tone: str, room: int) -> Parts:
        """Return how many rows are out of sight, in as many words as there is room for.

        How many of them are critical stands behind the number, after the mark that such rows have.
        """
        if not self._above.rows and not self._below.rows:
            return ()
        glyphs, critical = self._glyphs, MARKS[Severity.CRITICAL]
        sides = [
            (hidden, arrow, word)
            for hidden, arrow, word in (
                (self._above, glyphs.above, " above"),
                (self._below, glyphs.below, " below"),
            )
            if hidden.rows
        ]

        def shapes() -> Iterator[Parts]:
            for is_counted, is_worded in ((True, True), (False, True), (False, False)):
                marks: list[Part] = []
                for hidden, arrow, word in sides:
                    count = f" ({hidden.critical} {critical})" if is_counted else critical
                    marks += [
                        (" ", PLAIN),
                        (
                            f"{arrow} {hidden.rows}{word if is_worded else ''}{count if hidden.critical else ''}",
                            BAD if hidden.critical else PLAIN,
                        ),
                    ]
                yield (*marks, (" ", PLAIN), (self._glyphs.rule, tone))

        return next((each for each in shapes() if length(each) <= room), ())

    def _others(self, tone: str) -> Parts:
        """Return, where one pane is shown at a time, which of how many it is."""
        if not self._number or not (self.screen.has_class("-narrow") or self.screen.has_class("-low")):
            return ()
        several = len(self.screen.query(Pane))
        return ((f" {self._number} of {several} (tab) ", DIM), (self._glyphs.rule, tone))


class Pane(Vertical):
    """A numbered pane. It is entered by its number; the keys go to the first widget in it that takes them."""

    DEFAULT_CSS = "Pane { height: 1fr; }"

    def __init__(
        self,
        number: int,
        name: str,
        *content: Widget,
        glyphs: Glyphs,
        id: str | None = None,  # noqa: A002 - Textual's own word
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.title = Title(number, name, glyphs)
        self._content = content

    def compose(self) -> ComposeResult:
        """Lay out the title over the content."""
        yield self.title
        yield from self._content

    def enter(self) -> None:
        """Bring it into view and let keys go to it."""
        for each in self.screen.query(Pane):
            each.set_class(each is self, "-entered")
        # Where one pane is shown at a time it is there only after that.
        self.call_after_refresh(self._take_keys)

    def _take_keys(self) -> None:
        if self.has_class("-entered"):
            self.screen.set_focus(next((each for each in self.query(Widget) if each.focusable), None))

    def on_row_view_hidden_changed(self, event: RowView.HiddenChanged) -> None:
        """Tell in the title how many rows are out of sight."""
        event.stop()
        self.title.mark(event.above, event.below, is_minor=event.rows.IS_POSITION_MINOR)

    def on_descendant_focus(self) -> None:
        """Show that keys go here."""
        self.title.enter(is_entered=True)
        for each in self.screen.query(Pane):
            each.set_class(each is self, "-entered")

    def on_descendant_blur(self) -> None:
        """Show that keys go elsewhere."""
        self.title.enter(is_entered=False)
