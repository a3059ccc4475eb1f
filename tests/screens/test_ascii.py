"""A terminal that has nothing but ASCII: every screen and dialog, and no `?` that does not mean unknown."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rich.cells import cell_len
from textual.scrollbar import ScrollBar, ScrollBarRender

from console.diagnosis.quiescence.values import Blocker, Check, CheckState, Report
from console.errors import Unknown
from console.monitor.values import Feed, MonitorState
from console.runbook.language.values import ActionPlan, Effect
from console.runbook.run.events import Asked, Choice, QuestionKind
from console.runbook.run.view import StepState
from screens.present.text import ASCII, paragraph
from screens.tui.app import OwnRun
from screens.tui.dialogs import QuitDialog
from screens.tui.widgets import line_view
from tests.support.console_driver import ConsoleDriver, console
from tests.support.frames import frame_of
from tests.support.logs import CHATTER, NO_ADDRESS, STRANGE, log
from tests.support.monitor_states import monitor_state
from tests.support.runs import step, stored_run
from tests.support.swarms import NOW, ago, network, service, swarm, task

PROXY = "id-proxy"
STATE = swarm(
    [
        network("proxy", "10.0.1.0/28", load_balancer="10.0.1.5", peers=1),
        network("large", "10.8.0.0/16", "fd00::/64"),
        *(network(f"net{place:02}", f"10.0.{100 + place}.0/24") for place in range(24)),
    ],
    [
        service("web_app", (PROXY, "10.0.1.2")),
        *(service(f"waits{place:02}_app", networks=(PROXY,), updated=ago(840)) for place in range(24)),
    ],
    [
        task("web_app", (PROXY, "10.0.1.3")),
        *(task(f"waits{place:02}_app", state="new", since=ago(840)) for place in range(24)),
    ],
)
STEPS = tuple(
    step(f"step{place}", f"Step {place}", state, Effect.OUTAGE, ActionPlan("It looks around. " * 50))
    for place, state in enumerate([*StepState] * 4)
)
ASKED = Asked("step0", 1, QuestionKind.GO_AHEAD, "digest", "proxy", tuple(Choice))
RUN = stored_run(*STEPS, began_at=NOW - timedelta(minutes=3), question=ASKED)


def full() -> MonitorState:
    """Return a scene in which each pane has more than it can show, and every mark stands."""
    checks = [
        Check(f"{each}{place}", f"check {each} {place}", each, (Blocker("root", "is here"),), "A note.")
        for each in CheckState
        for place in range(5)
    ]
    lines = [NO_ADDRESS, STRANGE, *[CHATTER] * 60, NO_ADDRESS]
    made = monitor_state(STATE, earlier=STATE, log=log(lines))
    return replace(made, quiet=Feed(Report(NOW, tuple(checks)), 100.0))


class Spy:
    """Notes the characters for which nothing stands in, on their way to the terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen = set[str]()
        shown = line_view._as_ascii

        def note(text: str) -> str:
            self.seen.update(each for each in text.translate(line_view.STAND_INS) if not each.isascii())
            return shown(text)

        monkeypatch.setattr(line_view, "_as_ascii", note)


async def nothing(*given: Any) -> None:
    del given


@asynccontextmanager
async def ascii_console(width: int, height: int) -> AsyncGenerator[ConsoleDriver, None]:
    own = OwnRun("r", nothing)
    async with console(MonitorState(), size=(width, height), glyphs=ASCII, own=own) as shown:
        await shown.press("o")
        yield shown


WALKS: Sequence[Sequence[str]] = (
    ("1", "j", "2", "G", "enter", "escape", "3", "4", "enter", "escape", "5"),
    ("2", "slash", *"net", "enter", "escape"),
    ("1", "enter", "slash", ".", "2", "enter", "escape", "c", "tab", "tab", "tab", "tab", "escape", "escape"),
    ("slash", *"large", "enter", "enter", "G", "enter", "G", "o", "escape"),
    ("w", "G", "2", "G", "C", "escape", "escape", "escape"),
    ("d", "2", "G", "3", "k", "l", "slash", "x", "escape", "o"),
    ("r", "G", "2", "j", "a", "x", "enter", "escape", "o"),
    ("question_mark", "G", "escape"),
    ("ctrl+c", "escape"),
    ("ctrl+p", "w", "h", "escape", "escape"),
)


async def publish_all(shown: ConsoleDriver) -> None:
    whole = full()
    shown.monitor.publish(snapshot=whole.snapshot, log=whole.log, quiet=whole.quiet, leak_log=whole.leak_log)
    shown.app.current_run = RUN
    await shown.until(lambda text: "proxy" in text)


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: "-".join(walk[:2]))
@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), pytest.param(160, 50, marks=pytest.mark.sweep)], ids=str
)
async def test_every_screen_has_a_character_for_whatever_it_draws(
    width: int, height: int, walk: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch)
    async with ascii_console(width, height) as shown:
        await publish_all(shown)
        # The spy sees what is drawn between the keys as well.
        frame = await shown.press(*walk)
        assert frame.isascii()
    assert not spy.seen


async def test_every_dialog_has_a_character_for_whatever_it_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    async with ascii_console(80, 24) as shown:
        await publish_all(shown)
        shown.app.push_screen(QuitDialog([paragraph("This stops every route. " * 99)], shown.app.environment))
        frame = await shown.settle()
        assert frame.isascii()
        # However much there is to read, the keys that answer stay in sight.
        assert "stay" in frame
        await shown.press("escape")
        shown.app.notify("That is gone.", severity="warning", timeout=600)
        shown.app.notify("That is gone, too.", severity="error", timeout=600)
        frame = await shown.until(lambda text: "That is gone, too." in text)
        assert frame.isascii()
        shown.monitor.publish(snapshot=Feed(failure=Unknown("Gone.", "Is it?")))
        assert (await shown.until(lambda text: "UNKNOWN" in text)).isascii()
    assert not spy.seen


def bar_of(shown: ConsoleDriver) -> str:
    """Return the last column of the screen, as far as scroll bars are drawn with it."""
    return "".join(each[-1] for each in frame_of(shown.app)[3:-1] if len(each) == shown.app.size.width)


async def test_scroll_bars_are_drawn_with_characters() -> None:
    async with ascii_console(80, 24) as shown:
        shown.monitor.publish(snapshot=full().snapshot)
        await shown.until(lambda text: "proxy" in text)
        await shown.press("w")
        await shown.until(lambda text: "BLOCKED" in text)
        assert re.match(r"#+\|+", bar_of(shown))
        await shown.press("G")
        assert "|#" in bar_of(shown)
    assert ScrollBar.renderer is ScrollBarRender


def test_for_lines_and_blocks_there_is_always_a_character() -> None:
    drawn = "".join(chr(code) for code in range(0x2500, 0x25A0))
    assert drawn.translate(line_view.STAND_INS).isascii()
    assert "?" not in drawn.translate(line_view.STAND_INS)
    assert {cell_len(chr(code)) for code in line_view.STAND_INS} == {1}
