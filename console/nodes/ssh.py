"""Other nodes behind ssh: a tunnel to the engine's socket, dockerd's journal read there, and why either fails."""

import asyncio
import os
import re
import shlex
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from console.clock import Clock
from console.concurrency import cancel_all
from console.errors import EngineError, HostError
from console.host.process import CommandFailed, RunningCommand, running_command
from console.journal.journalctl import RemoteJournal
from console.journal.values import Batch, Window
from console.nodes.address import SshAddress
from console.text import clean, last_line

POLL_S = 0.05
AGENT = "SSH_AUTH_SOCK"
OWN_FAILURE = 255
"""What ssh ends with when it fails itself; any other code is that of the command there (ssh(1), EXIT STATUS)."""
NO_COMMAND = 127
_REFUSED = re.compile(r"^channel \d+: open failed: (?P<reason>.+?)\r?$", re.MULTILINE)
"""What ssh says where the other side does not open the engine's socket (openssh: channels.c)."""
_COMPLAINT_S = 0.5
"""So long that complaint is waited for once the engine's answer was none: it comes by another pipe."""


@asynccontextmanager
async def tunnel(ssh: SshAddress, timeout_s: float) -> AsyncIterator[Path]:
    """Give a socket here that leads to the engine's socket there. ssh ends with the block.

    Raises HostError where ssh does not get there within the time, and where no engine is behind it.
    """
    # Only this user may enter the directory.
    with tempfile.TemporaryDirectory(prefix="vipconsole-node-") as folder:
        socket = Path(folder) / "docker.sock"
        # No ExitOnForwardFailure: a LocalForward of the user's own settings fails where that port is taken already.
        command = ssh.command("-nNT", "-L", f"{socket}:{ssh.socket}")
        async with running_command(command, _environment()) as running:
            ending = asyncio.create_task(running.succeed())
            try:
                await _wait_for(socket, ending, ssh, running, timeout_s)
                try:
                    yield socket
                except EngineError as error:
                    await _explain(error, ssh, running, ending)
                    raise
            finally:
                await cancel_all(ending)


async def _wait_for(
    socket: Path, ending: "asyncio.Task[None]", ssh: SshAddress, running: RunningCommand, timeout_s: float
) -> None:
    """Return once ssh has made its socket; raise HostError where it ends before, or is late."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await asyncio.to_thread(socket.exists):
                if ending.done():
                    await ending
                    raise _ssh_error(ssh, "it ended at once")
                await asyncio.sleep(POLL_S)
    except CommandFailed as error:
        raise _ssh_error(ssh, error.last_line) from error
    except TimeoutError as error:
        raise _late(ssh, timeout_s, running.complaints) from error


async def _explain(
    error: EngineError, ssh: SshAddress, running: RunningCommand, ending: "asyncio.Task[None]"
) -> None:
    """Raise HostError where not the engine failed, but the way to it; return where ssh has no complaint."""
    end_s = asyncio.get_running_loop().time() + _COMPLAINT_S
    while not ending.done() and not _REFUSED.search(running.complaints):
        if asyncio.get_running_loop().time() >= end_s:
            return
        await asyncio.sleep(POLL_S)
    if refused := _REFUSED.search(running.complaints):
        raise HostError(
            f"ssh reaches {clean(ssh.destination)}, but no engine answers there at {clean(ssh.socket)} "
            f"({clean(refused['reason'], 100)}).",
            f"`{_by_hand(ssh, 'docker version')}` must work: dockerd runs there, and the user is in the group docker. sshd must "
            "allow AllowStreamLocalForwarding.",
        ) from error
    try:
        await ending
    except CommandFailed as failure:
        raise _ssh_error(ssh, failure.last_line) from failure


class SshJournal(RemoteJournal):
    """dockerd's journal on another node, read by `journalctl` there; what fails on the way is told as such."""

    def __init__(self, ssh: SshAddress, unit: str, clock: Clock) -> None:
        # A LocalForward of the user's own settings would complain in the place of what runs there.
        remote = ssh.command("-nT", "-o", "ClearAllForwardings=yes")
        super().__init__(remote, _environment(), unit, clock)
        self._ssh = ssh

    async def read(self, window: Window) -> Batch:
        try:
            batch = await super().read(window)
        except CommandFailed as error:
            if error.code == OWN_FAILURE:
                raise _ssh_error(self._ssh, error.last_line) from error
            raise self._journal_error(error) from error
        if batch.is_partial and not batch.entries:
            # Nothing came, not even the end.
            raise _late(self._ssh, window.deadline_s)
        return batch

    def _journal_error(self, error: CommandFailed) -> HostError:
        where = clean(self._ssh.destination)
        if error.code == NO_COMMAND:
            return HostError(
                f"There is no journalctl on {where}: {clean(error.last_line, 200).removesuffix('.')}.",
                'Set `journal` in its [[node]] to `"none"`, or to the directory of a copy.',
            )
        return HostError(
            f"dockerd's journal on {where} cannot be read: {clean(error.last_line, 200).removesuffix('.')}.",
            f"`{_by_hand(self._ssh, 'journalctl -n 1')}` must work: the user there needs the group systemd-journal or adm.",
        )


def _ssh_error(ssh: SshAddress, reason: str) -> HostError:
    return HostError(
        f"ssh does not reach {clean(ssh.destination)}: {clean(reason, 200).removesuffix('.')}.",
        _hint(ssh, reason),
    )


def _hint(ssh: SshAddress, reason: str) -> str:
    must = f"`{_by_hand(ssh, 'true')}` must work for this user, without a password."
    if "Host key verification failed" in reason:
        port = "" if ssh.port is None else f"-p {ssh.port} "
        return (
            f"Its host key is not known to this user, or is another one now. `ssh {port}{clean(ssh.destination)}` shows the "
            f"fingerprint: compare it with the node's. {must}"
        )
    if "Permission denied" in reason:
        return f"{must} Its key has no passphrase, or is in an agent, and stands in authorized_keys there."
    return must


def _late(ssh: SshAddress, timeout_s: float, complaints: str = "") -> HostError:
    told = last_line(complaints)
    return _ssh_error(ssh, f"no answer within {timeout_s:g} s" + (f" ({told})" if told else ""))


def _by_hand(ssh: SshAddress, command: str) -> str:
    """Return the command line that an operator types to see the same."""
    port = "" if ssh.port is None else f"-p {ssh.port} "
    return f"ssh -o BatchMode=yes {port}{shlex.quote(clean(ssh.destination))} {command}"


def _environment() -> Mapping[str, str]:
    return {AGENT: os.environ[AGENT]} if AGENT in os.environ else {}
