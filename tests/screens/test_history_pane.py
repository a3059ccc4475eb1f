"""The chart of a network's page and the TREND column of the overview, driven as an operator drives them."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from console.addresses.forecast import Point, Trend
from console.monitor.values import MonitorState
from console.swarm.model import SwarmState
from screens.present.chart import draw_chart
from screens.present.text import ASCII, UNICODE, Glyphs
from screens.tui.network import NetworkScreen
from tests.support.console_driver import ConsoleDriver, console
from tests.support.frames import compare_body, frame_of
from tests.support.monitor_states import environment, host_screen, monitor_state
from tests.support.swarms import NOW, entry, network, service, swarm, task
from tests.support.use import growing

PROXY = "id-proxy"
LEAK = entry(PROXY, "10.0.1.99", ended_at=NOW - timedelta(hours=5))
WEEK = growing(100, 230, 23, span=timedelta(days=6), entries=())
SIZES = ((60, 20), (80, 24), (120, 35), (160, 50), (200, 60))
SPARK = re.compile("[▁▂▃▄▅▆▇█]{8}")


def state() -> SwarmState:
    hosts = range(2, 232, 2)
    proxy = network("proxy", "10.0.1.0/24", load_balancer="10.0.1.250", peers=1)
    others = [
        network(f"a-network-with-a-long-name-{number}", f"10.0.{number}.0/24") for number in range(2, 5)
    ]
    return swarm(
        [proxy, *others],
        [service(f"s{host}_app", (PROXY, f"10.0.1.{host}")) for host in hosts],
        [task(f"s{host}_app", (PROXY, f"10.0.1.{host + 1}")) for host in hosts],
    )


def watched(trend: Trend | None = WEEK) -> MonitorState:
    trends = {} if trend is None else {PROXY: trend}
    made = monitor_state(state(), trends=trends)
    return replace(made, leak_log=replace(made.leak_log, entries=(LEAK,)))


def screen(glyphs: Glyphs = UNICODE) -> NetworkScreen:
    return NetworkScreen(environment(glyphs), PROXY)


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_the_chart_at_every_size(width: int, height: int) -> None:
    async with host_screen(screen(), watched(), (width, height)) as (app, pilot):
        await pilot.press("7")
        await pilot.pause()
        frame = frame_of(app)
        assert any("full in about 1" in line or "full in about 2" in line for line in frame)
        assert any(line.startswith("253 ") for line in frame)
        assert any("now" in line for line in frame)
        assert all(len(line) <= width for line in frame)
        compare_body(f"history-{width}x{height}", app)


async def test_a_key_and_the_mouse_change_the_time() -> None:
    async with host_screen(screen(), watched()) as (app, pilot):
        await pilot.press("7")
        await pilot.pause()
        assert frame_of(app)[3].startswith("[24 h]  7 d   60 d")
        await pilot.press("t")
        assert frame_of(app)[3].startswith(" 24 h  [7 d]  60 d")
        await pilot.press("t", "t")
        assert frame_of(app)[3].startswith("[24 h]")
        await pilot.click("#chart", offset=(15, 0))
        await pilot.pause()
        assert frame_of(app)[3].startswith(" 24 h   7 d  [60 d]")
        assert any("?" * 20 in line for line in frame_of(app))


async def test_leaks_and_the_forecast_are_drawn_and_told_apart() -> None:
    async with host_screen(screen(), watched()) as (app, pilot):
        await pilot.press("7")
        await pilot.pause()
        frame = frame_of(app)
        assert any(line.strip() == "▲" for line in frame)
        assert "▲ 1 leaked  ░ forecast  Watched all the time." in frame[-2]
        assert sum("░" in line for line in frame) > 5


async def test_without_unicode_it_is_ascii_and_what_is_unknown_is_a_question_mark() -> None:
    async with host_screen(screen(ASCII), watched(growing(100, 230, 23, span=timedelta(hours=6)))) as (
        app,
        pilot,
    ):
        await pilot.press("7")
        await pilot.pause()
        text = "\n".join(frame_of(app)[2:-1])
        assert text.isascii()
        assert "?????" in text
        assert "? not watched" in text
        assert "Watched since Thu 20:00." in text


async def test_a_network_that_was_not_watched_yet_says_so() -> None:
    async with host_screen(screen(), watched(None)) as (app, pilot):
        await pilot.press("7")
        await pilot.pause()
        frame = frame_of(app)
        assert "unknown: not watched yet" in frame[2]
        assert "Not watched in this time." in frame[-2]


async def test_a_network_without_ipv4_is_never_called_full() -> None:
    only_ipv6 = swarm([network("proxy", "fd00::/64")])
    async with host_screen(screen(), monitor_state(only_ipv6)) as (app, pilot):
        assert "FULL" not in "\n".join(frame_of(app))
        await pilot.press("7")
        await pilot.pause()
        assert "no IPv4 subnet to fill" in frame_of(app)[2]
        assert "FULL" not in "\n".join(frame_of(app))


async def test_it_is_drawn_again_only_when_there_is_a_new_point(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def counting(*arguments: object) -> object:
        nonlocal count
        count += 1
        return draw_chart(*arguments)  # type: ignore[arg-type] # those of the chart itself

    monkeypatch.setattr("screens.tui.panes.use_history.draw_chart", counting)
    first = watched()
    async with host_screen(screen(), first) as (app, pilot):
        await pilot.press("7")
        await pilot.pause()
        count = 0
        snapshot = replace(first.snapshot, at_s=102.0)
        app.monitor_state = replace(first, number=2, snapshot=snapshot)
        await pilot.pause()
        assert count == 0
        points = (*WEEK.points, Point(NOW + timedelta(minutes=1), 231))
        app.monitor_state = replace(first, number=3, trends={PROXY: replace(WEEK, points=points)})
        await pilot.pause()
        assert count == 1


async def test_the_chart_can_be_copied() -> None:
    async with host_screen(screen(), watched()) as (app, pilot):
        await pilot.press("7")
        await pilot.pause()
        await pilot.press("c")
        assert app.copied[0].startswith("[24 h]")
        assert "253 ─" in app.copied[0]


def row_of(shown: ConsoleDriver, name: str = "proxy") -> str:
    return next(line for line in shown.frame.splitlines() if line[3:].startswith(name))


@pytest.mark.parametrize("width", [100, 110, 120, 130, 160, 200])
async def test_from_100_columns_up_the_overview_draws_the_last_day(width: int) -> None:
    async with console(watched(), size=(width, 35)) as shown:
        assert "TREND" in shown.frame
        assert SPARK.search(row_of(shown))


@pytest.mark.parametrize("width", [80, 90, 99])
async def test_below_100_columns_the_words_are_in_the_title(width: int) -> None:
    async with console(watched(), size=(width, 24)) as shown:
        assert "TREND" not in shown.frame
        assert "proxy: full in" in shown.frame


@pytest.mark.parametrize("width", [100, 104, 112, 120, 124, 130, 140, 152, 172, 188])
async def test_the_trend_costs_no_figure_and_no_letter_of_a_name(width: int) -> None:
    async with (
        console(watched(None), size=(width, 35)) as without,
        console(watched(), size=(width, 35)) as shown,
    ):
        for name in ("proxy", "a-network"):
            figures = re.findall(r"\d+/\d+(?: +[?≤\d]+){5}", row_of(without, name))
            assert [" ".join(each.split()) for each in figures] == [
                " ".join(each.split()) for each in re.findall(r"\d+/\d+(?: +[?≤\d]+){5}", row_of(shown, name))
            ]
            name_before, name_now = (row_of(each, name)[3:].split("  ")[0] for each in (without, shown))
            assert len(name_now) >= len(name_before)
            assert len(name_now) >= 20 or name_now == name


async def test_where_there_is_room_the_words_stand_behind_it() -> None:
    async with console(watched(), size=(200, 60)) as shown:
        assert re.search(r"█ +full in about \d+ \w+", row_of(shown))
        assert "unknown" in row_of(shown, "a-network")


async def test_a_network_of_which_nothing_is_known_has_a_question_mark() -> None:
    async with console(watched(), size=(110, 30)) as shown:
        assert row_of(shown, "a-network").rstrip().endswith("?")
