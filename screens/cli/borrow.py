"""`vipconsole reclaim --by borrow`: a second manager for some seconds, and the proof of what it did."""

import asyncio
import os
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from console.addresses.leaks import valid_evidence
from console.clock import SystemClock
from console.diagnosis.quiescence.values import QuiescenceRules
from console.diagnosis.quiescence.waiter import WaitDependencies, wait_for_quiet
from console.errors import Declined, UsageError, known
from console.host.audit import Audit
from console.host.identity import machine_id
from console.host.lock import maintenance_lock
from console.host.reader import HostReader
from console.host.who import who_runs_this
from console.operations.borrow.options import BorrowCaller, BorrowOptions
from console.operations.borrow.plan import BorrowFacts
from console.operations.borrow.session import BorrowSession
from console.operations.census import CensusDependencies, census_count
from console.operations.probes import own_probe_owner
from console.operations.stack_removal.steps import LeakCount, Prove, engine_count
from console.settings import Settings
from console.storage.borrow import BorrowRecord
from console.storage.census import read_censuses
from console.swarm.changer import EngineChanger, Tell
from console.swarm.client import EngineConnection
from console.swarm.events import EventSource
from console.swarm.managers import NO_LEADER
from console.swarm.model import ObjectKind, StackObject, SwarmState
from console.swarm.reader import EngineReader
from console.text import clean
from screens.cli.common import state_of
from screens.output.borrow import BorrowReport, as_json, report_lines
from screens.output.plain import json_text, progress, say


async def decline_unless_quiet(
    arguments: Namespace, settings: Settings, connection: EngineConnection
) -> None:
    """Raise Declined where something is being deployed, or goes on on this host, that is not accepted."""
    clock = SystemClock()
    accepted = frozenset(clean(name) for name in arguments.accept)
    rules = QuiescenceRules(settings.quiet, settings.thresholds, 0.0, accepted)
    dependencies = WaitDependencies(
        EngineReader(connection),
        HostReader(settings.quiet, settings.snapshot.call_timeout_s, holds_lock=True),
        EventSource(connection, clock),
    )
    async for state in wait_for_quiet(dependencies, clock, rules, settings.snapshot, 0.0):
        blockers = [
            f"{blocker.name} {blocker.what}".strip()
            for check in state.report.checks
            for blocker in check.blockers
            if not blocker.is_accepted
        ]
        if blockers:
            raise Declined(
                f"It is not quiet: {'; '.join(blockers[:3])}.",
                "Wait for it with `vipconsole quiet`, or accept what goes on with --accept NAME.",
            )


def read_unlock_key(arguments: Namespace) -> str:
    """Return the unlock key of the swarm from its file; nothing where none is given."""
    if not arguments.unlock_key_file:
        return ""
    try:
        key = arguments.unlock_key_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The unlock key cannot be read: {clean(str(error), 200)}.",
            "`docker swarm unlock-key -q` shows it.",
        ) from error
    return str(key)


def options(arguments: Namespace, settings: Settings, connection: EngineConnection) -> BorrowOptions:
    """Return what the operator has set for a borrowed manager."""
    return BorrowOptions(
        state_of(arguments, connection),
        settings.docker_unit,
        read_unlock_key(arguments),
        settings.reclaim.rotate_tokens,
        is_demo=arguments.demo,
    )


def tell(line: str) -> None:
    """Show progress, also to a terminal that may have gone."""
    with suppress(OSError):
        progress(line)


@contextmanager
def sees_it_through() -> Iterator[None]:
    """Let a lost terminal not end this program in the middle, and SIGTERM end it as ctrl+c does: all is put back first."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    at_hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, at_hangup)
        loop.remove_signal_handler(signal.SIGTERM)


@asynccontextmanager
async def lock_without_swarm(arguments: Namespace) -> AsyncIterator[Tell]:
    """Hold the maintenance lock while no manager may answer; give what writes each change to the journal."""
    if arguments.demo:
        yield lambda _: None
        return
    who = who_runs_this(os.environ)
    audit = Audit(who, "vipconsole reclaim")
    async with maintenance_lock("vipconsole reclaim", who, SystemClock()):
        audit.tell("finishes a borrowed manager")
        yield audit.tell


def session(
    arguments: Namespace, settings: Settings, connection: EngineConnection, announce: Tell
) -> BorrowSession:
    """Return what borrows a manager on this host."""
    # Only where a manager is borrowed is all of this needed.
    from console.operations.borrow.this_host import open_session

    caller = BorrowCaller(str(own_probe_owner(machine_id())), announce, tell)
    return open_session(connection, caller, options(arguments, settings, connection))


async def borrow(
    arguments: Namespace,
    settings: Settings,
    connection: EngineConnection,
    changer: EngineChanger,
    facts: BorrowFacts,
) -> BorrowReport:
    """Borrow a manager, and count before and after what leaked on the network of interest."""
    await decline_unless_quiet(arguments, settings, connection)
    swarm = facts.swarm
    leader = next((node for node in known(swarm.nodes, ()) if node.is_leader), None)
    if leader is None:
        raise Declined(*NO_LEADER)
    count = _counter(settings, connection, changer, swarm)
    networks = _networks(settings, swarm)
    before = await _count_before(count, networks, swarm, options(arguments, settings, connection).state)
    borrowing = session(arguments, settings, connection, changer.announce)
    with sees_it_through():
        outcome = await borrowing.run(facts, leader)
    return BorrowReport(outcome, before, await count(networks))


async def finish(
    arguments: Namespace, settings: Settings, connection: EngineConnection, record: BorrowRecord
) -> BorrowReport:
    """Bring one that was cut short to its end."""
    async with lock_without_swarm(arguments) as announce:
        borrowing = session(arguments, settings, connection, announce)
        with sees_it_through():
            return BorrowReport(await borrowing.finish(record), (), ())


def _counter(
    settings: Settings, connection: EngineConnection, changer: EngineChanger, swarm: SwarmState
) -> Prove:
    reader, clock = EngineReader(connection), SystemClock()
    engine = known(swarm.engine, None)
    if engine is not None and engine.counts_addresses:
        return engine_count(reader, clock, settings.snapshot)
    owner = own_probe_owner(machine_id())
    return census_count(CensusDependencies(reader, changer, clock, owner, settings.snapshot.deadline_s))


async def _count_before(
    count: Prove, networks: tuple[StackObject, ...], swarm: SwarmState, state: Path
) -> tuple[LeakCount, ...]:
    """Return what had leaked, by a census that still holds where there is one.

    A census writes hundreds of entries into the swarm's log, and the temporary manager is sent that log.
    """
    engine = known(swarm.engine, None)
    censuses, _ = valid_evidence(known(read_censuses(state), ()), swarm, None)
    if engine is None or engine.counts_addresses or not all(network.id in censuses for network in networks):
        return await count(networks)
    return tuple(LeakCount(network.name, len(censuses[network.id].unaccounted)) for network in networks)


def _networks(settings: Settings, swarm: SwarmState) -> tuple[StackObject, ...]:
    return tuple(
        StackObject(ObjectKind.NETWORK, network.id, network.name, "")
        for network in known(swarm.networks, ())
        if network.is_overlay and network.name == settings.network
    )


def write_report(report: BorrowReport, schema: str, *, as_document: bool) -> int:
    """Print it, and return the exit code."""
    code = 0 if report.is_whole else 1
    if as_document:
        sentence = next(iter(report_lines(report)))
        document = {
            "schema": schema,
            "exit_code": code,
            "way": "borrow",
            "sentence": sentence,
            "borrow": as_json(report),
        }
        sys.stdout.write(json_text(document))
    else:
        say(report_lines(report))
    return code
