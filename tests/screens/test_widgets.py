"""Lists, logs, words and the address map, each on a stage of its own."""

import dataclasses
from collections.abc import Hashable
from datetime import UTC

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from console.addresses.accounting import account
from console.addresses.map import AddressMap, map_network
from console.journal.matching import LogEvent
from console.monitor.values import Line
from screens.present.addresses import ASCII_LETTERS
from screens.present.journal import is_trouble
from screens.present.text import Paragraph, Row, Spans, paragraph, text_of
from screens.tui.widgets.address_map import AddressGrid, shape_for
from screens.tui.widgets.line_view import length, wrap
from screens.tui.widgets.log_lines import LogLines
from screens.tui.widgets.pane import TextView
from screens.tui.widgets.row_view import RowView
from screens.tui.widgets.rows import Rows
from tests.support.logs import CHATTER, NO_ADDRESS, STRANGE, log
from tests.support.swarms import network, service, swarm
from tests.support.widget_host import WidgetHost, host_widget, visible_lines


def rows(*names: str, suffix: str = "") -> list[Row]:
    return [Row(each, ((f"{each}{suffix}", ""),)) for each in names]


def numbered(count: int, first: int = 0) -> list[Row]:
    return rows(*(f"row{first + each:03}" for each in range(count)))


def key_of(widget: Rows) -> Hashable:
    return None if widget.current is None else widget.current.key


def is_following(widget: LogLines) -> bool:
    return widget.is_following


def number_of(widget: LogLines) -> int | None:
    return None if widget.current is None else widget.current.number


async def test_the_cursor_stays_on_its_row_and_the_row_where_it_was_when_others_come_and_go() -> None:
    widget = Rows()
    async with host_widget(widget, 40, 10) as pilot:
        widget.show(numbered(100))
        await pilot.press(*["pagedown"] * 3, "k", "k")
        at = visible_lines(widget).index("row025")
        widget.show(numbered(100, first=-20)[0:10] + numbered(90, first=5))
        assert visible_lines(widget).index("row025") == at
        assert key_of(widget) == "row025"


async def test_when_the_row_under_the_cursor_is_gone_the_cursor_stays_at_its_place() -> None:
    widget = Rows(empty="nothing here")
    async with host_widget(widget, 40, 10) as pilot:
        widget.show(rows("a", "b", "c"))
        await pilot.press("j")
        widget.show(rows("a", "c"))
        assert key_of(widget) == "c"
        widget.show([])
        assert key_of(widget) is None
        assert visible_lines(widget)[0] == "nothing here"
        await pilot.press("j", "enter", "G", "g")


async def test_only_rows_that_look_different_are_painted_again() -> None:
    painted: list[int] = []

    class Counting(Rows):
        def render_line(self, y: int):  # type: ignore[no-untyped-def] # noqa: ANN202 - a Strip
            painted.append(y)
            return super().render_line(y)

    widget = Counting()
    async with host_widget(widget, 40, 10) as pilot:
        widget.show(rows("a", "b", "c"))
        await pilot.pause()
        painted.clear()
        widget.show(rows("a", "b", "c"))
        await pilot.pause()
        assert painted == []
        widget.show([*rows("a"), Row("b", (("changed", ""),)), *rows("c")])
        await pilot.pause()
        assert set(painted) == {1}


async def test_scrolling_by_other_means_takes_the_cursor_along() -> None:
    widget = Rows()
    async with host_widget(widget, 40, 10) as pilot:
        widget.show(numbered(100))
        await pilot.pause()
        widget.scroll_to(y=50, animate=False)
        await pilot.pause()
        assert widget.cursor == 50
        await pilot.click(Rows, offset=(1, 3))
        assert widget.cursor == 53


async def test_a_row_is_opened_by_enter_and_by_a_second_click() -> None:
    widget = Rows()
    async with host_widget(widget, 40, 10) as pilot:
        app = pilot.app
        assert isinstance(app, WidgetHost)
        widget.show(rows("a", "b", "c"))
        await pilot.press("j", "enter")
        await pilot.click(Rows, offset=(1, 2), times=2)
        opened = [each.index for each in app.messages if isinstance(each, RowView.Selected)]
        assert opened == [1, 2]


async def test_a_list_of_any_length_makes_only_the_rows_in_sight() -> None:
    made: set[int] = set()

    class Endless(RowView):
        @property
        def count(self) -> int:
            return 10_000_000

        def row(self, index: int) -> Spans:
            made.add(index)
            return ((f"row {index}", ""),)

        def key(self, index: int) -> Hashable:
            return index

    widget = Endless()
    async with host_widget(widget, 40, 10) as pilot:
        widget.refresh_rows(0)
        await pilot.press("G")
        await pilot.pause()
        assert visible_lines(widget)[-1] == "row 9999999"
        assert len(made) <= 20


async def test_a_log_follows_what_comes_while_its_end_is_in_sight() -> None:
    widget = LogLines(UTC)
    async with host_widget(widget, 60, 6) as pilot:
        widget.show(log([CHATTER] * 20).lines)
        await pilot.pause()
        widget.show(log([CHATTER] * 21 + [NO_ADDRESS]).lines)
        await pilot.pause()
        assert widget.is_following
        assert visible_lines(widget)[-1].startswith('01:59:59 ! msg="Failed allocation')


async def test_whoever_reads_further_up_keeps_the_line_that_is_read() -> None:
    widget = LogLines(UTC)
    async with host_widget(widget, 60, 6) as pilot:
        first = [f'{CHATTER} id="{each}"' for each in range(50)]
        widget.show(log(first).lines)
        await pilot.press("k", "k", "k", "k", "k", "k", "k", "k")
        before = [each[12:] for each in visible_lines(widget)]
        widget.show(log([*first[10:], *[STRANGE] * 30], first=10, dropped=10).lines)
        await pilot.pause()
        assert [each[12:] for each in visible_lines(widget)] == before
        assert is_following(widget) is False
        await pilot.press("G")
        assert is_following(widget) is True
        assert "nobody knows" in visible_lines(widget)[-1]


async def test_what_was_let_go_for_newer_lines_stays_for_whoever_reads_it() -> None:
    widget = LogLines(UTC)
    async with host_widget(widget, 60, 6) as pilot:
        widget.show(log([f'{CHATTER} id="{each}"' for each in range(50)]).lines)
        await pilot.press("k", "k", "k")
        before = visible_lines(widget)
        widget.show(log([STRANGE] * 50, first=4000, dropped=4000).lines)
        await pilot.pause()
        assert visible_lines(widget) == before
        assert widget.newer_count == 4000
        # Past the end of what was held it goes on with the oldest that there is.
        await pilot.press("j", "j", "j", "j")
        assert number_of(widget) == 4000
        assert widget.newer_count == 0


async def test_e_finds_errors_both_ways_and_says_when_there_is_none() -> None:
    widget = LogLines(UTC)
    async with host_widget(widget, 60, 6):
        widget.show(log([CHATTER, NO_ADDRESS, CHATTER, STRANGE, CHATTER]).lines)
        assert widget.go_next(is_trouble, -1)
        assert widget.cursor == 3
        assert widget.go_next(is_trouble, -1)
        assert widget.cursor == 1
        assert not widget.go_next(is_trouble, -1)
        assert widget.go_next(is_trouble, 1)
        assert widget.cursor == 3


async def test_a_filter_keeps_the_line_that_is_read_or_the_next_one() -> None:
    widget = LogLines(UTC)
    async with host_widget(widget, 60, 6) as pilot:
        widget.show(log([CHATTER, NO_ADDRESS, CHATTER, NO_ADDRESS, CHATTER]).lines)
        await pilot.press("g", "j", "j")
        widget.filter(lambda line: isinstance(line.meaning, LogEvent))
        assert [each.number for each in widget.lines] == [1, 3]
        assert number_of(widget) == 3
        widget.filter(lambda _: False)
        assert number_of(widget) is None
        await pilot.press("j", "k", "G", "enter")
        widget.filter(None)
        assert widget.count == 5


async def test_thousands_of_lines_cost_what_is_in_sight() -> None:
    made: list[int] = []

    class Counting(LogLines):
        def row(self, index: int) -> Spans:
            made.append(index)
            return super().row(index)

    widget = Counting(UTC)
    async with host_widget(widget, 60, 6) as pilot:
        whole = log([CHATTER] * 5000).lines
        for start in range(0, 5000, 500):
            newer: tuple[Line, ...] = tuple(
                dataclasses.replace(each, number=each.number + start) for each in whole
            )
            widget.show(newer)
        await pilot.pause()
        assert widget.newer_count == 0
        assert len(made) < 500


def small_map(*vips: str, cidr: str = "10.0.1.0/24") -> AddressMap:
    state = swarm(
        [network("proxy", cidr)], [service(f"s{n}", ("id-proxy", each)) for n, each in enumerate(vips)]
    )
    (found,) = map_network(account(state)[0], ())
    return found


async def test_the_map_of_a_24_has_sixteen_rows_of_sixteen() -> None:
    widget = AddressGrid(ASCII_LETTERS)
    async with host_widget(widget, 80, 20) as pilot:
        widget.show(small_map("10.0.1.2", "10.0.1.17"))
        lines = visible_lines(widget)
        assert lines[0] == "     0       4       8       12"
        assert lines[1] == "  .0 - G V" + " ?" * 13
        assert lines[2] == " .16 ? V" + " ?" * 14
        assert lines[16] == ".240" + " ?" * 15 + " -"
        await pilot.press("j", "l", "l")
        assert widget.cursor == int(small_map().pool.subnet.network_address) + 18
        await pilot.press("G")
        assert widget.cursor & 0xFF == 255
        await pilot.press("l", "j", "g", "h", "k")
        assert widget.cursor & 0xFF == 0


@pytest.mark.parametrize(
    ("cidr", "rows_shown"), [("10.0.1.0/28", 1), ("10.0.1.0/29", 1), ("10.0.1.128/25", 8), ("10.0.1.4/32", 1)]
)
async def test_smaller_subnets_have_fewer_cells(cidr: str, rows_shown: int) -> None:
    widget = AddressGrid()
    async with host_widget(widget, 80, 20) as pilot:
        widget.show(small_map(cidr=cidr))
        await pilot.press("j", "l", "G", "pagedown", "k")
        assert len([each for each in visible_lines(widget)[1:] if each]) == rows_shown


async def test_past_the_edge_of_a_block_the_map_goes_on_in_the_next() -> None:
    widget = AddressGrid()
    async with host_widget(widget, 80, 20) as pilot:
        widget.show(small_map("10.0.1.2", cidr="10.0.0.0/16"))
        await pilot.press("G", "l")
        assert widget.block == 1
        assert visible_lines(widget)[1].startswith("  .0 ? ? V")
        await pilot.press("pagedown", "pagedown", "pageup")
        assert widget.block == 2


async def test_the_cursor_of_the_map_stays_on_its_address_when_the_map_changes() -> None:
    widget = AddressGrid()
    async with host_widget(widget, 80, 20) as pilot:
        widget.show(small_map())
        await pilot.press("j", "j")
        widget.show(small_map("10.0.1.9"))
        assert widget.cursor & 0xFF == 32
        assert "V" in visible_lines(widget)[1]


async def test_a_click_on_a_cell_goes_there() -> None:
    widget = AddressGrid()
    async with host_widget(widget, 80, 20) as pilot:
        widget.show(small_map())
        await pilot.pause()
        await pilot.click(AddressGrid, offset=(5 + 2 * 3, 1 + 2))
        assert widget.cursor & 0xFF == 2 * 16 + 3
        await pilot.click(AddressGrid, offset=(70, 19))
        assert widget.cursor & 0xFF == 2 * 16 + 3


async def test_what_a_filter_found_can_be_stepped_through() -> None:
    widget = AddressGrid()
    async with host_widget(widget, 80, 20):
        found = small_map("10.0.1.2", "10.0.1.9")
        hits = found.find("vip")
        widget.show(found, hits)
        stops = [widget.cursor & 0xFF for _ in range(3) if widget.go_next(hits, 1)]
        assert stops == [2, 9, 2]
        assert widget.go_next(hits, -1)
        assert widget.cursor & 0xFF == 9
        assert not widget.go_next((), 1)


@pytest.mark.parametrize(
    ("width", "height", "in_row"), [(80, 18, 16), (38, 17, 16), (60, 12, 32), (80, 10, 32), (160, 40, 16)]
)
def test_the_map_takes_the_roomiest_shape_that_fits(width: int, height: int, in_row: int) -> None:
    shape = shape_for(width, height, 256)
    assert shape.in_row == in_row
    assert shape.width <= width
    assert shape.rows(256) < height


texts = st.text(alphabet=st.sampled_from("ab 宽é[/]\\-"), max_size=60)


@example([("[" * 18, "")], 9, 1)
@given(st.lists(st.tuples(texts, st.sampled_from(("", "bad")))), st.integers(4, 30), st.integers(0, 12))
def test_wrapping_keeps_every_word_and_never_goes_beyond_the_width(
    parts: list[tuple[str, str]], width: int, hang: int
) -> None:
    lines = list(wrap(Paragraph(tuple(parts), hang), width))
    assert all(length(line) <= width for line in lines)
    kept = "".join(text_of(line) for line in lines).replace(" ", "")
    assert kept == "".join(text for text, _ in parts).replace(" ", "")


async def test_words_wrap_anew_when_the_pane_is_resized_and_are_shown_as_they_stand() -> None:
    widget = TextView()
    async with host_widget(widget, 40, 6) as pilot:
        widget.show([paragraph("[/x] [bold]not markup[/] " + "long " * 10, label="do")])
        assert visible_lines(widget)[0] == "do [/x] [bold]not markup[/] long long"
        await pilot.resize_terminal(20, 6)
        await pilot.pause()
        assert all(cell_len(each) <= 20 for each in visible_lines(widget))
        assert visible_lines(widget)[1].startswith("   ")
