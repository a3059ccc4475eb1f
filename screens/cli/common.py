"""What commands share: their settings, the connection to the engine, and the journal."""

import asyncio
import os
import threading
from argparse import Namespace
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, TypeVar

from console.clock import SystemClock
from console.errors import UsageError
from console.host.root import has_own_root
from console.journal.reader import DaemonLog, open_journal
from console.journal.recordings import GrowingJournal, RecordedJournal
from console.settings import SYSTEM_FILE, Settings, load_settings, user_file
from console.storage.state import state_folder
from console.swarm.address import resolve_host
from console.swarm.client import EngineConnection
from console.text import clean

if TYPE_CHECKING:
    from console.nodes.reader import NodesReader

T = TypeVar("T")


def settings_of(arguments: Namespace) -> Settings:
    """Return the settings for a single snapshot."""
    settings = read_settings(arguments)
    # Where time stands still in the demo, no address can change hands between two samples.
    stands_still = arguments.demo and not getattr(arguments, "time_passes", False)
    return replace(settings, snapshot=replace(settings.snapshot, settle_s=0)) if stands_still else settings


def settings_files() -> tuple[Path, ...]:
    """Return the settings files of the system and the user; each overrides those before it."""
    files = (SYSTEM_FILE, user_file(os.environ))
    # What a user says of this machine must not hold for a host in a folder.
    return files[::-1] if has_own_root() else files


def own_settings_file() -> Path:
    """Return the settings file of the one who asks: for root the system's, for others their own.

    It is the one that `vipconsole config init` makes.
    """
    return SYSTEM_FILE if os.geteuid() == 0 else user_file(os.environ)


def read_settings(arguments: Namespace) -> Settings:
    """Return the settings of the system and the user, overridden by those of the command line."""
    return load_settings(settings_files(), arguments.config)


def result_of(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work to its end and return its result."""
    results: list[T] = []

    # asyncio.run() formats its finished task, result and all, when it gives SIGINT back (seen in Python 3.11):
    # 0.16 s for the snapshot of 1,000 services. So the task itself must have no result.
    async def collect() -> None:
        results.append(await work)

    asyncio.run(collect())
    return results[0]


def load_meanwhile(*modules: str) -> None:
    """Begin to load modules that are needed a moment later: while an engine answers, there is nothing else to do."""

    def load() -> None:
        for module in modules:
            import_module(module)

    threading.Thread(target=load, name="loading", daemon=True).start()


def journal_for(arguments: Namespace, settings: Settings) -> DaemonLog:
    """Return the source of dockerd's lines: the recording of --journal, else this host's journal."""
    path: Path | None = arguments.journal
    unit = settings.docker_unit
    if path is None:
        return DaemonLog(open_journal(unit))
    hint = "--journal takes a recording or a directory."
    try:
        is_directory = S_ISDIR(path.stat().st_mode)
    except FileNotFoundError as error:
        raise UsageError(f"Journal not found: {clean(str(path))}.", hint) from error
    except OSError as error:
        raise UsageError(f"The journal {clean(str(path))} cannot be read: {error.strerror}.", hint) from error
    if is_directory:
        return DaemonLog(open_journal(unit, path), is_recorded=True)
    return DaemonLog(RecordedJournal(path, unit), is_recorded=True, is_growing=False)


@contextmanager
def connection_for(arguments: Namespace, settings: Settings) -> Iterator[EngineConnection]:
    """Give a connection to the chosen engine, or to the demo's, and close it in the end."""
    with engine_and_log(arguments, settings) as (connection, _):
        yield connection


@contextmanager
def engine_and_log(arguments: Namespace, settings: Settings) -> Iterator[tuple[EngineConnection, DaemonLog]]:
    """Give a connection to the chosen engine, or to the demo's, and dockerd's log there; close both in the end."""
    if not arguments.demo:
        with connect(resolve_host(arguments.host), settings) as connection:
            yield connection, journal_for(arguments, settings)
        return
    refuse_host(arguments)
    from console.simulator.demo import demo_engine

    # A snapshot needs one moment only; a command that waits for its own change needs time to pass.
    clock = SystemClock() if getattr(arguments, "time_passes", False) else None
    with demo_engine(clock=clock) as demo, connect(demo.host, settings) as connection:
        yield connection, demo_log(arguments, settings, demo.journal)


def nodes_for(
    arguments: Namespace, connection: EngineConnection, settings: Settings, *, keeps: bool = True
) -> "NodesReader | None":
    """Return what reads the nodes that the settings name; None for a demo, whose swarm they have nothing to do with.

    It keeps when they last answered, unless told not to.
    """
    if is_simulated(arguments) or not settings.node:
        return None
    from console.nodes.reader import NodesReader

    return NodesReader(connection, settings, SystemClock(), state_folder() if keeps else None)


def demo_log(arguments: Namespace, settings: Settings, journal: Path) -> DaemonLog:
    """Return what the demo's dockerd logs, unless --journal names a recording."""
    if arguments.journal is not None:
        return journal_for(arguments, settings)
    return DaemonLog(GrowingJournal(journal), is_proven=True)


@contextmanager
def connect(host: str, settings: Settings) -> Iterator[EngineConnection]:
    """Give a connection to an engine, and close it in the end."""
    connection = EngineConnection(host, settings.snapshot.call_timeout_s)
    try:
        yield connection
    finally:
        connection.close()


def state_of(arguments: Namespace, connection: EngineConnection) -> Path:
    """Return the state directory: that of a demo which ends with this process is beside the demo's socket."""
    if not arguments.demo:
        return state_folder()
    return Path(connection.host.removeprefix("unix://")).with_name("state")


def require_plain_file(path: Path) -> None:
    """Raise UsageError for what must not be replaced by a file: root may name links and devices that others own."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is not a plain file.", "Name a new file, or one to replace.")


def is_simulated(arguments: Namespace) -> bool:
    """Return whether the swarm is the demo's: its host's, or one that is gone afterwards."""
    return arguments.demo or has_own_root()


def refuse_host(arguments: Namespace) -> None:
    """Raise UsageError for --demo with --host."""
    if arguments.host:
        raise UsageError("--demo and --host cannot be combined.", "The demo has its own simulated engine.")
