"""What a simulated host does for a borrowed manager, as `console.operations.borrow.host` asks for it: nothing on this machine."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from console.errors import Result, Unknown
from console.host.temporary.network import choose_cable
from console.host.temporary.values import Cable, TemporaryEngine
from console.operations.borrow.backup import COPY
from console.simulator.host.temporary import temporary_engine
from console.storage.state import make_private, write_atomically
from console.swarm.model import Engine

NOTE = "This swarm is simulated: it has no state on disk that could be copied.\n"


class SimulatedHost:
    """The host of a simulated engine, beside which a second one can be started."""

    def __init__(self, engine: TemporaryEngine) -> None:
        self._engine = engine

    async def why_foreign(self, _address: str, _engine: Result[Engine]) -> Unknown | None:
        """Return None: it is the host of every engine that it is asked about."""
        return None

    async def why_not_allowed(self) -> Unknown | None:
        """Return None: nothing of this machine is changed."""
        return None

    async def find_cable(self, manager_address: str, used: Iterable[IPv4Network]) -> Cable:
        """Return a cable on a host that has the manager's address and no other."""
        return choose_cable(manager_address, {*used, IPv4Network(manager_address)})

    def require_room(self, _root_dir: str, _state: Path) -> None:
        """Do nothing: a simulated engine has no data on disk."""

    def copy_state(self, _root_dir: str, folder: Path) -> None:
        """Say that there is nothing: what the engine calls its data directory may be that of this machine's dockerd."""
        make_private(folder / COPY)
        write_atomically(folder / COPY / "README", NOTE, 0o600)

    def has_log(self, _root_dir: str) -> bool:
        """Return True: a simulated manager never loses what it has."""
        return True

    async def start_without_log(self, _root_dir: str, _unit: str) -> None:
        """Do nothing: a simulated manager never loses what it has."""

    async def temporary_engine(self, _version: str, _folder: Path) -> TemporaryEngine:
        """Return the second engine: it is of the same version, and its data is in the simulation."""
        return self._engine


def simulated_host(socket: Path) -> SimulatedHost:
    """Return the host of the engine that is simulated behind a socket."""
    return SimulatedHost(temporary_engine(socket))
