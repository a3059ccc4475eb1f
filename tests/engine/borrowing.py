"""One real manager with a busy swarm, on which a second manager is borrowed; what it left, and what its containers felt."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from console.swarm.parse import REBUILT_LABEL
from tests.contract.specs import service_spec
from tests.contract.world import IMAGE, JSON, World
from tests.engine.lab import PATH, Engine, require_engine
from tests.engine.switch import Switch
from tests.support import mortal_borrow
from tests.support.program import PATIENT, PROGRAM, Outcome, run_to_its_end, start_program

ADDRESS = "10.99.0.2"
REPLICATED = ("web", "api", "db")
CONTAINERS = len(REPLICATED) + 3
"""So many run of services, besides the one that was attached by hand."""
# Seconds, then whether the name of a service is known, then whether it answers; 10 times a second.
PROBE = """
rm -f /stop
while [ ! -e /stop ]; do
  name=- ; tcp=-
  timeout 1 nslookup tasks.web 127.0.0.11 >/dev/null 2>&1 && name=+
  timeout 1 nc $(cat /peer) 8080 </dev/null >/dev/null 2>&1 && tcp=+
  read now rest </proc/uptime
  echo "$now $name $tcp"
  usleep 100000
done
"""


@dataclass(frozen=True)
class Felt:
    """What probes between containers met."""

    probes: int
    missed: int
    longest_gap_s: float


@dataclass
class BusyManager:
    """A single manager whose services must not notice anything."""

    engine: Engine
    world: World
    proxy: str
    room: int = 0
    """How many addresses of the proxy were free before any leaked."""

    @property
    def state(self) -> Path:
        return self.engine.namespaces.directory / "state"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the program on this host."""
        return {
            "PATH": PATH,
            "HOME": str(self.engine.namespaces.directory),
            "VIPCONSOLE_STATE_DIR": str(self.state),
            "LANG": "C.UTF-8",
            "COLUMNS": "1000",
            **PATIENT,
        }

    def run(self, *arguments: str, program: Sequence[str] = (str(PROGRAM),)) -> Outcome:
        """Run the program in the engine's namespaces, which are its host, to its end."""
        return run_to_its_end([*program, *arguments], self.environment, self.engine.namespaces.inside)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the program there."""
        command = [str(PROGRAM), *arguments]
        return start_program(command, self.environment, self.engine.namespaces.inside, text=True)

    def borrow(self, *more: str) -> Outcome:
        return self._once_quiet(
            lambda: self.run("reclaim", "--by", "borrow", "--yes", "--host", self.engine.host, *more)
        )

    def _once_quiet(self, borrow: Callable[[], Outcome], within_s: float = 300.0) -> Outcome:
        """Borrow; services whose tasks have just failed are not quiet for a while. Nothing is done then."""
        end_s = time.monotonic() + within_s
        while "It is not quiet" in (done := borrow()).err and time.monotonic() < end_s:
            self.world.pass_time(3.0)
        return done

    def borrow_until(self, number: int, victim: str, *more: str) -> Outcome:
        """Borrow, and let something die right after the moment of that number (`tests.support.mortal_borrow`)."""
        program = (sys.executable, str(Path(mortal_borrow.__file__)), str(number), victim)
        return self._once_quiet(
            lambda: self.run(
                "reclaim", "--by", "borrow", "--yes", "--host", self.engine.host, *more, program=program
            )
        )

    def kill_temporary(self) -> None:
        """Kill the temporary manager on the spot."""
        pid = (self.state / "borrow" / "engine" / "pid").read_text().strip()
        self.engine.namespaces.run("kill", "-9", pid)

    def containers(self) -> dict[str, str]:
        """Return the running containers, and when each was started."""
        rows = self.engine.docker("ps", "-q", "--no-trunc").split()
        if not rows:
            return {}
        starts = self.engine.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *rows)
        return dict(line.split(" ", 1) for line in starts.splitlines())

    def left_behind(self) -> dict[str, str]:
        """Return what a borrowed manager could leave: interfaces, rules, nodes, processes, files."""
        inside = self.engine.namespaces.run
        folder = self.state / "borrow"
        files = (
            sorted(str(path.relative_to(self.state)) for path in folder.rglob("*")) if folder.exists() else []
        )
        return {
            "interfaces": "\n".join(
                line for line in inside("ip", "-o", "link").splitlines() if "vipconsole" in line
            ),
            "routes": "\n".join(line for line in inside("ip", "route").splitlines() if "vipconsole" in line),
            "iptables": "\n".join(
                line for line in inside("iptables-save").splitlines() if "vipconsole" in line
            ),
            "nft": "\n".join(
                line for line in inside("nft", "list", "ruleset").splitlines() if "vipconsole" in line
            ),
            "nodes": self.engine.docker(
                "node", "ls", "--format", "{{.Hostname}} {{.Availability}} {{.ManagerStatus}}"
            ),
            "processes": "\n".join(
                line
                for line in inside("ps", "-eo", "args").splitlines()
                if "temporary-manager" in line or "state/borrow" in line
            ),
            "files": "\n".join(files),
        }

    def finish(self) -> Outcome:
        """Call the command until nothing is unfinished."""
        done = self.borrow()
        for _ in range(2):
            if not (self.state / "borrow").exists():
                break
            done = self.borrow()
        assert not (self.state / "borrow").exists(), done.err
        return done

    def check_nothing_is_left(self) -> None:
        """Hold what is there to what a swarm is like in which no manager was ever borrowed."""
        left = self.left_behind()
        assert left.pop("nodes") == "node1 Active Leader\n"
        assert not any(left.values()), left
        assert self.labels() == {}
        swarm = self.world.call("GET", "/swarm")["Spec"]
        assert (swarm["Labels"], swarm["Dispatcher"]["HeartbeatPeriod"]) == ({}, 5_000_000_000)
        assert swarm["Raft"]["SnapshotInterval"] == 10_000

    def all_labels(self) -> dict[str, str]:
        (node,) = self.world.call("GET", "/nodes")
        labels: dict[str, str] = node["Spec"]["Labels"]
        return labels

    def labels(self) -> dict[str, str]:
        # That one stays: it tells that what was known of leaks before says nothing now.
        return {key: value for key, value in self.all_labels().items() if key != REBUILT_LABEL}

    def begin_probing(self) -> None:
        self.engine.docker("exec", "-d", "prober", "sh", "-c", f"({PROBE}) >/probes 2>&1")

    def end_probing(self) -> Felt:
        """Return what the probes met since they began, and end them."""
        text = self.engine.docker("exec", "prober", "cat", "/probes")
        self.engine.docker("exec", "prober", "sh", "-c", "touch /stop")
        rows = [line.split() for line in text.splitlines() if len(line.split()) == 3]
        good_s = [float(row[0]) for row in rows if row[1:] == ["+", "+"]]
        gaps = [later - earlier for earlier, later in pairwise(good_s)]
        return Felt(len(rows), len(rows) - len(good_s), max(gaps, default=-1))


@contextmanager
def busy_manager(leaks: int = 6) -> Iterator[BusyManager]:
    """Give a manager with six services, a container attached by hand, and leaked addresses."""
    require_engine()
    with ExitStack() as ending:
        switch = ending.enter_context(Switch())
        engine = Engine("node1", switch=switch, address=ADDRESS)
        ending.callback(engine.close)
        engine.start()
        engine.create_swarm()
        world = ending.enter_context(World(engine.socket, time.sleep, engine.restart, "node1"))
        proxy = world.create_overlay("proxy", world.fresh_subnet(27), attachable=True)
        host = BusyManager(engine, world, proxy)
        # It listens without a break: one `nc` after the other refuses who comes between two of them.
        serve = ["httpd", "-f", "-p", "8080"]
        for name in REPLICATED:
            _create(
                world,
                name,
                proxy,
                serve if name == "web" else ["sleep", "86400"],
                {"Replicated": {"Replicas": 1}},
            )
        _create(
            world,
            "traefik",
            proxy,
            ["sleep", "86400"],
            {"Replicated": {"Replicas": 1}},
            ["node.role==manager"],
        )
        _create(world, "agent", proxy, ["sleep", "86400"], {"Global": {}})
        _create(
            world, "edge", proxy, ["sleep", "86400"], {"Replicated": {"Replicas": 1}}, ports=[(18080, 8080)]
        )
        world.wait_until(
            lambda: len(engine.docker("ps", "-q").split()) == CONTAINERS, "the services run", 120
        )
        engine.docker("run", "-d", "--name", "prober", "--network", "proxy", IMAGE)
        (web,) = [row["ID"] for row in world.call("GET", "/services") if row["Spec"]["Name"] == "web"]
        (task,) = [
            row
            for row in world.tasks()
            if row.get("ServiceID") == web and row["Status"]["State"] == "running"
        ]
        address = task["NetworksAttachments"][0]["Addresses"][0].partition("/")[0]
        engine.docker("exec", "prober", "sh", "-c", f"echo {address} >/peer")
        host.room = len(world.free_addresses(proxy))
        _age(world)
        if leaks:
            world.leak_fast(proxy, leaks)
        yield host


def _age(world: World) -> None:
    """Let the swarm have what each of some age has: a snapshot of its log, before which no entry is left."""
    usual = {"SnapshotInterval": 10_000, "LogEntriesForSlowFollowers": 500}
    for raft in ({"SnapshotInterval": 1, "LogEntriesForSlowFollowers": 1}, usual):
        swarm = world.call("GET", "/swarm")
        spec = {**swarm["Spec"], "Raft": {**swarm["Spec"]["Raft"], **raft}}
        world.call("POST", f"/swarm/update?version={swarm['Version']['Index']}", spec)


def _create(
    world: World,
    name: str,
    proxy: str,
    command: list[str],
    mode: JSON,
    constraints: Sequence[str] = (),
    ports: Sequence[tuple[int, int]] = (),
) -> None:
    spec = service_spec(
        name, [proxy], replicas=1, constraints=constraints, mode="vip", image=IMAGE, command=command,
        stop_grace_s=0.5, stack="", ports=ports, restarts=True,
    )  # fmt: skip
    world.call("POST", "/services/create", {**spec, "Mode": mode})
