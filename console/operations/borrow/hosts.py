"""A borrowed manager on this host: whether one can be borrowed, and what borrows it. For the command, guard and runs."""

import asyncio
from pathlib import Path

from console.clock import SystemClock
from console.errors import Declined, EngineError, Unknown, VipconsoleError, known, unknown_from
from console.host.temporary.daemon import TemporaryDaemon
from console.host.temporary.finding import find_dockerd
from console.host.temporary.values import TemporaryEngine
from console.journal.reader import whose_host
from console.operations.borrow.facts import read_facts
from console.operations.borrow.options import BorrowCaller, BorrowOptions
from console.operations.borrow.plan import BorrowFacts, plan_borrow
from console.operations.borrow.record import BorrowStore
from console.operations.borrow.session import BorrowOutcome, BorrowSession
from console.operations.reclaim import ReclaimPlan
from console.swarm.client import EngineConnection
from console.swarm.managers import NO_LEADER, roles_of
from console.swarm.membership import EngineMembership
from console.swarm.reader import EngineReader

STATUS = Path("/proc/self/status")
CAP_NET_ADMIN = 12
"""Its number (capabilities(7))."""
NO_CAPABILITY = Unknown(
    "This process must not change interfaces and firewall rules: it lacks CAP_NET_ADMIN.",
    "Give it to its unit with a drop-in: docs/guard.md shows one.",
)


def may_change_interfaces(status: str) -> bool:
    """Whether a process may, by its `/proc/PID/status`. Root in a hardened unit may not; who is not root is told that first."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    is_root = fields["Uid"].split()[1] == "0"
    return not is_root or bool(int(fields["CapEff"], 16) >> CAP_NET_ADMIN & 1)


async def temporary_engine(connection: EngineConnection, options: BorrowOptions) -> TemporaryEngine:
    """Return the dockerd that is borrowed here. Raises Declined where none of the running engine's version is found."""
    member = await EngineMembership(connection, lambda _: None).read()
    found = await find_dockerd(member.version)
    return TemporaryDaemon(
        BorrowStore(options.state).engine_folder, found.program, member.version, path=found.path
    )


async def open_session(
    connection: EngineConnection, caller: BorrowCaller, options: BorrowOptions
) -> BorrowSession:
    """Return what borrows a manager on this host, or finishes one.

    Raises Declined where no dockerd of the engine's version is found, and an EngineError.
    """
    return BorrowSession(
        connection, await temporary_engine(connection, options), SystemClock(), caller, options
    )


async def plan_here(
    connection: EngineConnection, options: BorrowOptions, deadline_s: float
) -> tuple[ReclaimPlan, BorrowFacts]:
    """Return what a manager borrowed through this engine does, or why none can be, and what that rests on.

    Raises EngineError where the engine cannot be read.
    """
    swarm = await EngineReader(connection).state(deadline_s)
    if isinstance(swarm.engine, Unknown):
        raise EngineError(swarm.engine.reason, swarm.engine.hint)
    if isinstance(swarm.nodes, Unknown):
        raise EngineError(swarm.nodes.reason, swarm.nodes.hint)
    not_ours = await whose_host(connection.host, swarm.engine)
    facts = await read_facts(EngineMembership(connection, lambda _: None), swarm, options, not_ours)
    return plan_borrow(roles_of(swarm.nodes, swarm.engine.node_id), facts), facts


async def why_not_here(
    connection: EngineConnection, options: BorrowOptions, deadline_s: float
) -> Unknown | None:
    """Return why no manager can be borrowed through this engine, and what to do; None where one can be."""
    try:
        plan, _ = await plan_here(connection, options, deadline_s)
        if plan.refusal:
            return Unknown(plan.refusal, plan.hint)
        if not may_change_interfaces(await asyncio.to_thread(STATUS.read_text, "ascii")):
            return NO_CAPABILITY
        await temporary_engine(connection, options)
    except VipconsoleError as error:
        return unknown_from(error)
    return None


async def borrow_here(
    connection: EngineConnection, caller: BorrowCaller, options: BorrowOptions, deadline_s: float
) -> BorrowOutcome:
    """Borrow a manager and give it back. The caller holds the lock, and has made sure that it is quiet.

    Raises Declined where that cannot be done, HostError, or an EngineError.
    """
    plan, facts = await plan_here(connection, options, deadline_s)
    if plan.refusal:
        raise Declined(plan.refusal, plan.hint)
    leader = next((node for node in known(facts.swarm.nodes, ()) if node.is_leader), None)
    if leader is None:
        raise Declined(*NO_LEADER)
    return await (await open_session(connection, caller, options)).run(facts, leader)
