"""The screen of a run while a step is under way: above the fold at 80x24, drawn every second, and only then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest

from console.runbook.run.view import StoredRun
from screens.tui.runbook import RunbookScreen
from screens.tui.widgets.line_view import LineView
from tests.support.console_driver import ManualClock
from tests.support.frames import compare_body, frame_of
from tests.support.monitor_states import SIZES, environment, host_screen, monitor_state, settle
from tests.support.paper_window import PaperWindow, finished_run, run_in_outage, time_at

AT_S = 242


@asynccontextmanager
async def outage_screen(run: StoredRun, size: tuple[int, int] = (80, 24)) -> AsyncIterator[SimpleNamespace]:
    """Show a run at 42 s after its outage began."""
    clock = ManualClock(time_at(AT_S))
    screen = RunbookScreen(replace(environment(), clock=clock), may_decide=True)
    async with host_screen(screen, monitor_state(), size) as (app, pilot):
        screen.take(run)
        await settle(app, pilot)
        yield SimpleNamespace(screen=screen, app=app, pilot=pilot, clock=clock)


def frame(shown: SimpleNamespace) -> str:
    return "\n".join(frame_of(shown.app))


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_an_outage_at_every_size(width: int, height: int) -> None:
    async with outage_screen(run_in_outage(), (width, height)) as shown:
        compare_body(f"outage-{width}x{height}", shown.app)


async def test_all_of_an_outage_is_above_the_fold_and_the_steps_come_back_with_a_key() -> None:
    run = run_in_outage(pulse_at=time_at(241), engine_silent_since=time_at(217))
    async with outage_screen(run) as shown:
        text = frame(shown)
        for part in ("5 of 6 services DOWN for 0:41", "engine silent for 25 s", "DOWN 5", "way-back.sh"):
            assert part in text
        assert "1 Steps" not in text
        await shown.pilot.press("1")
        await settle(shown.app, shown.pilot)
        assert "1 Steps" in frame(shown)
        # Who reads another step still sees who is down.
        await shown.pilot.press("k")
        await settle(shown.app, shown.pilot)
        assert "5 of 6 services DOWN for 0:41" in frame(shown)


async def test_it_is_drawn_every_second_while_something_runs_and_only_then() -> None:
    async with outage_screen(run_in_outage()) as shown:
        assert shown.screen.is_ticking
        shown.clock.pass_by(5)
        async with asyncio.timeout(60):
            while "5 of 6 services DOWN for 0:46" not in frame(shown):
                await shown.pilot.pause(0.02)
        shown.screen.take(finished_run())
        await settle(shown.app, shown.pilot)
        assert not shown.screen.is_ticking
        assert "UP: 6 of 6, as before" in frame(shown)


async def test_it_is_never_dimmed_because_the_engine_is_silent() -> None:
    async with outage_screen(run_in_outage()) as shown:
        shown.screen.set_class(True, "-stale")
        await settle(shown.app, shown.pilot)
        assert not [
            view for view in shown.screen.query("Pane LineView").results(LineView) if view.rich_style.dim
        ]


async def test_a_dead_runner_stops_the_second_hand_and_is_told_first() -> None:
    run = run_in_outage()
    async with outage_screen(replace(run, live=replace(run.live, is_alive=False))) as shown:
        assert not shown.screen.is_ticking
        assert "RUNNER GONE." in frame_of(shown.app)[4]


async def test_when_the_outage_is_over_the_steps_are_shown_again() -> None:
    async with outage_screen(run_in_outage()) as shown:
        window = PaperWindow()
        window.up_to_outage(is_confirmed=False)
        shown.screen.take(window.stored)
        await settle(shown.app, shown.pilot)
        assert "1 Steps" in frame(shown)
