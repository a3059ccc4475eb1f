"""The dockerd of a demo host: the simulated engine in a process of its own, shared by all commands of the demo.

It ends by itself once its folder is gone, and when nobody has asked it anything for some hours.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from console.clock import SystemClock
from console.simulator.dockerd_log import JournalFile
from console.simulator.engine import SimulatedEngine
from console.simulator.filters import Refusal
from console.simulator.host.control import JOURNAL, JOURNAL_SOCKET, SOCKET
from console.simulator.host.faults import take_fault
from console.simulator.host.processes import ENGINE_PID, end_units
from console.simulator.networks import Networks
from console.simulator.objects import SimEvent
from console.simulator.past import keep_past
from console.simulator.scenarios import PROXY, build
from console.simulator.server import EngineServer, serve

CHANGES = "var/log/vipconsole.log"
STATE = "var/lib/vipconsole"
"""Where the programs of this host keep what they know."""
IDLE_S = 4 * 3600.0
LOOK_EVERY_S = 0.5
HANGS_S = 12.0
"""For this long an engine that is to hang answers nothing."""
REFUSED_TIMES = 3
LATE_SERVICE, LATE_IMAGE = "drone_app", "drone/drone:2"
"""The service that may not come back, and what it runs."""
LATE_S = 300.0
"""For this long its image cannot be pulled."""


def run_engine(root: Path, arguments: Sequence[str]) -> int:
    """Serve a scenario (`ROOT SCENARIO`) until SIGTERM or the folder is gone."""
    engine = build(arguments[1], date=datetime.now(UTC))
    _set_image(engine)
    engine.root_dir = str(root / "var/lib/docker")
    faults = EngineFaults(root, engine)
    with closing(JournalFile(engine.store.dockerd_log, root / JOURNAL)):
        return asyncio.run(_serve(root, engine, faults))


async def _serve(root: Path, engine: SimulatedEngine, faults: "EngineFaults") -> int:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    log, path = root / CHANGES, str(root / JOURNAL_SOCKET)
    journal, _ = await loop.create_datagram_endpoint(
        lambda: ChangesLog(log), local_addr=path, family=socket.AF_UNIX
    )
    async with serve(engine, root / SOCKET, SystemClock()) as service:
        faults.service = service
        await keep_past(engine, f"unix://{root / SOCKET}", root / STATE)
        await asyncio.to_thread((root / ENGINE_PID).write_text, str(os.getpid()))
        os.write(1, b"ready\n")
        own = await asyncio.to_thread(_inode, root)
        calls, called_s = 0, SystemClock().monotonic()
        while not ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), LOOK_EVERY_S)
            if await asyncio.to_thread(_inode, root) != own:
                # At the same path there may be another host: it stays as it is.
                os._exit(0)
            now_s = SystemClock().monotonic()
            if service.calls != calls:
                calls, called_s = service.calls, now_s
            if now_s - called_s >= IDLE_S:
                break
    journal.close()
    return 0


class ChangesLog(asyncio.DatagramProtocol):
    """What the program tells the system journal of its changes, in a file that `journalctl` prints."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def datagram_received(self, data: bytes, _: object) -> None:
        """Write down the message of an entry."""
        fields = dict(line.partition("=")[::2] for line in data.decode("utf-8", "replace").splitlines())
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {fields.get('MESSAGE', '')}\n")


def _inode(root: Path) -> int:
    try:
        return root.stat().st_ino
    except OSError:
        return 0


def _set_image(engine: SimulatedEngine) -> None:
    """Let the service that may not come back have an image of its own."""
    service = engine.store.find_service(LATE_SERVICE)
    specs = [service.spec["TaskTemplate"], *(task.spec for task in engine.store.tasks_of(service.id))]
    for spec in specs:
        spec["ContainerSpec"] = {**spec["ContainerSpec"], "Image": LATE_IMAGE}


class EngineFaults:
    """What goes wrong in the engine when it is to: seen in the swarm's events, and at the removal of the network."""

    def __init__(self, root: Path, engine: SimulatedEngine) -> None:
        self._root = root
        self._engine = engine
        self.service: EngineServer | None = None
        engine.networks = RefusingNetworks(root, engine)
        engine.store.events.listen(self._on_event)

    def _on_event(self, event: SimEvent) -> None:
        if (event.kind, event.action, event.attributes.get("name")) != ("network", "remove", PROXY):
            return
        # A second removal is the way back: then the image can be pulled.
        self._have_images(but=LATE_IMAGE if take_fault(self._root, "recreate") else "")
        if take_fault(self._root, "engine-hangs") and self.service is not None:
            self.service.hang_for(HANGS_S)
        if take_fault(self._root, "runner-killed"):
            end_units(self._root)

    def _have_images(self, but: str = "") -> None:
        """Let the engine have every image, or for a while all but one."""
        store, agent = self._engine.store, self._engine.agent
        specs = [service.spec for service in store.services.values()]
        images = frozenset(str(spec["TaskTemplate"]["ContainerSpec"]["Image"]) for spec in specs) - {but}
        agent.rules = replace(agent.rules, images=images if but else None)
        if but:
            store.timeline.after(LATE_S, self._have_images)


class RefusingNetworks(Networks):
    """Networks of which the shared one is not removed when it is to be so."""

    def __init__(self, root: Path, engine: SimulatedEngine) -> None:
        super().__init__(engine.store, engine.allocator)
        self._root = root
        self._refusals = 0

    def remove(self, reference: str) -> None:
        """Remove a network, or refuse to as a manager does that cannot write its log."""
        if self.find(reference).name == PROXY:
            if take_fault(self._root, "network-remove"):
                self._refusals = REFUSED_TIMES
            if self._refusals:
                self._refusals -= 1
                raise Refusal("rpc error: code = DeadlineExceeded desc = context deadline exceeded", 500)
        super().remove(reference)
