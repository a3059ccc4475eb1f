"""The process of the temporary manager: a unit of systemd, or a session of its own, that outlives its starter."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from console.clock import Clock, SystemClock
from console.concurrency import until
from console.errors import HostError
from console.frozen import frozen
from console.host import detached
from console.host.activity import Unit
from console.host.detached import DetachedProgram, UnitExists
from console.host.lock_probe import holder_of_lock
from console.host.process import CommandFailed, output_of
from console.host.reader import BOOTED, PROC, Run, has_systemd, read_processes, read_units
from console.host.temporary.finding import DockerdProgram
from console.host.temporary.values import Cable

UNIT = "vipconsole-temporary-manager"
"""The name of its unit, without its ending."""
SCRIPT = Path(__file__).with_name("temporary-manager.sh")
END_WITHIN_S = 15.0
"""For so long dockerd may take to end by itself; then it is killed."""
GONE_WITHIN_S = 10.0
"""For so long what has been killed may take to be gone."""
POLL_S = 0.1
COMMAND_TIMEOUT_S = 30.0
_PROPERTIES = {
    "KillMode": "control-group",
    "TimeoutStopSec": f"{END_WITHIN_S:g}",
    # The swarm may have no other manager: whatever ends it but a stop, it comes back.
    "Restart": "always",
    "RestartSec": "1",
    "StartLimitIntervalSec": "0",
    "OOMScoreAdjust": "-900",
}


@frozen
class TemporaryHost:
    """The host that it runs on."""

    run: Run = output_of
    clock: Clock = field(default_factory=SystemClock)
    booted: Path = BOOTED
    proc: Path = PROC
    unit: str = UNIT


class ManagerProcess:
    """The process of the temporary manager whose files lie in `folder`, and all that it started."""

    def __init__(self, folder: Path, host: TemporaryHost) -> None:
        self._folder, self._host = folder, host
        self.log = folder / "log"
        """The file that it writes to."""

    @property
    def _service(self) -> str:
        return f"{self._host.unit}.service"

    @property
    def _has_systemd(self) -> bool:
        return has_systemd(self._host.booted)

    async def is_running(self) -> bool:
        """Whether any of it lives, or systemd is about to start it again. Raises HostError where that is not known."""
        if any(unit.is_at_work for unit in await self._units()):
            return True
        return await asyncio.to_thread(self._lives)

    async def launch(self, cable: Cable, dockerd: DockerdProgram) -> None:
        """Start it, and return once systemd or the kernel has taken it. Raises HostError."""
        systemd = self._has_systemd
        program = DetachedProgram(
            (
                *("/bin/sh", str(SCRIPT), "unit" if systemd else "session", str(self._folder)),
                *(cable.interface, cable.host_address, cable.address, str(cable.prefix)),
                *(cable.manager_address, dockerd.program),
            ),
            {"PATH": dockerd.path, "LC_ALL": "C"},
            self._host.unit,
            "vipconsole temporary manager",
            self.log,
            properties=_PROPERTIES,
        )

        async def start() -> bool:
            try:
                await detached.start(program, self._host.booted, self._host.run)
            except UnitExists:
                # It is about to end, or about to be started again: that one is as good.
                return await self.is_running()
            return True

        if not await until(start, self._host.clock, GONE_WITHIN_S, POLL_S):
            raise HostError(
                f"The unit {self._service} still exists, and does not run.",
                f"`systemctl status {self._service}` shows why.",
            )

    async def restarts(self) -> int:
        """Return how often systemd has started it again; systemd before 235 does not tell."""
        if not self._has_systemd:
            return 0
        command = ("systemctl", "show", "--property=NRestarts", "--value", "--", self._service)
        count = (await self._host.run(command, COMMAND_TIMEOUT_S)).strip()
        return int(count) if count.isdigit() else 0

    async def end(self) -> None:
        """End it, and return once none of its processes lives. Raises HostError."""
        run, clock = self._host.run, self._host.clock
        if self._has_systemd:
            for verb in ("stop", "reset-failed"):
                # Where there is no such unit there is nothing to do.
                with suppress(CommandFailed):
                    await run(("systemctl", verb, "--", self._service), END_WITHIN_S + COMMAND_TIMEOUT_S)

        async def has_ended() -> bool:
            return not await self.is_running()

        for number, within_s in ((signal.SIGTERM, END_WITHIN_S), (signal.SIGKILL, GONE_WITHIN_S)):
            if await has_ended():
                return
            await asyncio.to_thread(self._signal, number)
            if await until(has_ended, clock, within_s, POLL_S):
                return
        raise HostError(
            f"The temporary manager does not end: {await self._who()}.",
            "End these processes by hand, then run the command again.",
        )

    async def _who(self) -> str:
        pids = [str(pid) for pid, _ in await self._processes()]
        return f"process {', '.join(pids)}" if pids else f"the unit {self._service}"

    def _lives(self) -> bool:
        # Every process of it holds the lock, from the first to the last.
        return bool(holder_of_lock(self._folder / "lock"))

    def _signal(self, number: signal.Signals) -> None:
        """Signal its processes: the first of them takes all others with it when it is killed, and hears nothing else."""
        with suppress(OSError, ValueError):
            pid = int((self._folder / "pid").read_text("ascii"))
            arguments = (self._host.proc / str(pid) / "cmdline").read_bytes().split(b"\0")
            # Its number may have been given to another process since.
            if os.fsencode(self._folder) in arguments:
                os.killpg(pid, number)

    def _is_ours(self, argv: tuple[str, ...]) -> bool:
        is_script = any(word.endswith(f"/{SCRIPT.name}") for word in argv) and str(self._folder) in argv
        return is_script or str(self._folder / "daemon.json") in argv

    async def leftovers(self) -> list[str]:
        """Return in words the unit and the processes that exist. Raises HostError."""
        units = [
            f"unit: {unit.name} ({unit.state})" for unit in await self._units() if unit.load != "not-found"
        ]
        return [*units, *(f"process: {pid} ({name})" for pid, name in await self._processes())]

    async def _units(self) -> tuple[Unit, ...]:
        if not self._has_systemd:
            return ()
        return await read_units((self._service,), COMMAND_TIMEOUT_S, self._host.run)

    async def _processes(self) -> list[tuple[int, str]]:
        processes = await asyncio.to_thread(read_processes, self._host.proc)
        ours = [process for process in processes if self._is_ours(process.argv)]
        return [(process.pid, Path(process.argv[0]).name) for process in ours]
