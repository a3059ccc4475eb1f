"""The line in which the question of a run is answered."""

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from console.clock import Clock
from console.runbook.run.decisions import DecisionRequest, QuestionView, parse_answer, ways_of
from console.runbook.run.events import Choice
from screens.tui.keys import PAUSE_S, Command, CommandMixin, bindings
from screens.tui.widgets.pane import TextView

ANSWER_KEYS: tuple[Command, ...] = (
    Command("forget", "escape", "Answer later", footer="not now", is_in_palette=False),
)


class AnswerInput(Input):
    """An input that refuses a paste, except in the reason for a skip."""

    class Pasted(Message):
        """A paste was refused: the answer must be typed."""

    def on_paste(self, event: events.Paste) -> None:
        """Refuse the paste, unless it is the reason for a skip."""
        if not self.value.startswith(f"{Choice.SKIP} "):
            event.prevent_default()
            self.post_message(self.Pasted())


class AnswerLine(Vertical, CommandMixin):
    """The question, and the line for its answer: the whole word, never a single key.

    An answer that arrives all at once, with its enter, was pasted or typed ahead, and does not count.

    `confirm` is answered with its word; `skip`, `retry`, `undo` and `stop` with that word, `skip` with a reason behind it.
    """

    DEFAULT_CSS = """
    AnswerLine {
        height: auto;
        max-height: 12;
        display: none;
        &.-open { display: block; }
        TextView { height: 3; }
        Input, Input:focus { height: 1; border: none; padding: 0 1; background: ansi_default; }
    }
    """
    KEYS = ANSWER_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(ANSWER_KEYS)

    @dataclass
    class Submitted(Message):
        """The operator has answered; the decision counts for this question only."""

        question: QuestionView
        request: DecisionRequest

    @dataclass
    class Misread(Message):
        """The text is no valid answer, or looks pasted; the sentence says which."""

        sentence: str

    class Answered(Message):
        """The operator has answered or postponed; the screen takes the keys back."""

    def __init__(self, clock: Clock, *, may_answer: bool) -> None:
        super().__init__()
        self._clock = clock
        self._may_answer = may_answer
        self._began_s: float | None = None
        """When the first letter of the answer came."""
        self._question: QuestionView | None = None

    def compose(self) -> ComposeResult:
        """Lay out the question over the answer."""
        question_view = TextView(id="question")
        question_view.can_focus = False
        yield question_view
        line = AnswerInput(select_on_focus=False)
        line.display = self._may_answer
        yield line

    @property
    def question(self) -> QuestionView | None:
        """The question on the screen."""
        return self._question

    def ask(self, question: QuestionView | None) -> None:
        """Show this question. Text for another question is dropped: it was meant for that one."""
        if question == self._question:
            return
        is_other = (
            question is None or self._question is None or _identity(question) != _identity(self._question)
        )
        self._question = question
        self.set_class(question is not None, "-open")
        if is_other:
            self.query_one(Input).value = ""
        if question is not None:
            self.query_one(Input).placeholder = ways_of(question)

    def begin(self) -> None:
        """Let the operator type."""
        if self._question is not None:
            self.query_one(Input).focus()

    def on_answer_input_pasted(self, event: AnswerInput.Pasted) -> None:
        """Post that a paste does not count."""
        event.stop()
        self.post_message(self.Misread("Type the answer: a paste does not count."))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Mark when an answer begins."""
        event.stop()
        if not event.value:
            self._began_s = None
        elif self._began_s is None:
            self._began_s = self._clock.monotonic()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Read the answer. An enter on nothing, or one that is held down, means nothing."""
        event.stop()
        question = self._question
        text = event.value.strip()
        if question is None or not text:
            return
        now_s = self._clock.monotonic()
        if self._began_s is None or now_s - self._began_s < PAUSE_S:
            self._began_s = now_s
            self.post_message(self.Misread("Looks pasted. Press enter again to confirm."))
            return
        answer = parse_answer(question, text)
        self.query_one(Input).value = ""
        if isinstance(answer, str):
            self.post_message(self.Misread(answer))
        else:
            self.post_message(self.Submitted(question, answer))
            self.post_message(self.Answered())

    def action_forget(self) -> None:
        """Drop the text and answer later."""
        self.query_one(Input).value = ""
        self.post_message(self.Answered())


def _identity(question: QuestionView) -> tuple[object, ...]:
    return question.step, question.attempt, question.digest, question.number
