"""The overview and the app around it, driven as an operator drives them."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.worker import WorkerFailed

from console.diagnosis.quiescence.values import Blocker, Check, CheckState, Report
from console.errors import Unknown
from console.monitor.values import Feed, MonitorState
from console.runbook.language.values import Effect
from console.runbook.run.events import Asked, QuestionKind
from console.runbook.run.view import Failure, StepState, StoredRun
from console.swarm.model import SwarmState
from screens.present.text import ASCII
from screens.tui.network import NetworkScreen
from screens.tui.overview import OverviewScreen
from screens.tui.widgets.rows import Rows
from tests.support.console_driver import ConsoleDriver, console
from tests.support.frames import compare, frame_of
from tests.support.logs import NO_ADDRESS, STRANGE, log
from tests.support.monitor_states import SIZES, monitor_state
from tests.support.runs import step, stored_run
from tests.support.swarms import NOW, ago, network, service, swarm, task
from tests.support.use import growing

PROXY = "id-proxy"
HOSTILE = ("[/x][bold]\x1b[2J\x1b]0;t\x07\u202egnp\x9b31m\udc80", "宽" * 70 + "x" * 10_000)


def evening(api: tuple[int, int] = (1, 52)) -> SwarmState:
    """Return a full /28 on which a deploy waits, and two networks with room."""
    count = {"10.0.1.0/28": (16, 0)} if api >= (1, 52) else None
    return swarm(
        [
            network("proxy", "10.0.1.0/28", load_balancer="10.0.1.5", peers=1, use=count),
            network("ingress", "10.0.0.0/24", ingress=True),
            network("ghost_internal", "10.0.7.0/24", "fd00::/64"),
        ],
        [
            service("traefik_app", (PROXY, "10.0.1.2")),
            service("ghost_app", networks=(PROXY,), updated=ago(840)),
            service("warm_app", ("id-ghost_internal", "10.0.7.2")),
        ],
        [
            task("traefik_app", (PROXY, "10.0.1.3")),
            task("ghost_app", state="new", since=ago(840)),
            task("warm_app", ("id-ghost_internal", "10.0.7.3")),
        ],
        api=api,
    )


def checks() -> Report:
    waits = (Blocker("ghost_app", "waits for an address", NOW - timedelta(minutes=14)),)
    return Report(
        NOW,
        (
            Check("stuck", "stuck services", CheckState.STUCK, waits, hint="Mend it."),
            Check("updates", "service updates", CheckState.QUIET),
            Check("logins", "other logins", CheckState.WARNING, (Blocker("root", "is here too"),)),
            Check("timers", "timers", CheckState.UNCHECKED, note="No timers are configured."),
        ),
    )


def told(state: SwarmState | None = None, lines: Iterable[str] = (NO_ADDRESS, STRANGE)) -> MonitorState:
    state = evening() if state is None else state
    trends = {PROXY: growing(2, 13, 0), "id-ghost_internal": growing(3, 3, 250)}
    made = monitor_state(state, earlier=state, log=log(lines), trends=trends)
    return replace(made, quiet=Feed(checks(), 100.0))


def run_of() -> StoredRun:
    steps = (
        step("preflight", "Look first", StepState.DONE),
        step("quiet", "Wait", StepState.WAITING, failure=Failure("for quiet")),
        step("recreate", "Recreate", effect=Effect.OUTAGE),
    )
    question = Asked("quiet", 1, QuestionKind.GO_AHEAD, "digest")
    return stored_run(*steps, began_at=NOW - timedelta(minutes=3), question=question, run_id="proxy-16")


def overlays(shown: ConsoleDriver) -> Rows:
    screen = shown.app.screen
    assert isinstance(screen, OverviewScreen)
    return screen.panes[0].query_one(Rows)


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_everything_at_every_size(width: int, height: int) -> None:
    async with console(told(), size=(width, height)) as shown:
        shown.app.current_run = run_of()
        await shown.settle()
        compare(f"overview-{width}x{height}", shown.app)


async def test_the_verdict_and_the_worst_network_come_first() -> None:
    async with console(told()) as shown:
        lines = frame_of(shown.app)
    assert "manager, leader of" in lines[0]
    assert "read-only  live 02:00" in lines[0]
    assert lines[1].startswith(" CRITICAL  ")
    assert "proxy is full" in lines[1]
    assert lines[4].startswith("▌! proxy")
    assert lines[4].split()[-2:] == ["10", "0"]


async def test_an_older_engine_shows_bounds_and_unknowns() -> None:
    state = evening((1, 41))
    async with console(told(state)) as shown:
        assert re.search(r"! proxy .* \? +≤ 10\n", shown.frame)
    async with console(told(state), glyphs=ASCII) as shown:
        assert re.search(r"! proxy .* \? +<= 10\n", shown.frame)
        assert "\N{BOX DRAWINGS LIGHT HORIZONTAL}" not in shown.frame


async def test_before_the_first_look_it_says_whom_it_asks_and_then_why_nothing_comes() -> None:
    async with console(MonitorState()) as shown:
        assert "READING  waiting for the engine" in shown.frame
        assert "unix:///var/run/docker.sock" in shown.frame
        failed = Unknown("Nothing listens at unix:///var/run/docker.sock.", "Is dockerd running?")
        shown.monitor.publish(snapshot=Feed(failure=failed, failing_since_s=100.0))
        frame = await shown.until(lambda text: "UNKNOWN" in text)
        assert "UNKNOWN  Nothing listens at unix:///var/run/docker.sock." in frame
        assert "Is dockerd running?" in frame


async def test_what_is_old_looks_old_and_says_how_old_it_is() -> None:
    async with console(told()) as shown:
        assert not shown.app.screen.has_class("-stale")
        shown.clock.pass_by(5)
        assert "live 02:00" in await shown.settle()
        shown.clock.pass_by(12)
        frame = await shown.until(lambda text: "STALE 15 s" in text)
        assert "UNKNOWN  no snapshot for 15 s, showing 02:00:00" in frame
        assert shown.app.screen.has_class("-stale")
        await shown.settle()
        assert {bool(overlays(shown).tone(each).dim) for each in ("", "strong", "bad")} == {True}
        assert "! proxy" in frame
        snapshot = replace(shown.monitor.monitor_state.snapshot, at_s=shown.clock.monotonic())
        shown.monitor.publish(snapshot=snapshot)
        assert "CRITICAL" in await shown.until(lambda text: "live 02:00" in text)


async def test_a_look_that_fails_makes_what_is_shown_old_at_once_and_says_why() -> None:
    async with console(told()) as shown:
        failed = Unknown("The engine did not answer within 5 s.")
        shown.clock.pass_by(6)
        shown.monitor.publish(snapshot=replace(shown.monitor.monitor_state.snapshot, failure=failed))
        frame = await shown.until(lambda text: "STALE" in text)
        assert "no snapshot for 5 s, showing 02:00:00 UTC. The engine did not answer" in frame


async def test_the_cursor_stays_on_its_network_whatever_comes() -> None:
    async with console(told()) as shown:
        await shown.press("j")
        row = overlays(shown).current
        assert row is not None
        more = [network(f"aaa{number:02}", f"10.0.{number}.0/28") for number in range(20, 60)]
        state = evening()
        assert not isinstance(state.networks, Unknown)
        shown.monitor.publish(snapshot=told(replace(state, networks=(*more, *state.networks))).snapshot)
        await shown.until(lambda text: "43, worst first" in text)
        after = overlays(shown).current
        assert after is not None
        assert after.key == row.key


async def test_what_did_not_change_is_not_made_again() -> None:
    async with console(told()) as shown:
        screen = shown.app.screen
        assert isinstance(screen, OverviewScreen)
        rows = [pane.query_one(Rows)._rows for pane in screen.panes]
        shown.monitor.publish(snapshot=replace(shown.monitor.monitor_state.snapshot, at_s=101.0))
        await shown.settle()
        assert screen.monitor_state.snapshot.at_s == 101.0
        assert all(pane.query_one(Rows)._rows is kept for pane, kept in zip(screen.panes, rows, strict=True))


async def test_a_filter_shows_in_every_pane_and_in_the_titles_what_speaks_of_something() -> None:
    async with console(told()) as shown:
        await shown.press("slash", *"ghost")
        frame = shown.frame
        assert "1 of 3 match ghost" in frame
        assert "ghost_internal" in frame
        assert "! proxy" not in frame
        assert "other logins" not in frame
        await shown.press("enter")
        assert isinstance(shown.app.focused, Rows)
        assert "esc all" in shown.frame
        assert "3, worst first" in await shown.press("escape")


async def test_letters_are_letters_where_somebody_types() -> None:
    async with console(told()) as shown:
        await shown.press("slash", *"qd?w1")
        assert isinstance(shown.app.screen, OverviewScreen)
        assert shown.app.screen.filter_text == "qd?w1"
        assert "quit" not in frame_of(shown.app)[-1]


async def test_enter_opens_the_network_which_is_then_looked_at_closely() -> None:
    async with console(told()) as shown:
        await shown.press("enter")
        opened = shown.app.screen
        assert isinstance(opened, NetworkScreen)
        assert opened.network_id == PROXY
        assert shown.monitor.network_ids == (PROXY,)
        await shown.press("escape")
        shown.monitor.publish(poll_s=2.0)
        await shown.until(lambda _: not shown.monitor.network_ids)
        assert "1 Overlays" in shown.frame


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("2", "enter"), "Finding"),
        (("3", "enter"), "A network of a new service is full."),
        (("4", "enter"), "Mend it."),
        (("5", "enter"), "Look first"),
        (("w",), "ghost_app"),
        (("d",), "A network of a new service is full."),
        (("r",), "Look first"),
    ],
)
async def test_every_pane_opens_what_it_is_about_and_escape_comes_back(
    keys: tuple[str, ...], said: str
) -> None:
    async with console(told()) as shown:
        shown.app.current_run = run_of()
        await shown.settle()
        for key in keys:
            await shown.press(key)
        assert said in shown.frame
        assert not isinstance(shown.app.screen, OverviewScreen)
        await shown.press("escape", "escape")
        assert isinstance(shown.app.screen, OverviewScreen)


async def test_without_a_run_its_pane_says_so() -> None:
    async with console(told()) as shown:
        assert "No maintenance run yet." in shown.frame


async def test_tab_and_numbers_go_to_panes_where_only_one_is_shown() -> None:
    async with console(told(), size=(60, 20)) as shown:
        assert "1 Overlays" in shown.frame
        assert "2 Findings" not in shown.frame
        assert "2 Findings" in await shown.press("2")
        assert "1 Overlays" not in shown.frame
        assert "3 dockerd" in await shown.press("tab")
        assert "2 Findings" in await shown.press("shift+tab")
        assert "4 Quiet?" in await shown.press("4")


async def test_the_palette_has_the_commands_and_no_themes() -> None:
    async with console(told()) as shown:
        frame = await shown.press("ctrl+p")
        frame = await shown.until(lambda text: "Why services do not run" in text)
        assert "heme" not in frame
        assert "\N{RIGHT-POINTING MAGNIFYING GLASS}" not in frame
        await shown.press(*"dockerd", "enter")
        await shown.until(lambda text: "A network of a new service is full." in text)


async def test_ctrl_c_asks_and_enter_stays() -> None:
    async with console(told()) as shown:
        assert "Quit?" in await shown.press("ctrl+c")
        assert "Quit?" not in await shown.press("enter")
        await shown.press("ctrl+c", "ctrl+c")
        assert shown.app.return_value == 0


async def test_q_leaves() -> None:
    async with console(told()) as shown:
        await shown.press("q")
        assert not shown.app._running or shown.app.return_code == 0


async def test_looking_now_is_passed_on() -> None:
    async with console(told()) as shown:
        await shown.press("ctrl+l")
        assert shown.monitor.wake_count == 1


@pytest.mark.parametrize("evil", HOSTILE)
@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_text_from_others_is_only_ever_shown(evil: str, width: int, height: int) -> None:
    """Names come raw here, as if nothing had cleaned them."""
    state = swarm(
        [network(f"{evil}net", "10.0.1.0/29", id=PROXY)],
        [
            service(f"{evil}app", (PROXY, "10.0.1.2")),
            service(f"{evil}waits", networks=(PROXY,), updated=ago(99)),
        ],
        [task(f"{evil}app", (PROXY, "10.0.1.3"), error=evil)],
    )
    quiet = Report(NOW, (Check("x", evil, CheckState.BUSY, (Blocker(evil, evil),), evil, evil),))
    made = replace(told(state, [f'level=error msg="{evil}" error="{evil}"']), quiet=Feed(quiet, 100.0))
    async with console(made, size=(width, height)) as shown:
        failed = Unknown(evil, evil)
        for keys in (
            ("2",),
            ("enter",),
            ("escape",),
            ("3",),
            ("4",),
            ("enter",),
            ("escape",),
            ("1",),
            ("enter",),
            ("escape",),
            ("d",),
            ("w",),
        ):
            frame = await shown.press(*keys)
            assert all(len(line) <= width for line in frame.splitlines())
        shown.monitor.publish(
            snapshot=Feed(failure=failed), log=Feed(failure=failed), quiet=Feed(failure=failed)
        )
        await shown.press("o")
        await shown.until(lambda text: "UNKNOWN" in text)
        assert shown.app.failure is None


async def test_a_bug_in_a_handler_ends_the_app_with_its_exception_and_no_values() -> None:
    with pytest.raises(WorkerFailed, match="7 letters"):  # noqa: PT012 - it is raised again at the end
        async with console(told()) as shown:
            shown.monitor.fail(RuntimeError("7 letters"))
            await shown.until(lambda _: shown.app.failure is not None)
            assert isinstance(shown.app.failure, RuntimeError)
            assert not shown.app._exit_renderables
