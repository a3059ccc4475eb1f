"""A small chart as SVG: a few lines on two logarithmic axes, each with its name at its end."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.png import FONT

WIDTH, HEIGHT = 860, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 130, 50, 60
COLOURS = ("#7aa2f7", "#e0af68", "#9ece6a", "#f7768e", "#bb9af7")
REFERENCE, TEXT, GRID, BACKGROUND = "#8b91a8", "#c8cde0", "#343850", "#1a1b26"
TICKS = (1, 2, 5)
NAME_HEIGHT = 18.0


@dataclass(frozen=True)
class Line:
    """A named line; its points by their x."""

    name: str
    points: tuple[tuple[float, float], ...]
    is_reference: bool = False
    """Whether the others are compared with it: then it is dashed."""


def line_chart(title: str, x_title: str, lines: Sequence[Line]) -> str:
    """Return the chart; every value has to be above 0, and every line has to have a point."""
    xs = sorted({x for line in lines for x, _ in line.points})
    ys = _ticks(
        min(y for line in lines for _, y in line.points), max(y for line in lines for _, y in line.points)
    )

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * _share(x, xs[0], xs[-1])

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(y, ys[0], ys[-1])

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{BACKGROUND}"/>', _text(LEFT, 28, title)]
    for y in ys:
        parts.append(_stroke(((LEFT, down(y)), (WIDTH - RIGHT, down(y))), GRID, 1))
        parts.append(_text(LEFT - 10, down(y) + 5, f"{y:g}", anchor="end"))
    for x in xs:
        parts.append(_stroke(((across(x), TOP), (across(x), HEIGHT - BOTTOM)), GRID, 1))
        parts.append(_text(across(x), HEIGHT - BOTTOM + 22, f"{x:,.0f}", anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_title, anchor="middle"))
    colours = iter(COLOURS * (1 + len(lines) // len(COLOURS)))
    names: list[tuple[float, float, str, str]] = []
    for line in lines:
        colour = REFERENCE if line.is_reference else next(colours)
        places = [(across(x), down(y)) for x, y in line.points]
        parts.append(_stroke(places, colour, 2.5, is_dashed=line.is_reference))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        names.append((places[-1][1], places[-1][0], line.name, colour))
    return _svg([*parts, *_names(names)])


def _names(names: list[tuple[float, float, str, str]]) -> list[str]:
    """Return the names beside the ends of their lines, none above another."""
    lowest, parts = -math.inf, list[str]()
    for y, x, name, colour in sorted(names):
        lowest = max(y, lowest + NAME_HEIGHT)
        parts.append(_text(x + 10, lowest + 5, name, colour=colour))
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Return round values from below the lowest to above the highest."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    values = [tick * 10.0**power for power in range(first, last + 1) for tick in TICKS]
    below = max((value for value in values if value <= low), default=values[0])
    above = min((value for value in values if value >= high), default=values[-1])
    return [value for value in values if below <= value <= above]


def _share(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low) if high > low else 0.5


def _text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = TEXT) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{html.escape(words)}</text>'


def _stroke(
    places: Sequence[tuple[float, float]], colour: str, width: float, *, is_dashed: bool = False
) -> str:
    dashes = ' stroke-dasharray="7 5"' if is_dashed else ""
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashes}/>'


def _svg(parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="{FONT}" '
        f'font-size="14">{"".join(parts)}</svg>'
    )
