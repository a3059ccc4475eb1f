"""What commands share: settings, engine and journal; and what each does before its first change."""

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from console.clock import SystemClock
from console.errors import NotAllowed, UsageError, known
from console.host.audit import Audit, who_runs_this
from console.host.identity import machine_id
from console.host.lock import decline_if_locked, maintenance_lock
from console.journal.reader import DaemonLog, open_journal
from console.journal.recordings import RecordedJournal
from console.operations.changes import Claimant, clear_the_way, decline_if_claimed, decline_if_handed_over
from console.runbook.store.folders import kept_runs
from console.runbook.store.unfinished import decline_if_unfinished
from console.settings import SYSTEM_FILE, Settings, load_settings, user_file
from console.storage.state import state_folder
from console.swarm.changer import EngineChanger
from console.swarm.connection import EngineConnection, chosen_host
from console.swarm.reader import EngineReader
from console.swarm.values import SwarmState
from console.text import clean

LEFTOVERS_WITHIN_S = 10.0
"""For the look that finds them."""


def require_root(command: str) -> None:
    """Raise NotAllowed unless this is root: the lock, its note and the state are root's."""
    if os.geteuid() != 0:
        raise NotAllowed(
            f"`vipconsole {command}` changes the swarm and must run as root.", "Run it with sudo."
        )


def confirm(asked: Namespace, what: str, word: str) -> None:
    """Ask the operator to type a word, unless `--yes` was given; raise NotAllowed for any other answer."""
    if asked.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what} This needs a confirmation.", "Give --yes, or run it on a terminal.")
    # Not input(): it writes its prompt among the results where they go to a file.
    print(what, f"Type  {word}  to go on: ", sep="\n", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != word:
        raise NotAllowed("Not confirmed, so nothing was changed.")


def decline_early(asked: Namespace, swarm: SwarmState) -> None:
    """Raise what `changing` would raise, before anybody is shown a plan and asked.

    That is of commands at work, and of runs that are unfinished, here or by what they left in the swarm.
    """
    if not asked.demo:
        decline_if_unfinished(state_folder())
        decline_if_locked()
        decline_if_claimed(known(swarm.services, ()), Claimant(machine_id(), kept_runs(state_folder())))
        decline_if_handed_over(swarm.nodes, machine_id())


@asynccontextmanager
async def changing(asked: Namespace, connection: EngineConnection) -> AsyncIterator[EngineChanger]:
    """Hold the maintenance lock of this host and give a changer whose every change goes to the journal first.

    What a command of this host that was killed left behind is removed before. Raises LockHeld, HostError, Declined where
    a maintenance run is unfinished, here or by what it left in the swarm, or another host is changing the same swarm,
    and an EngineError.

    The demo's swarm is nobody else's: there is nothing to lock, and nothing to tell a journal.
    """
    if asked.demo:
        yield EngineChanger(connection, lambda _: None)
        return
    who = who_runs_this(os.environ)
    # Only what names the operation: arguments may be long, and hold nothing else of worth.
    named = [*getattr(asked, "network", []), *getattr(asked, "stack", [])]
    command = clean(" ".join(["vipconsole", asked.command, *named]), 120)
    audit = Audit(who, command)
    # Before the lock, for the better reason; and with it, for a run that has begun in between.
    decline_if_unfinished(state_folder())
    async with maintenance_lock(command, who, SystemClock()):
        decline_if_unfinished(state_folder())
        if not audit.tell("begins"):
            print("vipconsole: there is no system journal here to record the changes in.", file=sys.stderr)
        changer = EngineChanger(connection, audit.tell)
        reader = EngineReader(connection)
        claimant = Claimant(machine_id(), kept_runs(state_folder()))
        for name in await clear_the_way(reader, changer, claimant, LEFTOVERS_WITHIN_S):
            print(f"vipconsole: removed {name}, left behind by a census that was cut short.", file=sys.stderr)
        yield changer


T = TypeVar("T")


def settings_of(asked: Namespace) -> Settings:
    """Return the settings for a single look."""
    settings = kept_settings(asked)
    # Where time stands still in the demo nothing can change hands between two looks at it.
    stands_still = asked.demo and not getattr(asked, "time_passes", False)
    return replace(settings, look=replace(settings.look, settle_s=0)) if stands_still else settings


def kept_settings(asked: Namespace) -> Settings:
    """Return the settings of the system and the user, and over them those asked for."""
    return load_settings((SYSTEM_FILE, user_file(os.environ)), asked.config)


def result_of(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work to its end and return its result."""
    results: list[T] = []

    # asyncio.run() formats its finished task, result and all, when it gives SIGINT back (seen in Python 3.11):
    # 0.16 s for the observation of 1,000 services. So the task itself must have no result.
    async def collect() -> None:
        results.append(await work)

    asyncio.run(collect())
    return results[0]


def journal_for(asked: Namespace, settings: Settings) -> DaemonLog:
    """Return where dockerd's lines are read from: the recording asked for, else this host's journal."""
    path: Path | None = asked.journal
    unit = settings.docker_unit
    if path is None:
        return DaemonLog(open_journal(unit))
    if not path.exists():
        raise UsageError(
            f"There is no journal {clean(str(path))}.", "--journal takes a recording or a directory."
        )
    if path.is_dir():
        return DaemonLog(open_journal(unit, path), is_recorded=True)
    return DaemonLog(RecordedJournal(path, unit), is_recorded=True, is_growing=False)


@contextmanager
def connection_for(asked: Namespace, settings: Settings) -> Iterator[EngineConnection]:
    """Give a connection to the engine asked for, or to the demo's, and close it in the end."""
    with _demo_host(asked) as demo, connected_to(demo or chosen_host(asked.host), settings) as connection:
        yield connection


@contextmanager
def connected_to(host: str, settings: Settings) -> Iterator[EngineConnection]:
    """Give a connection to an engine, and close it in the end."""
    connection = EngineConnection(host, settings.look.call_timeout_s)
    try:
        yield connection
    finally:
        connection.close()


def refuse_host(asked: Namespace) -> None:
    """Raise UsageError where a host is named for the demo."""
    if asked.host:
        raise UsageError(
            "--demo and --host exclude each other.", "The demo looks at its own simulated engine."
        )


@contextmanager
def _demo_host(asked: Namespace) -> Iterator[str]:
    if not asked.demo:
        yield ""
        return
    refuse_host(asked)
    from console.simulator.demo import demo_engine

    # A look sees a picture; a command that waits for what it has begun needs time to pass.
    clock = SystemClock() if getattr(asked, "time_passes", False) else None
    with demo_engine(clock=clock) as host:
        yield host
