"""A word that confirms: what counts as meant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events

from console.monitor.values import Scene
from screens.present.text import says
from screens.tui.dialogs import Confirming, WordField
from screens.tui.keys import PAUSE_S
from tests.support.shown_console import Shown, console

WORD = "proxy"


@asynccontextmanager
async def asked() -> AsyncIterator[tuple[Shown, list[bool | None]]]:
    """Show the dialog, and give what it was answered."""
    answers: list[bool | None] = []
    async with console(Scene()) as shown:
        shown.app.push_screen(
            Confirming("Recreate", [says("This stops every route.")], WORD, shown.app.around), answers.append
        )
        await shown.settle()
        yield shown, answers


async def type_slowly(shown: Shown, *keys: str) -> None:
    for key in keys:
        shown.clock.pass_by(PAUSE_S)
        await shown.pilot.press(key)
    await shown.settle()


async def test_the_word_and_then_enter_confirm() -> None:
    async with asked() as (shown, answers):
        assert "Type proxy to go on" in shown.frame
        await type_slowly(shown, *WORD, "enter")
        assert answers == [True]


async def test_its_first_answer_is_no() -> None:
    async with asked() as (shown, answers):
        await type_slowly(shown, "enter")
        assert answers == [False]


@pytest.mark.parametrize("key", ["escape"])
async def test_escape_is_no_even_behind_the_word(key: str) -> None:
    async with asked() as (shown, answers):
        await type_slowly(shown, *WORD, key)
        assert answers == [False]


async def test_another_word_confirms_nothing_and_is_forgotten() -> None:
    async with asked() as (shown, answers):
        await type_slowly(shown, *"proxi", "enter")
        assert answers == []
        assert "that was another word" in shown.frame
        await type_slowly(shown, *WORD, "enter")
        assert answers == [True]


async def test_enter_held_down_from_before_neither_confirms_nor_cancels() -> None:
    async with asked() as (shown, answers):
        for _ in range(30):
            shown.clock.pass_by(0.03)
            await shown.pilot.press("enter")
        await shown.settle()
        assert answers == []
        assert "Type proxy to go on" in shown.frame


async def test_what_was_typed_before_it_came_is_thrown_away() -> None:
    async with asked() as (shown, answers):
        await shown.pilot.press(*WORD, "enter")
        await shown.settle()
        assert answers == []
        await type_slowly(shown, *WORD, "enter")
        assert answers == [True]


async def test_a_paste_that_comes_as_keys_confirms_nothing() -> None:
    async with asked() as (shown, answers):
        shown.clock.pass_by(10)
        await shown.pilot.press(*WORD, "enter", *WORD, "enter")
        await shown.settle()
        assert answers == []
        assert "enter again" in shown.frame or "another word" in shown.frame


async def test_a_paste_is_refused_and_says_so() -> None:
    async with asked() as (shown, answers):
        shown.clock.pass_by(10)
        shown.app.screen.query_one(WordField).post_message(events.Paste(f"{WORD}\n"))
        await shown.settle()
        assert "a paste does not count" in shown.frame
        await type_slowly(shown, "enter")
        assert True not in answers
