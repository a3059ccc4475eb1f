"""Lines painted one by one: text from outside is only ever data in them, and what did not change is not sent again."""

from collections.abc import Callable, Iterable
from typing import ClassVar, TypeAlias

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from screens.views.parts import PLAIN, TONES, Part, Parts

Tone: TypeAlias = Callable[[str], Style]
"""Gives the style of a tone."""


class Painted(ScrollView, can_focus=False):
    """A widget that gives its lines as parts, whatever is in them.

    Whoever changes what it shows calls `renew`: only lines that look different afterwards are painted anew, so that an
    unchanging pane costs nothing on a slow line.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {*(f"painted--{each}" for each in TONES)}
    DEFAULT_CSS = """
    Painted {
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        overflow-x: hidden;
        .painted--dim { text-style: dim; }
        .painted--strong { text-style: bold; }
        .painted--bad { color: $error; text-style: bold; }
        .painted--warn { color: $warning; text-style: bold; }
        .painted--unknown { color: $secondary; }
        .painted--match { text-style: bold underline; }
        .painted--cursor { text-style: reverse; }
        .painted--resting { text-style: bold underline; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id, classes=classes)
        self._painted: dict[int, Strip] = {}
        self._plain: Style | None = None

    def parts_at(self, y: int) -> Parts:
        """Return what stands in the line `y` of the visible area."""
        raise NotImplementedError

    @property
    def cursor_line(self) -> int | None:
        """The visible line that is wholly under the cursor, where there is one."""
        return None

    def render_line(self, y: int) -> Strip:
        """Return a line of the visible area, ready for the terminal."""
        strip = self._strip(y)
        self._painted[y] = strip
        return strip

    def renew(self) -> None:
        """Paint anew what looks different now."""
        if not self.is_mounted:
            return
        width, height = self.scrollable_content_region.size
        changed = [Region(0, y, width, 1) for y in range(height) if self._strip(y) != self._painted.get(y)]
        if changed:
            self.refresh(*changed)

    def tone(self, name: str) -> Style:
        """Return the style of a tone under the present theme."""
        if name:
            return self.get_component_rich_style(f"painted--{name}")
        # Textual keeps the styles of tones and works its own one out anew each time, which is dear.
        if self._plain is None:
            self._plain = self.rich_style
        return self._plain

    def notify_style_update(self) -> None:
        """Forget how text looked under other styles."""
        self._plain = None
        super().notify_style_update()

    def _strip(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        strip = strip_of(self.parts_at(y), self.tone).adjust_cell_length(width, self.tone(PLAIN))
        if self.has_focus and y == self.cursor_line:
            return strip.apply_style(Style(reverse=True))
        return strip


def strip_of(parts: Iterable[Part], tone: Tone) -> Strip:
    """Return parts as a strip: whatever their text is, it is shown as it stands."""
    return Strip([Segment(text, tone(name)) for text, name in parts])
