"""The doors to other nodes: to their engines, and to the journals of their dockerd."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from console.clock import Clock
from console.errors import UsageError
from console.journal.reader import JournalReader, open_journal
from console.journal.recordings import RecordedJournal
from console.nodes.address import NO_JOURNAL, SSH, problem_with_host, ssh_address
from console.nodes.settings import NodeSettings
from console.nodes.ssh import SshJournal, tunnel
from console.swarm.client import EngineConnection
from console.swarm.contexts import EngineAddress, context_address
from console.text import clean

WAY_SHARE = 0.75
"""So much of the time limit the way may take: who is late on it is told by name, and not taken for a slow engine."""


def engine_address(node: NodeSettings) -> EngineAddress:
    """Return where a node's engine is. Raises UsageError where its docker context names none."""
    if node.host:
        return EngineAddress(node.host)
    address = context_address(node.context)
    if problem := problem_with_host(address.host):
        raise UsageError(
            f"The docker context {clean(node.context)} cannot be used: its host must be {problem}.",
            "Name the engine with `host` in its [[node]].",
        )
    return address


@asynccontextmanager
async def engine_of(address: EngineAddress, timeout_s: float) -> AsyncIterator[EngineConnection]:
    """Give a connection to an engine for as long as the block lasts. Raises HostError where ssh does not get there."""
    ssh = ssh_address(address.host)
    if ssh is None:
        connection = EngineConnection(address, timeout_s)
        try:
            yield connection
        finally:
            connection.close()
        return
    async with tunnel(ssh, WAY_SHARE * timeout_s) as socket:
        connection = EngineConnection(f"unix://{socket}", timeout_s)
        connection.host = clean(address.host)
        try:
            yield connection
        finally:
            connection.close()


def journal_of(node: NodeSettings, host: str, unit: str, clock: Clock) -> JournalReader | None:
    """Return the door to the journal of a node's dockerd; None where none was named and none is known."""
    place = node.journal or (host if host.startswith(SSH) else NO_JOURNAL)
    ssh = ssh_address(place)
    if ssh is not None:
        return SshJournal(ssh, unit, clock)
    if place == NO_JOURNAL:
        return None
    path = Path(place)
    return open_journal(unit, path) if path.is_dir() else RecordedJournal(path, unit, clock)
