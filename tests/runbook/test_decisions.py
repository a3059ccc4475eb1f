"""Which decisions count: for what was asked, for what was shown, in the right word, once."""

import pytest

from console.runbook.language.values import Effect, OnFailure
from console.runbook.run import events
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.header import StepHeader
from console.runbook.run.next_action import may_skip
from console.runbook.run.outage import OutageView, PhaseStart, ServiceState
from console.runbook.run.view import RunState, StepState, StepView
from tests.support.runs import START, Crash, Flags, PaperRun

SAFE = StepHeader("safe", "Safe", "test.do", Effect.READ, may_retry=True)
FIRM = StepHeader("firm", "Firm", "test.do", Effect.CHANGE, needs_word=True, on_failure=OnFailure.ASK)
LAST = StepHeader(
    "last", "Last", "manual", Effect.CHANGE, no_undo_because="Only you can.", is_checkpoint=True
)


@pytest.fixture
def asking() -> PaperRun:
    run = PaperRun((SAFE, FIRM, LAST), Flags())
    run.work()
    assert run.view.state is RunState.WAITING
    return run


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (DecisionRequest("firm", events.Choice.CONFIRM, "Word"), "Wrong word"),
        (DecisionRequest("firm", events.Choice.CONFIRM), "Wrong word"),
        (DecisionRequest("firm", events.Choice.CONFIRM, "word\n"), "Wrong word"),
        (
            DecisionRequest("firm", events.Choice.CONFIRM, "word", attempt=2),
            "is now at attempt 1, but you were shown attempt 2",
        ),
        (
            DecisionRequest("firm", events.Choice.CONFIRM, "word", digest="other"),
            "has changed since it was shown",
        ),
        (DecisionRequest("last", events.Choice.CONFIRM, "word"), "the run is at firm"),
        (DecisionRequest("none", events.Choice.CONFIRM, "word"), "has no step none"),
        (DecisionRequest("firm", events.Choice.RETRY), "has not failed"),
        (DecisionRequest("firm", events.Choice.SKIP), "needs a reason"),
        (DecisionRequest("firm", events.Choice.UNDO), "nothing to undo"),
    ],
)
def test_what_does_not_count(asking: PaperRun, asked: DecisionRequest, said: str) -> None:
    assert said in asking.decide(asked)
    assert asking.view.state is RunState.WAITING


def test_the_first_answer_counts_and_the_second_is_told_that_it_is_late(asking: PaperRun) -> None:
    request = DecisionRequest("firm", events.Choice.CONFIRM, "word", attempt=1, digest="dig")
    assert asking.decide(request) == ""
    assert "it is under way" in asking.decide(request, is_alive=True)
    assert "is not waiting for a confirmation" in asking.decide(request)


def test_skipping_takes_a_reason_and_shows_it(asking: PaperRun) -> None:
    assert asking.decide(DecisionRequest("firm", events.Choice.SKIP, reason="not tonight")) == ""
    step = asking.view.step("firm")
    assert (step.state, step.skipped_because) == (StepState.SKIPPED, "not tonight")
    asking.work()
    assert asking.view.question is not None
    assert asking.view.question.event.step == "last"


def test_stopping_is_possible_at_any_time_and_once(asking: PaperRun) -> None:
    assert asking.decide(DecisionRequest("firm", events.Choice.STOP)) == ""
    assert asking.view.state is RunState.STOPPED
    assert "already stopped" in asking.decide(DecisionRequest("firm", events.Choice.STOP))
    assert asking.view.outcome == 4


def test_what_cannot_be_undone_says_why() -> None:
    run = PaperRun((FIRM, LAST), Flags())
    run.work()
    assert run.decide(DecisionRequest("firm", events.Choice.CONFIRM, "word")) == ""
    run.work()
    assert run.decide(DecisionRequest("last", events.Choice.CONFIRM, "word")) == ""
    run.world.failing["last"] = 1
    run.work()
    assert run.view.stop_reason is not None
    assert "last cannot be undone: Only you can." in run.decide(DecisionRequest("last", events.Choice.UNDO))
    assert run.view.outcome == 2


def test_a_run_that_is_done_takes_no_decision_but_to_undo_it() -> None:
    run = PaperRun((SAFE, FIRM), Flags())
    run.work()
    assert run.decide(DecisionRequest("firm", events.Choice.CONFIRM, "word")) == ""
    run.work()
    assert run.view.state is RunState.DONE
    for each in (events.Choice.CONFIRM, events.Choice.SKIP, events.Choice.RETRY, events.Choice.STOP):
        assert "The run is over (done)" in run.decide(DecisionRequest("firm", each, "word", "why"))
    assert run.decide(DecisionRequest("firm", events.Choice.UNDO)) == ""
    assert run.view.blocks
    assert "under way" in run.decide(DecisionRequest("firm", events.Choice.UNDO), is_alive=True)
    run.work()
    assert (run.view.state, run.view.step("firm").state) == (RunState.UNDONE, StepState.UNDONE)
    assert not run.world.done["firm"]
    assert "The run is over (undone)" in run.decide(DecisionRequest("firm", events.Choice.UNDO))


def test_an_outage_cannot_be_skipped_while_the_steps_after_it_could_not_work() -> None:
    head = StepHeader("out", "Take down", "test.do", Effect.OUTAGE, needs_word=True, on_failure=OnFailure.ASK)
    run = PaperRun((head,), Flags())
    run.work()
    assert run.view.question is not None
    assert run.view.question.event.choices == (events.Choice.CONFIRM, events.Choice.STOP)

    def outage(phase: str, *, is_down: bool) -> StepView:
        services = (ServiceState("web", is_down, START),)
        return StepView(
            head, outage=OutageView(("gone", "back", "settled"), (PhaseStart(phase, START),), services)
        )

    failure = events.QuestionKind.FAILURE
    assert not may_skip(outage("back", is_down=True), failure)
    # All is brought back, and something of it does not run: the operator may go on.
    assert may_skip(outage("settled", is_down=True), failure)
    assert may_skip(outage("back", is_down=False), failure)


def test_an_outage_is_not_skipped_where_that_was_not_offered() -> None:
    head = StepHeader("out", "Take down", "test.do", Effect.OUTAGE, needs_word=True, on_failure=OnFailure.ASK)
    run = PaperRun((head, SAFE), Flags())
    run.work()
    skip = DecisionRequest("out", events.Choice.SKIP, reason="no time")
    refusal = "out cannot be skipped: the steps after it need what it does."
    assert run.decide(skip) == refusal
    assert run.view.state is RunState.WAITING
    # Stopped before it began, there is no question that could say what may be answered.
    assert run.decide(DecisionRequest("out", events.Choice.STOP)) == ""
    assert run.view.question is None
    assert run.decide(skip) == refusal
    assert run.view.step("out").state is not StepState.SKIPPED


def test_a_step_that_is_skipped_after_its_runner_died_in_it_stays_skipped() -> None:
    run = PaperRun((FIRM, SAFE), Flags())
    run.work()
    assert run.decide(DecisionRequest("firm", events.Choice.CONFIRM, "word")) == ""
    # Of confirmation, preparation and intention the last is written; then the runner is killed.
    run.crash_at = frozenset((run.ticks + 7,))
    with pytest.raises(Crash):
        run.work()
    assert run.view.step("firm").is_acting
    assert run.decide(DecisionRequest("firm", events.Choice.SKIP, reason="done by hand")) == ""
    run.crash_at = frozenset()
    run.work()
    assert run.view.step("firm").state is StepState.SKIPPED
    assert run.view.state is RunState.DONE
