"""How a rehearsal answers what its run asks."""

import pytest

from console.rehearsal.inside import NOT_RUN, answer_to
from console.runbook.language.values import Effect
from console.runbook.run import events
from console.runbook.run.events import Choice, QuestionKind, Why
from console.runbook.run.header import StepHeader
from console.runbook.run.view import RunView
from tests.support.runs import Flags, PaperRun

HEADS = (
    StepHeader("hook", "Run a hook", "exec", Effect.CHANGE),
    StepHeader("recreate", "Recreate the overlay", "network.recreate", Effect.OUTAGE, needs_word=True),
)
ASKED = events.Asked("recreate", 1, QuestionKind.GO_AHEAD, "digest", "proxy", (Choice.CONFIRM,))
FAILED = events.Asked("recreate", 1, QuestionKind.FAILURE, "digest", "", (Choice.RETRY, Choice.SKIP))
HALTED = events.Stopped(Why.FAILED, "Runbooks may run no programs here.")


def view_after(*written: events.Event, steps: tuple[StepHeader, ...] = HEADS[1:]) -> RunView:
    run = PaperRun(steps, Flags())
    for event in written:
        run.write(event)
    return run.view


def test_it_confirms_with_the_word_that_is_asked_for() -> None:
    request = answer_to(view_after(ASKED))
    assert request is not None
    assert (request.step, request.choice, request.word, request.question) == (
        "recreate",
        Choice.CONFIRM,
        "proxy",
        2,
    )


@pytest.mark.parametrize("written", [HALTED, ASKED], ids=["refused", "asked"])
def test_a_program_is_skipped_with_the_reason(written: events.Event) -> None:
    request = answer_to(view_after(written, steps=HEADS))
    assert request is not None
    assert (request.step, request.choice, request.reason) == ("hook", Choice.SKIP, NOT_RUN)


@pytest.mark.parametrize("written", [FAILED, HALTED], ids=["failed", "stopped"])
def test_what_an_operator_would_have_to_think_about_is_the_end(written: events.Event) -> None:
    assert answer_to(view_after(written)) is None
