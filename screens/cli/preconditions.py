"""The preconditions of every command that changes the swarm: root, a confirmation, the lock, no other change under way."""

import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from console.clock import SystemClock
from console.errors import NotAllowed, UsageError, known
from console.host.audit import Audit
from console.host.identity import machine_id
from console.host.lock import maintenance_lock
from console.host.lock_probe import decline_if_locked
from console.host.root import has_own_root
from console.host.who import who_runs_this
from console.operations.claims import Claimant, clear_the_way, decline_if_claimed, decline_if_handed_over
from console.runbook.store.folders import run_names
from console.runbook.store.viewer import decline_if_unfinished
from console.storage.state import state_folder
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.model import SwarmState
from console.swarm.reader import EngineReader
from console.text import clean
from screens.output.plain import progress, say

LEFTOVERS_WITHIN_S = 10.0
"""The deadline of the snapshot that finds leftovers."""


def may_change() -> bool:
    """Return whether this user may change the swarm: root, because the lock, its note and the state belong to root.

    A host in a folder belongs to the owner of the folder.
    """
    return os.geteuid() == 0 or has_own_root()


def require_root(command: str) -> None:
    """Raise NotAllowed unless this user may change the swarm."""
    if not may_change():
        raise NotAllowed(
            f"`vipconsole {command}` changes the swarm and must run as root.", "Run it with sudo."
        )


def confirm(arguments: Namespace, what: str, word: str) -> None:
    """Ask the operator to type a word, except with `--yes`; raise NotAllowed for any other answer."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what} This needs confirmation.", "Give --yes, or run it on a terminal.")
    # Not input(): it writes its prompt among the results where they go to a file.
    say((what,), sys.stderr)
    print(f"Type  {word}  to continue: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != word:
        raise NotAllowed("Not confirmed. Nothing was changed.")


def check_preconditions(arguments: Namespace, swarm: SwarmState) -> None:
    """Raise what `changer_for` would raise, before the operator sees a plan and confirms it.

    The reasons: another command is changing the swarm, or a run is unfinished, on this host or by its labels in the swarm.
    """
    if not arguments.demo:
        decline_if_unfinished(state_folder())
        decline_if_locked()
        decline_if_claimed(known(swarm.services, ()), Claimant(machine_id(), run_names(state_folder())))
        decline_if_handed_over(swarm.nodes, machine_id())


@asynccontextmanager
async def changer_for(arguments: Namespace, connection: EngineConnection) -> AsyncIterator[EngineChanger]:
    """Hold the maintenance lock of this host and give a changer that logs every change to the journal first.

    Leftovers of killed commands of this host are removed first. Raises LockHeld, HostError, EngineError, and Declined
    if a maintenance run is unfinished, on this host or by its labels in the swarm, or if another host is changing the
    same swarm.

    The demo has a swarm of its own: there is nothing to lock and nothing to log.
    """
    if arguments.demo:
        yield EngineChanger(connection, lambda _: None)
        return
    who = who_runs_this(os.environ)
    # Only the names: other arguments may be long and say nothing useful.
    names = [*getattr(arguments, "network", []), *getattr(arguments, "stack", [])]
    command = clean(" ".join(["vipconsole", arguments.command, *names]), 120)
    audit = Audit(who, command)
    # Before the lock, for the clearer reason; and again under it, for a run that has started in between.
    decline_if_unfinished(state_folder())
    async with maintenance_lock(command, who, SystemClock()):
        decline_if_unfinished(state_folder())
        if not audit.tell("begins"):
            progress("this host has no system journal, so the changes are not logged there.")
        changer = EngineChanger(connection, audit.tell)
        reader = EngineReader(connection)
        claimant = Claimant(machine_id(), run_names(state_folder()))
        for name in await clear_the_way(reader, changer, claimant, LEFTOVERS_WITHIN_S):
            progress(f"removed {name}, a leftover of an interrupted census.")
        yield changer
