"""The maintenance run: its steps, what each does and did, and the question to the operator."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.reactive import var
from textual.widget import Widget

from console.errors import RunnerNotStarted, Unknown, VipconsoleError
from console.runbook.run.decisions import QuestionView
from console.runbook.run.view import StepState, StepView, StoredRun
from screens.present.run import (
    asked,
    asked_to_stop,
    current_place,
    headline,
    question_says,
    standing,
    step_rows,
)
from screens.present.run_step import step_says
from screens.present.text import BAD, STRONG, UNKNOWN, Paragraph, says
from screens.tui.environment import ConsoleEnvironment, copy
from screens.tui.keys import Command, bindings
from screens.tui.run_follower import planned_run
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.input_lines import AnswerLine
from screens.tui.widgets.line_view import wrapped
from screens.tui.widgets.pane import Pane, Words
from screens.tui.widgets.rows import Rows, RowView

STEPS, STEP = 1, 2
MOST_LINES = 5
"""Of a question or a note, so that the steps keep their room."""
NO_RUN = Unknown("No maintenance run yet. Reading the runbook.")
KEYS: tuple[Command, ...] = (
    Command(
        "current",
        "n",
        "Go to the current step",
        "now",
        when=lambda screen: bool(screen.steps),
    ),
    Command("answer", "a", "Answer the question", "answer", when=lambda screen: screen.can_answer),
    Command(
        "stop",
        "s",
        "Ask whether to stop the run",
        "stop",
        when=lambda screen: screen.can_stop,
        about="It stops as soon as the running step allows it.",
    ),
    Command("copy", "c", "Copy the text of the step", "copy", when=lambda screen: bool(screen.steps)),
    Command("back", "escape", "Back: leave the step, the run", "back"),
)


class RunbookScreen(ConsoleScreen):
    """A run, or the runbook before any run. The screen's owner hands it each newer state of the run (`take`).

    It decides nothing: an answer is posted as `AnswerLine.Decided`, and why it was not taken is handed back (`refuse`).
    With `may_decide=False` nothing can be answered.
    """

    CSS_PATH = "runbook.tcss"
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    run: var[StoredRun | Unknown] = var(NO_RUN)
    """The newest state of the run, or why there is none."""

    def __init__(self, around: ConsoleEnvironment, *, may_decide: bool = False) -> None:
        super().__init__(around)
        self.may_decide = may_decide
        self._head = Words(id="head")
        self._head.can_focus = False
        self._rows = Rows(id="steps", empty="There are no steps.")
        self._told = Words(id="step")
        self._note = Words(id="note")
        self._note.can_focus = False
        self._said = ""
        """Why the last answer did not count."""
        self._answer = AnswerLine(around.clock, may_answer=may_decide)
        self._is_stopping = False
        """Whether it is asked whether to stop the run."""
        self._is_led = True
        """Whether the cursor goes along with the run."""

    def compose_body(self) -> Iterable[Widget]:
        """Lay out the steps beside the one that is looked at, and below them what is asked."""
        glyphs = self.around.glyphs
        yield self._head
        with Horizontal(id="body"):
            yield Pane(STEPS, "Steps", self._rows, glyphs=glyphs, id="pane1")
            yield Pane(STEP, "Step", self._told, glyphs=glyphs, id="pane2")
        yield self._note
        yield self._answer

    def on_mount(self) -> None:
        """Begin at the steps."""
        self.action_pane(STEPS)
        self._show()
        if self.run is NO_RUN:
            self._read_runbook()

    def take(self, run: StoredRun | Unknown | None) -> None:
        """Show a run from now on, where there is one."""
        if run is not None:
            self.run = run

    @work(group="runbook", description="reads the runbook")
    async def _read_runbook(self) -> None:
        planned = await asyncio.to_thread(planned_run, self.around.clock.now())
        if self.run is NO_RUN:
            self.run = planned

    def watch_run(self) -> None:
        """Show the newest."""
        if self.is_attached and self._rows.is_attached:
            self._show()

    @property
    def steps(self) -> tuple[StepView, ...]:
        """The steps that are shown."""
        return () if isinstance(self.run, Unknown) else self.run.view.steps

    @property
    def can_answer(self) -> bool:
        """Whether something is asked that may be answered here."""
        return self.may_decide and not isinstance(self.run, Unknown) and asked(self.run) is not None

    @property
    def can_stop(self) -> bool:
        """Whether the run can be stopped here though it asks nothing."""
        run = self.run
        if not self.may_decide or isinstance(run, Unknown):
            return False
        return asked(run) is None and asked_to_stop(run) is not None

    def refuse(self, error: VipconsoleError) -> None:
        """Say why the last decision was not taken, until the next one begins."""
        self._said = why_not(error)
        self._show()

    def _show(self) -> None:
        run, clock = self.run, self.around.clock
        if isinstance(run, Unknown):
            self._rows.show([], "Nothing to show.")
            told = [says(run.reason, UNKNOWN)]
            self._told.say([*told, *([says(run.hint, label="do  ")] if run.hint else [])])
            self._ask(None)
            self._take_note("")
            self._head.say([says("No run")])
            return
        is_led = self._is_led
        self._rows.show(step_rows(run.view, self.around.glyphs))
        if is_led and run.view.steps:
            self._rows.go(current_place(run.view))
            self._is_led = True
        self._head.say([Paragraph(headline(run, clock.now()))])
        self._is_stopping = self._is_stopping and self.can_stop
        self._ask(asked_to_stop(run) if self._is_stopping else asked(run))
        self._take_note(standing(run))
        self._explain()

    def _ask(self, question: QuestionView | None) -> None:
        self._answer.ask(question)
        if question is None:
            return
        told = list(question_says(question, self.around.clock.now()))
        if not self.may_decide and not isinstance(self.run, Unknown):
            told[1:2] = [
                says(f"To answer, run as root: `vipconsole attach {self.run.view.header.run_id}`", STRONG)
            ]
        _fit(self.query_one("#question", Words), told, self.size.width)

    def _take_note(self, note: str) -> None:
        told = [says(note, STRONG)] if note else []
        if self._said:
            told.append(says(self._said, BAD))
        self._note.display = bool(told)
        _fit(self._note, told, self.size.width)

    def _explain(self) -> None:
        row = self._rows.current
        if row is None or not isinstance(row.value, StepView) or isinstance(self.run, Unknown):
            return
        at_end = self._told.is_at_end
        self._told.say(step_says(self.run, row.value))
        if at_end and row.value.state is StepState.RUNNING:
            self._told.to_end()
        self.query_one("#pane2", Pane).title.say((), row.value.id)
        self.refresh_bindings()

    def on_row_view_moved(self) -> None:
        """Describe the step under the cursor. An operator who moves away from the current step is not led back to it."""
        if not isinstance(self.run, Unknown):
            self._is_led = self._rows.cursor == current_place(self.run.view)
        self._explain()

    def on_row_view_chosen(self, event: RowView.Chosen) -> None:
        """Let the step be read."""
        del event
        self.action_pane(STEP)

    def on_answer_line_left(self) -> None:
        """Go on at the steps."""
        self._is_stopping, self._said = False, ""
        self._show()
        self.action_pane(STEPS)

    def on_resize(self) -> None:
        """Use the room there is."""
        if self._rows.is_attached:
            self._show()

    def on_answer_line_misread(self, event: AnswerLine.Misread) -> None:
        """Say why it is none, where the operator looks."""
        self._said = event.sentence
        self._show()

    def action_current(self) -> None:
        """Go to the step that matters now, and along with the run."""
        if not isinstance(self.run, Unknown):
            self._rows.go(current_place(self.run.view))

    def action_answer(self) -> None:
        """Let the operator answer."""
        self._said = ""
        self._show()
        self._answer.begin()

    def action_stop(self) -> None:
        """Ask whether to stop the run."""
        self._is_stopping = True
        self.action_answer()

    def action_copy(self) -> None:
        """Copy what is said of the step."""
        copy(self, self._told.text)

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        if STEPS <= number <= STEP:
            for each in (STEPS, STEP):
                self.set_class(each == number, f"-at{each}")
            self.query_one(f"#pane{number}", Pane).enter()

    def action_back(self) -> None:
        """Go back by one step."""
        if self.has_class("-narrow") and self.has_class("-at2"):
            self.action_pane(STEPS)
        else:
            self.app.pop_screen()


def why_not(error: VipconsoleError) -> str:
    """Return why a decision has no effect, or none yet."""
    what = (
        "Answer stored, but not acted on." if isinstance(error, RunnerNotStarted) else "Answer not accepted."
    )
    return f"{what} {error.sentence} {error.hint}".rstrip()


def _fit(words: Words, told: Sequence[Paragraph], width: int) -> None:
    """Show it in as many lines as it needs, up to a few."""
    lines = sum(1 for paragraph in told for _ in wrapped(paragraph, max(1, width - 3)))
    words.styles.height = max(1, min(lines, MOST_LINES))
    words.say(told)
