"""Follows a run on a plain terminal or in a script: a line for each event, and answers to its questions."""

import asyncio
import contextlib
import sys
import termios
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from console.clock import Clock, SystemClock
from console.concurrency import until
from console.durations import TimeFormat, stamp
from console.errors import Declined, ExitCode, HostError
from console.host.reader import has_systemd
from console.host.root import has_own_root
from console.host.who import Who
from console.runbook.language.values import Answer
from console.runbook.language.variables import parse_assignments
from console.runbook.run.decisions import (
    DecisionRequest,
    QuestionView,
    parse_answer,
    question_view,
    stop_question,
)
from console.runbook.run.events import Choice, QuestionKind
from console.runbook.run.view import Question, RunView, StoredRun
from console.runbook.runner.deciding import decide
from console.runbook.store.viewer import read_stored_run, watch
from screens.output.plain import progress, say
from screens.output.run_lines import ProgressNews, answers, commands, news, outcome_lines, question_lines

COMES_BACK_WITHIN_S = 20.0 if has_systemd() and not has_own_root() else 3.0
"""A runner that is gone for no longer than this may be restarting; the demo's systemd starts none again."""


def follow(folder: Path, arguments: Namespace, who: Who) -> int:
    """Follow a run until it is over, has stopped, or waits for an answer that cannot come; return its exit code."""
    follower = _Follower(folder, parse_assignments(arguments.words), who, hold=arguments.hold)
    is_asking = not arguments.headless and sys.stdin.isatty()
    try:
        return asyncio.run(follower.follow_and_ask() if is_asking else follower.follow())
    except KeyboardInterrupt:
        say(("", f"The run continues. To see it: vipconsole attach {folder.name}"), sys.stderr)
        return ExitCode.INTERRUPTED


class _Follower:
    def __init__(self, folder: Path, words: Mapping[str, str], who: Who, *, hold: bool) -> None:
        self._folder = folder
        self._words = words
        self._who = who
        self._hold = hold
        self._clock: Clock = SystemClock()
        self._before: StoredRun | None = None
        self._progress_news = ProgressNews()
        self._last_question_number = 0
        """Of the question that was answered or shown last."""

    async def follow(self) -> int:
        """Follow without asking anybody, to the first question that no answer was given for in advance."""

        async def is_stuck(run: StoredRun) -> bool:
            question = run.view.question
            if question is None or question.number == self._last_question_number:
                return False
            self._last_question_number = question.number
            return not await self._answer(run, question) and question.event.undo_after_s is None

        return await self._follow(is_stuck)

    async def follow_and_ask(self) -> int:
        """Follow, and ask the operator at the terminal."""
        lines = _InputLines()
        follow_task = asyncio.create_task(self._follow_asking(lines), name="follow the run")
        input_task = asyncio.create_task(self._listen(lines), name="read answers")
        try:
            with lines.read_from(sys.stdin):
                await asyncio.wait((follow_task, input_task), return_when=asyncio.FIRST_COMPLETED)
                if input_task.done():
                    # Nothing more can be typed; a bug in there is not lost.
                    input_task.result()
                return await follow_task
        finally:
            for task in (follow_task, input_task):
                task.cancel()
            await asyncio.gather(follow_task, input_task, return_exceptions=True)

    async def _follow_asking(self, lines: "_InputLines") -> int:
        async def ask(run: StoredRun) -> bool:
            question = run.view.question
            if question is None:
                # The question is answered. Until the next one, the operator can only stop the run.
                lines.question = stop_question(run.view)
            elif question.number != self._last_question_number:
                self._ask(run, question, lines)
            return False

        return await self._follow(ask)

    async def _follow(self, is_stuck: Callable[[StoredRun], Awaitable[bool]]) -> int:
        """Print what is new until there is nothing more to follow, or nothing goes on without an answer."""
        async with contextlib.aclosing(watch(self._folder, self._clock)) as stored_runs:
            async for stored_run in stored_runs:
                code = await self._print_news(stored_run)
                if code is not None:
                    return code
                if await is_stuck(stored_run):
                    return stored_run.exit_code
        return read_stored_run(self._folder).exit_code

    async def _print_news(self, stored_run: StoredRun) -> int | None:
        """Print what is new; return the exit code once there is nothing more to follow."""
        # Events from before the first snapshot have no time here; the report has it.
        at = (
            "--------"
            if self._before is None or stored_run.view.at is None
            else stamp(stored_run.view.at, TimeFormat.SECOND)
        )
        say(f"{at} {line}" for line in news(self._before, stored_run))
        now = self._clock.now()
        said_at = stamp(now, TimeFormat.SECOND)
        say(f"{said_at} {line}" for line in self._progress_news.lines(stored_run, now))
        if not stored_run.is_interrupted:
            say(outcome_lines(stored_run, now))
        self._before = stored_run
        if stored_run.is_interrupted:
            return await self._wait_for_runner()
        return (
            stored_run.exit_code
            if stored_run.view.is_over or stored_run.view.stop_reason is not None
            else None
        )

    async def _wait_for_runner(self) -> int | None:
        async def is_back() -> bool:
            return not (await asyncio.to_thread(read_stored_run, self._folder)).is_interrupted

        if await until(is_back, self._clock, COMES_BACK_WITHIN_S, 0.2):
            return None
        say((f"The runner process has died. To continue: vipconsole resume {self._folder.name}",))
        return ExitCode.UNKNOWN

    async def _answer(self, run: StoredRun, question: Question) -> bool:
        """Submit an advance answer, or confirm a step that needs none; return whether the answer was accepted."""
        event, view = question.event, run.view
        request: DecisionRequest | None = None
        if event.kind is QuestionKind.GO_AHEAD and not (
            self._hold and view.step(event.step).head.is_checkpoint
        ):
            if event.step in self._words:
                request = _confirmation(question, self._words[event.step])
            elif not view.step(event.step).head.needs_word and _gate_holds(view, event.step):
                request = _confirmation(question, event.word)
        if request is not None:
            return await self._decide(request)
        say(question_lines(run, question, self._clock.now()))
        if event.undo_after_s is None:
            say(commands(view, question))
        return False

    async def _decide(self, request: DecisionRequest) -> bool:
        """Decide, and return whether the decision was accepted; print why if not."""
        try:
            await decide(self._folder, request, self._who, self._clock, progress)
        except Declined as error:
            say((f"Answer not accepted. {error.sentence} {error.hint}".rstrip(),))
            return False
        return True

    def _ask(self, run: StoredRun, question: Question, lines: "_InputLines") -> None:
        # What was typed before the question was shown does not answer it.
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        self._last_question_number, lines.question = question.number, question_view(question)
        say((*question_lines(run, question, self._clock.now()), answers(question)))
        print("> ", end="", flush=True)

    async def _listen(self, lines: "_InputLines") -> None:
        """Take answers until the input ends. An answer counts for the question on the screen when it was typed."""
        async for question, text in lines:
            if not text:
                continue
            try:
                is_accepted = await self._submit(question, text, lines)
            except HostError as error:
                # The next answer may be accepted: the disk, or the runner, can be repaired in between.
                say((f"{error.sentence} {error.hint}".rstrip(),))
                is_accepted = False
            if not is_accepted:
                print("> ", end="", flush=True)
        say((f"The input has ended. To answer: vipconsole attach {self._folder.name}",))

    async def _submit(self, question: QuestionView | None, text: str, lines: "_InputLines") -> bool:
        """Submit a typed line as the answer to a question, and return whether it was accepted."""
        request = "The run asks nothing right now." if question is None else parse_answer(question, text)
        if isinstance(request, str):
            say((request,))
            return False
        if await self._decide(request):
            return True
        # If another question is open, the operator sees it before the next answer.
        run = await asyncio.to_thread(read_stored_run, self._folder)
        asked = run.view.question
        if asked is not None and asked.number != self._last_question_number:
            self._ask(run if self._before is None else replace(self._before, view=run.view), asked, lines)
            return True
        return False


class _InputLines:
    """The lines that the operator types, each with the question on the screen at that moment."""

    def __init__(self) -> None:
        self.question: QuestionView | None = None
        self._lines: asyncio.Queue[tuple[QuestionView | None, str] | None] = asyncio.Queue()

    @contextlib.contextmanager
    def read_from(self, stream: TextIO) -> Iterator[None]:
        """Read a terminal in the background until it ends."""
        loop, descriptor = asyncio.get_running_loop(), stream.fileno()

        def read() -> None:
            line = stream.readline()
            self._lines.put_nowait((self.question, line.strip()) if line else None)
            if not line:
                loop.remove_reader(descriptor)

        loop.add_reader(descriptor, read)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)

    async def __aiter__(self) -> AsyncIterator[tuple[QuestionView | None, str]]:
        """Yield each line without the spaces around it, until the terminal ends."""
        while (line := await self._lines.get()) is not None:
            yield line


def _confirmation(question: Question, word: str) -> DecisionRequest:
    """Return the decision to let the step of a question begin, with this word."""
    event = question.event
    return DecisionRequest(event.step, Choice.CONFIRM, word, "", event.attempt, event.digest, question.number)


def _gate_holds(view: RunView, step: str) -> bool:
    preparation = view.step(step).preparation
    return preparation is not None and all(
        require.found.answer is Answer.YES for require in preparation.requires
    )
