"""A rehearsal from its beginning to its end: what it needs, the engine, the swarm on it, and the run."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from console.clock import Clock
from console.errors import HostError, NotAllowed
from console.frozen import frozen
from console.host.root import search_path
from console.nixos.file import PLACES
from console.nixos.source import NixSource
from console.operations.network_recreation.plan import read_inputs
from console.rehearsal.building import build
from console.rehearsal.engine import PrivateEngine, private_engine
from console.rehearsal.folder import host_of, locked_folder
from console.rehearsal.shape import Shape, limit_tasks, shape_of
from console.rehearsal.stops import stop_behaviors
from console.runbook.language.values import Json
from console.runbook.run.view import StoredRun
from console.runbook.store.viewer import read_stored_run
from console.settings import Nixos, RunSettings, Settings
from console.simulator.host.control import JOURNAL, SOCKET
from console.simulator.host.demo_host import MOST_PATH_BYTES
from console.simulator.host.tree import SWARM_NIX, make_tree
from console.storage.state import ROOM_HINT
from console.swarm.client import EngineConnection
from console.swarm.model import Endpoint
from console.swarm.reader import SwarmReader
from console.text import clean, last_line, listed

COMMANDS = ("dockerd", "ip", "mount", "find", "unshare", "nsenter", "sh", "sleep")
"""What a private engine needs, besides what dockerd finds by itself."""
MB = 1_048_576
ENGINE_MB, TASK_MB = 220, 14
"""What dockerd, containerd and the runner take, and what each container takes with its shim (measured)."""
SPARE_MB = 256
"""What must stay free of this host's memory."""
DISK_MB = 512
CALL_TIMEOUT_S = 60.0
"""Of a private engine that may have to wait for the processor."""
Tell = Callable[[str], object]


@frozen
class Means:
    """What this host can give to a rehearsal."""

    memory_mb: int
    disk_mb: int
    missing: tuple[str, ...] = ()
    """Commands that are not there."""


@frozen
class RehearsalRequest:
    """What is rehearsed."""

    shape: Shape
    """As it fits on this host."""
    memory_bytes: int
    runbook: str
    """Its text."""
    variables: Mapping[str, Json]
    settings: Settings


@frozen
class RehearsalResult:
    """What came of it."""

    shape: Shape
    """As it was built."""
    not_running: tuple[str, ...]
    """Services that did not run when the runbook began."""
    run: StoredRun


async def read_shape(reader: SwarmReader, host: str) -> Shape:
    """Return the shape of a swarm. Reads only. Raises an EngineError or SwarmError."""
    snapshot = await reader.snapshot()
    endpoints: list[Endpoint] = []
    manual_addresses: dict[tuple[str, str], bool] = {}
    for network in snapshot.networks:
        if network.is_overlay and snapshot.standalone_containers_on(network.name):
            inputs = await read_inputs(reader, host, network.name)
            endpoints += inputs.endpoints
            for container, is_manual in inputs.environment.manual_addresses.items():
                manual_addresses[container, network.id] = is_manual
    stops = await asyncio.to_thread(stop_behaviors, snapshot)
    return shape_of(snapshot, endpoints, manual_addresses, stops)


def means_of_this_host(state: Path) -> Means:
    """Return what this host can give. Raises HostError where it does not tell."""
    missing = tuple(name for name in COMMANDS if shutil.which(name, path=search_path()) is None)
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
        place = next(folder for folder in (state, *state.parents) if folder.exists())
        return Means(free // 1024, shutil.disk_usage(place).free // MB, missing)
    except (OSError, ValueError, StopIteration) as error:
        raise HostError(
            f"The memory and disk of this host are unknown: {error}.", "Check that /proc is mounted."
        ) from error


def require_means(means: Means) -> None:
    """Raise NotAllowed where no rehearsal is possible here, with the reason."""
    if os.geteuid() != 0:
        raise NotAllowed(
            "`vipconsole rehearse` starts a private dockerd and must run as root.", "Run it with sudo."
        )
    if means.missing:
        raise NotAllowed(
            f"A rehearsal needs commands that are not on this host: {listed(means.missing)}.",
            "`vipconsole run --demo` rehearses without a Docker engine.",
        )


def fit_shape(shape: Shape, settings: Settings, means: Means) -> tuple[Shape, int]:
    """Return the shape that can be rehearsed on this host, and the memory that it gets in bytes.

    Raises NotAllowed where memory or disk are too small.
    """
    most_tasks = max(1, (round(settings.rehearsal.memory_mb) - ENGINE_MB) // TASK_MB)
    smaller = limit_tasks(shape, most_tasks)
    needed_mb = ENGINE_MB + TASK_MB * (smaller.tasks + len(smaller.containers))
    if means.memory_mb < needed_mb + SPARE_MB:
        raise NotAllowed(
            f"A rehearsal of {smaller.tasks} tasks takes about {needed_mb} MB of memory, and this host has "
            f"{means.memory_mb} MB, of which {SPARE_MB} MB stay free.",
            "Lower rehearsal.memory_mb in the settings: then services get fewer replicas.",
        )
    if means.disk_mb < DISK_MB:
        raise NotAllowed(
            f"A rehearsal needs {DISK_MB} MB of disk, and the state directory has {means.disk_mb} MB.",
            "Free some space, or name another directory with --state-dir.",
        )
    return smaller, round(settings.rehearsal.memory_mb) * MB


def rehearse(request: RehearsalRequest, state: Path, clock: Clock, tell: Tell) -> RehearsalResult:
    """Build a shape on a private engine and run a runbook there; blocks. Raises Declined, HostError, and an EngineError."""
    shape = request.shape
    with locked_folder(state) as (folder, lock):
        runbook = _make_host(folder, request) / "etc/vipconsole/runbook.yaml"
        tell("starting a private dockerd")
        with private_engine(folder, shape.engine_name, request.memory_bytes, lock) as engine:
            not_running = asyncio.run(_build(shape, engine, clock, tell))
            tell("running the runbook there")
            variables = without_urls(request.variables)
            run_folder = _run(engine, runbook, variables, _inside(request.settings), tell)
            return RehearsalResult(shape, not_running, read_stored_run(run_folder))


def without_urls(variables: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return variables whose lists hold no URLs: nothing serves them on the private engine."""
    return {
        name: [item for item in value if not _is_url(item)] if isinstance(value, list) else value
        for name, value in variables.items()
    }


def _is_url(item: Json) -> bool:
    return isinstance(item, str) and item.startswith(("http://", "https://"))


def _make_host(folder: Path, request: RehearsalRequest) -> Path:
    host = host_of(folder)
    if len(os.fsencode(host / SOCKET)) > MOST_PATH_BYTES:
        raise HostError(
            f"The path {clean(str(host / SOCKET), 300)} is too long for a socket.",
            "Name a shorter directory with --state-dir.",
        )
    before = os.umask(0o077)
    try:
        make_tree(host, request.runbook, request.shape.engine_name, _swarm_nix(request.settings))
    except OSError as error:
        raise HostError(
            f"The rehearsal's host cannot be made: {error}.",
            ROOM_HINT,
        ) from error
    finally:
        os.umask(before)
    (host / JOURNAL).touch()
    if not PLACES.marker.exists():
        (host / "etc/NIXOS").unlink()
    return host


def _swarm_nix(settings: Settings) -> str:
    """Return the Nix file of this host, which the run edits and a stand-in builds.

    The demo's where it has none, or one that the stand-in cannot read; the plan for the swarm says what is wrong with it.
    """
    try:
        text = (Path(settings.nixos.repository) / settings.nixos.file).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return SWARM_NIX
    return text if NixSource(text.encode()).first_unreadable_line() is None else SWARM_NIX


def _inside(settings: Settings) -> Settings:
    """Return the settings of the rehearsal's host: nothing of this host is waited for, and none of its programs run."""
    return replace(
        settings,
        docker_unit="docker.service",
        quiet=replace(settings.quiet, units=(), stacks=(), timers=()),
        run=RunSettings(),
        nixos=Nixos(flake=".#ci-host"),
    )


async def _build(shape: Shape, engine: PrivateEngine, clock: Clock, tell: Tell) -> tuple[str, ...]:
    connection = EngineConnection(engine.host, CALL_TIMEOUT_S)
    try:
        return await build(shape, connection, clock, tell)
    finally:
        connection.close()


def _run(
    engine: PrivateEngine, runbook: Path, variables: Mapping[str, Json], settings: Settings, tell: Tell
) -> Path:
    """Run the runbook to its end, and return the folder of the run. Raises HostError where there is none."""
    command = engine.command(
        *(sys.executable, "-P", "-m", "console.rehearsal.inside", str(runbook)),
        *(TypeAdapter(Settings).dump_json(settings).decode(), json.dumps(variables)),
    )
    with (engine.folder / "inside.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - this program itself
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=engine.environment(),
        )
    run_folder: Path | None = None
    with process:
        try:
            for line in process.stdout or ():
                text = line.decode("utf-8", "replace").strip()
                if run_folder is None:
                    run_folder = Path(text)
                else:
                    tell(f"step {text}")
        except BaseException:
            # Else it would be waited for. The runner ends with the engine.
            process.kill()
            raise
    if run_folder is None or process.returncode:
        reason = last_line((engine.folder / "inside.log").read_text("utf-8", "replace"))
        raise HostError(reason or "The rehearsal's run ended at once.")
    return run_folder
