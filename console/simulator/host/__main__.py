"""`python -m console.simulator.host COMMAND ARGUMENT…`: a command of the demo's host, whose root is `VIPCONSOLE_ROOT`."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from console.errors import VipconsoleError
from console.host.root import has_own_root, host_root

_NIX, _SYSTEMD = "console.simulator.host.nix", "console.simulator.host.systemd"
COMMANDS = {
    "engine": ("console.simulator.host.engine", "run_engine"),
    "nixos-rebuild": (_NIX, "nixos_rebuild"),
    "switch-to-configuration": (_NIX, "switch_to_configuration"),
    "nix": (_NIX, "nix"),
    "nix-env": (_NIX, "nix_env"),
    "nix-store": (_NIX, "nix_store"),
    "nix-instantiate": (_NIX, "nix_instantiate"),
    "systemctl": (_SYSTEMD, "systemctl"),
    "systemd-run": (_SYSTEMD, "systemd_run"),
    "journalctl": (_SYSTEMD, "journalctl"),
}
"""Each command, and where its stand-in is. A module is loaded only for its own commands."""


def main() -> int:
    """Run a stand-in and return its exit code."""
    if not has_own_root() or len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.stderr.write("These are the commands of the demo's host: they need VIPCONSOLE_ROOT.\n")
        return 64
    module, name = COMMANDS[sys.argv[1]]
    try:
        command: Callable[[Path, Sequence[str]], int] = getattr(import_module(module), name)
        return command(host_root(), sys.argv[2:])
    except VipconsoleError as error:
        sys.stderr.write(f"{error.sentence} {error.hint}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
