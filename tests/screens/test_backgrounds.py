"""Every page stands on the terminal's own background, whether that is dark or light."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from console.runbook.run.view import StoredRun
from console.simulator.engine import DEFAULT_DATE
from screens.tui.app import OwnRun
from tests.support.console_driver import ManualClock, console
from tests.support.frames import own_backgrounds
from tests.support.paper_window import run_in_outage, time_at
from tests.support.pictures import AT_S, evening

SIZES = [(80, 24), (120, 35), (160, 50)]
PAGES = {
    "overview": (),
    "network": ("enter",),
    "network, map": ("enter", "n"),
    "help": ("question_mark",),
    "why": ("w",),
    "journal": ("j",),
    "palette": ("colon", "h", "o"),
    "filter": ("slash", "p"),
}


@pytest.mark.parametrize("size", SIZES)
async def test_no_page_has_a_background_of_its_own(size: tuple[int, int]) -> None:
    state = await evening()
    for page, keys in PAGES.items():
        async with console(state, size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
            await shown.press(*keys)
            await shown.settle()
            assert own_backgrounds(shown.app) == set(), page


@pytest.mark.parametrize("size", SIZES)
async def test_the_page_of_a_run_has_no_background_of_its_own(size: tuple[int, int]) -> None:
    run = run_in_outage()

    async def runs() -> AsyncGenerator[StoredRun]:
        yield run
        await asyncio.Event().wait()

    async def decide(*_: object) -> None:
        raise AssertionError("nothing is decided here")

    own_run = OwnRun(run.view.header.run_id, decide)
    clock = ManualClock(time_at(242), AT_S)
    async with console(await evening(), size=size, clock=clock, runs=runs, own=own_run) as shown:
        await shown.settle()
        assert "DOWN" in shown.frame
        assert own_backgrounds(shown.app) == set()
