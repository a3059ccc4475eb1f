"""The mouse does everywhere what keys do: titles, rows, headings, footers, the wheel."""

import pytest
from textual.events import MouseScrollDown
from textual.widget import Widget

from console.simulator.engine import DEFAULT_DATE
from screens.tui.help import HelpDialog
from screens.tui.journal import JournalScreen
from screens.tui.network import NetworkScreen
from screens.tui.overview import OverviewScreen
from screens.tui.screen import KeyLine
from screens.tui.why import WhyScreen
from screens.tui.widgets.address_map import AddressGrid
from screens.tui.widgets.pane import Pane, TextView
from screens.tui.widgets.row_view import RowView
from tests.support.console_driver import ConsoleDriver, ManualClock, console
from tests.support.pictures import AT_S, evening

PAGES = {"overview": (), "network": ("enter",), "why": ("w",), "journal": ("d",), "run": ("r",)}
SIZES = [(60, 20), (80, 24), (160, 50)]


def clock() -> ManualClock:
    return ManualClock(DEFAULT_DATE, AT_S)


def visible_panes(shown: ConsoleDriver) -> list[Pane]:
    return [pane for pane in shown.app.screen.query(Pane) if pane.region.height > 0]


def pane_of_focus(shown: ConsoleDriver) -> int:
    focused = shown.app.focused
    assert focused is not None
    return next(node.number for node in focused.ancestors if isinstance(node, Pane))


def page_of(shown: ConsoleDriver) -> type[object]:
    return type(shown.app.screen)


async def wheel(shown: ConsoleDriver, widget: Widget) -> None:
    event = MouseScrollDown(
        widget, x=1, y=1, delta_x=0, delta_y=1, button=0, shift=False, meta=False, ctrl=False
    )
    widget.post_message(event)
    await shown.settle()


async def click_key(shown: ConsoleDriver, words: str) -> None:
    line = shown.app.screen.query_one(KeyLine)
    place = line.render_line(0).text.index(words)
    await shown.pilot.click(line, offset=(place + 1, 0))
    await shown.settle()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page", PAGES)
async def test_a_click_on_a_title_goes_to_its_pane(page: str, size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=clock()) as shown:
        await shown.press(*PAGES[page])
        await shown.settle()
        for pane in visible_panes(shown):
            await shown.pilot.click(pane.title, offset=(4, 0))
            await shown.settle()
            assert pane_of_focus(shown) == pane.number
            assert pane.has_class("-entered")


@pytest.mark.parametrize("page", PAGES)
async def test_where_one_pane_is_shown_a_click_on_its_count_and_tab_go_to_the_next(page: str) -> None:
    async with console(await evening(), size=(60, 20), clock=clock()) as shown:
        await shown.press(*PAGES[page])
        await shown.settle()
        (first,) = [pane for pane in visible_panes(shown) if pane.has_class("-entered")]
        await shown.pilot.click(first.title, offset=(first.title.size.width - 3, 0))
        await shown.settle()
        assert pane_of_focus(shown) == first.number + 1
        await shown.press("shift+tab")
        assert pane_of_focus(shown) == first.number


async def test_a_click_chooses_a_row_and_a_double_click_opens_it() -> None:
    async with console(await evening(), clock=clock()) as shown:
        rows = shown.app.screen.query(RowView).first()
        await shown.pilot.click(rows, offset=(4, 1))
        await shown.settle()
        assert isinstance(shown.app.screen, OverviewScreen)
        assert rows.cursor == 1
        await shown.pilot.click(rows, offset=(4, 0), times=2)
        await shown.settle()
        assert shown.app.screen.query(AddressGrid)


async def test_what_is_clicked_is_what_keys_act_on() -> None:
    async with console(await evening(), size=(160, 50), clock=clock()) as shown:
        await shown.press("enter")
        screen = shown.app.screen
        assert isinstance(screen, NetworkScreen)
        await shown.pilot.click("#attached", offset=(4, 0))
        await shown.settle()
        assert screen.has_class("-at2")
        # The filter is that of the list now, not the search of the map.
        await shown.press("slash", *"nothing has this name", "enter")
        assert "No name matches." in shown.frame
        await shown.press("escape")
        await shown.pilot.click("#grid", offset=(9, 3))
        await shown.settle()
        assert screen.has_class("-at1")


@pytest.mark.parametrize(("page", "pane"), [("w", 2), ("d", 2)])
async def test_a_click_into_a_pane_enters_it(page: str, pane: int) -> None:
    async with console(await evening(), size=(80, 24), clock=clock()) as shown:
        await shown.press(page)
        await shown.settle()
        assert isinstance(shown.app.screen, WhyScreen | JournalScreen)
        await shown.pilot.click(f"#pane{pane}", offset=(6, 2))
        await shown.settle()
        assert shown.app.screen.has_class(f"-at{pane}")


async def test_a_click_on_a_key_of_the_footer_does_what_the_key_does() -> None:
    async with console(await evening(), clock=clock()) as shown:
        await click_key(shown, "s sort")
        assert ", by name" in shown.frame
        await click_key(shown, "w why")
        assert page_of(shown) is WhyScreen
        await click_key(shown, "esc back")
        assert page_of(shown) is OverviewScreen
        await click_key(shown, "? help")
        assert page_of(shown) is HelpDialog
        await click_key(shown, "esc close")
        assert page_of(shown) is OverviewScreen
        await click_key(shown, "q quit")
        assert not shown.app.is_running


async def test_the_wheel_scrolls_lists_texts_and_the_map() -> None:
    async with console(await evening(), size=(80, 24), clock=clock()) as shown:
        await shown.press("enter")
        grid = shown.app.screen.query_one(AddressGrid)
        before = grid.cursor
        await wheel(shown, grid)
        assert grid.cursor == before + grid.shape.in_row
        await shown.press("escape", "w")
        await shown.until(lambda frame: "STATE" in frame)
    async with console(await evening(), size=(60, 20), clock=clock()) as shown:
        await shown.press("question_mark")
        text = shown.app.screen.query_one(TextView)
        await wheel(shown, text)
        assert text.scroll_offset.y > 0
