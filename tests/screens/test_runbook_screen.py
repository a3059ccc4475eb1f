"""The screen of a maintenance run, driven as an operator drives it."""

from dataclasses import replace

import pytest

from console.errors import Unknown
from console.runbook.language.values import ActionPlan, Answer, CheckResult, Effect
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.events import Asked, Choice, QuestionKind
from console.runbook.run.view import Live, RunState, StepState, StoredRun
from screens.present.run import open_question
from screens.tui.runbook import RunbookScreen
from screens.tui.widgets.answer_line import AnswerLine
from screens.tui.widgets.pane import TextView
from tests.support.frames import compare_body, frame_of
from tests.support.monitor_states import SIZES, StillClock, environment, host_screen, monitor_state
from tests.support.runs import step, stored_run
from tests.support.swarms import ago

ASKED = Asked(
    "recreate", 1, QuestionKind.GO_AHEAD, "digest", "proxy", (Choice.CONFIRM, Choice.SKIP, Choice.STOP)
)
PLAN = ActionPlan(
    "6 services are on proxy. Each is stopped once and started once.",
    changes=("park 6 services", "remove network ab54qfa7gsk5", "create proxy 10.10.0.0/16, attachable"),
    calls=("POST /services/x/update",),
    checked=(
        CheckResult(Answer.YES, "6 services, 0 containers."),
        CheckResult(Answer.NO, "The host is not quiet."),
    ),
    outage_s=17.0,
)
STEPS = (
    step("preflight", "Engine, leader, disk, free subnet", StepState.DONE, took_s=2.0),
    step("build", "Edit swarm.nix and build", StepState.DONE, Effect.CHANGE, took_s=221.0),
    step(
        "recreate",
        "Recreate proxy as 10.10.0.0/16",
        StepState.WAITING,
        Effect.OUTAGE,
        PLAN,
        no_undo_because="The old network is gone.",
    ),
    step("switch", "nixos-rebuild switch", effect=Effect.CHANGE),
    step("verify", "Reproduce and verify"),
)
RUN = stored_run(*STEPS, began_at=ago(360), question=ASKED, run_id="proxy-16-0350")
GOING = replace(RUN, view=replace(RUN.view, state=RunState.GOING, question=None))


class SlowHand(StillClock):
    """A second passes between any two looks at the clock."""

    def __init__(self) -> None:
        self._looks = 0

    def monotonic(self) -> float:
        self._looks += 1
        return 100.0 + self._looks


def screen(*, may_decide: bool = True) -> RunbookScreen:
    return RunbookScreen(replace(environment(), clock=SlowHand()), may_decide=may_decide)


def told(shown: RunbookScreen) -> str:
    return shown.query_one("#step", TextView).text


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_a_run_that_asks_at_every_size(width: int, height: int) -> None:
    shown = screen()
    async with host_screen(shown, monitor_state(), (width, height)) as (app, pilot):
        shown.run = RUN
        await pilot.pause()
        compare_body(f"run-{width}x{height}", app)


async def test_the_step_that_matters_is_shown_first_and_others_can_be_looked_at() -> None:
    shown = screen()
    async with host_screen(shown, monitor_state()) as (_, pilot):
        shown.run = RUN
        await pilot.pause()
        assert told(shown).startswith("Recreate proxy as 10.10.0.0/16  OUTAGE")
        await pilot.press("k")
        assert told(shown).startswith("Edit swarm.nix and build  CHANGES")
        # Whoever looks at another step is not led away from it by what goes on.
        shown.run = replace(RUN, live=Live())
        await pilot.pause()
        assert told(shown).startswith("Edit swarm.nix and build")
        await pilot.press("n")
        await pilot.pause()
        assert told(shown).startswith("Recreate proxy")


async def test_the_cursor_goes_along_with_the_run() -> None:
    shown = screen()
    async with host_screen(shown, monitor_state()) as (_, pilot):
        shown.run = RUN
        await pilot.pause()
        done = tuple(replace(each, state=StepState.DONE) if each.id == "recreate" else each for each in STEPS)
        shown.run = replace(GOING, view=replace(GOING.view, steps=done))
        await pilot.pause()
        assert told(shown).startswith("nixos-rebuild switch")


async def test_output_that_comes_stays_in_sight_at_its_end_unless_somebody_reads_above() -> None:
    shown = screen()

    def running(lines: int) -> StoredRun:
        output = tuple(f"line {each}" for each in range(lines))
        run = stored_run(step("a", "A", StepState.RUNNING))
        return replace(run, live=replace(run.live, lines={"a": output}))

    async with host_screen(shown, monitor_state()) as (app, pilot):
        shown.run = running(40)
        await pilot.pause()
        await pilot.press("2", "G")
        shown.run = running(60)
        await pilot.pause()
        await pilot.pause()
        frame = "\n".join(frame_of(app))
        assert ("line 59" in frame, "elapsed" in frame) == (True, False)
        await pilot.press("g")
        shown.run = running(80)
        await pilot.pause()
        assert "elapsed" in "\n".join(frame_of(app))


async def test_an_answer_is_its_whole_word_and_counts_for_the_question_that_was_asked() -> None:
    shown = screen()
    async with host_screen(shown, monitor_state()) as (app, pilot):
        shown.run = RUN
        await pilot.pause()
        await pilot.press("a", *"yes", "enter")
        await pilot.pause()
        assert not [each for each in app.messages if isinstance(each, AnswerLine.Submitted)]
        assert "Wrong word" in "\n".join(frame_of(app))
        await pilot.press(*"proxy", "enter")
        await pilot.pause()
        (decided,) = [each for each in app.messages if isinstance(each, AnswerLine.Submitted)]
        assert (decided.question, decided.request) == (
            open_question(RUN),
            DecisionRequest("recreate", Choice.CONFIRM, "proxy", "", 1, "digest", 1),
        )


async def test_what_was_typed_for_another_plan_is_forgotten() -> None:
    shown = screen()
    async with host_screen(shown, monitor_state()) as (app, pilot):
        shown.run = RUN
        await pilot.pause()
        await pilot.press("a", *"prox")
        shown.run = stored_run(*STEPS, question=replace(ASKED, digest="another"))
        await pilot.pause()
        await pilot.press("y", "enter")
        await pilot.pause()
        assert not [each for each in app.messages if isinstance(each, AnswerLine.Submitted)]
        await pilot.press("escape", "k")
        assert told(shown).startswith("Edit swarm.nix")


async def test_where_nothing_may_be_decided_no_key_answers() -> None:
    shown = screen(may_decide=False)
    async with host_screen(shown, monitor_state()) as (app, pilot):
        shown.run = RUN
        await pilot.pause()
        await pilot.press("a", *"proxy", "enter")
        await pilot.pause()
        assert not [each for each in app.messages if isinstance(each, AnswerLine.Submitted)]
        assert "a answer" not in frame_of(app)[-1]


async def test_before_any_run_it_shows_what_the_runbook_would_do() -> None:
    shown = screen()
    async with host_screen(shown, monitor_state()) as (app, pilot):
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "not started" in frame_of(app)[2]
        assert "pending" in frame_of(app)[4]
        await pilot.press("j", "2", "n", "c")
        assert app.copied
        assert "answer" not in frame_of(app)[-1]


async def test_where_runs_cannot_be_read_it_says_why_and_no_key_does_anything() -> None:
    shown = screen()
    async with host_screen(shown, monitor_state()) as (app, pilot):
        await app.workers.wait_for_complete()
        shown.run = Unknown("The run store cannot be read.", "Look at its rights.")
        await pilot.pause()
        assert "Look at its rights." in "\n".join(frame_of(app))
        await pilot.press("a", "n", "c", "j", "enter", "1")
        assert "answer" not in frame_of(app)[-1]
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not shown
