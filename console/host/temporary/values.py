"""What the temporary manager is to others: the cable that leads to it, and what can be done with it."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any, Protocol, Self

from console.errors import HostError
from console.frozen import frozen

INTERFACE = "vipconsole0"
"""The host's end of the cable. It is what rules are found by: nothing else on a host bears the name."""
MOST_OF_NAME = 15
"""The longest name that the kernel gives an interface, in bytes (IFNAMSIZ less its end)."""


@frozen
class Cable:
    """A pair of virtual Ethernet interfaces: one end on the host, the other with the temporary manager."""

    interface: str
    """The host's end."""
    host_address: str
    """The address of the host's end: the way of the temporary manager to the real one leads over it."""
    address: str
    """The address of the temporary manager, which it advertises in the swarm."""
    prefix: int
    """The prefix length of the network that both lie in."""
    manager_address: str
    """The swarm address of the real manager: the only one that the temporary manager reaches besides the host's end."""

    def __post_init__(self) -> None:
        if not 0 < len(self.interface.encode()) <= MOST_OF_NAME:
            raise ValueError(f"no interface can be called {self.interface!r}")
        for address in (self.host_address, self.address, self.manager_address):
            IPv4Address(address)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {
            "interface": self.interface,
            "host_address": self.host_address,
            "address": self.address,
            "prefix": self.prefix,
            "manager_address": self.manager_address,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_json` gave. Raises HostError where that is something else."""
        try:
            return cls(
                str(data["interface"]),
                str(data["host_address"]),
                str(data["address"]),
                int(data["prefix"]),
                str(data["manager_address"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HostError("What is recorded of the temporary manager's cable is malformed.") from error


class TemporaryEngine(Protocol):
    """The temporary manager's dockerd: it has one place on a host, and so there is one at most."""

    @property
    def host(self) -> str:
        """The address of its API, `unix:///…/docker.sock`, whether or not it runs."""
        ...

    async def start(self, cable: Cable) -> None:
        """Start it, with what it had when it ended, and return once it answers; one that runs is left as it is.

        It outlives this process. Raises Declined where it must not be started here, and HostError with the end of its
        log where it does not answer.
        """
        ...

    async def is_running(self) -> bool:
        """Whether it runs, or is about to be started again by systemd. Raises HostError where that is not known."""
        ...

    async def remove(self) -> None:
        """End it, and remove all that is left of it: rules, interface, data, sockets, folder.

        What is gone already is no error. Raises HostError, which tells what could not be removed.
        """
        ...

    async def leftovers(self) -> tuple[str, ...]:
        """Return in words what exists of it on this host. Raises HostError where that cannot be seen."""
        ...
