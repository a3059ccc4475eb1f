"""Runs a program that the settings allow. No shell is in between, and nothing of the caller's environment is passed on."""

import os
import shlex
from collections import deque
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, StringConstraints

from console.errors import Declined, StepFailed
from console.host.streaming import Program, run_streaming
from console.runbook.answers import time_to_wait_s
from console.runbook.contracts import AbsolutePath, ActionPlan, Answer, CheckResult, Context, Parameters
from console.runbook.language.values import Effect, Json
from console.text import SENTENCE_LIMIT, clean, listed, plural

MOST_LINES = 2_000
"""How many lines are shown; the rest is counted."""
TAIL_LINES = 40
"""How many of the last lines are stored as the output `tail`."""

Argument = Annotated[str, StringConstraints(max_length=8_192)]


class ExecParameters(Parameters):
    """What is run, and how."""

    argv: list[Argument] = Field(
        min_length=1,
        max_length=200,
        description="The absolute path of the program, and its arguments. The setting run.programs must allow the "
        "program.",
    )
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Argument] = Field(
        default={}, description="Its environment. Only PATH and LC_ALL=C are added."
    )
    cwd: AbsolutePath = Field(default="/", description="Its working directory.")
    expect: list[Annotated[int, Field(ge=0, le=255)]] = Field(
        default=[0], min_length=1, description="The exit codes that count as success."
    )


class Exec:
    """Runs a program. What it does is its own affair: nothing is known of it but its output and its exit code."""

    name: ClassVar[str] = "exec"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = ExecParameters
    may_retry: ClassVar[bool] = False
    no_undo_because: ClassVar[str] = (
        "This step cannot be undone: what the program did is unknown. Give the step an undo."
    )
    outputs: ClassVar[tuple[str, ...]] = ("exit_code", "tail")

    async def plan(self, context: Context, parameters: ExecParameters) -> ActionPlan:
        """Tell the exact command, and whether it is allowed."""
        refusal = _refusal(context, parameters)
        command = clean(shlex.join(parameters.argv), SENTENCE_LIMIT)
        # The values of an environment may be secrets.
        names = [f"with {listed(sorted(parameters.env))} set"] if parameters.env else []
        return ActionPlan(
            f"Run {clean(parameters.argv[0])}.",
            changes=("unknown: whatever the program changes",),
            calls=(" ".join((command, *names, f"in {clean(parameters.cwd, SENTENCE_LIMIT)}")),),
            refused=(refusal,) if refusal else (),
            no_return=self.no_undo_because,
            basis={"argv": list(parameters.argv), "cwd": parameters.cwd},
        )

    async def probe(self, context: Context, parameters: ExecParameters) -> CheckResult:
        """Tell that it is not known whether a program has done its work: the step's own `probe` may know."""
        return CheckResult(Answer.CANNOT_TELL, "Whether the program did its work is unknown.")

    async def act(self, context: Context, parameters: ExecParameters) -> Mapping[str, Json]:
        """Run it, and fail unless its exit code is among those that are expected."""
        refusal = _refusal(context, parameters)
        if refusal:
            raise Declined(
                refusal,
                "To allow it, add it to `programs` in [run] of the settings. Root then runs it from "
                "runbooks.",
            )
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        count = 0

        async def receive(line: bytes) -> None:
            nonlocal count
            count += 1
            text = clean(line, SENTENCE_LIMIT)
            tail.append(text)
            if count <= MOST_LINES:
                await context.say(text)

        program = Program(parameters.argv, parameters.env, parameters.cwd)
        code = await run_streaming(program, time_to_wait_s(context), receive)
        if count > MOST_LINES:
            await context.say(f"… {plural(count - MOST_LINES, 'line')} more")
        if code not in parameters.expect:
            last = next((text for text in reversed(tail) if text.strip()), "no output")
            raise StepFailed(
                f"`{clean(parameters.argv[0])}` ended with exit code {code}: {last}.",
                "The step has its whole output.",
            )
        return {"exit_code": code, "tail": list(tail)}

    async def verify(
        self, context: Context, parameters: ExecParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell its exit code; whether the program did its work, the step's own `verify` says."""
        code = outputs.get("exit_code")
        is_well = isinstance(code, int) and code in parameters.expect
        answer = Answer.YES if is_well else Answer.CANNOT_TELL
        return CheckResult(
            answer, f"Its exit code was {code}." if code is not None else "Its exit code is unknown."
        )

    async def undo(self, context: Context, parameters: ExecParameters, outputs: Mapping[str, Json]) -> None:
        """Refuse: see `no_undo_because`."""
        raise Declined(self.no_undo_because)


def _refusal(context: Context, parameters: ExecParameters) -> str:
    """Return why the program must not be run, a sentence, or nothing."""
    program, programs = parameters.argv[0], context.world.settings.run.programs
    if not programs:
        return "Runbooks may run no programs here: the setting run.programs is empty."
    if program not in programs:
        return f"Runbooks may not run {clean(program)}: the setting run.programs does not list it."
    if not os.access(program, os.X_OK):
        return f"{clean(program)} does not exist, or cannot be run."
    return ""
