"""A borrowed manager on this host: whether one can be borrowed, and what borrows it. For the command, guard and runs.

What the host is, is decided here: this machine, or the demo's, which simulates one.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

from console.clock import SystemClock
from console.errors import (
    Declined,
    EngineError,
    Result,
    Unknown,
    VipconsoleError,
    known,
    unknown_from,
)
from console.host.process import CommandFailed, output_of
from console.host.reader import has_systemd
from console.host.root import has_own_root, under_root
from console.host.temporary.daemon import temporary_daemon
from console.host.temporary.network import choose_cable, read_used_ranges
from console.host.temporary.values import Cable, TemporaryEngine
from console.journal.reader import whose_host
from console.operations.borrow.backup import clear_log, copy_state, has_log, require_room
from console.operations.borrow.facts import read_facts
from console.operations.borrow.host import BorrowHost
from console.operations.borrow.options import BorrowCaller, BorrowOptions
from console.operations.borrow.plan import BorrowFacts, plan_borrow
from console.operations.borrow.session import BorrowOutcome, BorrowSession
from console.operations.reclaim import ReclaimPlan
from console.storage.borrow import BorrowStore
from console.swarm.client import EngineConnection
from console.swarm.managers import NO_LEADER, roles_of
from console.swarm.membership import EngineMembership
from console.swarm.model import Engine, SwarmState
from console.swarm.reader import EngineReader

IP_WITHIN_S = 10.0
SYSTEMCTL_WITHIN_S = 30.0
STATUS = Path("/proc/self/status")
DOCKERD_PID = "/run/dockerd.pid"
"""There where a host in a folder has a real dockerd."""
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


class ThisHost:
    """The machine that this process runs on: a private dockerd in a unit of its own."""

    async def why_foreign(self, address: str, engine: Result[Engine]) -> Unknown | None:
        return await whose_host(address, engine)

    async def why_not_allowed(self) -> Unknown | None:
        status = await asyncio.to_thread(STATUS.read_text, "ascii")
        return None if may_change_interfaces(status) else NO_CAPABILITY

    async def find_cable(self, manager_address: str, used: Iterable[IPv4Network]) -> Cable:
        return choose_cable(manager_address, {*used, *await read_used_ranges(IP_WITHIN_S)})

    def require_room(self, root_dir: str, state: Path) -> None:
        require_room(root_dir, state)

    def copy_state(self, root_dir: str, folder: Path) -> None:
        copy_state(root_dir, folder)

    def has_log(self, root_dir: str) -> bool:
        return has_log(root_dir)

    async def start_without_log(self, root_dir: str, unit: str) -> None:
        await asyncio.to_thread(clear_log, root_dir)
        if has_systemd():
            # It may have given up: dockerd has ended too often.
            for command in (("reset-failed",), ("start", "--no-block")):
                with suppress(CommandFailed):
                    await output_of(("systemctl", *command, "--", unit), SYSTEMCTL_WITHIN_S)

    async def temporary_engine(self, version: str, folder: Path) -> TemporaryEngine:
        return await temporary_daemon(folder, version)


def host_of(connection: EngineConnection, options: BorrowOptions) -> BorrowHost:
    """Return the host of the engine: this machine, or what simulates one."""
    # A rehearsal has a root of its own too, and a real dockerd in it.
    if not options.is_demo and (not has_own_root() or under_root(DOCKERD_PID).exists()):
        return ThisHost()
    # Only the demo needs it.
    from console.simulator.host.borrowing import simulated_host  # noqa: PLC0415

    return simulated_host(Path(connection.host.removeprefix("unix://")))


def open_session(connection: EngineConnection, caller: BorrowCaller, options: BorrowOptions) -> BorrowSession:
    """Return what borrows a manager on this host, or finishes one."""
    return BorrowSession(connection, host_of(connection, options), SystemClock(), caller, options)


async def facts_here(connection: EngineConnection, options: BorrowOptions, swarm: SwarmState) -> BorrowFacts:
    """Return what decides whether a manager can be borrowed through this engine, of which `swarm` is a snapshot."""
    return await read_facts(connection, swarm, options, host_of(connection, options))


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
    facts = await facts_here(connection, options, swarm)
    return plan_borrow(roles_of(swarm.nodes, swarm.engine.node_id), facts), facts


async def why_not_here(
    connection: EngineConnection, options: BorrowOptions, deadline_s: float
) -> Unknown | None:
    """Return why no manager can be borrowed through this engine, and what to do; None where one can be."""
    try:
        plan, _ = await plan_here(connection, options, deadline_s)
        if plan.refusal:
            return Unknown(plan.refusal, plan.hint)
        host = host_of(connection, options)
        if why_not := await host.why_not_allowed():
            return why_not
        member = await EngineMembership(connection, lambda _: None).read()
        await host.temporary_engine(member.version, BorrowStore(options.state).engine_folder)
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
    return await open_session(connection, caller, options).run(facts, leader)
