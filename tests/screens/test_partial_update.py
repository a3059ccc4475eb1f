"""Of a line that changes only what differs is sent, and it looks as if all of it were."""

from dataclasses import replace
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from textual._compositor import ChopsUpdate
from textual.geometry import Region
from textual.strip import Strip

from console.diagnosis.quiescence.values import Blocker, Check, CheckState, Report
from console.monitor.values import Feed
from screens.present.text import DIM, STRONG, Row
from screens.tui.partial_update import PartialUpdate
from screens.tui.widgets.line_view import changed_columns
from screens.tui.widgets.row_view import MARGIN
from screens.tui.widgets.rows import Rows
from tests.support.console_driver import console
from tests.support.emulator import screen_of
from tests.support.monitor_states import monitor_state
from tests.support.swarms import NOW
from tests.support.widget_host import host_widget, visible_lines

MONOCHROME = Console(color_system=None, force_terminal=True)


async def test_of_a_line_only_what_differs_is_sent() -> None:
    regions: list[Region] = []

    class Counting(Rows):
        def refresh(self, *changed: Region, **options: Any) -> Self:
            regions.extend(changed)
            return super().refresh(*changed, **options)

    def clock(time: str, ending: str = "|end") -> list[Row]:
        return [
            Row("first", (("first", ""),)),
            Row("clock", (("left ", ""), ("live", STRONG), (time, ""), (ending, DIM))),
        ]

    widget = Counting()
    async with host_widget(widget, 40, 10) as pilot:
        widget.show(clock(" 21:45"))
        await pilot.pause()
        for time, changed in (
            (" 21:46", Region(MARGIN + 9, 1, 6, 1)),
            # What is wide takes two columns.
            (" \u6642:46", Region(MARGIN + 9, 1, 6, 1)),
            (" 9:46", Region(MARGIN + 9, 1, widget.row_width - 9, 1)),
        ):
            regions.clear()
            widget.show(clock(time))
            assert regions == [changed]
            await pilot.pause()
            assert visible_lines(widget)[1] == f"left live{time}|end"
        regions.clear()
        widget.show(clock(" 9:46"))
        assert regions == []


async def test_a_pane_that_would_like_more_lines_than_there_are_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    regions: list[Region] = []

    def counting(update: ChopsUpdate) -> PartialUpdate:
        regions.extend(Region(begin, y, end - begin, 1) for y, begin, end in update.spans)
        return PartialUpdate(update.chops, update.spans, update.chop_ends)

    def report(words: int) -> Report:
        waits = (Blocker("ghost_app", "waits for an address " * words),)
        busy = [
            Check(f"busy{number}", f"check {number}", CheckState.BUSY, waits if number == 19 else ())
            for number in range(20)
        ]
        return Report(NOW, tuple(busy))

    async with console(replace(monitor_state(), quiet=Feed(report(1), 100.0)), size=(80, 24)) as shown:
        await shown.settle()
        monkeypatch.setattr(PartialUpdate, "of", counting)
        shown.monitor.publish(quiet=Feed(report(9), 101.0))
        await shown.settle()
    assert regions == []


@given(
    st.lists(st.text("ab\u6642 ", max_size=3), max_size=6),
    st.lists(st.text("ab\u6642 ", max_size=3), max_size=6),
)
def test_a_line_of_which_the_changed_columns_are_sent_looks_as_a_new_one(
    before: list[str], now: list[str]
) -> None:
    width = 20
    old, new = (Strip([Segment(text) for text in texts]).adjust_cell_length(width) for texts in (before, now))
    spans = list(changed_columns(old, new, width))
    if not spans:
        assert (old.text, old.cell_length) == (new.text, new.cell_length)
        return
    ((begin, end),) = spans
    assert 0 <= begin < end <= width
    whole = ChopsUpdate([{0: old}], [(0, 0, width)], [[width]])
    part = ChopsUpdate([{0: new}], [(0, begin, end)], [[width]])
    sent = "".join(PartialUpdate.of(update).render_segments(MONOCHROME) for update in (whole, part))
    assert screen_of(sent.encode(), (width, 1)) == [new.text.rstrip()]


def test_a_repaint_sends_nothing_left_of_what_changed() -> None:
    left, right = (Strip([Segment(text)]) for text in ("left 21:45 |", "right"))
    chops: list[dict[int, Strip | None]] = [{0: left, 12: right}, {0: left, 12: None}]
    update = ChopsUpdate(chops, [(0, 8, 14), (1, 5, 10)], [[12, 17], [12, 17]])
    at = {
        (column, line): Control.move_to(column, line).segment.text
        for column, line in ((8, 0), (12, 0), (5, 1))
    }
    assert PartialUpdate.of(update).render_segments(MONOCHROME) == (
        f"{at[8, 0]}45 |{at[12, 0]}ri{at[5, 1]}21:45"
    )
