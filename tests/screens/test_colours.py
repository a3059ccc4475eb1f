"""What the colours mean: few of them, readable on their background, and nothing that only they say."""

from collections.abc import Iterator, Mapping
from functools import partial

import pytest
from rich.color import Color, ColorType
from rich.segment import Segment
from rich.style import Style

from console.addresses.map import CellKind
from console.settings import THEMES, Settings
from console.simulator.engine import DEFAULT_DATE
from screens.present.addresses import ASCII_LETTERS, LETTERS, MARK_TONES
from screens.present.text import ACCENT, ASCII, BALANCER, CURSOR, ENTERED, UNICODE, Glyphs
from screens.tui.colours import DARK, FADED_STYLES, LIGHT, STYLES, TERMINAL
from tests.support.console_driver import ConsoleDriver, ManualClock, console
from tests.support.frames import own_backgrounds
from tests.support.monitor_states import monitor_state
from tests.support.pictures import AT_S, evening
from tests.support.swarms import network, swarm

BACKGROUNDS: Mapping[str, tuple[str, ...]] = {
    DARK: ("#000000", "#0c0c0c", "#1e1e1e"),
    LIGHT: ("#ffffff", "#fafafa", "#f5f5f5"),
}
ENOUGH = 4.5
"""WCAG 2, level AA."""
CLASSES = (
    CellKind.VIP, CellKind.TASK, CellKind.CONTAINER, CellKind.LOAD_BALANCER, CellKind.LEAKED, CellKind.OPEN,
    CellKind.FREE,
)  # fmt: skip
PAGES = {
    "overview": (),
    "network": ("enter",),
    "leak": ("enter", "n"),
    "help": ("question_mark",),
    "why": ("w",),
    "journal": ("d",),
    "palette": ("colon",),
    "filter": ("slash", "p"),
}


def luminance(colour: Color) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, colour.get_truecolor())
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def least_contrast(colour: Color, theme: str) -> float:
    return min(contrast(colour, Color.parse(background)) for background in BACKGROUNDS[theme])


def segments(driver: ConsoleDriver) -> Iterator[tuple[int, Segment, Style]]:
    """Yield what is on the screen with its line."""
    for y, strip in enumerate(driver.app.screen._compositor.render_strips()):
        for segment in strip:
            if segment.style is not None and segment.text.strip():
                yield y, segment, segment.style


def line_of(driver: ConsoleDriver, y: int) -> list[tuple[str, Style]]:
    return [(segment.text, style) for line, segment, style in segments(driver) if line == y]


@pytest.mark.parametrize("styles", [STYLES, FADED_STYLES], ids=["new", "old"])
@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_each_tone_can_be_read_on_its_background(
    theme: str, styles: Mapping[str, Mapping[str, Style]]
) -> None:
    for tone, style in styles[theme].items():
        assert style.color is not None, tone
        assert not style.dim, tone
        assert least_contrast(style.color, theme) >= ENOUGH, tone
        # The same on every terminal, and within what 256 colours can show.
        assert style.color.number is not None, tone
        assert style.color.number >= 16, tone


def test_of_the_terminals_own_colours_words_have_those_that_are_readable_on_black_and_on_white() -> None:
    glyphs_only = {ACCENT, BALANCER}
    numbers = {
        style.color.number
        for tone, style in STYLES[TERMINAL].items()
        if style.color is not None and tone not in glyphs_only
    }
    red, magenta = 1, 5
    assert numbers == {red, magenta}


@pytest.mark.parametrize("theme", THEMES)
def test_no_tone_has_a_background_of_its_own(theme: str) -> None:
    assert not any(style.bgcolor for style in (*STYLES[theme].values(), *FADED_STYLES[theme].values()))


@pytest.mark.parametrize("theme", [DARK, LIGHT])
async def test_every_page_can_be_read_and_stands_on_the_terminals_background(theme: str) -> None:
    state, settings = await evening(), Settings(theme=theme)
    for page, keys in PAGES.items():
        clock = ManualClock(DEFAULT_DATE, AT_S)
        async with console(state, size=(100, 30), clock=clock, settings=settings) as shown:
            await shown.press(*keys)
            assert own_backgrounds(shown.app) == set(), page
            own = {
                style.color
                for _, segment, style in segments(shown)
                if style.color is not None
                and style.color.type in (ColorType.TRUECOLOR, ColorType.EIGHT_BIT)
                and any(map(str.isalnum, segment.text))
            }
            assert own, page
            assert {colour.name for colour in own if least_contrast(colour, theme) < ENOUGH} == set(), page


@pytest.mark.parametrize("theme", THEMES)
def test_each_class_of_the_map_has_a_letter_and_a_look_of_its_own(theme: str) -> None:
    for letters in (LETTERS, ASCII_LETTERS):
        assert len({letters[kind] for kind in CLASSES}) == len(CLASSES)
    looks = [STYLES[theme][MARK_TONES[kind]] for kind in CLASSES]
    assert len(set(looks)) == len(CLASSES)


@pytest.mark.parametrize("theme", THEMES)
async def test_leaks_are_all_that_stands_out_on_a_map(theme: str) -> None:
    clock, settings = ManualClock(DEFAULT_DATE, AT_S), Settings(theme=theme)
    async with console(await evening(), clock=clock, settings=settings) as shown:
        await shown.press("enter")
        cells = [
            (segment.text, style)
            for y, segment, style in segments(shown)
            if y > 3 and len(segment.text) == 1 and (style.bold or style.reverse)
        ]
        assert len(cells) == 12 + 1  # the leaks, and the letter in the legend
        assert {text for text, _ in cells} == {LETTERS[CellKind.LEAKED]}
        assert all(style.bold and style.reverse for _, style in cells)


@pytest.mark.parametrize(("glyphs", "mark"), [(UNICODE, "▌"), (ASCII, ">")])
@pytest.mark.parametrize("theme", THEMES)
async def test_the_selected_row_is_marked_and_not_inverted(theme: str, glyphs: Glyphs, mark: str) -> None:
    clock, settings = ManualClock(DEFAULT_DATE, AT_S), Settings(theme=theme)
    async with console(await evening(), clock=clock, settings=settings, glyphs=glyphs) as shown:
        before = {text: style.color for text, style in line_of(shown, 4) if "10.0.1.0" not in text}
        assert shown.frame.splitlines()[4].startswith(f"{mark}! proxy")
        assert shown.frame.count(f"\n{mark}") == 1
        assert not any(style.reverse for _, style in line_of(shown, 4))
        assert all(style.bold for text, style in line_of(shown, 4) if text != mark)
        await shown.press("j")
        assert shown.frame.splitlines()[5].startswith(mark)
        after = {text: style.color for text, style in line_of(shown, 4) if "10.0.1.0" not in text}
        # What it looks like in its own right is all that is left.
        assert {text: after[text] for text in before if text != mark} == {
            text: colour for text, colour in before.items() if text != mark
        }


async def test_where_nothing_is_wrong_nothing_is_bold_but_the_selected_row() -> None:
    state = swarm([network("proxy", "10.0.1.0/24", use={"10.0.1.0/24": (3, 253)})])
    async with console(monitor_state(state, earlier=state), size=(120, 35)) as shown:
        for keys in ((), ("enter",), ("escape", "w"), ("escape", "question_mark")):
            await shown.press(*keys)
            bold = {y for y, _, style in segments(shown) if style.bold}
            assert len(bold) <= 1, keys


async def test_the_worst_is_bold() -> None:
    async with console(await evening(), clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        bold = [segment.text.strip() for y, segment, style in segments(shown) if style.bold and y != 4]
        assert bold[0] == "CRITICAL"
        assert "2 deploys wait" in bold[1]
        assert set(bold[2:]) <= {"!", "! stuck services", "stuck", "services"}


def is_chosen(shown: ConsoleDriver, theme: str, frame: str) -> bool:
    """Return whether the colours are these, and the command palette is closed."""
    return shown.app.theme == theme and "Colours: " not in frame


async def test_colours_are_chosen_by_the_setting_and_in_the_palette_and_change_at_once() -> None:
    clock = ManualClock(DEFAULT_DATE, AT_S)
    async with console(await evening(), clock=clock, settings=Settings(theme=DARK)) as shown:

        def colour_of_the_verdict() -> Color | None:
            return next(style.color for text, style in line_of(shown, 1) if "CRITICAL" in text)

        assert colour_of_the_verdict() == STYLES[DARK]["bad"].color
        frame = await shown.press("colon")
        assert "Colours: light" in frame
        assert "Colours: dark" not in frame
        for theme in (LIGHT, TERMINAL):
            await shown.press(*("escape", "colon", *f"colours {theme}"))
            await shown.until(lambda text: "Colours: " in text)
            await shown.press("enter")
            await shown.until(partial(is_chosen, shown, theme))
            await shown.settle()
            assert colour_of_the_verdict() == STYLES[theme]["bad"].color


def test_where_the_cursor_is_no_colour_is_needed() -> None:
    for theme in THEMES:
        assert STYLES[theme][CURSOR].reverse
        assert STYLES[theme][ENTERED].underline
