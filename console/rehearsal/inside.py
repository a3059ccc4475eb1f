"""`python -m console.rehearsal.inside RUNBOOK SETTINGS VARIABLES`: runs a runbook on the rehearsal's host, as its operator.

Its host is the one that `VIPCONSOLE_ROOT` names. The run is a real one: its runner is a process, and its log stays there.
It prints the folder of the run first, then a line for each step that begins.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

from pydantic import TypeAdapter

from console.clock import Clock, SystemClock
from console.errors import Declined, VipconsoleError
from console.host.root import has_own_root
from console.host.who import Who, who_runs_this
from console.journal.reader import DaemonLog, open_journal
from console.runbook.language.file import read_runbook
from console.runbook.language.values import Json
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.events import Choice, QuestionKind
from console.runbook.run.view import RunView
from console.runbook.runner.context import RunWorld
from console.runbook.runner.creation import begin_run
from console.runbook.runner.deciding import decide
from console.runbook.runner.starting import start_runner
from console.runbook.store.viewer import watch
from console.settings import Settings
from console.storage.state import state_folder
from console.swarm.address import DEFAULT_HOST
from console.swarm.client import EngineConnection

PROGRAM = "exec"
"""The action that runs programs: they would act on this machine."""
NOT_RUN = "A rehearsal runs no programs of this host."


async def run_inside(path: Path, settings: Settings, variables: Mapping[str, Json]) -> None:
    """Run a runbook until it is over or somebody would have to think about it."""
    clock, who = SystemClock(), who_runs_this(os.environ)
    runbook = read_runbook(path)
    connection = EngineConnection(DEFAULT_HOST, settings.snapshot.call_timeout_s)
    try:
        log = DaemonLog(open_journal(settings.docker_unit))
        world = RunWorld(connection, settings, clock, log)
        folder = await begin_run(state_folder(), runbook, variables, world, who)
    finally:
        connection.close()
    _print(str(folder))
    await start_runner(folder, clock)
    answered, step = 0, ""
    async with aclosing(watch(folder, clock)) as stored_runs:
        async for stored_run in stored_runs:
            view = stored_run.view
            if view.current is not None and view.current.id != step:
                step = view.current.id
                _print(step)
            if view.is_over or stored_run.is_interrupted:
                return
            has_halted = view.question is not None or view.stop_reason is not None
            if has_halted and view.number != answered:
                answered = view.number
                request = answer_to(view)
                if request is None or not await _decide(folder, request, who, clock):
                    return


def answer_to(view: RunView) -> DecisionRequest | None:
    """Return how a rehearsal answers: it confirms, and skips programs; None where an operator would have to think."""
    step, question = view.current, view.question
    if step is None:
        return None
    if step.head.action == PROGRAM:
        return DecisionRequest(step.id, Choice.SKIP, reason=NOT_RUN)
    if question is None or question.event.kind is not QuestionKind.GO_AHEAD:
        return None
    event = question.event
    return DecisionRequest(
        event.step, Choice.CONFIRM, event.word, "", event.attempt, event.digest, question.number
    )


async def _decide(folder: Path, request: DecisionRequest, who: Who, clock: Clock) -> bool:
    """Decide, and return whether the run goes on. Where it does not, its log tells where it stands and why."""
    try:
        await decide(folder, request, who, clock)
    except Declined:
        return False
    return True


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run it, and return 0 where the log tells how far it came."""
    if not has_own_root():
        sys.stderr.write("A rehearsal needs VIPCONSOLE_ROOT.\n")
        return 64
    os.umask(0o077)
    path, settings, variables = sys.argv[1:4]
    try:
        own = TypeAdapter(Settings).validate_json(settings)
        asyncio.run(run_inside(Path(path), own, json.loads(variables)))
    except VipconsoleError as error:
        sys.stderr.write(f"{error.sentence} {error.hint}".strip() + "\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
