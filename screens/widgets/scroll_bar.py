"""The scroll bar of a terminal that has nothing but ASCII."""

from typing import Any

from rich.segment import Segment, Segments
from rich.style import Style
from textual.scrollbar import ScrollBarRender

THUMB, TRACK = "#", "|"


class AsciiScrollBar(ScrollBarRender):
    """Shows by characters alone which part is in sight: as `#`, between the rest as `|`."""

    @classmethod
    def render_bar(cls, *arguments: Any, **named: Any) -> Segments:
        """Return the bar as Textual lays it out, in these characters; the mouse does the same on it."""
        bar = super().render_bar(*arguments, **named)
        return Segments([_as_ascii(each) for each in bar.segments], new_lines=bar.new_lines)


def _as_ascii(segment: Segment) -> Segment:
    style = segment.style
    pressed = style.meta.get("@mouse.down") if style is not None else None
    if style is None or pressed is None:
        return segment
    is_thumb = pressed == "grab"
    drawn = Style(
        color=style.color if is_thumb else None, bgcolor=style.bgcolor, dim=not is_thumb, meta=style.meta
    )
    return Segment((THUMB if is_thumb else TRACK) * len(segment.text), drawn)
