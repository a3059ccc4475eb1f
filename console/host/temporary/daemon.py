"""The dockerd of the temporary manager, with its folder, its cable and its firewall rules."""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path

from console.concurrency import until
from console.errors import Declined, HostError, NotAllowed
from console.host.process import PATH, CommandFailed
from console.host.temporary.finding import DockerdProgram, find_dockerd, version_of
from console.host.temporary.firewall import Firewall
from console.host.temporary.unit import (
    COMMAND_TIMEOUT_S,
    GONE_WITHIN_S,
    POLL_S,
    ManagerProcess,
    TemporaryHost,
)
from console.host.temporary.values import INTERFACE, Cable
from console.text import clean

ANSWERS_WITHIN_S = 90.0
"""dockerd serves its API only once its swarm node is up, or 20 s after it has given up to wait for that."""
LONGEST_SOCKET = 107
"""The most bytes that the path of a unix socket may have (unix(7))."""
MOST_RESTARTS = 3
"""A unit that has been started again so often while it was waited for will not come up."""
_PING_TIMEOUT_S = 5.0
_LOG_LINES = 3
_LOG_BYTES = 64 * 1024


class TemporaryDaemon:
    """The temporary manager of one host; all that it has lies in `folder`, which nobody else uses.

    `dockerd` is the program, of which `version` is expected; `path` is where that one finds its commands.
    """

    def __init__(
        self,
        folder: Path,
        dockerd: str,
        version: str,
        *,
        path: str = PATH,
        host: TemporaryHost | None = None,
    ) -> None:
        self._folder, self._dockerd, self._version = folder, DockerdProgram(dockerd, path), version
        self._host = host or TemporaryHost()
        self._process = ManagerProcess(folder, self._host)
        self._firewall = Firewall(INTERFACE, self._host.run)

    @property
    def host(self) -> str:
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return self._folder / "docker.sock"

    async def start(self, cable: Cable) -> None:
        await self._decline(cable)
        is_same = await asyncio.to_thread(self._prepare, cable)
        await self._firewall.open(cable)
        if not is_same and await self.is_running():
            await self._process.end()
        log_at = await asyncio.to_thread(self._log_size)
        restarts = await self._process.restarts()
        if not await self.is_running():
            await self._process.launch(cable, self._dockerd)
        await self._wait_for_answer(log_at, restarts)

    async def is_running(self) -> bool:
        return await self._process.is_running()

    async def remove(self) -> None:
        problems: list[HostError] = []
        # Files are removed only from under what has ended.
        if await _attempt(problems, self._process.end()):
            await _attempt(problems, asyncio.to_thread(self._remove_folder))
        await _attempt(problems, self._remove_interface())
        await _attempt(problems, self._firewall.close())
        if problems:
            raise HostError(
                f"The temporary manager could not be removed: {' '.join(problem.sentence for problem in problems)}",
                problems[0].hint,
            )

    async def leftovers(self) -> tuple[str, ...]:
        left = await self._process.leftovers()
        if await self._has_interface():
            left.append(f"interface: {INTERFACE}")
        left += await self._firewall.leftovers()
        if await asyncio.to_thread(os.path.lexists, self._folder):
            left.append(f"folder: {self._folder}")
        return tuple(left)

    async def _decline(self, cable: Cable) -> None:
        if os.geteuid() != 0:
            raise NotAllowed("Only root can start a temporary manager.", "Use `sudo`.")
        if cable.interface != INTERFACE:
            raise Declined(f"The cable of the temporary manager is {cable.interface}, and not {INTERFACE}.")
        if len(os.fsencode(self._socket)) > LONGEST_SOCKET:
            raise Declined(
                f"The path {self._socket} is too long for a socket: {LONGEST_SOCKET} bytes at most.",
                "Choose a shorter folder with `--state-dir`.",
            )
        version = await version_of(self._dockerd.program, self._host.run)
        if version != self._version:
            raise Declined(
                f"{clean(self._dockerd.program)} is version {version}, but the running dockerd is {clean(self._version)}.",
                "dockerd was updated and not restarted, or another one comes first in PATH.",
            )

    def _prepare(self, cable: Cable) -> bool:
        """Make the folder, and return whether the cable is the one that was recorded."""
        record = self._folder / "cable.json"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            (self._folder / "daemon.json").write_text("{}\n")
            text = json.dumps(cable.to_json())
            is_same = record.exists() and record.read_text() == text
            record.write_text(text)
        except OSError as error:
            raise HostError(
                f"The folder {self._folder} of the temporary manager cannot be written: {error.strerror}.",
                "Free some room there, then run the command again.",
            ) from error
        return is_same

    async def _wait_for_answer(self, log_at: int, restarts: int) -> None:
        clock = self._host.clock
        end_s = clock.monotonic() + ANSWERS_WITHIN_S
        while not await self._answers():
            has_ended = not await self.is_running()
            if has_ended or await self._process.restarts() - restarts >= MOST_RESTARTS:
                raise self._unanswered("ended while it started", log_at)
            if clock.monotonic() > end_s:
                raise self._unanswered(f"did not answer within {ANSWERS_WITHIN_S:g} s", log_at)
            await clock.sleep(POLL_S)

    def _log_size(self) -> int:
        with suppress(OSError):
            return self._process.log.stat().st_size
        return 0

    def _unanswered(self, what: str, log_at: int) -> HostError:
        try:
            with self._process.log.open("rb") as file:
                size = file.seek(0, 2)
                # Rotated since, where it is shorter.
                file.seek(max(log_at if log_at <= size else 0, size - _LOG_BYTES))
                lines = file.read().decode("utf-8", "replace").strip().splitlines()[-_LOG_LINES:]
        except OSError:
            lines = []
        end = " ".join(clean(line, 400) for line in lines) or "it wrote nothing"
        return HostError(
            f"The dockerd of the temporary manager {what}: {end}", f"Its whole log is {self._process.log}."
        )

    async def _answers(self) -> bool:
        """Whether it answers a ping."""
        try:
            async with asyncio.timeout(_PING_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                    return b" 200 " in await reader.readline()
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError):
            return False

    async def _has_interface(self) -> bool:
        output = await self._host.run(("ip", "-json", "link", "show"), COMMAND_TIMEOUT_S)
        try:
            return any(row.get("ifname") == INTERFACE for row in json.loads(output or b"[]"))
        except (ValueError, AttributeError, TypeError) as error:
            raise HostError("`ip -json link` gave a malformed reply.", "It comes with iproute2.") from error

    async def _remove_interface(self) -> None:
        async def is_gone() -> bool:
            if not await self._has_interface():
                return True
            # It vanishes by itself a moment after the process that it belonged to.
            with suppress(CommandFailed):
                command = ("ip", "link", "delete", "dev", INTERFACE)
                await self._host.run(command, COMMAND_TIMEOUT_S)
            return not await self._has_interface()

        if not await until(is_gone, self._host.clock, GONE_WITHIN_S, POLL_S):
            raise HostError(
                f"The interface {INTERFACE} cannot be removed.",
                f"`ip link delete dev {INTERFACE}`, then run the command again.",
            )

    def _remove_folder(self) -> None:
        mounts = (self._host.proc / "self" / "mounts").read_text("utf-8", "surrogateescape")
        below = [
            place
            for line in mounts.splitlines()
            if Path(place := line.split()[1]).is_relative_to(self._folder.resolve())
        ]
        if below:
            # Another filesystem may be anybody's.
            raise HostError(
                f"Something is mounted in {self._folder}: {clean(', '.join(below), 300)}.",
                "Unmount it, then run the command again.",
            )
        try:
            shutil.rmtree(self._folder)
        except FileNotFoundError:
            return
        except OSError as error:
            name = clean(str(error.filename or self._folder), 300)
            raise HostError(f"{name} cannot be removed: {error.strerror}.", "Remove it by hand.") from error


async def temporary_daemon(
    folder: Path, engine_version: str, host: TemporaryHost | None = None
) -> TemporaryDaemon:
    """Return the temporary manager of this host with its files in `folder`, of the program that its dockerd runs from.

    Raises Declined where no dockerd of that version is found.
    """
    host = host or TemporaryHost()
    found = await find_dockerd(engine_version, host.proc, host.run)
    return TemporaryDaemon(folder, found.program, engine_version, path=found.path, host=host)


async def _attempt(problems: list[HostError], act: Awaitable[None]) -> bool:
    """Do something, and return whether it went well; what went wrong is added to the problems."""
    try:
        await act
    except HostError as error:
        problems.append(error)
        return False
    return True
