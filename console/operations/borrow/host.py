"""What a host does for a manager that is borrowed on it: this machine, or the demo's host (`console.operations.borrow.this_host`)."""

from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Protocol

from console.errors import Result, Unknown
from console.host.temporary.values import Cable, TemporaryEngine
from console.swarm.model import Engine


class BorrowHost(Protocol):
    """The host that an engine runs on, as far as borrowing a manager concerns it."""

    async def why_foreign(self, address: str, engine: Result[Engine], /) -> Unknown | None:
        """Return why this cannot be the host of the engine at an address; None where it is."""
        ...

    async def why_not_allowed(self) -> Unknown | None:
        """Return why this process may not lay a cable here; None where it may."""
        ...

    async def find_cable(self, manager_address: str, used: Iterable[IPv4Network], /) -> Cable:
        """Return a cable to the manager at that address, which overlaps nothing that is used here or named in `used`.

        Raises Declined where there is none, and HostError.
        """
        ...

    def require_room(self, root_dir: str, state: Path, /) -> None:
        """Raise HostError where the disk has no room for a copy of the swarm's state and a second engine's data."""
        ...

    def copy_state(self, root_dir: str, folder: Path, /) -> None:
        """Copy the state of the swarm of the engine with that data directory to a folder. Raises HostError."""
        ...

    def has_log(self, root_dir: str, /) -> bool:
        """Whether the engine with that data directory has anything of the swarm's log. Raises HostError."""
        ...

    async def start_without_log(self, root_dir: str, unit: str, /) -> None:
        """Remove the log, in which nothing is, of an engine that cannot start with it, and start its unit. Raises HostError."""
        ...

    async def temporary_engine(self, version: str, folder: Path, /) -> TemporaryEngine:
        """Return the second dockerd, of that version, with its data in a folder. Raises Declined where there is none."""
        ...
