"""The services of the swarm, those that do not run first, or by a column."""

from console.diagnosis.why.explain import WhyAnswer
from screens.present.text import Glyphs
from screens.present.why import SERVICE_HEADINGS, STUCK_FIRST, service_rows
from screens.tui.widgets.heading import Heading, SortMixin
from screens.tui.widgets.pane import Pane
from screens.tui.widgets.rows import Rows


class ServicesPane(Pane, SortMixin):
    """A row for each service."""

    def __init__(self, number: int, name: str, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        self._heading = Heading(glyphs)
        self.rows = Rows(id="services", empty="Not read yet.", is_worst_first=True)
        self.sorting = STUCK_FIRST
        self._answer: WhyAnswer | None = None
        self._filter_text = ""
        super().__init__(number, name, self._heading, self.rows, glyphs=glyphs, id=id)

    def show(self, answer: WhyAnswer, filter_text: str) -> None:
        """Show the services whose name or stack contains a text."""
        self._answer, self._filter_text = answer, filter_text
        self.draw()

    def draw(self) -> None:
        """Draw the services that match, in their present order."""
        if self._answer is None:
            return
        rows = service_rows(self._answer, self._filter_text, self.sorting)
        self._heading.show(SERVICE_HEADINGS if rows else "", self.sorting)
        self.rows.show(rows, "No service matches." if self._filter_text else self._answer.headline)
