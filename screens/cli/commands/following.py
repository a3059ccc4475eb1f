"""Follows a run on a plain terminal or in a script: a line for each event, and answers to its questions."""

import asyncio
import contextlib
import sys
import termios
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from console.clock import Clock, SystemClock
from console.concurrency import until
from console.durations import TimeFormat, stamp
from console.errors import Declined, HostError
from console.host.units import has_systemd
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
from console.runbook.runner.starting import decide
from console.runbook.store.viewer import read_stored_run, watch
from screens.cli import exit_codes
from screens.output.plain import progress, say
from screens.output.run_lines import answers, commands, news, question_lines

COMES_BACK_WITHIN_S = 20.0 if has_systemd() else 3.0
"""A runner that is gone for no longer than this may be restarting."""


def follow(folder: Path, asked: Namespace, who: Who) -> int:
    """Follow a run until it is over, has stopped, or waits for an answer that cannot come; return its exit code."""
    follower = _Follower(folder, parse_assignments(asked.words), who, is_held=asked.hold)
    is_asking = not asked.headless and sys.stdin.isatty()
    try:
        return asyncio.run(follower.follow_and_ask() if is_asking else follower.follow())
    except KeyboardInterrupt:
        print(f"\nThe run continues. To see it: vipconsole attach {folder.name}", file=sys.stderr)
        return exit_codes.INTERRUPTED


class _Follower:
    def __init__(self, folder: Path, words: Mapping[str, str], who: Who, *, is_held: bool) -> None:
        self._folder = folder
        self._words = words
        self._who = who
        self._is_held = is_held
        self._clock: Clock = SystemClock()
        self._before: StoredRun | None = None
        self._answered = 0
        """The number of the question that was answered or shown last."""

    async def follow(self) -> int:
        """Follow without asking anybody."""
        async with contextlib.aclosing(watch(self._folder, self._clock)) as pictures:
            async for now in pictures:
                code = await self._shown(now)
                if code is not None:
                    return code
                question = now.view.question
                if question is not None and question.number != self._answered:
                    self._answered = question.number
                    if not await self._answer(now.view, question) and question.event.undo_after_s is None:
                        return now.exit_code
        return read_stored_run(self._folder).exit_code

    async def follow_and_ask(self) -> int:
        """Follow, and ask the operator at the terminal."""
        lines = _TypedLines()
        following = asyncio.create_task(self._follow_asking(lines), name="run followed")
        listening = asyncio.create_task(self._listen(lines), name="answers read")
        try:
            with lines.read_from(sys.stdin):
                await asyncio.wait((following, listening), return_when=asyncio.FIRST_COMPLETED)
                if listening.done():
                    # Nothing more can be typed; a bug in there is not lost.
                    listening.result()
                return await following
        finally:
            for task in (following, listening):
                task.cancel()
            await asyncio.gather(following, listening, return_exceptions=True)

    async def _follow_asking(self, lines: "_TypedLines") -> int:
        async with contextlib.aclosing(watch(self._folder, self._clock)) as pictures:
            async for now in pictures:
                code = await self._shown(now)
                if code is not None:
                    return code
                question = now.view.question
                if question is None:
                    # A question that is answered is not shown any more; what can be typed is that the run stops.
                    lines.shown = stop_question(now.view)
                elif question.number != self._answered:
                    self._ask(now.view, question, lines)
        return read_stored_run(self._folder).exit_code

    async def _shown(self, now: StoredRun) -> int | None:
        """Print what is new; return the exit code once there is nothing more to follow."""
        # Events from before the first snapshot have no time here; the report has it.
        at = (
            "--------"
            if self._before is None or now.view.at is None
            else stamp(now.view.at, TimeFormat.SECOND)
        )
        say(f"{at} {line}" for line in news(self._before, now))
        self._before = now
        if now.is_interrupted:
            return await self._gone()
        return now.exit_code if now.view.is_over or now.view.stop_reason is not None else None

    async def _gone(self) -> int | None:
        async def is_back() -> bool:
            return not (await asyncio.to_thread(read_stored_run, self._folder)).is_interrupted

        if await until(is_back, self._clock, COMES_BACK_WITHIN_S, 0.2):
            return None
        say((f"The runner process has died. To continue: vipconsole resume {self._folder.name}",))
        return exit_codes.UNKNOWN

    async def _answer(self, view: RunView, question: Question) -> bool:
        """Give the answer that was given in advance or is not needed; return whether there was one."""
        asked = question.event
        request: DecisionRequest | None = None
        if asked.kind is QuestionKind.GO_AHEAD and not (
            self._is_held and view.step(asked.step).head.is_checkpoint
        ):
            if asked.step in self._words:
                request = _confirmation(question, self._words[asked.step])
            elif not view.step(asked.step).head.needs_word and _gate_holds(view, asked.step):
                request = _confirmation(question, asked.word)
        if request is not None:
            return await self._decide(request)
        say(question_lines(view, question))
        if asked.undo_after_s is None:
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

    def _ask(self, view: RunView, question: Question, lines: "_TypedLines") -> None:
        # What was typed before the question was shown does not answer it.
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        self._answered, lines.shown = question.number, question_view(question)
        say((*question_lines(view, question), answers(question)))
        print("> ", end="", flush=True)

    async def _listen(self, lines: "_TypedLines") -> None:
        """Take answers until the input ends. Each counts for the question that was shown when it was typed."""
        async for shown, text in lines:
            if not text:
                continue
            try:
                is_taken = await self._answered_with(shown, text, lines)
            except HostError as error:
                # The next answer may be accepted: the disk, or the runner, can be repaired in between.
                say((f"{error.sentence} {error.hint}".rstrip(),))
                is_taken = False
            if not is_taken:
                print("> ", end="", flush=True)
        say((f"The input has ended. To answer: vipconsole attach {self._folder.name}",))

    async def _answered_with(self, shown: QuestionView | None, text: str, lines: "_TypedLines") -> bool:
        """Return whether a typed line was accepted as the answer to what was shown."""
        request = "The run asks nothing right now." if shown is None else parse_answer(shown, text)
        if isinstance(request, str):
            say((request,))
            return False
        if await self._decide(request):
            return True
        # If another question is open, the operator sees it before the next answer.
        view = (await asyncio.to_thread(read_stored_run, self._folder)).view
        if view.question is not None and view.question.number != self._answered:
            self._ask(view, view.question, lines)
            return True
        return False


class _TypedLines:
    """What is typed on a terminal, line by line, each with the question that was shown when it was read."""

    def __init__(self) -> None:
        self.shown: QuestionView | None = None
        self._lines: asyncio.Queue[tuple[QuestionView | None, str] | None] = asyncio.Queue()

    @contextlib.contextmanager
    def read_from(self, stream: TextIO) -> Iterator[None]:
        """Read a terminal in the background until it ends."""
        loop, descriptor = asyncio.get_running_loop(), stream.fileno()

        def read() -> None:
            line = stream.readline()
            self._lines.put_nowait((self.shown, line.strip()) if line else None)
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
    """Return the decision that was made in advance: to let the step of a question begin, with this word."""
    asked = question.event
    return DecisionRequest(asked.step, Choice.CONFIRM, word, "", asked.attempt, asked.digest, question.number)


def _gate_holds(view: RunView, step: str) -> bool:
    prepared = view.step(step).preparation
    return prepared is not None and all(require.found.answer is Answer.YES for require in prepared.requires)
