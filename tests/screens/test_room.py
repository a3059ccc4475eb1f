"""How the pages use width and height: what is cut says so, names come before bars, and no pane clips what another leaves."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.monitor.values import MonitorState
from console.runbook.run.view import StoredRun
from console.simulator.engine import DEFAULT_DATE
from screens.tui.app import OwnRun
from screens.tui.panes.arrangement import OverviewPanes
from screens.tui.panes.lists import FindingsPane, JournalPane, MonitorPane, RunPane
from screens.tui.panes.overlays import Overlays
from screens.tui.widgets.address_map import AddressGrid
from screens.tui.widgets.fair import AT_LEAST, share
from screens.tui.widgets.line_view import LineView
from screens.tui.widgets.pane import Pane, TextView
from screens.tui.widgets.rows import Rows
from tests.support.console_driver import ConsoleDriver, ManualClock, console
from tests.support.paper_window import run_in_outage, time_at
from tests.support.pictures import AT_S, evening
from tests.support.widget_host import visible_lines

SIZES = [(60, 20), (80, 24), (120, 35), (160, 50), (200, 60)]
IN_BETWEEN = ((120, 35), (200, 60))
WIDE_SIZES = [size for size in SIZES if size[0] >= 120]
HUGE = (320, 120)
"""So large that nothing is cut or wrapped."""
PAGES = {
    "overview": (),
    **{f"overview, pane {number}": (str(number),) for number in range(2, 6)},
    "network": ("enter",),
    **{f"network, pane {number}": ("enter", str(number)) for number in range(2, 7)},
    "why": ("w",),
    "journal": ("d",),
    "run": ("r",),
}


@asynccontextmanager
async def whole_console(size: tuple[int, int]) -> AsyncIterator[ConsoleDriver]:
    """Show the simulated evening and a run that is under way."""
    run = run_in_outage()

    async def runs() -> AsyncGenerator[StoredRun]:
        yield run
        await asyncio.Event().wait()

    async def decide(*_: object) -> None:
        raise AssertionError("nothing is decided here")

    own, clock = OwnRun(run.view.header.run_id, decide), ManualClock(time_at(242), AT_S)
    async with console(await evening(), size=size, clock=clock, runs=runs, own=own) as shown:
        yield shown


async def open_page(shown: ConsoleDriver, page: str) -> None:
    shown.app.action_show_overview()
    await shown.settle()
    await shown.press("1", "g", *PAGES[page])
    # The explanations are worked out on a thread.
    await shown.until(lambda text: "Not read yet" not in text)


def line_views(shown: ConsoleDriver) -> list[LineView]:
    """Return what is on the screen, is made of words, and is not wrapped."""
    return [
        view
        for view in shown.app.screen.query(LineView)
        if not isinstance(view, TextView | AddressGrid)
        and view.region.area
        and view in shown.app.screen._compositor.visible_widgets
    ]


def words_in(text: str) -> set[str]:
    """Return the words of a text; figures and bars differ with the size."""
    words = (re.sub(r"[0-9]+", "0", word) for word in text.replace(";", " ").split())
    return {word for word in words if any(map(str.isalpha, word))}


@pytest.fixture(scope="module")
def known_words() -> set[str]:
    """Every word that any page shows where it has room for all of it."""

    async def collect() -> set[str]:
        words = {"(tab)"}  # only where one pane is shown at a time
        async with whole_console(HUGE) as shown:
            for page in PAGES:
                await open_page(shown, page)
                words |= words_in(shown.frame)
                for rows in shown.app.screen.query(Rows):
                    words |= words_in(rows.text)
        return words

    return asyncio.run(collect())


# Each of them takes seconds. The others are between two of these, or beyond them.
@pytest.mark.parametrize(
    "size", [pytest.param(size, marks=pytest.mark.sweep if size in IN_BETWEEN else ()) for size in SIZES]
)
async def test_what_is_cut_says_so_on_every_page(size: tuple[int, int], known_words: set[str]) -> None:
    async with whole_console(size) as shown:
        for page in PAGES:
            await open_page(shown, page)
            texts = [line for view in line_views(shown) for line in visible_lines(view)]
            cut = {
                word
                for word in words_in("\n".join(texts)) - known_words
                if not ("…" in word and any(known.startswith(word.split("…")[0]) for known in known_words))
            }
            assert not cut, page


@pytest.mark.parametrize("size", WIDE_SIZES)
async def test_names_are_whole_before_bars_grow(size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        lines = visible_lines(shown.app.screen.query_one(Overlays).rows)
        assert len(lines) > 9
        assert not [line for line in lines if "…" in line]
        assert any("_internal" in line for line in lines)


@pytest.mark.parametrize("size", WIDE_SIZES)
async def test_the_holders_are_beside_the_map(size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        await shown.press("enter")
        beside = [
            line for line in shown.frame.splitlines() if re.match(r"[ .0-9]{4} .* V t V t .* traefik ", line)
        ]
        assert len(beside) == 1
        stacks = shown.app.screen.query_one("#pane6", Pane)
        names = {line.split()[0] for line in visible_lines(stacks.query_one(Rows))}
        assert not [name for name in names if "…" in name]


@pytest.mark.parametrize("size", WIDE_SIZES)
async def test_what_is_on_a_network_has_the_width_that_the_map_does_not_need(size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        await shown.press("enter", "2")
        lines = visible_lines(shown.app.screen.query_one("#attached", Rows))
        assert not [line for line in lines if "…" in line]
        assert any("running  .7 .8" in line for line in lines)


@pytest.mark.parametrize("size", SIZES[1:])
async def test_a_pane_without_content_is_a_line_that_says_so(size: tuple[int, int]) -> None:
    async with console(MonitorState(), size=size) as shown:
        panes = shown.app.screen.query(MonitorPane)
        assert [pane.size.height for pane in panes] == [1] * 5
        assert shown.frame.count("─ Not read yet. ─") == 4
        assert "─ 5 Run ─ No maintenance run yet. ─" in shown.frame


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (160, 50)])
async def test_a_log_without_lines_leaves_its_room_to_what_they_mean(size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        await shown.press("d")
        assert shown.app.screen.query_one("#pane3", Pane).size.height == 1
        assert "─ 3 Lines ─ following, no lines ─" in shown.frame


async def test_where_there_is_one_pane_at_a_time_its_text_has_all_the_room() -> None:
    async with console(MonitorState(), size=(60, 20)) as shown:
        lines = (await shown.press("5")).splitlines()
        assert "5 of 5" in lines[2]
        assert lines[3].strip() == "No maintenance run yet."


@pytest.mark.parametrize("size", [(160, 50), (200, 60)])
async def test_findings_are_whole_where_there_is_room(size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        lines = visible_lines(shown.app.screen.query_one(FindingsPane).rows)
        assert not [line for line in lines if line.endswith("…")]
        assert "`vipconsole reclaim --by borrow` gives them back, and no container stops" in " ".join(
            " ".join(lines).split()
        )


async def test_overlays_have_the_whole_side_where_the_other_one_has_room_for_all_else() -> None:
    for size, has_whole_side in (((160, 40), False), ((200, 60), True)):
        async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
            panes = {type(pane): pane for pane in shown.app.screen.query(MonitorPane)}
            overlays, journal, run = (panes[kind].region for kind in (Overlays, JournalPane, RunPane))
            assert (overlays.bottom == run.y) is has_whole_side
            assert (journal.x > overlays.x) is has_whole_side
            assert all(visible_lines(panes[JournalPane].rows))


@pytest.mark.parametrize("size", [(80, 24), (120, 35)])
async def test_findings_wrap_from_the_top_as_far_as_there_is_room(size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        pane = shown.app.screen.query_one(FindingsPane)
        lines = visible_lines(pane.rows)
        assert all(lines), "no line is empty while a finding is cut"
        starts = [place for place, line in enumerate(lines) if line[0] != " "]
        assert len(starts) == 5
        heights = [end - start for start, end in pairwise((*starts, len(lines)))]
        # Those below the first that is cut have a line each.
        cut = next(
            number for number, start in enumerate(starts) if lines[start + heights[number] - 1].endswith("…")
        )
        assert set(heights[cut + 1 :]) <= {1}


class Nodes(MonitorPane):
    """A pane of which the arrangement knows nothing."""

    NUMBER, NAME = 6, "Nodes"

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        return (monitor_state.snapshot.value,)

    def renew(self) -> None:
        self.show([], (), "No node is known yet.")


@pytest.mark.parametrize("size", SIZES)
async def test_another_pane_has_a_place_as_well(size: tuple[int, int]) -> None:
    async with console(await evening(), size=size, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        await shown.app.screen.query_one(OverviewPanes).mount(Nodes(shown.app.environment))
        frame = await shown.press("6")
        assert "6 Nodes" in frame
        assert "No node is known yet." in frame
        # And takes nothing from the others.
        assert ("5 Run" in frame) is (size[0] > 60)


@given(
    st.integers(0, 200),
    st.lists(st.tuples(st.integers(1, 200), st.integers(1, 9)), min_size=1, max_size=6),
)
def test_lines_are_shared_until_none_is_left_or_nobody_needs_more(
    room: int, panes: list[tuple[int, int]]
) -> None:
    wanted = [lines for lines, _ in panes]
    given_lines = share(room, wanted, [weight for _, weight in panes])
    assert all(
        least <= lines <= most
        for lines, most, least in zip(
            given_lines, wanted, [min(lines, AT_LEAST) for lines in wanted], strict=True
        )
    )
    assert sum(given_lines) == max(min(room, sum(wanted)), sum(min(lines, AT_LEAST) for lines in wanted))
