"""A real Docker engine that a real systemd runs as docker.service, and its lines in a real journal."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from tests.contract.world import IMAGE, World
from tests.engine.image import box
from tests.engine.lab import GARBAGE, PATH, require_engine
from tests.support.program import PROGRAM, Outcome, run_to_its_end
from tests.support.systemd import Machine, machine

UNIT = "docker.service"
ENVIRONMENT = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "COLUMNS": "1000", "TZ": "UTC"}
"""That of the program inside."""
SOCKET = "run/docker.sock"
# systemd looks for a bare name in directories of its own, not in this PATH.
DOCKERD = which("dockerd", path=PATH) or "dockerd"
# Its containers live on while it is restarted, as far as systemd is concerned, and end by dockerd's own hand. What they
# print goes to the journal too, where it stands beside what dockerd itself says.
SERVICE = f"""[Unit]
Description=Docker
StartLimitIntervalSec=2
[Service]
Type=notify
Environment=PATH={PATH}
Environment=GOGC={GARBAGE["GOGC"]}
ExecStart={which("dockerd", path=PATH)} --host unix:///var/{SOCKET} --exec-opt native.cgroupdriver=cgroupfs --log-driver journald
Delegate=yes
KillMode=process
TimeoutStartSec=120
"""
PREPARE = """
mkdir -p /var/lib/docker /etc/docker
mount -t tmpfs tmpfs /var/lib/docker
echo '{}' > /etc/docker/daemon.json
ip link set lo up
systemctl daemon-reload
[ "$1" = 127.0.0.1 ] || { ip link add lan type bridge; ip address add "$1/24" dev lan; ip link set lan up; }
systemctl start docker.service
docker swarm init --advertise-addr "$1"
"""


@dataclass(frozen=True)
class Host:
    """A machine that systemd runs, whose docker.service manages a swarm of its own and has the image `lab/box:1`."""

    machine: Machine
    world: World

    def vipconsole(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Outcome:
        """Run the program inside, as root without a terminal, to its end."""
        return run_to_its_end(
            [str(PROGRAM), *arguments], {**ENVIRONMENT, **(environment or {})}, self.machine.inside
        )

    def command(self, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Return the command that starts the program inside, with nothing of this user's settings."""
        pairs = (f"{name}={value}" for name, value in {**ENVIRONMENT, **(environment or {})}.items())
        return ("env", "-i", *pairs, str(PROGRAM), *arguments)

    def write(self, path: str, text: str) -> str:
        """Write a file inside that only root can change, and return its path there."""
        there = self.machine.root / path.lstrip("/")
        there.write_text(text)
        there.chmod(0o600)
        return path

    @property
    def starts(self) -> int:
        """How often the daemon has come up, by its own words in the journal."""
        said = self.machine.run("journalctl", "--unit", UNIT, "--output=cat", "--no-pager")
        return said.count("Daemon has completed initialization")


def engine_folder() -> tuple[str, ...]:
    """Return where an engine lies that was unpacked and not installed: that may be another filesystem than the root."""
    folder = str(Path(DOCKERD).parents[1]) if Path(DOCKERD).is_absolute() else "/usr"
    return () if folder in ("/", "/usr", "/usr/local") else (folder,)


@contextmanager
def managed_engine(address: str = "127.0.0.1") -> Iterator[Host]:
    """Boot a machine with an engine that advertises that address; it is gone afterwards."""
    require_engine()
    with machine(more=engine_folder()) as booted:
        (booted.root / f"etc/systemd/system/{UNIT}").write_text(SERVICE)
        booted.run("sh", "-ec", PREPARE, "sh", address)
        booted.run("docker", "import", "-c", 'CMD ["sleep", "86400"]', "-", IMAGE, given=box())

        def restart() -> None:
            booted.run("systemctl", "restart", UNIT)

        with World(booted.root / SOCKET, time.sleep, restart, "managed") as world:
            yield Host(booted, world)
