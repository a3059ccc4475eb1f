"""Where a NixOS host keeps what this package reads: its system, its configuration, its store."""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from console.errors import HostError
from console.host.process import PATH, output_of
from console.host.units import BOOTED, has_systemd
from console.text import SENTENCE_LIMIT, clean

STORE_PATH = r"^/[^\s'\"$\\]*/[a-z0-9]{32}-[A-Za-z0-9+._?=-]+$"
"""A path right below a store, wherever that is."""


def short(system: str) -> str:
    """Return how a system is called in a sentence: `nixos-system-host-25.11 (abcl0z20)`; two often share the name."""
    digest, dash, name = system.rpartition("/")[2].partition("-")
    return f"{name} ({digest[:8]})" if dash else system


NOT_NIXOS = "This host is not NixOS."


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one host."""

    marker: Path = Path("/etc/NIXOS")
    """Is there on every NixOS, and nowhere else."""
    running: Path = Path("/run/current-system")
    """Leads to the system that runs."""
    profile: Path = Path("/nix/var/nix/profiles/system")
    """Leads to the system that the next boot starts."""
    switch_lock: Path = Path("/run/nixos/switch-to-configuration.lock")
    booted: Path = BOOTED
    path: str = PATH
    """Where commands are looked for."""

    @property
    def is_nixos(self) -> bool:
        """Whether there is a nixos-rebuild to run."""
        return self.marker.exists()

    @property
    def has_systemd(self) -> bool:
        """Whether systemd runs this machine."""
        return has_systemd(self.booted)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands: git and Nix want a home."""
        return {"PATH": self.path, "HOME": _home()}

    async def run(self, argv: Sequence[str], timeout_s: float) -> bytes:
        """Return what a command printed. Raises HostError."""
        return await output_of(argv, timeout_s, self.environment)

    def running_system(self) -> str:
        """Return the store path of the system that runs. Raises HostError."""
        return _led_to(self.running)

    def next_system(self) -> str:
        """Return the store path of the system that the next boot starts. Raises HostError."""
        return _led_to(self.profile)


PLACES = Places()


def _led_to(link: Path) -> str:
    try:
        return clean(str(link.resolve(strict=True)), SENTENCE_LIMIT)
    except (OSError, RuntimeError) as error:
        raise HostError(f"{link} leads nowhere, so this host's system is not known.") from error


def _home() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"
