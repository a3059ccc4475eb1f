"""What is typed, read as an answer: the same for the console and for a plain terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.runbook.language.values import Answer, Call, CheckResult, Effect
from console.runbook.run import events
from console.runbook.run.decisions import (
    DecisionRequest,
    QuestionView,
    parse_answer,
    question_view,
    stop_question,
)
from console.runbook.run.header import StepHeader
from console.runbook.run.view import RunState
from tests.support.runs import Flags, PaperRun

CHOICES = (events.Choice.CONFIRM, events.Choice.SKIP, events.Choice.STOP)
ASKED = QuestionView("swap", CHOICES, "proxy", attempt=2, digest="d1", number=7)


def test_an_answer_names_what_was_shown() -> None:
    assert parse_answer(ASKED, " proxy ") == DecisionRequest(
        "swap", events.Choice.CONFIRM, "proxy", "", 2, "d1", 7
    )
    assert parse_answer(ASKED, "confirm=proxy") == DecisionRequest(
        "swap", events.Choice.CONFIRM, "proxy", "", 2, "d1", 7
    )
    assert parse_answer(ASKED, "skip it was done by hand") == DecisionRequest(
        "swap", events.Choice.SKIP, "", "it was done by hand", 2, "d1", 7
    )
    assert parse_answer(ASKED, "stop") == DecisionRequest("swap", events.Choice.STOP, "", "", 2, "d1", 7)


@pytest.mark.parametrize("typed", ["", "PROXY", "confirm", "undo", "retry", "proxy now", "confirm="])
def test_anything_else_is_no_answer_and_what_is_one_is_said(typed: str) -> None:
    assert parse_answer(ASKED, typed) == ("Wrong word. Type proxy to go on, or skip REASON, or stop.")


def test_a_step_is_skipped_with_a_reason() -> None:
    said = parse_answer(ASKED, "skip ")
    assert isinstance(said, str)
    assert said.startswith("Skipping a step needs a reason.")


def test_where_no_word_is_asked_for_confirm_itself_is_typed() -> None:
    shown = QuestionView("swap", CHOICES, "")
    assert parse_answer(shown, "confirm") == DecisionRequest("swap", events.Choice.CONFIRM)
    assert isinstance(parse_answer(shown, ""), str)
    # A word that is called like another choice is the word.
    assert parse_answer(QuestionView("swap", CHOICES, "stop"), "stop") == DecisionRequest(
        "swap", events.Choice.CONFIRM, "stop"
    )


@given(st.text(max_size=20))
def test_nothing_but_the_word_confirms(typed: str) -> None:
    answer = parse_answer(ASKED, typed)
    is_confirmed = isinstance(answer, DecisionRequest) and answer.choice is events.Choice.CONFIRM
    assert is_confirmed == (typed.strip() in ("proxy", "confirm=proxy"))


@pytest.fixture
def asking() -> PaperRun:
    run = PaperRun((StepHeader("swap", "Swap", "test.do", Effect.CHANGE, needs_word=True),), Flags())
    run.write(events.Asked("swap", 1, events.QuestionKind.GO_AHEAD, "d1", "proxy", CHOICES))
    return run


@pytest.mark.parametrize("typed", ["proxy", "skip done by hand", "retry", "undo"])
def test_an_answer_to_an_earlier_question_is_none_to_the_one_that_is_open(
    asking: PaperRun, typed: str
) -> None:
    choices = (*CHOICES, events.Choice.RETRY, events.Choice.UNDO)
    asking.write(events.Intended("swap", 1, Call("test.do"), "d1", CheckResult(Answer.NO, "It is not done.")))
    asking.write(events.Asked("swap", 1, events.QuestionKind.GO_AHEAD, "d1", "proxy", choices))
    assert asking.view.question is not None
    shown = question_view(asking.view.question)
    answer = parse_answer(shown, typed)
    assert isinstance(answer, DecisionRequest)
    # Asked again: step, attempt and plan are the same, and still it is another question.
    asking.write(events.Asked("swap", 1, events.QuestionKind.FAILURE, "d1", "proxy", choices))
    assert "The question about swap has changed since it was shown" in asking.decide(answer)
    assert asking.view.state is RunState.WAITING


def test_stopping_counts_whatever_is_asked_meanwhile(asking: PaperRun) -> None:
    assert stop_question(asking.view) is None
    going = PaperRun(asking.heads, Flags())
    shown = stop_question(going.view)
    assert shown is not None
    answer = parse_answer(shown, "stop")
    assert isinstance(answer, DecisionRequest)
    going.write(events.Asked("swap", 1, events.QuestionKind.GO_AHEAD, "d1", "proxy", CHOICES))
    assert going.decide(answer) == ""
    assert going.view.state is RunState.STOPPED
