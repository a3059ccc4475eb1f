"""The doors to other nodes: to their engines, and to the journals of their dockerd."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from console.clock import Clock
from console.concurrency import cancel_all
from console.errors import HostError
from console.host.process import CommandFailed, running_command
from console.journal.journalctl import RemoteJournal
from console.journal.reader import JournalReader, open_journal
from console.journal.recordings import RecordedJournal
from console.nodes.address import NO_JOURNAL, SSH, SshAddress, ssh_address
from console.nodes.settings import NodeSettings
from console.swarm.client import EngineConnection, context_host
from console.text import clean

POLL_S = 0.05
AGENT = "SSH_AUTH_SOCK"


def engine_host(node: NodeSettings) -> str:
    """Return where a node's engine is, as an address. Raises UsageError where its docker context names none."""
    return node.host or context_host(node.context)


@asynccontextmanager
async def engine_of(host: str, timeout_s: float) -> AsyncIterator[EngineConnection]:
    """Give a connection to an engine for as long as the block lasts. Raises HostError where ssh does not get there."""
    ssh = ssh_address(host)
    if ssh is None:
        connection = EngineConnection(host, timeout_s)
        try:
            yield connection
        finally:
            connection.close()
        return
    async with _tunnel(ssh, timeout_s) as socket:
        connection = EngineConnection(f"unix://{socket}", timeout_s)
        connection.host = clean(host)
        try:
            yield connection
        finally:
            connection.close()


@asynccontextmanager
async def _tunnel(ssh: SshAddress, timeout_s: float) -> AsyncIterator[Path]:
    """Give a socket here that leads to the engine's socket there. ssh ends with the block."""
    # Only this user may enter the directory.
    with tempfile.TemporaryDirectory(prefix="vipconsole-node-") as folder:
        socket = Path(folder) / "docker.sock"
        forward = ("-nNT", "-o", "ExitOnForwardFailure=yes", "-L", f"{socket}:{ssh.socket}")
        async with running_command(ssh.command(*forward), _environment()) as running:
            ending = asyncio.create_task(running.succeed())
            try:
                await _wait_for(socket, ending, ssh, timeout_s)
                yield socket
            finally:
                await cancel_all(ending)


async def _wait_for(socket: Path, ending: "asyncio.Task[None]", ssh: SshAddress, timeout_s: float) -> None:
    """Return once ssh has made its socket; raise HostError where it ends before, or is late."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await asyncio.to_thread(socket.exists):
                if ending.done():
                    await ending
                    raise _ssh_error(ssh, "it ended at once")
                await asyncio.sleep(POLL_S)
    except CommandFailed as error:
        raise _ssh_error(ssh, error.complaint) from error
    except TimeoutError as error:
        raise _ssh_error(ssh, f"no answer within {timeout_s:g} s") from error


def _ssh_error(ssh: SshAddress, reason: str) -> HostError:
    return HostError(
        f"ssh does not reach {clean(ssh.destination)}: {clean(reason, 200).removesuffix('.')}.",
        f"`ssh -o BatchMode=yes {clean(ssh.destination)} true` must work for this user, without a password.",
    )


def _environment() -> dict[str, str]:
    return {AGENT: os.environ[AGENT]} if AGENT in os.environ else {}


def journal_of(node: NodeSettings, host: str, unit: str, clock: Clock) -> JournalReader | None:
    """Return the door to the journal of a node's dockerd; None where none was named and none is known."""
    place = node.journal or (host if host.startswith(SSH) else NO_JOURNAL)
    ssh = ssh_address(place)
    if ssh is not None:
        return RemoteJournal(ssh.command("-nT"), _environment(), unit, clock)
    if place == NO_JOURNAL:
        return None
    path = Path(place)
    return open_journal(unit, path) if path.is_dir() else RecordedJournal(path, unit, clock)
