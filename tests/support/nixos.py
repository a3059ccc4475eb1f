"""A NixOS host in a folder: a repository with a flake, a Nix store, systems that can be built and switched to."""

import asyncio
import json
import marshal
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.errors import Unknown
from console.nixos.file import NixosPaths
from console.operations.outage import OutageReport
from console.runbook.contracts import Blocking, ChangeRecord, Measure
from console.settings import Nixos, Settings
from console.swarm.model import SwarmState

COMMANDS = Path(__file__).with_name("nixos_commands.py")
SCRIPT = "docker network inspect proxy >/dev/null 2>&1 ||\n  docker network create --driver overlay --attachable proxy"
HELP = "nixos-rebuild … [--no-reexec] [--store-path STORE_PATH] …"

SWARM_NIX = f"""{{ config, pkgs, ... }}:
{{
  systemd.services.swarm-init = {{
    description = "Make the swarm and its overlay: docker network create proxy";
    after = [ "docker.service" ];
    script = ''
      {SCRIPT}
    '';
  }};
}}
"""

SYSTEM_NIX = """
let
  module = import ./nix/modules/swarm.nix { config = { }; pkgs = { }; };
  script = builtins.toFile "unit-script-swarm-init-start" module.systemd.services.swarm-init.script;
  swarm = builtins.toFile "swarm-init.service" "[Service]\\nType=oneshot\\nExecStart=/bin/sh ${script}\\n";
  docker = builtins.toFile "docker.service" "[Service]\\nExecStart=dockerd\\n# ${builtins.readFile ./daemon.json}";
in
derivation {
  name = "nixos-system-host-25.11";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  PATH = "/usr/bin:/bin";
  args = [
    "-ec"
    ''
      mkdir -p $out/bin $out/etc/systemd/system
      cp ${swarm} $out/etc/systemd/system/swarm-init.service
      cp ${docker} $out/etc/systemd/system/docker.service
      printf '#!/bin/sh\\nexec @commands@ switch-to-configuration %s "$@"\\n' $out > $out/bin/switch-to-configuration
      chmod 755 $out/bin/switch-to-configuration
    ''
  ];
}
"""


@dataclass
class Host:
    """A NixOS host in a folder."""

    folder: Path
    docker_unit: str = "docker.service"
    """As it is written in the settings."""

    def make(self) -> None:
        """Make the host, with a system that runs and boots."""
        for each in ("bin", "conf", "profiles", "repository/nix/modules", "systemd", "runs"):
            (self.folder / each).mkdir(parents=True)
        self.behave()
        (self.folder / "NIXOS").touch()
        self._make_commands()
        self.swarm_nix.write_text(SWARM_NIX)
        (self.repository / "daemon.json").write_text("{}")
        (self.repository / "system.nix").write_text(SYSTEM_NIX.replace("@commands@", self._command))
        first = self.built("first")
        self.run("nix-env", "--profile", str(self.folder / "profiles/system"), "--set", first)
        (self.folder / "current-system").symlink_to(first)
        (self.folder / "first").unlink()

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def swarm_nix(self) -> Path:
        return self.repository / "nix/modules/swarm.nix"

    @property
    def settings(self) -> Settings:
        return Settings(
            docker_unit=self.docker_unit, nixos=Nixos(str(self.repository), "nix/modules/swarm.nix", ".#host")
        )

    def places(self, *, systemd: bool) -> NixosPaths:
        """Return where this host keeps things, with or without systemd."""
        return NixosPaths(
            marker=self.folder / "NIXOS",
            running=self.folder / "current-system",
            profile=self.folder / "profiles/system",
            switch_lock=self.folder / "switch.lock",
            booted=self.folder / "systemd" if systemd else self.folder / "no-systemd",
            path=self.path,
        )

    @property
    def path(self) -> str:
        return f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    @property
    def running(self) -> str:
        return str((self.folder / "current-system").resolve())

    @property
    def next(self) -> str:
        return str((self.folder / "profiles/system").resolve())

    @property
    def calls(self) -> list[str]:
        """What the stand-ins were called with, in order."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def switches(self) -> int:
        """How often a system was really switched to."""
        return sum(
            each.startswith("switch-to-configuration") and each.endswith(" switch") for each in self.calls
        )

    def behave(self, **how: Any) -> None:
        """Let the stand-ins behave in this way from now on; see `nixos_commands`."""
        path = self.folder / "behaviour"
        (path.with_suffix(".new")).write_bytes(marshal.dumps({"help": HELP, **how}))
        path.with_suffix(".new").replace(path)

    def hold(self, what: str) -> Path:
        """Let every `build` or `switch` wait until the returned file is removed."""
        gate = self.folder / f"{what}.gate"
        gate.touch()
        return gate

    async def has_begun(self, what: str) -> None:
        """Return when a `build` or a `switch` is at work."""
        while not (self.folder / f"{what}.began").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)

    def built(self, link: str) -> str:
        """Build what the repository says now, and return its store path."""
        where = str(self.folder / link)
        self.run("nix", "build", "--offline", "-f", str(self.repository / "system.nix"), "--out-link", where)
        return str(Path(where).resolve())

    def processes(self) -> list[int]:
        """Return the processes that belong to this host, by what they were started with."""
        found = []
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if str(self.folder).encode() in each.read_bytes() and int(each.parent.name) != os.getpid():
                    found.append(int(each.parent.name))
        return found

    def collect_garbage(self) -> None:
        self.run("nix-store", "--gc")

    def run(self, *argv: str) -> None:
        done = subprocess.run(argv, capture_output=True, check=False, env={"PATH": self.path}, timeout=100)
        assert done.returncode == 0, done.stderr.decode()

    @property
    def _command(self) -> str:
        return f"{sys.executable} -I -S {COMMANDS} {self.folder}"

    def _make_commands(self) -> None:
        for name in ("nixos-rebuild", "systemd-run", "systemctl"):
            self._make_command(name, f'exec {self._command} {name} "$@"')
        (self.folder / "conf/nix.conf").write_text(
            "build-users-group =\nsandbox = false\nsubstituters =\nexperimental-features = nix-command\n"
        )
        where = {"STORE_DIR": "store", "STATE_DIR": "state", "LOG_DIR": "log", "CONF_DIR": "conf"}
        exports = "".join(f"export NIX_{key}={self.folder}/{each}\n" for key, each in where.items())
        for name in ("nix", "nix-env", "nix-store", "nix-instantiate"):
            self._make_command(name, f'{exports}exec /usr/bin/{name} "$@"')

    def _make_command(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


class SilentReader:
    """A reader of an engine that does not answer."""

    async def lists(self, deadline_s: float) -> SwarmState:
        silent = Unknown(f"It did not answer within {deadline_s:g} s.")
        return SwarmState(silent, silent, silent, silent, silent)


class FastClock:
    """A clock on which waiting is twenty times shorter than it says."""

    def monotonic(self) -> float:
        return 20 * time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 20)


@dataclass
class ChangeFile:
    """The change records of a run, on disk so that another process can read them."""

    path: Path
    crash_after: str = ""
    """`before` or `after`: at the first of these the process is killed, once it is on disk."""

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.path.read_text().splitlines()] if self.path.exists() else []

    @property
    def recorded_changes(self) -> Sequence[ChangeRecord]:
        found: dict[int, ChangeRecord] = {}
        for each in self.lines():
            if "kind" in each:
                found[each["number"]] = ChangeRecord(**each, result=None)
            else:
                old = found[each["number"]]
                found[old.number] = ChangeRecord(
                    old.number, old.kind, old.object_id, old.what, old.state, each["result"]
                )
        return tuple(found.values())

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        number = len(self.lines()) + 1
        self._add(number=number, kind=kind, object_id=object_id, what=what, state=dict(state))
        self._crash("before")
        return number

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        self._add(number=number, result=dict(result))
        self._crash("after")

    def _add(self, **line: Any) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _crash(self, when: str) -> None:
        if when == self.crash_after:
            os.kill(os.getpid(), 9)


@dataclass
class StepContext:
    """The context of one step of a run on a NixOS host, and its world."""

    settings: Settings
    folder: Path
    run_id: str = "r1"
    timeout_s: float = 60.0
    host: str = "unix:///nonexistent.sock"
    clock: Any = field(default_factory=FastClock)
    said: list[str] = field(default_factory=list)
    crash_after: str = ""
    """See `ChangeFile`."""

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True, parents=True)
        self.change_recorder = ChangeFile(self.folder / "touches", self.crash_after)
        self.began_with = self.change_recorder.recorded_changes

    @property
    def world(self) -> Any:
        return self

    @property
    def reader(self) -> SilentReader:
        return SilentReader()

    @property
    def recorded_changes(self) -> Sequence[ChangeRecord]:
        """What attempts before this one recorded, as the contract has it."""
        return self.began_with

    async def keep(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    async def waits_for(
        self, blocking: Sequence[Blocking], note: str = "", measure: Measure | None = None
    ) -> None:
        raise AssertionError(f"nothing waits here, but for {blocking} {note} {measure}")

    async def report_outage(self, report: OutageReport) -> None:
        raise AssertionError(f"nothing goes down here, but for {report}")

    async def say(self, line: str) -> None:
        self.said.append(line)


@contextmanager
def nixos() -> Iterator[Host]:
    """Give a NixOS host; what still waits on it at the end is let go."""
    with tempfile.TemporaryDirectory(prefix="nixos-") as folder:
        host = Host(Path(folder))
        host.make()
        try:
            yield host
        finally:
            for gate in host.folder.glob("*.gate"):
                gate.unlink()
            # The store is read-only.
            host.run("chmod", "-R", "u+w", str(host.folder / "store"))


def step(host: Host, name: str = "step", **parts: Any) -> StepContext:
    """Return a new attempt of a step of a run on a host: it finds what the attempts before it recorded."""
    return StepContext(host.settings, host.folder / "runs" / name, **parts)
