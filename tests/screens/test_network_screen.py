"""The screen of one network, driven as an operator drives it."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from textual.widgets import Input

from console.addresses.forecast import Trend
from console.addresses.leaks import LeakEntry, LeakLog
from console.errors import Unknown
from console.monitor.values import MonitorState
from console.swarm.model import SwarmState
from screens.present.text import ASCII
from screens.tui.environment import OpenWhy
from screens.tui.network import NetworkScreen
from screens.tui.widgets.address_map import AddressGrid
from screens.tui.widgets.pane import TextView
from tests.support.console_driver import console
from tests.support.frames import compare_body, frame_of
from tests.support.monitor_states import SIZES, environment, host_screen, monitor_state
from tests.support.swarms import ago, network, service, subnet, swarm, task

PROXY = "id-proxy"
LEAKED = ("10.0.1.152", "10.0.1.190")


def evening() -> SwarmState:
    """A /24 with 40 services on it, two addresses leaked by the engine's count, and a deploy that waits."""
    names = [
        f"{recipe}-pr{number}_app"
        for recipe in ("ghost", "gitea", "loomio", "zammad")
        for number in range(10)
    ]
    hosts = [2 * each + 2 for each in range(len(names))]
    proxy = network(
        "proxy", "10.0.1.0/24", load_balancer="10.0.1.200", peers=1, use={"10.0.1.0/24": (86, 170)}
    )
    return swarm(
        [proxy],
        [
            *(service(name, (PROXY, f"10.0.1.{host}")) for name, host in zip(names, hosts, strict=True)),
            service("waits_app", networks=[PROXY], updated=ago(600)),
        ],
        [
            *(
                task(name, (PROXY, f"10.0.1.{host + 1}"), since=ago(host * 3000))
                for name, host in zip(names, hosts, strict=True)
            ),
            task("waits_app", state="new", since=ago(600)),
        ],
        api=(1, 52),
    )


def entries(*addresses: str) -> tuple[LeakEntry, ...]:
    return tuple(
        LeakEntry(
            PROXY, "proxy", (IPv4Address(each),), f"t{place}", f"nextcloud-pr{place}_app.1", f"nextcloud-pr{place}_app",
            f"nextcloud-pr{place}", f"nextcloud-pr{place}_internal", ago(3 * 86400 + place * 60),
        )
        for place, each in enumerate(addresses)
    )  # fmt: skip


def watched(state: SwarmState | None = None, *addresses: str) -> MonitorState:
    state = evening() if state is None else state
    leak_log = LeakLog(ago(5 * 86400), entries(*addresses))
    return monitor_state(
        state, earlier=state, leak_log=leak_log, trends={PROXY: Trend(remaining_removals=41)}
    )


def screen(**more: object) -> NetworkScreen:
    return NetworkScreen(replace(environment(), **more), PROXY)  # type: ignore[arg-type]


def beside(shown: NetworkScreen) -> str:
    return shown.query_one("#side", TextView).text


def found(shown: NetworkScreen) -> list[int] | None:
    return None if shown.matches is None else list(shown.matches)


def at(shown: NetworkScreen) -> str:
    return str(IPv4Address(shown.query_one(AddressGrid).cursor))


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_the_map_at_every_size(width: int, height: int) -> None:
    async with host_screen(screen(), watched(None, *LEAKED), (width, height)) as (app, pilot):
        await pilot.press("n")
        await pilot.pause()
        compare_body(f"network-{width}x{height}", app)


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
async def test_each_other_pane_at_80x24(number: int) -> None:
    async with host_screen(screen(), watched(None, *LEAKED)) as (app, pilot):
        await pilot.press(str(number))
        await pilot.pause()
        compare_body(f"network-pane{number}-80x24", app)


async def test_a_large_network_is_worked_out_by_a_thread_and_shows_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with console(monitor_state(evening()), size=(120, 40)) as seen:
        small = await seen.press("enter")
    monkeypatch.setattr("screens.tui.network_parts.LARGE", 1)
    async with console(monitor_state(evening()), size=(120, 40)) as seen:
        await seen.press("enter")
        assert await seen.until(lambda frame: frame == small)
        seen.monitor.publish(snapshot=monitor_state(evening()).snapshot)
        await seen.settle()
        assert seen.frame == small


async def test_moving_over_a_cell_tells_who_holds_it_and_since_when() -> None:
    shown = screen()
    async with host_screen(shown, watched()) as (_, pilot):
        await pilot.press("l", "l")
        assert beside(shown).startswith(
            "10.0.1.2  VIP of service\nghost-pr0_app\nservice created 2026-06-01 02:00, 11 d ago"
        )
        await pilot.press("l")
        assert beside(shown).startswith(
            "10.0.1.3  task\nghost-pr0_app.1\non ci-host, running since 00:20, 1 h 40 min ago"
        )


async def test_n_goes_from_one_leaked_address_to_the_next_and_tells_who_lost_it() -> None:
    shown = screen()
    async with host_screen(shown, watched(None, *LEAKED)) as (_, pilot):
        await pilot.press("n")
        assert "was nextcloud-pr0_app.1 of stack nextcloud-pr0" in beside(shown)
        assert "nextcloud-pr0_internal was removed before the task ended" in beside(shown)
        await pilot.press("n")
        assert at(shown) == "10.0.1.190"
        await pilot.press("n")
        assert at(shown) == "10.0.1.152"
        await pilot.press("N")
        assert at(shown) == "10.0.1.190"


async def test_a_holder_is_found_while_its_name_is_typed_and_forgotten_with_escape() -> None:
    shown = screen()
    async with host_screen(shown, watched()) as (app, pilot):
        await pilot.press("slash", *"gitea-pr3")
        assert found(shown) == [int(IPv4Address("10.0.1.28")), int(IPv4Address("10.0.1.29"))]
        await pilot.press("enter")
        await pilot.pause()
        assert at(shown) == "10.0.1.28"
        assert "/gitea-pr3 2 found" in "\n".join(frame_of(app))
        await pilot.press("n")
        assert at(shown) == "10.0.1.29"
        await pilot.press("escape")
        assert found(shown) is None
        assert app.screen is shown
        await pilot.press("slash", "2", "q", "escape")
        assert found(shown) is None
        assert not shown.query_one(Input).value


async def test_what_keeps_coming_moves_neither_cursor_nor_list() -> None:
    shown = screen()
    async with host_screen(shown, watched()) as (app, pilot):
        await pilot.press("j", "j", "l")
        before = at(shown)
        app.monitor_state = watched(None, "10.0.1.152")
        await pilot.pause()
        assert at(shown) == before
        await pilot.press("2", *["j"] * 30)
        await pilot.pause()
        lines = frame_of(app)
        app.monitor_state = watched(None, "10.0.1.152", "10.0.1.190")
        await pilot.pause()
        assert frame_of(app)[3:] == lines[3:]


async def test_a_network_that_vanishes_says_so_and_stays_as_it_was() -> None:
    shown = screen()
    async with host_screen(shown, watched(None, *LEAKED)) as (app, pilot):
        app.monitor_state = monitor_state(swarm([network("other", "10.0.9.0/24")]))
        await pilot.pause()
        lines = "\n".join(frame_of(app))
        assert "proxy was removed" in beside(shown)
        assert "REMOVED" in lines
        assert ".240" in lines
        await pilot.press("2", "1", "j", "n", "c")


async def test_a_network_that_is_not_there_is_said_so() -> None:
    shown = screen()
    async with host_screen(shown, monitor_state(swarm([]))) as (_, pilot):
        await pilot.pause()
        await pilot.press("j", "n", "slash", "a", "enter", "2", "3", "4", "5", "c", "tab")
        assert "This network is unknown." in beside(shown)


async def test_a_large_network_is_rows_that_open() -> None:
    shown = screen()
    big = network("proxy", "10.10.0.0/16", load_balancer="10.10.3.9", peers=1)
    state = swarm([big], [service("a", (PROXY, "10.10.3.7"))])
    async with host_screen(shown, watched(state)) as (app, pilot):
        await pilot.press("j", "j", "j")
        await pilot.pause()
        compare_body("network-large-80x24", app)
        await pilot.press("enter")
        await pilot.pause()
        assert at(shown) == "10.10.3.0"
        await pilot.press(*["l"] * 7)
        assert "VIP of service\na" in beside(shown)
        await pilot.press("escape")
        assert "IN USE" in "\n".join(frame_of(app))
        assert app.screen is shown
        await pilot.press("slash", *".3.9", "enter")
        await pilot.pause()
        assert at(shown) == "10.10.3.9"
        assert not shown.is_at_blocks


async def test_a_10_8_does_not_hold_up_anything() -> None:
    shown = screen()
    state = swarm([network("proxy", "10.0.0.0/8", load_balancer="10.3.3.9", peers=1)])
    async with host_screen(shown, watched(state)) as (app, pilot):
        await pilot.press("G", "enter", "escape", "g")
        await pilot.pause()
        assert "10.0.0.0 " in frame_of(app)[4]


async def test_several_subnets_are_gone_through_and_what_is_not_counted_is_named() -> None:
    shown = screen()
    both = network("proxy", subnet("10.0.1.0/28"), subnet("10.0.2.0/28"), subnet("fd00::/64"), peers=1)
    state = swarm([both], [service("a", (PROXY, "10.0.2.5"))])
    async with host_screen(shown, watched(state)) as (app, pilot):
        assert "proxy 10.0.1.0/28 (1 of 2)" in frame_of(app)[2]
        await pilot.press("s")
        await pilot.pause()
        assert "proxy 10.0.2.0/28 (2 of 2)" in frame_of(app)[2]
        assert "V VIP 1" in beside(shown)
        await pilot.press("4")
        await pilot.pause()
        assert "fd00::/64, not counted" in "\n".join(frame_of(app))


async def test_a_network_without_a_subnet_shows_how_it_is_set_up() -> None:
    shown = screen()
    async with host_screen(shown, watched(swarm([network("proxy")]))) as (app, pilot):
        assert "no subnet yet" in frame_of(app)[2]
        assert "none yet: Swarm has not assigned one" in beside(shown)
        await pilot.press("j", "n", "enter", "s")


async def test_from_a_service_or_its_cell_one_key_asks_why() -> None:
    shown = screen()
    async with host_screen(shown, watched()) as (app, pilot):
        await pilot.press("l", "l", "w", "2", "G", "k", "enter")
        await pilot.pause()
        asked = [each.service_id for each in app.messages if isinstance(each, OpenWhy)]
        assert asked[0] == "id-ghost-pr0_app"
        assert len(asked) == 2


async def test_what_is_said_can_be_copied() -> None:
    shown = screen()
    async with host_screen(shown, watched()) as (app, pilot):
        await pilot.press("c", "2", "c")
        await pilot.pause()
        assert app.copied[0].startswith("10.0.1.0  network address")
        assert app.copied[1].startswith("service   ghost-pr0_app")


def removable() -> SwarmState:
    """The evening with an idle stack, a service without a stack, and a container that was attached by hand."""
    state = evening()
    own = [
        replace(service("idle_app", (PROXY, "10.0.1.210")), replicas=0),
        replace(service("registry", (PROXY, "10.0.1.211")), stack=""),
    ]
    hand_made = task("", (PROXY, "10.0.1.212"), container="c" * 64)
    assert not isinstance(state.services, Unknown)
    assert not isinstance(state.tasks, Unknown)
    return replace(state, services=(*state.services, *own), tasks=(*state.tasks, hand_made))


async def test_the_stacks_are_chosen_with_keys_and_c_copies_the_command_that_removes_one() -> None:
    shown = screen(where=("DOCKER_HOST=tcp://far ", ""))
    async with host_screen(shown, watched(removable())) as (app, pilot):
        await pilot.press("6")
        await pilot.pause()
        assert frame_of(app)[2].startswith("─ 6 proxy: Stacks ─ 41 stacks and 2 others ")
        assert "c copy command" in frame_of(app)[-1]
        await pilot.press("c", "down", "c", "down", "c", "up", "c")
        await pilot.pause()
        where = "DOCKER_HOST=tcp://far "
        alone = f"{where}docker service rm registry"
        assert app.copied == [
            f"{where}vipconsole stack-rm idle",
            alone,
            f"{where}vipconsole stack-rm ghost-pr0",
            alone,
        ]


async def test_where_no_command_removes_a_container_c_copies_the_table() -> None:
    shown = screen()
    async with host_screen(shown, watched(removable())) as (app, pilot):
        await pilot.press("6", "G", "c")
        await pilot.pause()
        assert "c copy command" not in frame_of(app)[-1]
        assert app.copied[0].startswith("idle ")
        assert "\ncontainer cccccccccccc on" in app.copied[0]


async def test_the_stacks_stand_beside_the_map_on_a_wide_terminal() -> None:
    for size in ((160, 30), (120, 30), (160, 50)):
        async with host_screen(screen(), watched(removable()), size) as (app, _):
            lines = frame_of(app)
            assert " 1 proxy" in lines[2]
            assert " 6 Stacks " in lines[2]
            (row,) = [line for line in lines if "  idle  " in line]
            assert row.index("idle") == 79


async def test_the_stacks_are_filtered_and_fit_again_after_a_change_of_size() -> None:
    shown = screen()
    async with host_screen(shown, watched(removable())) as (app, pilot):
        await pilot.press("6", "slash", *"pr9", "enter")
        await pilot.pause()
        assert [line[1:].split()[0] for line in frame_of(app)[5:9]] == [
            f"{recipe}-pr9" for recipe in ("ghost", "gitea", "loomio", "zammad")
        ]
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert max(map(len, frame_of(app))) <= 60
        assert "LAST UPDATE" in frame_of(app)[5]


async def test_who_holds_them_is_unknown_without_the_tasks() -> None:
    shown = screen()
    unread = replace(evening(), tasks=Unknown("It did not answer."))
    async with host_screen(shown, watched(unread)) as (app, pilot):
        assert "Held by: unknown" in beside(shown)
        await pilot.press("6", "c")
        await pilot.pause()
        assert "Who holds its addresses is unknown. It did not answer." in frame_of(app)[3]
        assert app.copied == []


async def test_tab_goes_through_all_panes_and_escape_back_to_the_map() -> None:
    shown = screen()
    async with host_screen(shown, watched()) as (app, pilot):
        titles = []
        for _ in range(6):
            titles.append(frame_of(app)[2][2:3])
            await pilot.press("tab")
            await pilot.pause()
        assert titles == ["1", "2", "3", "4", "5", "6"]
        await pilot.press("3", "escape")
        await pilot.pause()
        assert frame_of(app)[2][2:3] == "1"
        assert app.screen is shown
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not shown


async def test_a_terminal_without_unicode_gets_none() -> None:
    shown = screen(glyphs=ASCII)
    async with host_screen(shown, watched(None, *LEAKED)) as (app, pilot):
        await pilot.pause()
        assert "\n".join(frame_of(app)).isascii()


async def test_an_older_engines_unknown_addresses_are_never_shown_as_free() -> None:
    shown = screen()
    state = replace(evening(), engine=swarm([]).engine)
    proxy = network("proxy", "10.0.1.0/24", load_balancer="10.0.1.200", peers=1)
    async with host_screen(shown, monitor_state(replace(state, networks=(proxy,)))) as (app, pilot):
        lines = frame_of(app)
        assert "? leaked" in lines[2]
        assert not any("\N{MIDDLE DOT}" in each for each in lines)
        await pilot.pause()
        assert "? unknown 172" in beside(shown)
