"""An exported frame of the console as PNG, so that a picture looks the same wherever it is read."""

import html
import re
import shutil
import subprocess
from itertools import chain

FONT = "DejaVu Sans Mono"
CELL = (12.2, 24.4)
"""Width and height of a cell in the SVG that Rich exports."""
FONT_SIZE = 20.26
"""At this size a character of the font is as wide as a cell."""
ASCENT = 18.5
"""From a line's baseline up to the top of its cell."""
STROKE = 1.6
ZOOM = f"{12 / CELL[0]:.8f}"
"""A cell of whole pixels (12 by 24): no seams, and a small file."""
SHADES = {"█": 1.0, "▓": 0.75, "▒": 0.5, "░": 0.22}
# Which edges of its cell a box character reaches: left, right, up, down.
EDGES = {
    "─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu",
    "├": "rud", "┤": "lud", "┬": "lrd", "┴": "lru", "┼": "lrud", "╴": "l", "╶": "r",
}  # fmt: skip
_RUN = re.compile(
    r'<text class="(?P<style>[^"]+-r\d+)" x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)"[^>]*>(?P<words>[^<]*)</text>'
)
_FONT_FACE = re.compile(r"@font-face\s*{[^}]*}")


class CannotDrawError(Exception):
    """What is missing, and how to get it."""


def in_cells(svg: str) -> str:
    """Return the SVG with each character placed in its own cell, and boxes and bars as shapes that join.

    Renderers take the widths of their own font for a run of characters: then columns drift and lines have gaps.
    """
    svg = _FONT_FACE.sub("", svg).replace("font-size: 20px", f"font-size: {FONT_SIZE}px")
    svg = re.sub(r"font-family: (Fira Code, monospace|arial)", f"font-family: {FONT}", svg)
    return _RUN.sub(lambda run: "".join(_cells(run)), svg)


def _cells(run: re.Match[str]) -> chain[str]:
    left, baseline, style = float(run["x"]), float(run["y"]), run["style"]
    return chain.from_iterable(
        _cell(character, left + CELL[0] * column, baseline, style)
        for column, character in enumerate(html.unescape(run["words"]))
    )


def _cell(character: str, left: float, baseline: float, style: str) -> list[str]:
    top, (width, height) = baseline - ASCENT, CELL
    if character.isspace():
        return []
    if character in SHADES:
        return [_box(style, left, top, width, height, SHADES[character])]
    if character not in EDGES:
        return [f'<text class="{style}" x="{left:.2f}" y="{baseline:.2f}">{html.escape(character)}</text>']
    middle, centre, half = left + width / 2, top + height / 2, STROKE / 2
    lines = {
        "l": (left, centre - half, width / 2 + half, STROKE),
        "r": (middle - half, centre - half, width / 2 + half, STROKE),
        "u": (middle - half, top, STROKE, height / 2 + half),
        "d": (middle - half, centre - half, STROKE, height / 2 + half),
    }
    return [_box(style, *lines[edge], 1.0) for edge in EDGES[character]]


def _box(style: str, left: float, top: float, width: float, height: float, opacity: float) -> str:
    return (
        f'<rect class="{style}" x="{left:.2f}" y="{top:.2f}" width="{width:.2f}" height="{height:.2f}" '
        f'fill-opacity="{opacity}" shape-rendering="crispEdges"/>'
    )


def png_of(svg: str) -> bytes:
    """Return the picture. Raises CannotDrawError where the renderer or the font is missing."""
    for command, package in (("rsvg-convert", "librsvg2-bin"), ("fc-match", "fontconfig")):
        if shutil.which(command) is None:
            raise CannotDrawError(f"{command} is missing. On Debian: apt-get install {package}")
    family = subprocess.run(["fc-match", "-f", "%{family}", FONT], check=True, capture_output=True, text=True)
    if FONT not in family.stdout:
        raise CannotDrawError(f"The font {FONT} is missing. On Debian: apt-get install fonts-dejavu-core")
    drawn = subprocess.run(
        ["rsvg-convert", "--format", "png", "--zoom", ZOOM],
        input=in_cells(svg).encode(),
        check=True,
        capture_output=True,
    )
    return drawn.stdout
