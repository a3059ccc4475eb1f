"""One widget in an app of its own, and what it shows as text."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

from screens.tui.widgets.line_view import LineView
from screens.tui.widgets.row_view import MARGIN, RowView
from tests.support.idle import running


class WidgetHost(App[None]):
    """An app that shows one widget and keeps its messages."""

    CSS = "Screen > * { height: 1fr; }"

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self._messages: dict[int, Message] = {}

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_mount(self) -> None:
        self.widget.focus()

    def receive(self, message: Message) -> None:
        # A message that bubbles is heard of once on each level.
        self._messages[id(message)] = message

    @property
    def messages(self) -> list[Message]:
        return list(self._messages.values())


@asynccontextmanager
async def host_widget(widget: Widget, width: int = 80, height: int = 24) -> AsyncIterator[Pilot[Any]]:
    """Show a widget that fills a terminal of this size."""
    app = WidgetHost(widget)
    async with running(app, (width, height), app.receive) as pilot:
        await pilot.pause()
        yield pilot


def visible_lines(widget: LineView) -> list[str]:
    """Return the visible lines of a widget, without the margin of a list, and without what is only blank at their ends."""
    height = widget.scrollable_content_region.height
    margin = MARGIN if isinstance(widget, RowView) else 0
    return [widget.render_line(y).text[margin:].rstrip() for y in range(height)]
