"""What is on a network: a row for each service and container, drawn for the width that there is."""

from console.diagnosis.attachments import Attachments
from console.errors import Result, Unknown
from screens.present.network import attachment_rows
from screens.present.text import Glyphs
from screens.tui.widgets.rows import Rows


class AttachmentRows(Rows):
    """The services and containers of a network; a name is cut only where its addresses would have no room."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(empty="Not read yet.", id=id)
        self._more = glyphs.more
        self._attachments: Result[Attachments] = Unknown("Not read yet.")
        self._filter_text = ""
        self._is_large = False

    def show_attachments(
        self,
        attachments: Result[Attachments],
        filter_text: str,
        is_large: bool = False,  # noqa: FBT001, FBT002 - a callback of the network's page
    ) -> None:
        """Show those whose name contains the filter; in a large network with their whole addresses."""
        is_same = attachments is self._attachments and filter_text == self._filter_text
        self._attachments, self._filter_text = attachments, filter_text
        if not is_same or is_large != self._is_large:
            self._is_large = is_large
            self._draw()

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self._draw()

    def _draw(self) -> None:
        self.show(
            *attachment_rows(
                self._attachments, self._filter_text, self._more, self.row_width, is_large=self._is_large
            )
        )
