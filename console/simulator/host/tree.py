"""The files of a demo host: a NixOS machine on the evening before its maintenance, in a folder."""

import json
import os
import shlex
import sys
import uuid
from importlib import import_module
from pathlib import Path

from console.simulator.host.__main__ import COMMANDS

COMPLETE = "complete"
"""The file that is written last."""
FOLDERS = (
    "bin",
    "etc/nixos/nix/modules",
    "etc/vipconsole",
    "nix/store",
    "nix/var/nix/profiles",
    "proc/1",
    "proc/self",
    "proc/sys/kernel/random",
    "run/nixos",
    "run/systemd/journal",
    "run/systemd/system",
    "run/systemd/transient",
    "var/lib/docker/swarm/raft",
    "var/log",
)
HOST_NAME = "ci-host"
SWARM_NIX = """{ config, pkgs, ... }:
{
  virtualisation.docker.enable = true;

  # The swarm, and the overlay that all stacks share.
  systemd.services.swarm-init = {
    description = "Make the swarm and its shared overlay";
    after = [ "docker.service" ];
    requires = [ "docker.service" ];
    wantedBy = [ "multi-user.target" ];
    serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
    script = ''
      docker info --format '{{.Swarm.LocalNodeState}}' | grep -qx active || docker swarm init
      docker network inspect proxy >/dev/null 2>&1 ||
        docker network create --driver overlay --attachable proxy
    '';
  };
}
"""
FLAKE_NIX = """{
  description = "The demo's host";
  outputs = { self, nixpkgs }: {
    nixosConfigurations.ci-host = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [ ./nix/modules/swarm.nix ];
    };
  };
}
"""
CONFIG = """[quiet]
dwell_s = 5

[nixos]
repository = "/etc/nixos"
file = "nix/modules/swarm.nix"
flake = ".#ci-host"
"""
SHORTER = (
    ("stable_for: 60s", "stable_for: 5s"),
    # So that a service that comes back late is asked about.
    ('confirm: "${vars.network}"\n    timeout: 15m', 'confirm: "${vars.network}"\n    timeout: 150s'),
    ('      first: "${vars.first}"\n', '      first: "${vars.first}"\n      running_within: 20\n'),
)
"""What differs in the demo's copy of the shipped runbook: nobody waits long for a rehearsal."""
ROUTES = (
    ("default", "eth0"),
    ("192.0.2.0/24", "eth0"),
    ("172.17.0.0/16", "docker0"),
    ("172.18.0.0/16", "docker_gwbridge"),
)
ADDRESSES = (
    ("lo", "127.0.0.1", 8),
    ("eth0", "192.0.2.10", 24),
    ("docker0", "172.17.0.1", 16),
    ("docker_gwbridge", "172.18.0.1", 16),
)
"""The second is the address of the node in its swarm."""
_PROCESS = "1 (systemd) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0"


def make_tree(root: Path, runbook: str, host_name: str = HOST_NAME, swarm_nix: str = SWARM_NIX) -> None:
    """Make the folder of a host with everything in it, with this runbook as its own. The root is chosen already."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    (root / "var/run").symlink_to("../run")
    files = {
        "etc/NIXOS": "",
        "etc/hostname": f"{host_name}\n",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/nixos/flake.nix": FLAKE_NIX,
        "etc/nixos/daemon.json": "{}",
        "etc/nixos/nix/modules/swarm.nix": swarm_nix,
        "etc/vipconsole/config.toml": CONFIG,
        "etc/vipconsole/runbook.yaml": runbook,
        "proc/stat": "cpu 0 0 0 0\nbtime 1780000000\n",
        "proc/1/cmdline": "/sbin/init\0",
        "proc/1/stat": f"{_PROCESS}\n",
        "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-1.scope\n",
        "var/lib/docker/swarm/docker-state.json": "{}",
        "proc/sys/kernel/random/boot_id": f"{uuid.uuid4()}\n",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    _make_commands(root)
    _make_systems(root)
    (root / COMPLETE).touch()


def shorter(runbook: str) -> str:
    """Return a runbook as the demo runs it."""
    for before, after in SHORTER:
        if before not in runbook:
            raise AssertionError(f"the shipped runbook does not say {before.strip()} any more")
        runbook = runbook.replace(before, after)
    return f"# The shipped runbook; only its waits are shorter in the demo.\n{runbook}"


def _ip() -> str:
    """Return the script that prints the addresses or the routes of the host."""
    addresses = [
        {"ifname": device, "addr_info": [{"family": "inet", "local": address, "prefixlen": length}]}
        for device, address, length in ADDRESSES
    ]
    routes = [{"dst": network, "dev": device} for network, device in ROUTES]
    shown = [shlex.quote(json.dumps(rows)) for rows in (addresses, routes)]
    return f'case " $* " in *" address "*) echo {shown[0]} ;; *) echo {shown[1]} ;; esac'


def _make_commands(root: Path) -> None:
    # What always prints the same needs no Python. Everything is committed, and nobody is logged in.
    plain = {"git": "exit 0", "who": "exit 0", "loginctl": "echo '[]'", "ip": _ip()}
    # -P: nothing of the working directory is imported. -S: the folders of packages are known already.
    python = shlex.join((sys.executable, "-P", "-S", "-m", "console.simulator.host"))
    packages = os.pathsep.join(entry for entry in sys.path if entry.startswith("/"))
    variables = f"VIPCONSOLE_ROOT={shlex.quote(str(root))} PYTHONPATH={shlex.quote(packages)}"
    nix = import_module("console.simulator.host.nix")
    answers = {
        name: f'[ "$*" = {option} ] && echo {shlex.quote(answer)} && exit\n'
        for name, (option, answer) in nix.ANSWERS.items()
    }
    started = {
        name: f'{answers.get(name, "")}export {variables}\nexec {python} {name} "$@"' for name in COMMANDS
    }
    for name, text in {**started, **plain}.items():
        path = root / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)


def _make_systems(root: Path) -> None:
    # They take their paths when they are loaded, so the root comes first.
    nix = import_module("console.simulator.host.nix")
    systemd = import_module("console.simulator.host.systemd")
    system = nix.build_system(root, root / "etc/nixos")
    nix.replace_link(root / "run/current-system", system)
    nix.replace_link(root / "nix/var/nix/profiles/system", system)
    (root / systemd.UNITS).write_text(systemd.first_units())
