"""The help of each page tells its marks, its columns and its keys, on one screen of 80x24."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from console.monitor.values import MonitorState
from console.runbook.run.view import StoredRun
from console.simulator.engine import DEFAULT_DATE
from screens.present.addresses import BLOCK_HEADINGS, FIGURES, letters_of
from screens.present.text import ASCII, UNICODE, Glyphs
from screens.tui.app import OwnRun
from screens.tui.keys import ASCII_KEY_NAMES, KEY_NAMES, CommandMixin, commands_of
from screens.tui.widgets.heading import Heading
from screens.tui.widgets.pane import TextView
from tests.support.console_driver import ConsoleDriver, ManualClock, console
from tests.support.paper_window import run_in_outage, time_at
from tests.support.pictures import AT_S, evening

PAGES = {
    "overview": (),
    "findings": ("2",),
    "network": ("enter",),
    "on it": ("enter", "2"),
    "setup": ("enter", "4"),
    "stacks": ("enter", "6"),
    "history": ("enter", "7"),
    "why": ("w",),
    "answer": ("w", "2"),
    "journal": ("d",),
    "lines": ("d", "3"),
    "run": ("r",),
}


def keys_of(shown: ConsoleDriver) -> set[str]:
    """Return the names of all keys that the page and what has the focus on it declare."""
    names = ASCII_KEY_NAMES if shown.app.environment.is_ascii else KEY_NAMES
    node = shown.app.screen.focused or shown.app.screen
    owners = [owner for owner in node.ancestors_with_self if isinstance(owner, CommandMixin)]
    keys = {
        key.strip()
        for owner in owners
        for command in commands_of(owner)
        if not command.keys.isdecimal()
        for key in command.keys.split(",")
    }
    # What the footer shows is among them.
    keys |= {
        active.binding.key
        for active in shown.app.screen.active_bindings.values()
        if active.binding.show and not active.binding.key.isdecimal()
    }
    return {names.get(key, key) for key in keys}


def columns_of(shown: ConsoleDriver) -> set[str]:
    return {word for heading in shown.app.screen.query(Heading) for word in heading.columns}


async def open_help(shown: ConsoleDriver) -> str:
    await shown.press("question_mark")
    await shown.settle()
    return shown.app.screen.query_one(TextView).text


def words_of(text: str) -> set[str]:
    return set(text.split())


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("page", PAGES)
async def test_every_key_and_column_of_a_page_is_in_its_help_on_one_screen(page: str, glyphs: Glyphs) -> None:
    async with console(await evening(), clock=ManualClock(DEFAULT_DATE, AT_S), glyphs=glyphs) as shown:
        await shown.press(*PAGES[page])
        await shown.settle()
        keys, columns = keys_of(shown), columns_of(shown)
        text = await open_help(shown)
        assert keys <= words_of(text)
        for column in columns:
            assert column in text
        assert shown.app.screen.query_one(TextView).max_scroll_y == 0
        # Nothing is cut: all lines of the help are on the screen.
        assert len(text.splitlines()) <= 22
        assert all(line.rstrip() in shown.frame for line in text.splitlines())
        assert "Help" not in await shown.press("escape")


async def test_the_overview_has_each_figure_and_mark_explained() -> None:
    async with console(await evening(), clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        text = await open_help(shown)
        for word in ("NETWORK", "SUBNET", "IN USE", *FIGURES, "TREND", "! * ? -", "STALE", "≥ 4", "11*"):
            assert word in text


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
async def test_a_network_has_each_letter_of_its_map_explained(glyphs: Glyphs) -> None:
    async with console(await evening(), clock=ManualClock(DEFAULT_DATE, AT_S), glyphs=glyphs) as shown:
        await shown.press("enter")
        text = await open_help(shown)
        assert set(letters_of(glyphs).values()) <= words_of(text)
        assert set(BLOCK_HEADINGS.split()) <= words_of(text)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 35), (160, 50)])
async def test_no_line_is_wider_than_the_screen_and_a_low_one_scrolls(size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        text = await open_help(shown)
        assert max(map(len, text.splitlines())) <= size[0] - 3
        await shown.press("G")
        assert "ctrl+z" in shown.frame
        assert "esc close" in shown.frame


async def test_the_page_of_a_run_that_may_be_decided_fits_too() -> None:
    run = run_in_outage()

    async def runs() -> AsyncGenerator[StoredRun]:
        yield run
        await asyncio.Event().wait()

    async def decide(*_: object) -> None:
        raise AssertionError("nothing is decided here")

    own_run = OwnRun(run.view.header.run_id, decide)
    clock = ManualClock(time_at(242), AT_S)
    async with console(await evening(), clock=clock, runs=runs, own=own_run) as shown:
        await shown.settle()
        keys = keys_of(shown)
        assert keys <= words_of(await open_help(shown))
        assert shown.app.screen.query_one(TextView).max_scroll_y == 0


async def test_without_an_engine_there_is_help() -> None:
    async with console(MonitorState()) as shown:
        assert "ctrl+l" in await open_help(shown)
