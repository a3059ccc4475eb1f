"""The colours of the console: the terminal's own, or fixed ones for a dark or a light background.

Only text is coloured, never its background: the terminal's own stays, translucent ones too.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from rich.color import Color
from rich.style import Style
from textual.command import DiscoveryHit, Hit, Hits
from textual.theme import BUILTIN_THEMES, Theme

from console.frozen import frozen
from console.settings import THEMES
from screens.present.matching import match
from screens.present.text import (
    ACCENT,
    BAD,
    BALANCER,
    CONTAINER,
    CURSOR,
    DIM,
    ENTERED,
    LEAK,
    MATCH,
    PLAIN,
    RESTING,
    STRONG,
    UNKNOWN,
    WARN,
    WORST,
)
from screens.tui.keys import CommandProvider, highlighted

Styles = Mapping[str, Style]
"""What each tone adds to plain text."""
TERMINAL, DARK, LIGHT = THEMES


@frozen
class Palette:
    """The few colours that have a meaning, as numbers of the terminal's palette; None is its default colour."""

    bad: int
    warn: int
    unknown: int
    accent: int
    """Where the cursor is, and what services hold."""
    text: int | None = None
    dim: int | None = None
    """None dims by the terminal's own attribute."""


PALETTES: Mapping[str, Palette] = {
    # Of the terminal's own colours, red and magenta alone can be read on black and on white: a mark or a word says whether
    # what is magenta is a warning or unknown. The accent is never the colour of a word.
    TERMINAL: Palette(bad=1, warn=5, unknown=5, accent=6),
    # Numbers from 16 on are the same on every terminal, and need no true colour, which ssh and tmux often hide.
    DARK: Palette(bad=203, warn=221, unknown=177, accent=81, text=253, dim=247),
    LIGHT: Palette(bad=160, warn=94, unknown=91, accent=25, text=234, dim=241),
}


def _style(number: int | None, *, bold: bool = False, underline: bool = False) -> Style:
    colour = None if number is None else Color.from_ansi(number)
    return Style(color=colour, bold=bold or None, underline=underline or None)


def styles_of(palette: Palette) -> Styles:
    """Return the style of each tone. Only what is worst is bold."""
    text = _style(palette.text)
    return {
        PLAIN: text,
        STRONG: text,
        DIM: Style(dim=True) if palette.dim is None else _style(palette.dim),
        WORST: text + Style(bold=True),
        BAD: _style(palette.bad, bold=True),
        WARN: _style(palette.warn),
        UNKNOWN: _style(palette.unknown),
        ACCENT: _style(palette.accent),
        ENTERED: _style(None if palette.text is None else palette.accent, underline=True),
        # The only cells of a map that are filled: they are seen first.
        LEAK: _style(palette.bad, bold=True) + Style(reverse=True),
        CONTAINER: text + Style(underline=True),
        BALANCER: _style(palette.accent, underline=True),
        MATCH: text + Style(bold=True, underline=True),
        CURSOR: text + Style(reverse=True),
        RESTING: text + Style(bold=True, underline=True),
    }


def faded(palette: Palette) -> Styles:
    """Return the same for what is old: nothing stands out by weight, and text steps back."""
    if palette.dim is None:
        no_weight = Style(bold=False)
    else:
        # A dimmed colour of our own would be too faint to read.
        no_weight = Style(bold=False, dim=False)
        palette = replace(palette, text=palette.dim)
    return {tone: style + no_weight for tone, style in styles_of(palette).items()}


STYLES: Mapping[str, Styles] = {name: styles_of(palette) for name, palette in PALETTES.items()}
FADED_STYLES: Mapping[str, Styles] = {name: faded(palette) for name, palette in PALETTES.items()}
"""These are no component classes of the style sheet: Textual works those out for every widget at every change of a class,
and that took most of the time of a key."""


def textual_theme(name: str) -> Theme:
    """Return what Textual draws its own widgets with: the palette, notifications, the line that is typed in."""
    palette = PALETTES[name]
    # Its marks for a chosen line can be read on a light background as well; those of its light twin cannot.
    base = replace(BUILTIN_THEMES["ansi-dark"], name=name, dark=name != LIGHT)
    if palette.text is None:
        return base
    return replace(
        base,
        primary=_hex(palette.accent),
        secondary=_hex(palette.accent),
        accent=_hex(palette.accent),
        success=_hex(palette.accent),
        warning=_hex(palette.warn),
        error=_hex(palette.bad),
        foreground=_hex(palette.text),
    )


def _hex(number: int) -> str:
    return Color.from_ansi(number).get_truecolor().hex


ABOUT = {
    TERMINAL: "The terminal's own colours.",
    DARK: "Fixed colours for a dark background.",
    LIGHT: "Fixed colours for a light background.",
}


class PaletteProvider(CommandProvider):
    """Gives the command palette the choice of colours besides all commands.

    A choice holds until the console is closed; the setting `theme` keeps it.
    """

    async def discover(self) -> Hits:
        """Yield all commands that can be used now, then every choice but the present one, before anything is typed."""
        async for hit in super().discover():
            yield hit
        for name in THEMES:
            if name != self.app.theme:
                yield DiscoveryHit(f"Colours: {name}", partial(self._choose, name), help=ABOUT[name])

    async def search(self, query: str) -> Hits:
        """Yield the commands and choices that match what the operator typed."""
        async for hit in super().search(query):
            yield hit
        for name in THEMES:
            choice = f"Colours: {name}"
            own = match(query, choice)
            if own is not None:
                display = highlighted(choice, own, self.match_style)
                yield Hit(own.score, display, partial(self._choose, name), choice, help=ABOUT[name])

    def _choose(self, name: str) -> None:
        self.app.theme = name
