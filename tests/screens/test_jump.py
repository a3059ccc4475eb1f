"""The palette goes to networks, services, stacks, pages and commands by a few letters, in the newest snapshot."""

import asyncio
import time

import pytest
from textual.command import CommandPalette
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from console.monitor.values import MonitorState
from console.swarm.model import SwarmState
from screens.present.matching import match
from screens.tui.network import NetworkScreen
from screens.tui.overview import OverviewScreen
from screens.tui.why import WhyScreen
from tests.support.console_driver import ConsoleDriver, console
from tests.support.monitor_states import monitor_state
from tests.support.swarms import network, service, swarm

HOSTILE = ("[red]evil", "a [/", "\x1b[2Jwiped", "[@click=app.quit]here[/]")


def state_of(*services: str, networks: tuple[str, ...] = ("proxy", "backend")) -> SwarmState:
    return swarm(
        [network(name, f"10.0.{place}.0/24") for place, name in enumerate(networks, 1)],
        [service(name) for name in services],
    )


def shown_state(*services: str, networks: tuple[str, ...] = ("proxy", "backend")) -> MonitorState:
    state = state_of(*services, networks=networks)
    return monitor_state(state, earlier=state)


async def find(shown: ConsoleDriver, text: str, opener: str = "colon") -> list[str]:
    """Type into the palette, and return what it lists."""
    await shown.press(opener)
    await shown.press(*("space" if letter == " " else letter for letter in text))
    palette = shown.app.screen
    async with asyncio.timeout(60):
        while any(worker.node is palette and not worker.is_finished for worker in shown.app.workers):
            await shown.pilot.pause(0.02)
    await shown.settle()
    options = palette.query_one(OptionList)
    return [str(option.prompt).splitlines()[0] for option in all_of(options)]


def network_of(shown: ConsoleDriver) -> str:
    screen = shown.app.screen
    return screen.network_id if isinstance(screen, NetworkScreen) else ""


def all_of(options: OptionList) -> list[Option]:
    return [options.get_option_at_index(place) for place in range(options.option_count)]


@pytest.mark.parametrize("opener", ["colon", "ctrl+p"])
async def test_a_network_is_found_by_a_few_letters_and_opened(opener: str) -> None:
    async with console(shown_state("shop_web")) as shown:
        assert (await find(shown, "bac", opener))[0] == "network backend"
        await shown.press("enter")
        assert network_of(shown) == "id-backend"
        # From there another one takes its place: one step back is the overview.
        assert (await find(shown, "network pro"))[0] == "network proxy"
        await shown.press("enter")
        assert network_of(shown) == "id-proxy"
        await shown.press("escape")
        assert isinstance(shown.app.screen, OverviewScreen)


async def test_a_service_opens_why_at_it_and_letters_may_be_left_out() -> None:
    async with console(shown_state("shop_web", "shop_api", "blog_app")) as shown:
        assert (await find(shown, "shpap"))[0] == "service shop_api"
        await shown.press("enter")
        await shown.until(lambda frame: "shop_api: " in frame)
        assert isinstance(shown.app.screen, WhyScreen)
        assert shown.app.screen.current_service is not None
        assert shown.app.screen.current_service.service.name == "shop_api"


async def test_a_stack_opens_why_with_its_services_only() -> None:
    async with console(shown_state("shop_web", "shop_api", "blog_app")) as shown:
        listed = await find(shown, "shop")
        assert listed[0] == "stack shop"
        assert {"service shop_api", "service shop_web"} <= set(listed)
        await shown.press("enter")
        frame = await shown.until(lambda frame: "shop_api" in frame)
        assert "/shop" in frame
        assert "blog_app" not in frame
        await shown.press("escape")
        assert "blog_app" in shown.frame


async def test_pages_and_commands_are_found_by_their_names_and_other_words() -> None:
    async with console(shown_state("shop_web")) as shown:
        assert (await find(shown, "journal"))[0] == "dockerd's log, explained (d)"
        await shown.press("escape")
        assert (await find(shown, "quit"))[0] == "Quit (q)"


async def test_names_from_outside_are_listed_as_they_are() -> None:
    async with console(shown_state(*HOSTILE)) as shown:
        for typed, name in zip(("evil", "a [/", "wiped", "here"), HOSTILE, strict=True):
            assert f"service {name}" in await find(shown, typed)
            assert isinstance(shown.app.screen, CommandPalette)
            assert "\x1b" not in shown.frame
            assert name.lstrip("\x1b") in shown.frame
            await shown.press("escape")


async def test_without_a_snapshot_the_commands_are_still_found() -> None:
    async with console(MonitorState()) as shown:
        assert await find(shown, "help") == ["Help (?)"]


async def test_before_anything_is_typed_only_commands_are_listed() -> None:
    async with console(shown_state("shop_web")) as shown:
        listed = await find(shown, "")
        assert "Help (?)" in listed
        assert not any("shop" in text or "proxy" in text for text in listed)


async def test_of_many_services_the_best_are_listed() -> None:
    names = tuple(f"stack{place:03}_web" for place in range(200))
    async with console(shown_state(*names)) as shown:
        listed = await find(shown, "web")
        assert len(listed) <= 60
        await shown.press("escape")
        assert (await find(shown, "stack123"))[:2] == ["stack stack123", "service stack123_web"]


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("proxy", "network proxy", "network proxy2"),
        ("prox", "network proxy", "network my-proxy"),
        ("web", "service shop_web", "service shop_cobweb"),
        ("web", "service shop_cobweb", "service wide_elbow"),
        ("sw", "service shop_web", "service sun_of_widows"),
    ],
)
def test_what_is_meant_comes_first(query: str, better: str, worse: str) -> None:
    def score(text: str) -> float:
        found = match(query, text, text.index(" ") + 1)
        return 0.0 if found is None else found.score

    assert score(better) > score(worse) > 0


def test_letters_that_are_typed_stand_at_their_places() -> None:
    found = match("shpap", "service shop_api", 8)
    assert found is not None
    assert "".join("service shop_api"[place] for place in found.places) == "shpap"
    assert match("xyz", "service shop_api", 8) is None


def test_a_name_of_many_equal_letters_takes_no_longer() -> None:
    # Textual's own matcher tries 30 over 8 ways of it, and does not return within minutes.
    began_s = time.process_time()
    assert match("aabbaabbaabb", "ab" * 30) is not None
    assert time.process_time() - began_s < 5
