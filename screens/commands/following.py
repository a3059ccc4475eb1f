"""Follows a run on a plain terminal or in a script: a line for each event, and answers to what it asks."""

import asyncio
import contextlib
import sys
import termios
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from console.clock import Clock, SystemClock
from console.errors import Declined
from console.host.units import has_systemd
from console.host.who import Who
from console.runbook.answers import Answer
from console.runbook.deciding import decide
from console.runbook.run.decisions import Wish
from console.runbook.run.events import About, Choice
from console.runbook.run.view import Question, RunView, Watched
from console.runbook.variables import given_pairs
from console.runbook.viewing import look_at, watch
from screens import exit_codes
from screens.printed.plain import progress, say
from screens.printed.run_lines import answers, commands, news, question_lines

COMES_BACK_WITHIN_S = 20.0 if has_systemd() else 3.0
"""So long a runner that is gone may be between two turns, or be started again by systemd."""


def follow(folder: Path, asked: Namespace, who: Who) -> int:
    """Follow a run until it is over, has stopped, or waits for what nobody here can answer; return its exit code."""
    follower = _Follower(folder, given_pairs(asked.words), who, is_held=asked.hold)
    is_asking = not asked.headless and sys.stdin.isatty()
    try:
        return asyncio.run(follower.follow_and_ask() if is_asking else follower.follow())
    except KeyboardInterrupt:
        print(f"\nThe run goes on. vipconsole attach {folder.name}", file=sys.stderr)
        return exit_codes.INTERRUPTED


class _Follower:
    def __init__(self, folder: Path, words: Mapping[str, str], who: Who, *, is_held: bool) -> None:
        self._folder = folder
        self._words = words
        self._who = who
        self._is_held = is_held
        self._clock: Clock = SystemClock()
        self._before: Watched | None = None
        self._answered = 0
        """The number of the question that was answered, or told, last."""

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
                    if not await self._answer(now.view, question) and question.asked.undo_after_s is None:
                        return now.exit_code
        return look_at(self._folder).exit_code

    async def follow_and_ask(self) -> int:
        """Follow, and ask whoever sits at the terminal."""
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), lambda: lines.put_nowait(sys.stdin.readline() or None))
        listening = asyncio.create_task(self._listen(lines))
        try:
            async with contextlib.aclosing(watch(self._folder, self._clock)) as pictures:
                async for now in pictures:
                    code = await self._shown(now)
                    if code is not None:
                        return code
                    question = now.view.question
                    if question is not None and question.number != self._answered:
                        self._answered = question.number
                        self._ask(now.view, question)
        finally:
            listening.cancel()
            loop.remove_reader(sys.stdin.fileno())
        return look_at(self._folder).exit_code

    async def _shown(self, now: Watched) -> int | None:
        """Say what is new; return the exit code where there is nothing more to follow."""
        # What was there before somebody looked has no time of its own here: the report tells.
        at = (
            "--------"
            if self._before is None or now.view.at is None
            else f"{now.view.at.astimezone():%H:%M:%S}"
        )
        say(f"{at} {line}" for line in news(self._before, now))
        self._before = now
        if now.is_interrupted:
            return await self._gone()
        return now.exit_code if now.view.is_over or now.view.stopped is not None else None

    async def _gone(self) -> int | None:
        end_s = self._clock.monotonic() + COMES_BACK_WITHIN_S
        while self._clock.monotonic() < end_s:
            await self._clock.sleep(0.2)
            if not (await asyncio.to_thread(look_at, self._folder)).is_interrupted:
                return None
        say((f"Nobody works on the run: its runner has died. vipconsole resume {self._folder.name}",))
        return exit_codes.UNKNOWN

    async def _answer(self, view: RunView, question: Question) -> bool:
        """Answer what was said beforehand, or what needs no answer; return whether that was so."""
        asked = question.asked
        wish: Wish | None = None
        if asked.about is About.GO_AHEAD and not (self._is_held and view.step(asked.step).head.is_checkpoint):
            if asked.step in self._words:
                wish = _confirmation(question, self._words[asked.step])
            elif not view.step(asked.step).head.needs_word and _gate_holds(view, asked.step):
                wish = _confirmation(question, asked.word)
        if wish is not None:
            return await self._decide(wish)
        say(question_lines(view, question))
        if asked.undo_after_s is None:
            say(commands(view, question))
        return False

    async def _decide(self, wish: Wish) -> bool:
        try:
            await decide(self._folder, wish, self._who, self._clock, progress)
        except Declined as error:
            say((f"{error.sentence} {error.hint}".rstrip(),))
            return False
        return True

    def _ask(self, view: RunView, question: Question) -> None:
        # What was typed before this can be read is no answer to it.
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        say((*question_lines(view, question), answers(question)))
        print("> ", end="", flush=True)

    async def _listen(self, lines: "asyncio.Queue[str | None]") -> None:
        while (line := await lines.get()) is not None:
            view = (await asyncio.to_thread(look_at, self._folder)).view
            text = line.strip()
            if not text or (view.question is None and text != Choice.STOP):
                continue
            wish = _wish(view, text)
            if wish is None:
                say(("That is no answer to what is asked.",))
            elif await self._decide(wish):
                continue
            print("> ", end="", flush=True)


def _wish(view: RunView, text: str) -> Wish | None:
    """Return what a typed line asks for, or None where it is no answer."""
    question = view.question
    if question is None:
        current = view.current
        return None if current is None else Wish(current.id, Choice.STOP)
    asked = question.asked
    if Choice.CONFIRM in asked.choices and text in (asked.word, f"{Choice.CONFIRM}={asked.word}"):
        return _confirmation(question, asked.word)
    first, _, reason = text.partition(" ")
    if first in (Choice.SKIP, Choice.RETRY, Choice.UNDO, Choice.STOP):
        return Wish(asked.step, Choice(first), reason=reason, attempt=asked.attempt, digest=asked.digest)
    return None


def _confirmation(question: Question, word: str) -> Wish:
    asked = question.asked
    return Wish(asked.step, Choice.CONFIRM, word, attempt=asked.attempt, digest=asked.digest)


def _gate_holds(view: RunView, step: str) -> bool:
    prepared = view.step(step).prepared
    return prepared is not None and all(each.found.answer is Answer.YES for each in prepared.requires)
