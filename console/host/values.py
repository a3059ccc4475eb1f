"""What the host tells, as values."""

from dataclasses import dataclass
from ipaddress import IPv4Network


@dataclass(frozen=True, slots=True)
class Route:
    """A destination that this host reaches by another way than an overlay."""

    network: IPv4Network
    device: str
