"""What is worst is in sight: in each pane, whatever was done in it before."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from textual.events import MouseScrollDown

from console.diagnosis.quiescence.values import Blocker, Check, CheckState, Report
from console.diagnosis.values import Severity
from console.monitor.values import AssessedSnapshot, Feed, MonitorState
from console.settings import Settings
from console.swarm.model import SwarmState
from screens.present.text import ASCII, UNICODE, Row
from screens.tui.panes.lists import FindingsPane, PaneRows, QuietPane
from screens.tui.panes.overlays import OverlayLine, Overlays
from screens.tui.widgets.pane import Pane
from screens.tui.widgets.row_view import MARGIN
from screens.tui.widgets.rows import Rows
from tests.support.console_driver import ConsoleDriver, console
from tests.support.frames import frame_of
from tests.support.monitor_states import monitor_state
from tests.support.swarms import NOW, network, swarm
from tests.support.widget_host import host_widget, visible_lines

NETWORKS = 40


def crowded(full: Iterable[int] = (), *, is_proxy_full: bool = False) -> SwarmState:
    """Return the proxy and 40 other networks, of which these are full."""
    full = set(full)

    def numbered(place: int) -> str:
        return f"10.0.{100 + place}.0/28"

    return swarm(
        [
            network("proxy", "10.0.1.0/28", use={"10.0.1.0/28": (16, 0) if is_proxy_full else (3, 13)}),
            *(
                network(
                    f"net{place:02}",
                    numbered(place),
                    use={numbered(place): (16, 0) if place in full else (3, 13)},
                )
                for place in range(NETWORKS)
            ),
        ],
        api=(1, 52),
    )


def look_of(state: SwarmState) -> Feed[AssessedSnapshot]:
    return monitor_state(state, earlier=state).snapshot


def scene_of(state: SwarmState) -> MonitorState:
    return monitor_state(state, earlier=state)


def rows_in(visible_lines: ConsoleDriver, kind: type[Pane]) -> Rows:
    return visible_lines.app.screen.query_one(kind).query_one(Rows)


def names_of(visible_lines: ConsoleDriver) -> list[str]:
    """Return the networks in sight, from above."""
    rows = rows_in(visible_lines, Overlays)
    height = rows.scrollable_content_region.height
    lines = [rows.render_line(y).text[MARGIN:] for y in range(height)]
    return [each.split()[1 if each[0] in "!*?" else 0] for each in lines if each.strip()]


def chosen(visible_lines: ConsoleDriver) -> str:
    """Return the network under the cursor."""
    row = rows_in(visible_lines, Overlays).current
    assert row is not None
    assert isinstance(row.value, OverlayLine)
    return row.value.figures.name


def numbered(count: int, severity: Severity = Severity.OK, *, first: int = 0) -> list[Row]:
    names = (f"row{place:03}" for place in range(first, first + count))
    return [Row(name, ((name, ""),), None, severity) for name in names]


async def test_what_becomes_worst_is_in_sight_though_the_operator_had_gone_elsewhere() -> None:
    async with console(scene_of(crowded())) as seen:
        await seen.press("G")
        assert "proxy" not in names_of(seen)
        seen.monitor.publish(snapshot=look_of(crowded({17})))
        await seen.until(lambda text: "! net17" in text)
        assert names_of(seen)[:2] == ["proxy", "net17"]
        assert chosen(seen) == "net39"


async def test_a_cursor_that_was_left_behind_comes_back_before_anything_is_opened() -> None:
    async with console(scene_of(crowded())) as seen:
        await seen.press("G")
        seen.monitor.publish(snapshot=look_of(crowded({17})))
        await seen.until(lambda text: "! net17" in text)
        await seen.press("enter")
        assert len(seen.app.screen_stack) == 1
        assert "net39" in names_of(seen)
        await seen.press("enter")
        assert "net39 10.0.139.0/28" in seen.frame


async def test_a_view_at_the_top_stays_at_the_top() -> None:
    rows = Rows(is_worst_first=True)
    async with host_widget(rows, 40, 10) as pilot:
        rows.show(numbered(20, Severity.WARNING, first=20))
        await pilot.press("j")
        # All of these come above the row under the cursor, and are no worse than what was there.
        rows.show([*numbered(20, Severity.WARNING), *numbered(20, Severity.WARNING, first=20)])
        assert visible_lines(rows)[:2] == ["row000", "row001"]
        assert rows.cursor == 21


async def test_a_reader_further_down_is_left_alone_until_another_row_is_critical() -> None:
    async with console(scene_of(crowded({5, 6}))) as seen:
        await seen.press("G")
        assert "(2 !)" in frame_of(seen.app)[2]
        before = names_of(seen)
        seen.monitor.publish(snapshot=look_of(crowded({5})))
        await seen.until(lambda text: "(1 !)" in text)
        # There is one finding less, so the list has a line more.
        assert names_of(seen)[-len(before) :] == before
        seen.monitor.publish(snapshot=look_of(crowded({5, 6})))
        await seen.until(lambda text: "! net06" in text)
        assert names_of(seen)[:3] == ["proxy", "net05", "net06"]
        assert chosen(seen) == "net39"


async def test_a_pane_without_the_keys_shows_its_top() -> None:
    async with console(scene_of(crowded(range(20)))) as seen:
        await seen.press("2", "G")
        findings = rows_in(seen, FindingsPane)
        assert findings.scroll_offset.y > 0
        own = findings.current
        await seen.press("1")
        assert findings.scroll_offset.y == 0
        seen.monitor.publish(snapshot=look_of(crowded(range(30))))
        await seen.until(lambda text: "2 Findings ─ 60 " in text)
        assert findings.scroll_offset.y == 0
        await seen.press("2")
        # The keys are back, and so is what they act on.
        assert findings.is_cursor_visible
        assert findings.current is not None
        assert own is not None
        assert findings.current.key == own.key


async def test_when_a_filter_is_cleared_the_worst_is_in_sight() -> None:
    async with console(scene_of(crowded({3}))) as seen:
        await seen.press("slash", *"net39", "enter")
        assert names_of(seen) == ["net39"]
        await seen.press("escape")
        assert names_of(seen)[:2] == ["proxy", "net03"]
        assert rows_in(seen, Overlays).cursor == 0
        # A row that was chosen among those found stays chosen.
        await seen.press("slash", *"net3", "enter", "j", "escape")
        assert names_of(seen)[:2] == ["proxy", "net03"]
        assert chosen(seen) == "net31"


async def test_after_a_click_what_becomes_worst_is_in_sight() -> None:
    async with console(scene_of(crowded())) as seen:
        await seen.pilot.click(PaneRows, offset=(4, 3))
        await seen.settle()
        assert chosen(seen) == "net02"
        seen.monitor.publish(snapshot=look_of(crowded({17, 18, 19, 20, 21, 22, 23})))
        await seen.until(lambda text: "! net17" in text)
        assert names_of(seen)[:2] == ["proxy", "net17"]


async def test_a_click_chooses_the_row_under_the_mouse_though_the_cursor_was_far_below() -> None:
    async with console(scene_of(crowded(range(20)))) as seen:
        await seen.press("2", "G", "1")
        findings = rows_in(seen, FindingsPane)
        await seen.pilot.click(findings, offset=(4, 1))
        await seen.settle()
        assert findings.cursor == 1
        assert findings.has_focus


async def test_a_wheel_takes_the_keys_along_so_that_what_is_read_stays() -> None:
    rows = PaneRows()
    async with host_widget(rows, 40, 10) as pilot:
        rows.show(numbered(50, Severity.WARNING))
        pilot.app.set_focus(None)
        await pilot.pause()
        rows.post_message(MouseScrollDown(rows, 3, 3, 0, 1, 0, shift=False, meta=False, ctrl=False))
        for _ in range(3):
            await pilot.pause()
        assert rows.has_focus
        assert rows.scroll_offset.y > 0


@pytest.mark.parametrize("name", ["proxy", "net20"])
async def test_the_network_of_interest_is_always_the_first_row(name: str) -> None:
    settings = replace(Settings(), network=name)
    async with console(scene_of(crowded({3, 4})), settings=settings) as seen:
        assert names_of(seen)[:3] == [name, "net03", "net04"]
        assert f"41, worst first after {name}" in seen.frame
        seen.monitor.publish(snapshot=look_of(crowded()))
        await seen.until(lambda text: "worst first after" not in text)
        assert names_of(seen)[0] == name
        assert "41, worst first" in seen.frame


async def test_what_is_out_of_sight_is_counted_in_the_title() -> None:
    async with console(scene_of(crowded())) as seen:
        rows = rows_in(seen, Overlays)
        height = rows.scrollable_content_region.height
        title = frame_of(seen.app)[2]
        assert f" ▼ {NETWORKS + 1 - height} below " in title
        assert "above" not in title
        await seen.press(*["j"] * (height + 4))
        title = frame_of(seen.app)[2]
        assert f" ▲ 5 above ▼ {NETWORKS + 1 - height - 5} below " in title
        await seen.press("G")
        title = frame_of(seen.app)[2]
        assert f" ▲ {NETWORKS + 1 - height} above " in title
        assert "below" not in title
        await seen.press("slash", *"net39", "enter")
        assert "above" not in frame_of(seen.app)[2]
    async with console(scene_of(crowded()), glyphs=ASCII) as seen:
        await seen.press(*["j"] * (height + 4))
        assert f" ^ 5 above v {NETWORKS + 1 - height - 5} below " in frame_of(seen.app)[2]


async def test_blocks_that_give_way_to_a_map_are_not_counted_as_out_of_sight() -> None:
    async with console(scene_of(swarm([network("large", "10.8.0.0/16")]))) as seen:
        await seen.press("enter")
        assert " below " in frame_of(seen.app)[2]
        await seen.press("enter")
        assert " below " not in frame_of(seen.app)[2]
        await seen.press("escape")
        assert " below " in frame_of(seen.app)[2]


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (60, "─ 7 Pane ─ of it ───────────── ▲ 40 above (9 !) ▼ 50 below ─"),
        (44, "─ 7 Pane ─ of… ▲ 40 above (9 !) ▼ 50 below ─"),
        (36, "─ 7 Pane ─… ▲ 40 above! ▼ 50 below ─"),
        (24, "─ 7 Pane ─… ▲ 40! ▼ 50 ─"),
        (12, "─ 7 Pane ─ …"),
    ],
)
async def test_where_room_is_short_the_marks_are_shorter_and_the_name_of_the_pane_stays(
    width: int, said: str
) -> None:
    pane = Pane(7, "Pane", rows := Rows(), glyphs=UNICODE)
    async with host_widget(pane, width, 11) as pilot:
        pane.title.show((("of it", ""),))
        rows.focus()
        rows.show([*numbered(9, Severity.CRITICAL), *numbered(91, first=9)])
        await pilot.press(*["j"] * 49)
        await pilot.pause()
        assert visible_lines(pane.title)[0] == said


async def test_in_a_list_beside_its_explanation_a_rise_brings_the_view_back_too() -> None:
    rows = Rows(is_worst_first=True)
    async with host_widget(rows, 40, 10) as pilot:
        rows.show(numbered(50, Severity.WARNING))
        await pilot.press("G")
        critical = [*numbered(1, Severity.CRITICAL), *numbered(49, Severity.WARNING, first=1)]
        rows.show(critical)
        assert visible_lines(rows)[0] == "row000"
        assert rows.cursor == 49
        await pilot.press("k")
        assert rows.cursor == 48
        assert rows.is_cursor_visible
        # What was critical before is no rise.
        rows.show([*critical, *numbered(1, first=50)])
        assert rows.is_cursor_visible


async def test_what_blocks_quiet_is_in_sight_as_soon_as_it_does() -> None:
    def report(*states: CheckState) -> Feed[Report]:
        checks = (
            Check(
                f"c{place}",
                f"check {place}",
                each,
                (Blocker("web", "is busy"),) if each is CheckState.STUCK else (),
            )
            for place, each in enumerate(states)
        )
        return Feed(Report(NOW, tuple(checks)), 100.0)

    async with console(replace(scene_of(crowded()), quiet=report(*[CheckState.QUIET] * 20))) as seen:
        await seen.press("4", "G")
        assert "check 19" in seen.frame
        seen.monitor.publish(
            quiet=report(*[CheckState.QUIET] * 10, CheckState.STUCK, *[CheckState.QUIET] * 9)
        )
        frame = await seen.until(lambda text: "! check 10: web is busy" in text)
        assert "check 19" not in frame
        assert rows_in(seen, QuietPane).cursor == 19


async def test_where_not_all_have_room_the_worst_is_told_whole_and_what_is_cut_says_so() -> None:
    def report(*names: str) -> Feed[Report]:
        checks = (Check(name, name, CheckState.STUCK, (Blocker("web", "waits " * 12),)) for name in names)
        return Feed(Report(NOW, tuple(checks)), 100.0)

    async with console(replace(scene_of(crowded()), quiet=report("a", "b", "c", "d"))) as seen:
        rows = rows_in(seen, QuietPane)
        height = rows.scrollable_content_region.height
        assert height == 6
        lines = visible_lines(rows)
        assert [each[:4] for each in lines] == ["! a:", "  wa", "  wa", "! b:", "! c:", "! d:"]
        assert [each.endswith("…") for each in lines] == [False] * 3 + [True] * 3
