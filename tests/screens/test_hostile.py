"""Text from outside on every pane: it is data, never markup, and nothing raw reaches the terminal."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from console.addresses.leaks import LeakEntry, LeakLog, MonitoringGap
from console.errors import Unknown
from console.host.who import Who
from console.monitor.values import MonitorState
from console.runbook.language.values import ActionPlan, Answer, CheckResult, Effect
from console.runbook.run.events import Asked, Choice, ConditionResult, QuestionKind
from console.runbook.run.view import Failure, StepState, StoredRun
from console.text import SENTENCE_LIMIT, clean
from screens.tui.journal import JournalScreen
from screens.tui.network import NetworkScreen
from screens.tui.runbook import RunbookScreen
from screens.tui.screen import ConsoleScreen
from screens.tui.why import WhyScreen
from tests.support.frames import frame_of
from tests.support.logs import log
from tests.support.monitor_states import SIZES, environment, host_screen, monitor_state
from tests.support.runs import step, stored_run
from tests.support.swarms import NOW, ago, network, service, swarm, task

RAW: tuple[str | bytes, ...] = (
    "[/x]",
    "[abc]",
    "[@click=app.quit]go[/]",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe\u2066",
    "a\nb\r\tc\x9bm",
    "x" * 10_000,
    "宽" * 70,
    b"\xff\xfe broken",
    "a [/",
)
NAMES = tuple(clean(each) for each in RAW)
"""As they come through the doors: every text in a scene has been cleaned there."""
TEXTS = tuple(clean(each, SENTENCE_LIMIT) for each in RAW)
PROXY = "id-proxy"


def hostile_scene() -> MonitorState:
    services = [
        replace(
            service(name, (PROXY, f"10.0.1.{10 + place}")),
            id=f"s{place}",
            update_message=TEXTS[place],
            image=name,
        )
        for place, name in enumerate(NAMES)
    ]
    tasks = [
        replace(
            task(
                "",
                (PROXY, f"10.0.1.{100 + place}"),
                state="rejected" if place % 2 else "running",
                error=TEXTS[place],
                since=ago(90),
            ),
            id=f"t{place}",
            service_id=f"s{place}",
            message=TEXTS[place],
        )
        for place in range(len(NAMES))
    ]
    proxy = replace(network(NAMES[0], "10.0.1.0/24", id=PROXY, peers=1), driver="overlay")
    entries = tuple(
        LeakEntry(
            PROXY,
            NAMES[0],
            (IPv4Address(f"10.0.1.{200 + place}"),),
            f"l{place}",
            name,
            name,
            name,
            name,
            ago(60),
        )
        for place, name in enumerate(NAMES)
    )
    gap = MonitoringGap(ago(500), None, TEXTS[3])
    messages = [f'level=error msg="{text}" error="{text}"' for text in (*map(str, RAW), *TEXTS)]
    return monitor_state(
        swarm([proxy], services, tasks),
        leak_log=LeakLog(ago(900), entries, (gap,)),
        log=log(messages),
        log_failed=Unknown(TEXTS[0], TEXTS[3]),
    )


def hostile_run() -> StoredRun:
    steps = tuple(
        step(
            f"s{place}",
            name,
            state,
            Effect.OUTAGE,
            ActionPlan(
                text, changes=TEXTS, calls=TEXTS, checked=(CheckResult(Answer.NO, text),), refused=TEXTS, no_return=text, outage_s=4.0
            ),
            no_undo_because=TEXTS[0],
            failure=Failure(text),
            results=(ConditionResult(name, CheckResult(Answer.YES, text)),),
            took_s=3.0,
        )
        for place, (name, text, state) in enumerate(zip(NAMES, TEXTS, StepState, strict=False))
    )  # fmt: skip
    asked = Asked("s0", 1, QuestionKind.FAILURE, "d", NAMES[0], tuple(Choice), 120.0)
    run = stored_run(*steps, began_at=NOW, question=asked, run_id=NAMES[0], title=NAMES[2])
    lines = {each.id: TEXTS for each in steps}
    return replace(run, live=replace(run.live, lines=lines), view=replace(run.view, who=Who(NAMES[5])))


def screens() -> list[ConsoleScreen]:
    around = environment()
    return [
        NetworkScreen(around, PROXY),
        JournalScreen(around),
        WhyScreen(around),
        RunbookScreen(around, may_decide=True),
    ]


@pytest.mark.parametrize("size", [SIZES[0], SIZES[-1]])
@pytest.mark.parametrize("place", range(4))
async def test_no_pane_lets_anything_raw_through_or_takes_it_for_markup(
    place: int, size: tuple[int, int]
) -> None:
    shown = screens()[place]
    seen: list[str] = []
    async with host_screen(shown, hostile_scene(), size) as (app, pilot):
        if isinstance(shown, RunbookScreen):
            await app.workers.wait_for_complete()
            shown.run = hostile_run()
        for keys in (
            ("1",),
            ("j", "j"),
            ("enter",),
            ("2",),
            ("G",),
            ("3",),
            ("G",),
            ("k", "k"),
            ("4",),
            ("5",),
            ("c",),
        ):
            await pilot.press(*keys)
            await pilot.pause()
            seen += frame_of(app)
        await pilot.press("slash" if not isinstance(shown, RunbookScreen) else "a", *"[/x]", "enter")
        await pilot.pause()
        seen += frame_of(app)
        assert app.is_running
    # The scrollbar's own characters are printable, too.
    assert all(line.isprintable() for line in seen), [line for line in seen if not line.isprintable()]
    whole = "\n".join(seen)
    assert "[/x]" in whole
    assert "[abc]" in whole or size == (60, 20)
    assert "title\x07" not in whole


async def test_what_cannot_be_read_is_told_as_it_stands() -> None:
    shown = JournalScreen(environment())
    async with host_screen(shown, monitor_state(log_failed=Unknown(TEXTS[0], TEXTS[3]))) as (app, _):
        whole = "\n".join(frame_of(app))
        assert "[/x]" in whole
        assert "\\x1b[2J" in whole
