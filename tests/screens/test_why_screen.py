"""The screen that tells why services do not run, driven as an operator drives it."""

import threading
from typing import Any

import pytest

from console.diagnosis.why.explain import WhyAnswer, explain
from console.swarm.model import Service
from screens.tui import why
from screens.tui.environment import ConsoleEnvironment, OpenNetwork
from screens.tui.why import WhyScreen
from screens.tui.widgets.pane import TextView
from tests.support.frames import compare_body, frame_of
from tests.support.logs import NO_ADDRESS, log
from tests.support.monitor_states import SIZES, StillClock, environment, host_screen, monitor_state, settle
from tests.support.swarms import ago, network, service, swarm, task

PROXY = "id-proxy"
STATE = swarm(
    [network("proxy", "10.0.1.0/29", load_balancer="10.0.1.6", peers=1)],
    [
        service("ghost_app", networks=[PROXY], updated=ago(900)),
        service("fine_app", (PROXY, "10.0.1.2")),
        service("full_app", (PROXY, "10.0.1.4")),
        service("broken_app", networks=[], updated=ago(900)),
    ],
    [
        task("ghost_app", state="new", since=ago(800)),
        task("fine_app", (PROXY, "10.0.1.3")),
        task("full_app", (PROXY, "10.0.1.5")),
        task("broken_app", state="rejected", since=ago(100), error="No such image: nginx:nope"),
    ],
)
SCENE = monitor_state(STATE, log=log([NO_ADDRESS]))


def around() -> ConsoleEnvironment:
    own = environment()
    return ConsoleEnvironment(
        own.settings, own.host, own.glyphs, own.zone, StillClock(), ("DOCKER_HOST=tcp://far ", "")
    )


def told(shown: WhyScreen) -> str:
    return shown.query_one("#explanation", TextView).text


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_services_and_the_explanation_at_every_size(width: int, height: int) -> None:
    async with host_screen(WhyScreen(around()), SCENE, (width, height)) as (app, pilot):
        await pilot.pause()
        compare_body(f"why-{width}x{height}", app)


async def test_each_service_is_explained_with_the_command_for_the_engine_that_was_asked() -> None:
    shown = WhyScreen(around())
    async with host_screen(shown, SCENE) as (app, pilot):
        assert told(shown).startswith("BLOCKED  broken_app")
        await pilot.press("j")
        assert "BLOCKED  ghost_app: no free address" in told(shown)
        assert "Cause: addresses exhausted." in told(shown)
        await pilot.press("c", "C")
        assert app.copied[0].startswith("DOCKER_HOST=tcp://far ")
        assert app.copied[0] in told(shown)
        assert app.copied[1] == told(shown)


async def test_it_can_be_asked_about_one_service_and_leads_to_its_network() -> None:
    shown = WhyScreen(around(), "id-ghost_app")
    async with host_screen(shown, SCENE) as (app, pilot):
        assert "ghost_app" in told(shown).splitlines()[0]
        await pilot.press("n")
        await pilot.pause()
        assert [each.network_id for each in app.messages if isinstance(each, OpenNetwork)] == [PROXY]


async def test_a_service_that_is_gone_is_said_to_be() -> None:
    async with host_screen(WhyScreen(around(), "id-nobody"), SCENE) as (app, pilot):
        await pilot.pause()
        assert "This service was removed." in "\n".join(frame_of(app))


async def test_a_filter_narrows_the_services_and_escape_takes_it_back() -> None:
    shown = WhyScreen(around())
    async with host_screen(shown, SCENE) as (app, pilot):
        await pilot.press("slash", *"fine", "enter")
        await pilot.pause()
        assert told(shown).startswith("runs  fine_app")
        assert "/fine" in frame_of(app)[2]
        await pilot.press("escape")
        await pilot.pause()
        assert "/fine" not in frame_of(app)[2]
        assert app.screen is shown
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not shown


async def test_the_service_that_is_read_stays_when_others_come() -> None:
    shown = WhyScreen(around())
    async with host_screen(shown, SCENE) as (app, pilot):
        await pilot.press("j")
        before = told(shown).splitlines()[0]
        state = swarm(
            STATE.networks, [service("aaa_app", networks=[PROXY], updated=ago(900)), *services()], STATE.tasks
        )
        app.monitor_state = monitor_state(state, log=log([NO_ADDRESS]))
        await settle(app, pilot)
        assert told(shown).splitlines()[0] == before


async def test_services_are_explained_beside_the_event_loop_and_one_look_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop_thread = threading.current_thread()
    threads: list[threading.Thread] = []
    may_end = threading.Event()

    def watched(*arguments: Any) -> WhyAnswer:
        threads.append(threading.current_thread())
        if len(threads) == 2:
            assert may_end.wait(60)
        return explain(*arguments)

    monkeypatch.setattr(why, "explain", watched)
    shown = WhyScreen(around())
    async with host_screen(shown, SCENE) as (app, pilot):
        assert loop_thread not in threads
        others = [
            swarm(STATE.networks, [*services(), service(f"a{number}_app", updated=ago(900))], STATE.tasks)
            for number in range(3)
        ]
        for each in others:
            app.monitor_state = monitor_state(each, log=log([NO_ADDRESS]))
            await pilot.pause()
        # While one look is explained the keys go on, and of those that came meanwhile only the newest is explained.
        before = told(shown)
        await pilot.press("j")
        assert told(shown) != before
        may_end.set()
        await settle(app, pilot)
        assert len(threads) == 3
        assert "a2_app" in "\n".join(frame_of(app))


def services() -> list[Service]:
    assert isinstance(STATE.services, tuple)
    return list(STATE.services)


async def test_before_the_first_look_and_where_it_cannot_be_known_it_says_so() -> None:
    shown = WhyScreen(around())
    async with host_screen(shown, monitor_state()) as (app, pilot):
        assert "Not read yet." in "\n".join(frame_of(app))
        await pilot.press("j", "enter", "c", "n", "C")
