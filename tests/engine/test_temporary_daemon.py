"""A temporary manager's dockerd beside a real one: it comes back with its data, ends whole, and leaves nothing."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.host.temporary.unit import SCRIPT
from console.host.temporary.values import INTERFACE
from tests.engine.lab import PATH, Engine, require_engine
from tests.engine.managed import Host, managed_engine
from tests.engine.namespaces import LabError, Namespaces, run
from tests.engine.switch import Switch

pytestmark = pytest.mark.engine

CHECKOUT = Path(__file__).parents[2]
DOOR = Path(__file__).with_name("temporary_door.py")
MANAGER, OUTSIDER = "10.99.0.2", "10.99.0.3"
CLOSED = """
iptables -P INPUT DROP
iptables -P OUTPUT DROP
iptables -A INPUT -i lo -j ACCEPT
iptables -A OUTPUT -o lo -j ACCEPT
nft add table inet nixos-fw
nft 'add chain inet nixos-fw input { type filter hook input priority 0; policy drop; }'
nft add rule inet nixos-fw input iifname lo accept
"""
SEEN = (
    "ip -o link | cut -d: -f2 | cut -d@ -f1; ip -4 route show table all; iptables-save; nft list ruleset; cat /proc/mounts; "
    "ps -e -ww -o args= | grep -v -e ^sh -e ^ps -e ^cut -e ^grep -e '^\\['"
)
COUNTERS = re.compile(r"packets \d+ bytes \d+|\[\d+:\d+\]|^#.*$", re.MULTILINE)
UNIT = "vipconsole-temporary-manager.service"


def door(python: list[str], act: str, folder: str, version: str, *more: str) -> Any:
    """Do something with the temporary manager in a process of its own, and return what it tells."""
    told = json.loads(run([*python, str(DOOR), act, folder, version, *more]))
    if "error" in told:
        raise LabError(told["error"])
    return told["answer"]


@dataclass
class Lab:
    """A dockerd on a switch, with a swarm, and somebody else on that switch."""

    engine: Engine
    outsider: Namespaces

    @property
    def folder(self) -> Path:
        return self.engine.namespaces.directory / "temporary"

    def do(self, act: str, *more: str) -> Any:
        python = self.engine.namespaces.entering(
            "env", f"PYTHONPATH={CHECKOUT}", f"PATH={PATH}", sys.executable
        )
        version = self.engine.docker("version", "--format", "{{.Server.Version}}").strip()
        return door(python, act, str(self.folder), version, *more)

    def start(self) -> Any:
        return self.do("start", MANAGER)

    def temporary(self, *arguments: str) -> str:
        """Run the docker command line against the temporary manager."""
        host = f"unix://{self.folder}/docker.sock"
        return run(["docker", *arguments], environment={**os.environ, "PATH": PATH, "DOCKER_HOST": host})

    def processes(self, name: str) -> list[str]:
        """Return the processes of the temporary manager that have a word in their command, by number inside."""
        listed = self.engine.namespaces.run("ps", "-e", "-ww", "-o", "pid=,args=").splitlines()
        return [line.split()[0] for line in listed if str(self.folder) in line and name in line]

    def seen(self) -> str:
        """Return interfaces, routes, rules, mounts, processes and files, as far as they could be left over."""
        return comparable(self.engine.namespaces.run("sh", "-c", SEEN))

    def has_interface(self) -> bool:
        return INTERFACE in self.engine.namespaces.run("ip", "-o", "link")

    def pings(self, whence: list[str], address: str) -> bool:
        """Whether an answer comes from an address within a second."""
        try:
            run([*whence, "busybox", "ping", "-c", "1", "-W", "1", address])
        except LabError:
            return False
        return True


def until(holds: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    end_s = time.monotonic() + within_s
    looked_s = time.monotonic()
    while not holds():
        now_s = time.monotonic()
        assert now_s < end_s, f"not within {within_s:g} s: {what}"
        # A look starts processes: it is not to take the processor from what is waited for.
        time.sleep(max(0.05, now_s - looked_s))
        looked_s = time.monotonic()


def comparable(text: str) -> str:
    """Return what was seen without counters and comments."""
    return "\n".join(line for line in COUNTERS.sub("", text).splitlines() if line.strip())


def until_settled(seen: Callable[[], str]) -> None:
    """Wait until dockerd has made what a swarm needs on its host, which it does a moment after it has the swarm."""
    former = [""]

    def is_settled() -> bool:
        former.append(seen())
        return "veth" in former[-1] and "DOCKER-ISOLATION" in former[-1] and len(set(former[-3:])) == 1

    until(is_settled, "the host has what a swarm needs")


@contextmanager
def settled_lab() -> Iterator[Lab]:
    require_engine()
    with Switch() as switch:
        engine = Engine("lab", switch=switch, address=MANAGER)
        outsider = Namespaces("outsider")
        try:
            switch.plug(outsider, OUTSIDER)
            engine.start()
            engine.create_swarm()
            made = Lab(engine, outsider)
            until_settled(made.seen)
            yield made
        finally:
            engine.close()
            assert not outsider.close()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Give a lab that tests share: each begins without a temporary manager there, and leaves none."""
    with settled_lab() as shared:
        yield shared


@pytest.fixture
def closed_lab() -> Iterator[Lab]:
    """Give a lab of the test's own, whose firewall is closed."""
    with settled_lab() as own:
        own.engine.namespaces.run("sh", "-ec", CLOSED)
        yield own


def test_it_comes_back_with_its_data_after_any_death_and_leaves_nothing(lab: Lab) -> None:
    before = lab.seen()
    assert lab.do("leftovers") == []
    assert lab.do("running") is False
    cable = lab.start()
    assert (cable["address"], cable["manager_address"]) == ("198.18.0.2", MANAGER)
    assert lab.do("running") is True
    lab.temporary("volume", "create", "kept")
    name, runs_on = lab.temporary("info", "--format", "{{.Name}} {{.ServerVersion}}").split()
    assert (name, runs_on) == (
        "vipconsole-temporary",
        lab.engine.docker("version", "--format", "{{.Server.Version}}").strip(),
    )
    # Started again while it runs it is the same.
    (pid,) = lab.processes("unshare")
    assert lab.start() == cable
    assert lab.processes("unshare") == [pid]
    for victims in (("unshare",), ("--data-root",), ("unshare", "--data-root")):
        doomed = [number for victim in victims for number in lab.processes(victim)]
        assert len(doomed) == len(victims)
        lab.engine.namespaces.run("kill", "-9", *doomed)
        until(lambda: not lab.has_interface(), "the cable is gone")
        assert lab.processes("") == []
        assert "containerd" not in without(lab.seen(), before)
        assert lab.do("running") is False
        assert lab.start() == cable
        assert lab.temporary("volume", "ls", "-q").split() == ["kept"]
    lab.do("remove")
    assert lab.do("leftovers") == []
    assert lab.seen() == before
    assert not lab.folder.exists()
    lab.do("remove")


def without(text: str, before: str) -> str:
    """Return the lines of a text that were not there before."""
    known = set(before.splitlines())
    return "\n".join(line for line in text.splitlines() if line not in known)


def test_it_joins_through_a_closed_firewall_that_is_as_it_was_afterwards(closed_lab: Lab) -> None:
    lab = closed_lab
    before = lab.seen()
    cable = lab.start()
    token = lab.engine.docker("swarm", "join-token", "-q", "manager").strip()
    lab.temporary(
        *("swarm", "join", "--token", token, "--availability", "drain"),
        *("--advertise-addr", cable["address"], f"{MANAGER}:2377"),
    )
    shown = lab.engine.docker("node", "ls", "--format", "{{.Hostname}} {{.Availability}} {{.ManagerStatus}}")
    assert sorted(shown.splitlines()) == ["lab Active Leader", "vipconsole-temporary Drain Reachable"]
    # Handed over: what the other side opens passes too, and the real one bears its own address as before.
    own = lab.engine.docker("info", "--format", "{{.Swarm.NodeID}}").strip()
    lab.engine.docker("node", "demote", own)
    until(lambda: is_worker(lab, own), "the real manager is a worker")
    until(lambda: done(lab.temporary, "node", "promote", own), "it is promoted")
    until(lambda: "Reachable" in lab.temporary("node", "ls"), "both are managers")
    until(lambda: done(lab.engine.docker, "node", "ls"), "the real manager answers")
    temporary = lab.temporary("info", "--format", "{{.Swarm.NodeID}}").strip()
    until(lambda: done(lab.engine.docker, "node", "demote", temporary), "the temporary manager is none")
    until(lambda: "Leader" in lab.engine.docker("node", "ls"), "the real manager leads")
    lab.do("remove")
    assert without(lab.seen(), before) == ""
    assert without(before, lab.seen()) == ""


def is_worker(lab: Lab, node: str) -> bool:
    """Whether a node is ready and stays so, at its own address: just after the change its new leader shows it as it was."""
    for _ in range(20):
        shown = lab.temporary("node", "inspect", "--format", "{{.Status.State}} {{.Status.Addr}}", node)
        if shown.strip() != f"ready {MANAGER}":
            return False
        time.sleep(0.1)
    return True


def done(docker: Callable[..., str], *arguments: str) -> bool:
    """Whether a swarm takes a command: one whose lead has just changed may not answer, or have changed the node since."""
    try:
        docker(*arguments)
    except LabError:
        return False
    return True


def test_what_cannot_start_says_why(lab: Lab) -> None:
    with pytest.raises(LabError, match="loopback address"):
        lab.do("start", "127.0.0.1")
    lab.folder.mkdir()
    (lab.folder / "data").write_text("no folder")
    with pytest.raises(LabError, match=r"ended while it started: .*data"):
        lab.start()
    lab.do("remove")
    assert lab.do("leftovers") == []


def test_it_sees_nothing_of_the_hosts_run_but_its_links_and_its_own_folder(lab: Lab) -> None:
    host = lab.engine.namespaces
    # As on NixOS, where the commands are found by a link there.
    host.run("ln", "-s", "/usr", "/run/current-system")
    # The lab's own /run is not seen from outside, and so the docker command line runs inside too.
    folder = "/run/vipconsole/temporary"
    python = host.entering("env", f"PYTHONPATH={CHECKOUT}", f"PATH={PATH}", sys.executable)
    version = lab.engine.docker("version", "--format", "{{.Server.Version}}").strip()
    door(python, "start", folder, version, MANAGER)
    (dockerd,) = [
        line.split()[0]
        for line in host.run("ps", "-e", "-ww", "-o", "pid=,args=").splitlines()
        if f"--data-root {folder}" in line
    ]
    inside = host.entering("nsenter", "-t", dockerd, "-m", "--")
    assert run([*inside, "readlink", "/run/current-system"]).strip() == "/usr"
    shown = set(run([*inside, "ls", "/run"]).split())
    assert {"vipconsole", "docker", "current-system"} <= shown
    host.run("touch", "/run/only-the-host")
    assert "only-the-host" not in run([*inside, "ls", "/run"])
    # Its containerd is its own.
    assert len(set(run([*inside, "ls", "/run/docker"]).split()) & {"containerd", "libnetwork"}) == 2
    host.run("kill", "-9", dockerd)
    until(lambda: not lab.has_interface(), "the cable is gone")
    door(python, "start", folder, version, MANAGER)
    door(python, "remove", folder, version)
    assert door(python, "leftovers", folder, version) == []
    assert host.run("ls", "/run/vipconsole") == ""


def test_while_its_cable_is_gone_nobody_else_is_taken_for_it(lab: Lab) -> None:
    cable = lab.start()
    host = lab.engine.namespaces
    host.run("ip", "route", "add", "default", "via", OUTSIDER)
    lab.outsider.run("ip", "address", "add", f"{cable['address']}/32", "dev", "lan")
    host.run("kill", "-9", *lab.processes("unshare"))
    until(lambda: not lab.has_interface(), "the cable is gone")
    assert not lab.pings(host.entering(), cable["address"])
    lab.do("remove")
    assert lab.pings(host.entering(), cable["address"])
    host.run("ip", "route", "del", "default", "via", OUTSIDER)
    lab.outsider.run("ip", "address", "del", f"{cable['address']}/32", "dev", "lan")


def test_nobody_but_the_manager_reaches_it_and_it_reaches_nobody_else(lab: Lab) -> None:
    cable = lab.start()
    host = lab.engine.namespaces
    # The host passes on, as one of containers does, and somebody knows the way. Each defence holds without the other.
    host.run("iptables", "-P", "FORWARD", "ACCEPT")
    lab.outsider.run("ip", "route", "add", "198.18.0.0/30", "via", MANAGER)
    (dockerd,) = lab.processes("--data-root")
    inside = host.entering("nsenter", "-t", dockerd, "-n", "--")
    forwarding = f"/proc/sys/net/ipv4/conf/{INTERFACE}/forwarding"
    assert host.run("cat", forwarding).strip() == "0"
    assert "inet6" not in run([*inside, "ip", "address", "show", "dev", "cable"])
    host.run("sh", "-ec", f"echo 1 > {forwarding}")
    check_it_is_alone(lab, inside, cable)
    host.run("sh", "-ec", f"echo 0 > {forwarding}")
    host.run("nft", "flush", "ruleset")
    check_it_is_alone(lab, inside, cable)
    lab.do("remove")


def check_it_is_alone(lab: Lab, inside: list[str], cable: Any) -> None:
    """Fail unless the temporary manager and the real one reach each other, and nobody else and the temporary one do."""
    assert lab.pings(inside, MANAGER)
    assert lab.pings(lab.engine.namespaces.entering(), cable["address"])
    assert not lab.pings(inside, OUTSIDER)
    assert not lab.pings(lab.outsider.entering(), cable["address"])
    # Also when it has a way out it gets no further than the host.
    way_out = ("default", "via", cable["host_address"])
    run([*inside, "ip", "route", "add", *way_out])
    assert not lab.pings(inside, OUTSIDER)
    assert not lab.pings(lab.outsider.entering(), cable["address"])
    run([*inside, "ip", "route", "del", *way_out])


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with managed_engine() as made:
        made.machine.run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "far")
        made.machine.run("ip", "address", "add", f"{MANAGER}/24", "dev", "lan")
        made.machine.run("ip", "link", "set", "lan", "up")
        yield made


def test_a_unit_of_systemd_brings_it_back_by_itself_until_it_is_removed(host: Host) -> None:
    machine = host.machine
    python = machine.entering("env", f"PYTHONPATH={CHECKOUT}", f"PATH={PATH}", sys.executable)
    version = machine.run("docker", "version", "--format", "{{.Server.Version}}").strip()
    folder = "/var/lib/vipconsole/temporary"

    def do(act: str, *more: str) -> Any:
        return door(python, act, folder, version, *more)

    def temporary(*arguments: str) -> str:
        return machine.run("docker", "--host", f"unix://{folder}/docker.sock", *arguments)

    def shown(name: str) -> str:
        return machine.run("systemctl", "show", f"--property={name}", "--value", UNIT).strip()

    def seen() -> str:
        return comparable(machine.run("sh", "-c", SEEN))

    until_settled(seen)
    before = seen()
    do("start", MANAGER)
    assert shown("ActiveState") == "active"
    temporary("volume", "create", "kept")
    for restarts in ("1", "2"):
        first = shown("MainPID")
        machine.run("kill", "-9", first)
        host.world.wait_until(lambda: shown("NRestarts") == restarts, "systemd starts it again", 60)  # noqa: B023
        assert do("running") is True
        do("start", MANAGER)
        assert shown("MainPID") != first
        assert temporary("volume", "ls", "-q").split() == ["kept"]
    listed = machine.run("ps", "-e", "-ww", "-o", "pid=,args=").splitlines()
    (dockerd,) = [line.split()[0] for line in listed if f"--data-root {folder}/data" in line]
    machine.run("kill", "-9", dockerd)
    host.world.wait_until(lambda: shown("NRestarts") == "3", "systemd starts it again", 60)
    do("start", MANAGER)
    assert SCRIPT.name in shown("ExecStart")
    do("remove")
    assert do("leftovers") == []
    assert shown("LoadState") == "not-found"
    assert without(seen(), before) == ""
    assert without(before, seen()) == ""
