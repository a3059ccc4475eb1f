"""Without an engine one block says why, what to type, and that the console goes on by itself."""

from dataclasses import replace

import pytest

from console.errors import Unknown, VipconsoleError, unknown_from
from console.monitor.values import Feed, MonitorState
from console.swarm.failures import engine_error, not_a_manager
from screens.present.text import ASCII, UNICODE, Glyphs
from screens.tui.panes.no_engine import NoEngine
from screens.tui.panes.overlays import Overlays
from screens.tui.widgets.pane import TextView
from screens.tui.widgets.rows import Rows
from tests.support.console_driver import ConsoleDriver, console
from tests.support.monitor_states import monitor_state
from tests.support.swarms import network, swarm

HOST = "unix:///var/run/docker.sock"


def raised(error: Exception) -> Unknown:
    return unknown_from(engine_error(error, HOST, "describe itself"))


def refused(state: str, **more: object) -> Unknown:
    error = not_a_manager({"Swarm": {"LocalNodeState": state, **more}}, HOST)
    assert isinstance(error, VipconsoleError)
    return unknown_from(error)


CASES = {
    "no socket": (
        raised(FileNotFoundError(2, "no")),
        ("sudo systemctl start docker", "journalctl -u docker -e"),
    ),
    "nobody listens": (raised(ConnectionRefusedError(111, "no")), ("sudo systemctl start docker",)),
    "no permission": (
        raised(PermissionError(13, "no")),
        ("sudo vipconsole", "sudo usermod -aG docker $USER"),
    ),
    "timeout": (raised(TimeoutError()), ("systemctl status docker",)),
    "worker": (
        refused("active", RemoteManagers=[{"Addr": "10.0.0.7:2377"}]),
        ("10.0.0.7:2377", "ssh -t MANAGER vipconsole"),
    ),
    "locked": (refused("locked"), ("docker swarm unlock",)),
    "no swarm": (refused("inactive"), ("docker swarm init",)),
    "not known": (Unknown("It hiccups."), ()),
}


async def fail(shown: ConsoleDriver, failure: Unknown) -> str:
    shown.monitor.publish(snapshot=Feed(failure=failure, failing_since_s=100.0))
    return await shown.until(lambda frame: "No swarm to show" in frame)


async def test_a_failure_that_is_known_before_anything_is_drawn_is_shown_as_one_that_comes_later() -> None:
    failure = CASES["no socket"][0]
    failed = replace(MonitorState(), snapshot=Feed(failure=failure, failing_since_s=100.0))
    async with console(failed) as shown:
        frame = await shown.until(lambda frame: "No swarm to show" in frame)
        assert "sudo systemctl start docker" in frame


def flat(frame: str) -> str:
    return " ".join(frame.split())


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 50)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("case", CASES)
async def test_one_block_has_the_cause_the_command_and_the_other_ways(
    case: str, glyphs: Glyphs, size: tuple[int, int]
) -> None:
    failure, commands = CASES[case]
    async with console(MonitorState(), size=size, glyphs=glyphs) as shown:
        await fail(shown, failure)
        frame = await shown.settle()
        text = flat("\n".join(frame.splitlines()[2:-1]))
        assert failure.reason in text
        for command in (*commands, "vipconsole --host tcp://HOST:PORT", "vipconsole --demo"):
            assert command in text
        assert "asked again at least every 10 s" in text
        assert "No swarm since 02:00:00" in text
        assert "Overlays" not in frame
        assert shown.app.screen.query_one(NoEngine).query_one(TextView).max_scroll_y == 0


async def test_it_stands_in_the_middle_and_goes_when_the_engine_answers() -> None:
    state = swarm([network("proxy", "10.0.1.0/24")])
    async with console(MonitorState()) as shown:
        await fail(shown, CASES["nobody listens"][0])
        frame = (await shown.settle()).splitlines()[2:-1]
        above = next(place for place, line in enumerate(frame) if line.strip())
        below = next(place for place, line in enumerate(reversed(frame)) if line.strip())
        assert abs(above - below) <= 1
        shown.monitor.publish(snapshot=monitor_state(state, earlier=state).snapshot)
        frame_after = await shown.until(lambda text: "1 Overlays" in text)
        assert "No swarm to show" not in frame_after
        await shown.settle()
        assert isinstance(shown.app.focused, Rows)
        assert isinstance(shown.app.focused.parent, Overlays)


async def test_an_engine_that_is_lost_later_leaves_what_was_shown() -> None:
    state = swarm([network("proxy", "10.0.1.0/24")])
    async with console(monitor_state(state, earlier=state)) as shown:
        feed = shown.monitor.monitor_state.snapshot
        shown.monitor.publish(
            snapshot=replace(feed, failure=CASES["nobody listens"][0], failing_since_s=100.0)
        )
        frame = await shown.until(lambda text: "STALE" in text)
        assert "proxy" in frame
        assert "No swarm to show" not in frame


async def test_keys_that_need_no_engine_still_work() -> None:
    async with console(MonitorState()) as shown:
        await fail(shown, CASES["no permission"][0])
        await shown.settle()
        # None of these has anything to act on.
        for key in ("s", "slash", "enter", "1", "3", "tab"):
            assert "No swarm to show" in await shown.press(key)
        await shown.press("ctrl+l")
        assert shown.monitor.wake_count == 1
        assert "dockerd" in await shown.press("d")
        assert "No swarm to show" in await shown.press("escape")
        await shown.press("q")
        assert not shown.app.is_running


async def test_another_engine_than_this_machines_offers_that_too() -> None:
    async with console(MonitorState()) as shown:
        await fail(shown, CASES["nobody listens"][0])
        assert "vipconsole --host unix:///var/run/docker.sock" not in shown.frame
    async with console(MonitorState(), host="tcp://far:2375") as shown:
        assert "vipconsole --host unix:///var/run/docker.sock" in await fail(
            shown, CASES["nobody listens"][0]
        )


async def test_nothing_is_redrawn_while_it_waits() -> None:
    async with console(MonitorState()) as shown:
        before = await fail(shown, CASES["nobody listens"][0])
        shown.clock.pass_by(300)
        assert await shown.settle() == before
