"""What a run waits for: shown in one place, bounded however long it takes, and kept as how long what blocked."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from console.clock import SystemClock
from console.durations import stamp
from console.host.lock import maintenance_lock
from console.runbook.actions.wait import QuiescentParameters, SwarmQuiescent
from console.runbook.contracts import Blocking
from console.runbook.language.values import Answer, Call, CheckResult, Effect
from console.runbook.run import events
from console.runbook.run.header import StepHeader
from console.runbook.run.view import StoredRun
from console.runbook.run.waits import MOST_ROWS, OTHERS, Waiting
from console.runbook.runner.context import NoChanges, StepContext
from console.runbook.runner.waits import HEADLINE_EVERY_S, Waits, store_interrupted_wait
from console.runbook.store.folders import RUNNER_LOCK, create_run
from console.runbook.store.log import RunLog
from console.runbook.store.output import WAITING, Output, clear_waiting, last_lines, read_waiting
from console.runbook.store.viewer import read_stored_run
from screens.output.run_lines import news
from screens.output.run_report.document import as_json
from screens.output.run_report.markdown import as_markdown
from screens.present.run import next_advice
from screens.present.run_step import step_paragraphs
from screens.tui.runbook import RunbookScreen
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.benches import Bench, bench
from tests.support.clocks import Hours
from tests.support.frames import compare_body, frame_of
from tests.support.monitor_states import SIZES, environment, host_screen, monitor_state, settle
from tests.support.runs import ALICE, START, header

CALM = StepHeader("calm", "Quiet", "swarm.quiescent", Effect.READ)
NOISY_S = 300.0


@dataclass
class Case:
    folder: Path
    clock: Hours = field(default_factory=Hours)

    def __post_init__(self) -> None:
        self.waits = Waits(self.folder, self.clock)

    async def report(self, *blocking: Blocking, after_s: float = 1.0, note: str = "quiet so far") -> None:
        self.clock.at_s += after_s
        await self.waits.report("calm", blocking, note)

    @property
    def shown(self) -> Waiting:
        waiting = read_waiting(self.folder)
        assert waiting is not None
        return waiting


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create_run(tmp_path, events.Began(header(), (CALM,), ALICE), b"", START)


@pytest.fixture
def case(folder: Path) -> Case:
    return Case(folder)


@pytest.fixture
def host() -> Iterator[Bench]:
    engine = a_swarm()
    a_network(engine)
    a_service(engine, "proxy", name="web")
    with bench(engine) as ready:
        ready.advance(600)
        yield ready


async def test_five_noisy_minutes_add_no_line_and_are_kept_as_how_long_what_blocked(
    host: Bench, folder: Path
) -> None:
    waits, output = Waits(folder, host.clock), Output(folder)
    world: Any = host
    context = StepContext(
        world, "r1", "calm", 600.0, folder, output, NoChanges(), waits, RunLog(folder, host.clock)
    )
    seen: list[Waiting] = []
    sizes: list[int] = []

    def noise(number: int) -> None:
        """Bring a service that fails at once, take the one before away, and note what a viewer would see now."""
        services = host.model.store.services
        for each in [each for each in services.values() if each.name.startswith("noisy")]:
            host.model.services.remove(each.id)
        if number:
            a_service(host.model, "proxy", name=f"noisy{number % 60}", command="sleep 1; exit 1")
        waiting = read_waiting(folder)
        if waiting is not None:
            seen.append(waiting)
            sizes.append((folder / WAITING).stat().st_size)

    count = int(NOISY_S / 2)
    host.clock.meanwhile += [(600.0 + 2 * each, partial(noise, count - each)) for each in range(count + 1)]
    outputs = await SwarmQuiescent().act(context, QuiescentParameters.model_validate({"stable_for": "20s"}))
    output.close()
    waited_s = outputs["waited_s"]
    assert isinstance(waited_s, float)
    assert waited_s > NOISY_S
    assert last_lines(folder, ("calm",), 100) == {}
    # More than a hundred states, each in one place; a line for a log seldom.
    assert len({each.text for each in seen}) > 50
    headlines = [each.headline for each in seen]
    changes = sum(one != two for one, two in pairwise(headlines))
    assert 1 <= changes <= NOISY_S / HEADLINE_EVERY_S
    assert max(len(each) for each in headlines) <= 240
    assert max(sizes) < 30_000
    rows = waits.rows("calm")
    assert len(rows) <= MOST_ROWS
    assert OTHERS in [each.name for each in rows]
    longest = max(rows, key=lambda each: each.took_s)
    assert longest.began_at < longest.ended_at
    assert 0 < longest.took_s <= waited_s + 1


async def test_how_long_each_thing_blocked_is_without_the_pauses_between(case: Case) -> None:
    web, job = Blocking("service web", "is updating"), Blocking("deploy.service", "is active")
    await case.report(web)
    await case.report(web, job, after_s=10)
    await case.report(job, after_s=5)
    await case.report(after_s=20)
    await case.report(web, after_s=60)
    await case.report(after_s=2)
    first, second = case.waits.rows("calm")
    assert (first.name, first.times, first.took_s) == ("service web", 2, 17.0)
    assert (second.name, second.times, second.took_s) == ("deploy.service", 1, 25.0)
    assert (first.ended_at - first.began_at).total_seconds() == 97


async def test_it_is_written_once_a_second_at_most_and_at_once_where_there_is_something_to_tell(
    case: Case,
) -> None:
    await case.report(Blocking("a", "x"))
    assert case.shown.headline == "waiting for a: x"
    await case.report(Blocking("a", "y"), after_s=0.5)
    assert case.shown.blocking == (Blocking("a", "x"),)
    await case.report(Blocking("a", "z"), after_s=0.5)
    assert case.shown.blocking == (Blocking("a", "z"),)
    # The same thing, whatever it does: no other headline.
    assert case.shown.headline == "waiting for a: x"
    await case.report(Blocking("b"), after_s=1)
    assert (case.shown.text, case.shown.headline) == ("waiting for b", "waiting for a: x")
    await case.report(after_s=HEADLINE_EVERY_S)
    assert case.shown.headline == "quiet so far"
    # A step that goes on after its wait shows none, at once.
    await case.report(after_s=0.1, note="")
    assert (case.shown.text, case.shown.headline) == ("", "")


async def test_another_runner_goes_on_with_what_one_that_was_killed_had_seen(case: Case) -> None:
    await case.report(Blocking("a"))
    await case.report(Blocking("a"), after_s=30)
    left = (case.folder / WAITING).read_bytes()
    log = RunLog(case.folder, case.clock)
    await log.read()
    await store_interrupted_wait(log)
    assert read_waiting(case.folder) is None
    # One that was killed before it could remove the file: it is not counted twice.
    (case.folder / WAITING).write_bytes(left)
    await store_interrupted_wait(log)
    after = Case(case.folder, case.clock)
    await after.report(Blocking("a"), after_s=100)
    await after.report(Blocking("a"), after_s=5)
    await log.append(events.Waited("calm", after.waits.rows("calm")))
    (row,) = log.view.step("calm").waits
    log.close()
    # Nobody looked for the hundred seconds between the two.
    assert (row.took_s, row.times) == (35.0, 2)


async def test_many_things_are_bounded_and_those_that_blocked_longest_keep_their_names(case: Case) -> None:
    stays = Blocking("stays", "for long")
    for number in range(500):
        await case.report(stays, Blocking(f"short {number}", "x" * 1000))
    rows = case.waits.rows("calm")
    assert len(rows) == MOST_ROWS
    assert rows[0].name == "stays"
    assert rows[0].took_s == 499
    (others,) = [each for each in rows if each.name == OTHERS]
    assert sum(each.times for each in rows) == 501
    assert others.times == 500 - (MOST_ROWS - 2)
    await case.report(*(Blocking(f"at once {number}") for number in range(300)))
    assert len(case.shown.blocking) + case.shown.more == 300
    assert len(case.waits.rows("calm")) == MOST_ROWS
    assert (case.folder / WAITING).stat().st_size < 40_000


def test_what_cannot_be_read_is_not_known(folder: Path) -> None:
    assert read_waiting(folder) is None
    for broken in ("", "[]", '{"step": 1}', "\N{SNOWMAN}"):
        (folder / WAITING).write_text(broken)
        assert read_waiting(folder) is None


async def test_every_face_shows_the_wait_and_afterwards_what_it_was(folder: Path, case: Case) -> None:
    clock = SystemClock()
    log = RunLog(folder, clock)
    await log.read()
    found = CheckResult(Answer.NO, "Look.")
    await log.append(events.Intended("calm", 1, Call("swarm.quiescent"), "digest", found))
    before = read_stored_run(folder)
    async with maintenance_lock("the runner", ALICE, clock, folder / RUNNER_LOCK):
        case.clock.at_s = (datetime.now(UTC) - datetime(2026, 6, 12, 2, 0, tzinfo=UTC)).total_seconds() - 200
        await case.report(Blocking("service web", "is updating"))
        await case.report(Blocking("service web", "is updating"), after_s=100)
        # A viewer that comes later sees the same.
        now, later = read_stored_run(folder), read_stored_run(folder)
        assert now.live.waiting == later.live.waiting
        assert said(before, now) == ["calm waiting for service web: is updating"]
        assert said(now, later) == []
        assert next_advice(now) == "calm, 2 min: waiting for service web: is updating"
        step = "\n".join(
            "".join(text for text, _ in each.parts) for each in step_paragraphs(now, now.view.steps[0])
        )
        assert "service web: is updating" in step
        assert "2 min, 1 time" in step or "100 s, 1 time" in step
        await log.append(events.Waited("calm", case.waits.rows("calm")))
        # Killed before it could remove the file: nothing is shown or counted twice.
        assert read_stored_run(folder).live.waiting is None
        clear_waiting(folder)
    await log.append(events.Succeeded("calm", 1, {}, 100.0))
    log.close()
    kept = read_stored_run(folder)
    (row,) = json.loads(as_json(kept))["steps"][0]["waited_for"]
    assert (row["name"], row["what"], row["times"], row["took_s"]) == ("service web", "is updating", 1, 100.0)
    lines = as_markdown(kept).splitlines()
    assert "| what | last seen | from | until | times | blocked for |" in lines
    when = " | ".join(stamp(datetime.fromisoformat(row[each])) for each in ("from", "until"))
    assert f"| service web | is updating | {when} | 1 | 2 min |" in lines


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_the_screen_of_a_run_shows_the_wait_where_the_operator_looks_first(
    width: int, height: int, folder: Path, case: Case
) -> None:
    clock = SystemClock()
    log = RunLog(folder, case.clock)
    await log.read()
    await log.append(
        events.Intended("calm", 1, Call("swarm.quiescent"), "digest", CheckResult(Answer.NO, "Look."))
    )
    log.close()
    for _ in range(2):
        await case.report(
            *(Blocking(f"service shop_worker{each}", "1 of 2 tasks run") for each in range(30)), after_s=70
        )
    async with maintenance_lock("the runner", ALICE, clock, folder / RUNNER_LOCK):
        shown = read_stored_run(folder)
    screen = RunbookScreen(environment())
    async with host_screen(screen, monitor_state(), (width, height)) as (app, pilot):
        screen.take(shown)
        await settle(app, pilot)
        frame = "\n".join(frame_of(app))
        assert "Waits for 30:" in frame
        assert "service shop_worker0: 1 of 2 tasks run" in frame
        compare_body(f"waiting-{width}x{height}", app)


def said(before: StoredRun, now: StoredRun) -> list[str]:
    return list(news(before, now))
