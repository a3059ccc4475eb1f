"""What a whole screen shows, as text, compared with what it showed when somebody last looked at it, and in whose colours."""

import os
from pathlib import Path
from typing import Any

from textual.app import App

FRAMES = Path(__file__).parents[1] / "screens" / "frames"


def frame_of(app: App[Any]) -> list[str]:
    """Return the lines of the terminal, without what is only blank at their ends."""
    # Textual has no public way to ask for what is shown; this is the one place that asks.
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def own_backgrounds(app: App[Any]) -> set[str]:
    """Return the backgrounds that are shown and are not the terminal's own colours: each is wrong on some terminal."""
    styles = (segment.style for strip in app.screen._compositor.render_strips() for segment in strip)
    colours = (style.bgcolor for style in styles if style is not None)
    return {colour.name for colour in colours if colour is not None and colour.triplet is not None}


def compare_body(name: str, app: App[Any]) -> None:
    """Compare what stands between the header and the line of keys, which every screen has alike."""
    _compare(name, frame_of(app)[2:-1])


def compare(name: str, app: App[Any]) -> None:
    """Compare a frame with the kept one. With UPDATE_FRAMES=1 it is kept instead: look at it before committing it."""
    _compare(name, frame_of(app))


def _compare(name: str, lines: list[str]) -> None:
    shown = "".join(f"{each}\n" for each in lines)
    path = FRAMES / f"{name}.txt"
    if os.environ.get("UPDATE_FRAMES"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, "utf-8")
    assert shown == path.read_text("utf-8"), f"{path.name} differs; UPDATE_FRAMES=1 keeps the new one"
