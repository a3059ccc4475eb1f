"""Tables are sorted by a key or a click on a heading: what is unknown stands last, and the cursor stays on its row."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from textual.pilot import Pilot

from console.addresses.forecast import Trend
from console.monitor.values import MonitorState
from console.settings import Settings
from console.swarm.model import SwarmState
from screens.present.sorting import Order, Sorting
from screens.present.text import ASCII, UNICODE, Glyphs
from screens.tui.panes.overlays import OverlayLine, Overlays
from screens.tui.panes.services import ServicesPane
from screens.tui.panes.stacks import StacksPane
from screens.tui.widgets.heading import Heading
from screens.tui.widgets.pane import Pane
from screens.tui.widgets.rows import Rows
from tests.support.console_driver import ConsoleDriver, console
from tests.support.monitor_states import monitor_state
from tests.support.swarms import network, service, swarm, task

USE = {"proxy": (10, 6), "alpha": (3, 13), "Beta": (16, 0), "gamma": (7, 9)}
TRENDS: Mapping[str, Trend] = MappingProxyType(
    {"alpha": Trend(full_in_hours=48.0, per_hour=1.0), "proxy": Trend(per_hour=0.0)}
)


def overlays(count: int = 0) -> SwarmState:
    """Return four networks of 13 usable addresses, one of them full, and as many more."""
    networks = [
        network(name, f"10.0.{place}.0/28", use={f"10.0.{place}.0/28": use})
        for place, (name, use) in enumerate(USE.items(), 1)
    ]
    networks += [
        network(f"net{place:02}", f"10.1.{place}.0/28", use={f"10.1.{place}.0/28": (3, 13)})
        for place in range(count)
    ]
    return swarm(networks, api=(1, 52))


def shown_state(state: SwarmState | None = None) -> MonitorState:
    state = state or overlays()
    ids = (
        {network.name: network.id for network in state.networks} if isinstance(state.networks, tuple) else {}
    )
    trends = {ids[name]: trend for name, trend in TRENDS.items() if name in ids}
    return monitor_state(state, earlier=state, trends=trends)


def rows_in(shown: ConsoleDriver, kind: type[Pane]) -> Rows:
    return shown.app.screen.query_one(kind).query_one(Rows)


def names_of(shown: ConsoleDriver) -> list[str]:
    values = [row.value for row in rows_in(shown, Overlays).rows]
    return [value.figures.name for value in values if isinstance(value, OverlayLine)]


def heading_of(shown: ConsoleDriver, kind: type[Pane] = Overlays) -> str:
    heading = shown.app.screen.query_one(kind).query_one(Heading)
    return heading.render_line(0).text


async def click_heading(shown: ConsoleDriver, column: str, kind: type[Pane] = Overlays) -> None:
    heading = shown.app.screen.query_one(kind).query_one(Heading)
    pilot: Pilot[object] = shown.pilot
    await pilot.click(heading, offset=(heading.render_line(0).text.index(column) + 1, 0))
    await shown.settle()


async def test_s_goes_through_name_use_leaks_free_and_trend_and_back_to_worst_first() -> None:
    async with console(shown_state(), size=(130, 30)) as shown:
        own = names_of(shown)
        assert own[0] == "proxy"
        seen = {}
        for _ in range(5):
            frame = await shown.press("s")
            word = frame.split(", by ")[1].split(" ")[0].rstrip(";")
            seen[word] = names_of(shown)
        assert seen["name"] == ["alpha", "Beta", "gamma", "proxy"]
        assert seen["use"] == ["Beta", "proxy", "gamma", "alpha"]
        assert seen["free"] == ["Beta", "proxy", "gamma", "alpha"]
        # Full, full soon, steady; what has no history stands last.
        assert seen["trend"] == ["Beta", "alpha", "proxy", "gamma"]
        assert set(seen) == {"name", "use", "leaks", "free", "trend"}
        assert "worst first" in await shown.press("s")
        assert names_of(shown) == own


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
async def test_the_heading_has_the_mark_and_no_column_moves(glyphs: Glyphs) -> None:
    async with console(shown_state(), glyphs=glyphs) as shown:
        plain = heading_of(shown)
        places = {name: plain.index(name) for name in ("NETWORK", "IN USE", "LEAK", "FREE")}
        for mark, column in ((glyphs.above, "NETWORK"), (glyphs.below, "IN USE"), (glyphs.below, "LEAK")):
            await shown.press("s")
            marked = heading_of(shown)
            assert f"{column}{mark}" in marked
            assert {name: marked.index(name) for name in places} == places


async def test_a_click_sorts_the_next_reverses_and_the_third_is_worst_first_again() -> None:
    async with console(shown_state()) as shown:
        own = names_of(shown)
        await click_heading(shown, "IN USE")
        assert names_of(shown) == ["Beta", "proxy", "gamma", "alpha"]
        assert "IN USE▼" in heading_of(shown)
        await click_heading(shown, "IN USE")
        assert names_of(shown) == ["alpha", "gamma", "proxy", "Beta"]
        assert "IN USE▲" in heading_of(shown)
        await click_heading(shown, "IN USE")
        assert names_of(shown) == own
        # The last column ends at the edge: its mark stands in front.
        await click_heading(shown, "FREE")
        assert "▲FREE" in heading_of(shown) or "FREE▲" in heading_of(shown)
        # A column without an order changes nothing.
        await click_heading(shown, "VIP")
        assert names_of(shown) == ["Beta", "proxy", "gamma", "alpha"]


async def test_the_cursor_stays_on_its_network_and_the_first_rows_are_in_sight() -> None:
    async with console(shown_state(overlays(40))) as shown:
        await shown.press("G")
        rows = rows_in(shown, Overlays)
        assert rows.scroll_offset.y > 0
        before = rows.current
        await shown.press("s", "s")
        assert rows.current is not None
        assert before is not None
        assert rows.current.key == before.key
        assert rows.scroll_offset.y == 0
        # A newer snapshot keeps the order, and the place.
        order = names_of(shown)
        newer = shown_state(overlays(40))
        shown.monitor.publish(snapshot=replace(newer.snapshot, at_s=101.0))
        await shown.settle()
        assert names_of(shown) == order
        assert rows.scroll_offset.y == 0


async def test_with_another_network_of_interest_only_the_own_order_has_it_first() -> None:
    async with console(shown_state(), settings=replace(Settings(), network="gamma")) as shown:
        assert names_of(shown)[0] == "gamma"
        await shown.press("s")
        assert names_of(shown)[0] == "alpha"


def test_unknown_figures_stand_last_either_way_round_and_equal_ones_keep_their_places() -> None:
    items = [("a", 2), ("b", None), ("c", 1), ("d", 2), ("e", None)]
    order: Order[tuple[str, int | None]] = Order("n", "N", lambda item: item[1], is_largest_first=True)
    sorting = Sorting((order,), order)
    assert "".join(name for name, _ in sorting.sort(items)) == "adcbe"
    assert "".join(name for name, _ in sorting.choose("N").sort(items)) == "cadbe"


def deployed() -> SwarmState:
    """Return two stacks on the proxy: one with a task more than the other."""
    return swarm(
        [network("proxy", "10.0.1.0/24")],
        [
            service("shop_web", ("id-proxy", "10.0.1.3"), networks=["id-proxy"]),
            service("blog_app", ("id-proxy", "10.0.1.4"), networks=["id-proxy"]),
        ],
        [
            task("shop_web", ("id-proxy", "10.0.1.5")),
            task("shop_web", ("id-proxy", "10.0.1.6"), slot=2),
            task("blog_app", ("id-proxy", "10.0.1.7"), state="failed", desired="running"),
        ],
    )


async def test_stacks_and_services_are_sorted_by_the_same_keys_and_clicks() -> None:
    state = deployed()
    async with console(monitor_state(state, earlier=state)) as shown:
        await shown.press("enter", "6")
        stacks = rows_in(shown, StacksPane)
        await shown.press("s")
        assert "Order: by name." in shown.frame
        assert stacks.text.index("blog") < stacks.text.index("shop")
        await click_heading(shown, "ADDR", StacksPane)
        assert stacks.text.index("shop") < stacks.text.index("blog")
        assert "ADDR▼" in heading_of(shown, StacksPane)
        await shown.press("w")
        await shown.until(lambda frame: "shop_web" in frame)
        await shown.press("s")
        services = rows_in(shown, ServicesPane)
        assert services.text.index("blog_app") < services.text.index("shop_web")
        await click_heading(shown, "SERVICE", ServicesPane)
        assert "SERVICE▼" in heading_of(shown, ServicesPane)
        assert services.text.index("shop_web") < services.text.index("blog_app")
