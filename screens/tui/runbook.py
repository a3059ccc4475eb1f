"""The maintenance run: its steps, what each does and did, and the open question."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.reactive import var
from textual.timer import Timer
from textual.widget import Widget

from console.errors import RunnerNotStarted, Unknown, VipconsoleError
from console.runbook.run.decisions import QuestionView
from console.runbook.run.view import StepState, StepView, StoredRun
from screens.present.help import Entry, run_marks
from screens.present.run import (
    current_place,
    headline,
    next_advice,
    open_question,
    step_rows,
    stop_offer,
)
from screens.present.run_progress import StepProgress, progress_line, progress_of, progress_paragraphs
from screens.present.run_question import fact_paragraphs, outcome, situation
from screens.present.run_step import step_paragraphs
from screens.present.text import BAD, STRONG, UNKNOWN, Paragraph, paragraph
from screens.tui.environment import ConsoleEnvironment, copy
from screens.tui.keys import Command, bindings
from screens.tui.run_follower import preview_run
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.answer_line import AnswerLine
from screens.tui.widgets.line_view import truncate, wrap
from screens.tui.widgets.pane import Pane, TextView
from screens.tui.widgets.row_view import RowView
from screens.tui.widgets.rows import Rows

STEPS, STEP = 1, 2
MOST_LINES = 5
"""Of a note, so that the steps keep their room."""
MOST_QUESTION_LINES = 11
"""Of a question, or of how a run has ended: there the steps matter less."""
TICK_S = 1.0
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
    Command("back", "escape", "Back: leave the step, the run", "back", brief="Back: step, run"),
)


class RunbookScreen(ConsoleScreen):
    """A run, or the runbook before any run. The screen's owner hands it each newer state of the run (`take`).

    It decides nothing: an answer is posted as `AnswerLine.Submitted`, and the reason of a refusal is handed back (`refuse`).
    With `may_decide=False` nothing can be answered.
    """

    CSS_PATH = "runbook.tcss"
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    run: var[StoredRun | Unknown] = var(NO_RUN)
    """The newest state of the run, or why there is none."""

    def __init__(self, environment: ConsoleEnvironment, *, may_decide: bool = False) -> None:
        super().__init__(environment)
        self.may_decide = may_decide
        self._head = TextView(id="head")
        self._head.can_focus = False
        self._rows = Rows(id="steps", empty="There are no steps.")
        self._step_text = TextView(id="step")
        self._note = TextView(id="note")
        self._note.can_focus = False
        self._rejection = ""
        """Why the last answer was not accepted."""
        self._answer = AnswerLine(environment.clock, may_answer=may_decide)
        self._is_stopping = False
        """Whether the question is whether to stop the run."""
        self._follows_run = True
        """Whether the cursor moves with the current step."""
        self._shows_progress = False
        """Whether the step under way has the whole width."""
        self._ticker: Timer | None = None

    @property
    def marks(self) -> tuple[Entry, ...]:
        """What the marks and columns of the page mean, for its help."""
        return run_marks(self.environment.glyphs)

    def compose_body(self) -> Iterable[Widget]:
        """Lay out the steps beside the text of one, and the question below."""
        glyphs = self.environment.glyphs
        yield self._head
        with Horizontal(id="body"):
            yield Pane(STEPS, "Steps", self._rows, glyphs=glyphs, id="pane1")
            yield Pane(STEP, "Step", self._step_text, glyphs=glyphs, id="pane2")
        yield self._note
        yield self._answer

    def on_mount(self) -> None:
        """Begin at the steps."""
        self._ticker = self.set_interval(TICK_S, self._show, pause=True)
        self.action_pane(STEPS)
        self._show()
        if self.run is NO_RUN:
            self._read_runbook()

    def take(self, run: StoredRun | Unknown | None) -> None:
        """Show a newer state of the run, unless there is none."""
        if run is not None:
            self.run = run

    @work(group="runbook", description="reads the runbook")
    async def _read_runbook(self) -> None:
        preview = await asyncio.to_thread(preview_run, self.environment.clock.now())
        if self.run is NO_RUN:
            self.run = preview

    def watch_run(self) -> None:
        """Show the newest state of the run."""
        if self.is_attached and self._rows.is_attached:
            self._show()

    @property
    def steps(self) -> tuple[StepView, ...]:
        """The steps that are shown."""
        return () if isinstance(self.run, Unknown) else self.run.view.steps

    @property
    def can_answer(self) -> bool:
        """Whether there is an open question that may be answered here."""
        return self.may_decide and not isinstance(self.run, Unknown) and open_question(self.run) is not None

    @property
    def can_stop(self) -> bool:
        """Whether the run can be stopped here while it has no open question."""
        run = self.run
        if not self.may_decide or isinstance(run, Unknown):
            return False
        return open_question(run) is None and stop_offer(run) is not None

    @property
    def progress(self) -> StepProgress | None:
        """How far the step is that is under way."""
        return None if isinstance(self.run, Unknown) else progress_of(self.run)

    @property
    def is_ticking(self) -> bool:
        """Whether the screen is drawn every second: while something runs, or services are down until somebody answers."""
        progress = self.progress
        if progress is not None:
            return progress.is_ticking
        question = None if isinstance(self.run, Unknown) else open_question(self.run)
        return question is not None and question.expires_at is not None

    def refuse(self, error: VipconsoleError) -> None:
        """Show why the last decision was refused, until the next answer begins."""
        self._rejection = why_not(error)
        self._show()

    def _show(self) -> None:
        run, clock = self.run, self.environment.clock
        if isinstance(run, Unknown):
            self._rows.show([], "Nothing to show.")
            paragraphs = [paragraph(run.reason, UNKNOWN)]
            self._step_text.show([*paragraphs, *([paragraph(run.hint, label="do  ")] if run.hint else [])])
            self._ask(None)
            self._take_note(())
            self._head.show([paragraph("No run")])
            return
        follows_run = self._follows_run
        self._rows.show(step_rows(run.view, self.environment.glyphs))
        if follows_run and run.view.steps:
            self._rows.go(current_place(run.view))
            self._follows_run = True
        line = headline(run, clock.now(), self.size.width - 2)
        self._head.show([Paragraph(truncate(line, self.size.width - 2, self.environment.glyphs.more))])
        self._is_stopping = self._is_stopping and self.can_stop
        self._ask(stop_offer(run) if self._is_stopping else open_question(run))
        self._make_room()
        self._explain()
        self._take_note(self._note_paragraphs(run))
        if self._ticker is not None:
            (self._ticker.resume if self.is_ticking else self._ticker.pause)()

    def _make_room(self) -> None:
        """Give the step under way the whole width when it begins, unless the operator reads another one."""
        progress = self.progress
        needs_room = progress is not None and progress.needs_room
        if needs_room == self._shows_progress:
            return
        self._shows_progress = needs_room
        self.set_class(needs_room, "-progress")
        if not needs_room:
            self.action_pane(STEPS)
        elif self._follows_run:
            self.action_pane(STEP)
        # Only once it is laid out is it known how wide the pane is.
        self.call_after_refresh(self._show)

    def _note_paragraphs(self, run: StoredRun) -> list[Paragraph]:
        facts = outcome(run, self.environment.clock.now()) if open_question(run) is None else ()
        if facts:
            return [*fact_paragraphs(facts, self.size.width - 3)]
        progress = self.progress
        if progress is not None and not run.view.wants_stop:
            if self._is_at(progress.step):
                return []
            tone = BAD if progress.outage is not None and progress.outage.down else STRONG
            return [paragraph(progress_line(progress, self.environment.clock.now()), tone)]
        text = next_advice(run)
        return [paragraph(text, STRONG)] if text else []

    def _is_at(self, step: StepView) -> bool:
        row = self._rows.current
        return row is not None and isinstance(row.value, StepView) and row.value.id == step.id

    def _ask(self, question: QuestionView | None) -> None:
        self._answer.ask(question)
        if question is None:
            return
        if isinstance(self.run, Unknown):
            return
        facts = situation(self.run, question, self.environment.clock.now())
        paragraphs = [*fact_paragraphs(facts, self.size.width - 3)]
        if not self.may_decide:
            attach = f"`vipconsole attach {self.run.view.header.run_id}`"
            paragraphs.append(paragraph(f"To answer, run as root: {attach}", STRONG))
        _fit(self.query_one("#question", TextView), paragraphs, self.size.width, MOST_QUESTION_LINES)

    def _take_note(self, paragraphs: Sequence[Paragraph]) -> None:
        refusal = [paragraph(self._rejection, BAD)] if self._rejection else []
        paragraphs = [*paragraphs, *refusal]
        self._note.display = bool(paragraphs)
        most = MOST_LINES if self.progress is not None else MOST_QUESTION_LINES
        _fit(self._note, paragraphs, self.size.width, most)

    def _explain(self) -> None:
        row = self._rows.current
        if row is None or not isinstance(row.value, StepView) or isinstance(self.run, Unknown):
            return
        progress, text = self.progress, self._step_text
        # Who has scrolled to the end follows it; else what matters most stays in sight at the top.
        at_end = text.is_at_end and text.scroll_offset.y > 0
        if progress is not None and progress.step.id == row.value.id:
            now, glyphs = self.environment.clock.now(), self.environment.glyphs
            self._step_text.show(progress_paragraphs(progress, now, self._text_width, glyphs))
        else:
            self._step_text.show(step_paragraphs(self.run, row.value))
        if at_end and row.value.state is StepState.RUNNING:
            self._step_text.to_end()
        self.query_one("#pane2", Pane).title.show((), row.value.id)
        self.refresh_bindings()

    @property
    def _text_width(self) -> int:
        """How many columns the text of the step has; its pane may be about to have the whole width."""
        has_whole_width = self.has_class("-progress") and self.has_class("-medium") and self.has_class("-at2")
        pane_width = self._step_text.scrollable_content_region.width
        return self.size.width - 1 if has_whole_width or not pane_width else pane_width

    def on_row_view_highlighted(self) -> None:
        """Describe the step under the cursor. If that is not the current step, the cursor stays there."""
        if not isinstance(self.run, Unknown):
            self._follows_run = self._rows.cursor == current_place(self.run.view)
            self._take_note(self._note_paragraphs(self.run))
        self._explain()

    def on_row_view_selected(self, event: RowView.Selected) -> None:
        """Focus the text of the step."""
        del event
        self.action_pane(STEP)

    def on_answer_line_answered(self) -> None:
        """Drop the question to stop and the last refusal, and return to the steps."""
        self._is_stopping, self._rejection = False, ""
        self._show()
        self.action_pane(STEPS)

    def on_resize(self) -> None:
        """Fit the question and the note to the new width."""
        if self._rows.is_attached:
            self._show()

    def on_answer_line_misread(self, event: AnswerLine.Misread) -> None:
        """Show beside the question why the text is no answer."""
        self._rejection = event.sentence
        self._show()

    def action_current(self) -> None:
        """Go to the current step, and follow the run."""
        if not isinstance(self.run, Unknown):
            self._rows.go(current_place(self.run.view))

    def action_answer(self) -> None:
        """Let the operator answer."""
        self._rejection = ""
        self._show()
        self._answer.begin()

    def action_stop(self) -> None:
        """Ask whether to stop the run."""
        self._is_stopping = True
        self.action_answer()

    def action_copy(self) -> None:
        """Copy the text of the step."""
        copy(self, self._step_text.text)

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        if STEPS <= number <= STEP:
            self.pane_entered(number)
            self.query_one(f"#pane{number}", Pane).enter()

    def pane_entered(self, number: int) -> None:
        """Give room to the pane that has the keys."""
        for pane_number in (STEPS, STEP):
            self.set_class(pane_number == number, f"-at{pane_number}")

    def action_back(self) -> None:
        """On a narrow screen return to the steps, else close the screen."""
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


def _fit(text_view: TextView, paragraphs: Sequence[Paragraph], width: int, most: int) -> None:
    """Show paragraphs in as many lines as they need, up to a limit."""
    lines = sum(1 for entry in paragraphs for _ in wrap(entry, max(1, width - 3)))
    text_view.styles.height = max(1, min(lines, most))
    text_view.show(paragraphs)
