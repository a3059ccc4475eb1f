"""A real Docker engine for one test: private, alone in its namespaces, gone without a trace afterwards."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from shutil import which

import pytest

from tests.engine.daemon import Daemon
from tests.engine.image import IMAGE, box
from tests.engine.namespaces import LabError, Namespaces, run
from tests.engine.switch import Switch

COMMANDS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "busybox": "busybox-static",
}
"""What a private engine needs, and the Debian package that has it."""
GARBAGE = {"GOGC": "400"}
"""How seldom an engine, and each process that it starts, collects garbage: usually all of them do so while they start, and a
container took a fifth more of the processor. It costs 40 MB an engine."""
# Daemons live in directories that a user's PATH may lack.
PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def require_engine() -> None:
    """Skip where no private engine can run; fail where one could, but a command is missing."""
    if not sys.platform.startswith("linux"):
        pytest.skip("a private dockerd needs Linux")
    if os.geteuid() != 0:
        pytest.skip("a private dockerd needs root")
    if missing := [
        f"{name} (package {package})" for name, package in COMMANDS.items() if not which(name, path=PATH)
    ]:
        pytest.fail(f"tests with a real engine need {', '.join(missing)}; `make test` installs them")


class Engine:
    """A private dockerd, not yet started; with `switch`, reachable by other engines at `address`; `options` are dockerd's."""

    def __init__(
        self,
        hostname: str = "lab",
        *,
        switch: Switch | None = None,
        address: str = "127.0.0.1",
        options: tuple[str, ...] = (),
    ) -> None:
        self.address = address
        self._options = options
        self.namespaces = Namespaces(hostname)
        self.socket = self.namespaces.directory / "docker.sock"
        self.host = f"unix://{self.socket}"
        self._log = self.namespaces.directory / "dockerd.log"
        self._log.touch()
        self._daemon: Daemon | None = None
        if switch is not None:
            switch.plug(self.namespaces, address)

    def start(self, within_s: float = 60.0) -> None:
        """Start dockerd, and return once it answers."""
        directory = self.namespaces.directory
        (directory / "daemon.json").write_text("{}")
        command = (
            "dockerd",
            *("--config-file", str(directory / "daemon.json")),
            *("--data-root", str(directory / "data")),
            *("--exec-root", "/run/docker"),
            *("--pidfile", "/run/docker.pid"),
            *("--host", self.host),
            *("--cgroup-parent", self.namespaces.cgroup),
            *("--exec-opt", "native.cgroupdriver=cgroupfs"),
            *self._options,
        )
        self._daemon = Daemon.start(
            self.namespaces, self._log, command, {**os.environ, **GARBAGE, "PATH": PATH}
        )
        self._wait(self.answers, "dockerd did not answer", within_s)

    def answers(self, within_s: float = 5.0) -> bool:
        """Whether dockerd answers now, or within that much time."""
        # docker's SDK leaves its socket open when nobody listens yet.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(within_s)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 OK" in connection.recv(64)
            except OSError:
                return False

    def create_swarm(self) -> None:
        """Make this engine the manager of a new swarm, and give it the image `lab/box:1`."""
        self.docker("swarm", "init", "--advertise-addr", self.address)
        self.load_image()

    def join_swarm(self, manager: "Engine", role: str = "worker") -> None:
        """Join the swarm of another engine as `worker` or `manager`, and get the image."""
        token = manager.docker("swarm", "join-token", "-q", role).strip()
        self.docker("swarm", "join", "--token", token, f"{manager.address}:2377")
        self.load_image()

    def load_image(self) -> None:
        """Give this engine the image `lab/box:1`."""
        self._docker("import", "-c", 'CMD ["sleep", "86400"]', "-", IMAGE, given=box())

    def stop(self, within_s: float = 60.0) -> None:
        """Ask dockerd to end, as a service manager does, and return once it has; its containers end with it."""
        self._end(signal.SIGTERM, within_s)

    def kill(self) -> None:
        """Kill dockerd on the spot."""
        self._end(signal.SIGKILL, 60.0)

    def restart(self) -> None:
        """Stop and start dockerd."""
        self.stop()
        self.start()

    def revive(self, within_s: float = 60.0) -> None:
        """Start dockerd again, once it has been killed by somebody else."""
        daemon = self._running()
        if not daemon.has_ended(within_s):
            raise LabError("dockerd still runs")
        daemon.close()
        self._daemon = None
        self.start()

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Start dockerd again whenever it ends, as a service manager does."""
        ending = threading.Event()

        def keep() -> None:
            while not ending.wait(0.2):
                if self._daemon is not None and not self._daemon.has_ended():
                    continue
                if self._daemon is not None:
                    self._daemon.close()
                    self._daemon = None
                with suppress(LabError):
                    self.start()

        keeper = threading.Thread(target=keep)
        keeper.start()
        try:
            yield
        finally:
            ending.set()
            keeper.join()

    def pause(self) -> None:
        """Make dockerd hang: its socket accepts, and nothing answers."""
        self._running().stand_still()

    def resume(self) -> None:
        """Let a paused dockerd go on."""
        self._running().signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The process id of dockerd, as seen from outside."""
        return self._running().pid

    def log(self) -> str:
        """Return what dockerd has written so far, over all its starts."""
        return self._log.read_text(errors="replace")

    def docker(self, *arguments: str) -> str:
        """Run the docker command line against this engine, and return what it printed."""
        return self._docker(*arguments)

    def close(self) -> None:
        """Kill the engine and everything it ran, and remove what it left."""
        complaint = self.namespaces.close()
        if self._daemon is not None:
            self._daemon.close()
            self._daemon = None
        if complaint:
            raise LabError(complaint)

    def _docker(self, *arguments: str, given: bytes = b"") -> str:
        environment = {**os.environ, "PATH": PATH, "DOCKER_HOST": self.host}
        return run(["docker", *arguments], given=given, environment=environment)

    def _running(self) -> Daemon:
        if self._daemon is None:
            raise LabError("dockerd was not started")
        return self._daemon

    def _end(self, how: signal.Signals, within_s: float) -> None:
        daemon = self._running()
        daemon.signal(how)
        if not daemon.has_ended(within_s):
            raise LabError(f"dockerd did not end within {within_s:g} s:\n{self.log()[-3000:]}")
        daemon.close()
        self._daemon = None

    def _wait(self, predicate: Callable[[], bool], failure: str, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not predicate():
            if self._running().has_ended():
                raise LabError(f"dockerd ended while starting:\n{self.log()[-3000:]}")
            if time.monotonic() > deadline:
                raise LabError(f"{failure} within {within_s:g} s:\n{self.log()[-3000:]}")
            time.sleep(0.02)


@contextmanager
def running_engine(
    hostname: str = "lab", *, swarm: bool = True, options: tuple[str, ...] = ()
) -> Iterator[Engine]:
    """Give a fresh running engine, with a swarm of its own unless told otherwise, and leave nothing of it."""
    require_engine()
    engine = Engine(hostname, options=options)
    try:
        engine.start()
        if swarm:
            engine.create_swarm()
        yield engine
    finally:
        engine.close()
