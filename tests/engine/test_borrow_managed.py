"""A manager borrowed on a machine with a real systemd and a strict firewall: all is as before, and systemd keeps it alive."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.managed import Host, managed_engine
from tests.support import mortal_borrow
from tests.support.program import PATIENT, Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ADDRESS = "10.99.0.2"
HANDING_OVER = 15
"""The moment when the real manager has been demoted (`tests.support.mortal_borrow`)."""
UNIT = "vipconsole-temporary-manager.service"
STATE = "/var/lib/vipconsole"
# Nothing passes but what was answered to, and ssh.
NFTABLES = """
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    tcp dport 22 accept
  }
  chain output {
    type filter hook output priority 0; policy drop;
    ct state established,related accept
    tcp sport 22 accept
  }
}
"""
IPTABLES = """
for chain in INPUT OUTPUT; do
  iptables -P $chain DROP
  iptables -A $chain -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
done
iptables -A INPUT -p tcp --dport 22 -j ACCEPT
"""
OPEN = """
nft list table inet filter >/dev/null 2>&1 && nft delete table inet filter
for chain in INPUT OUTPUT; do iptables -P $chain ACCEPT; iptables -F $chain; done
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with managed_engine(ADDRESS) as made:
        world = made.world
        proxy = world.create_overlay("proxy", "10.77.0.0/28", attachable=True)
        for replicas in (2, 1):
            world.wait_for_state(
                world.create_service(world.fresh("box"), [proxy], replicas=replicas), "running", replicas
            )
        yield made


@pytest.fixture
def proxy(host: Host) -> str:
    (network,) = [row["Id"] for row in host.world.call("GET", "/networks") if row["Name"] == "proxy"]
    return str(network)


def surroundings(host: Host) -> dict[str, str]:
    """Return what a borrowed manager could change on its machine."""
    run = host.machine.run
    return {
        # Packets are counted, and comments hold the time.
        "nftables": run("sh", "-c", "nft list ruleset | sed 's/counter packets [0-9]* bytes [0-9]*//'"),
        "iptables": run("sh", "-c", r"iptables-save | sed '/^#/d; s/\[[0-9:]*\]//'"),
        "interfaces": run("sh", "-c", "ip -o link show | cut -d: -f2"),
        "routes": run("ip", "-4", "route", "show", "table", "all"),
        "units": run("systemctl", "list-units", "--all", "--plain", "--no-legend", "vipconsole*"),
        "nodes": run("docker", "node", "ls", "--format", "{{.Hostname}} {{.Availability}} {{.ManagerStatus}}"),
        "containers": run(
            "sh", "-c", "docker ps -q --no-trunc | sort | xargs docker inspect --format '{{.Id}} {{.State.StartedAt}}'"
        ),
        "files": run("sh", "-c", f"ls -A {STATE}/borrow 2>/dev/null || :"),
    }  # fmt: skip


def borrow(host: Host) -> Outcome:
    return host.vipconsole("reclaim", "--by", "borrow", "--yes", environment=PATIENT)


def borrow_until(host: Host, number: int, victim: str) -> Outcome:
    command = host.command("reclaim", "--by", "borrow", "--yes", environment=PATIENT)
    mortal = (sys.executable, str(Path(mortal_borrow.__file__)), str(number), victim)
    done = host.machine.call(*command[:-5], *mortal, *command[-4:])
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode(), 0.0)


@pytest.mark.parametrize("firewall", ["nftables", pytest.param("iptables", marks=pytest.mark.sweep)])
def test_a_strict_firewall_lets_it_through_and_is_as_before(host: Host, proxy: str, firewall: str) -> None:
    host.machine.run("sh", "-ec", IPTABLES) if firewall == "iptables" else host.machine.run(
        "nft", "-f", "-", given=NFTABLES.encode()
    )
    try:
        room = len(host.world.free_addresses(proxy))
        assert len(host.world.leak_fast(proxy, 2)) == 2
        before = surroundings(host)
        done = borrow(host)
        assert done.code == 0, done.err
        assert "2 leaked before" in done.out
        assert surroundings(host) == before
        assert len(host.world.free_addresses(proxy)) == room
    finally:
        host.machine.run("sh", "-ec", OPEN)


@pytest.mark.sweep
def test_systemd_starts_it_again_when_it_is_killed(host: Host) -> None:
    before = surroundings(host)
    assert borrow_until(host, HANDING_OVER, "program").code == -signal.SIGKILL
    first = main_process(host)
    assert first != "0"
    host.machine.run("kill", "-9", first)
    host.world.wait_until(lambda: main_process(host) not in ("0", first), "systemd starts it again", 60)
    done = borrow(host)
    assert done.code == 0, done.err
    assert surroundings(host) == before


def test_what_ended_with_the_machine_is_finished_by_the_next_call(host: Host) -> None:
    before = surroundings(host)
    assert borrow_until(host, HANDING_OVER, "program").code == -signal.SIGKILL
    host.machine.run("systemctl", "stop", UNIT)
    assert main_process(host) in ("0", "")
    done = borrow(host)
    assert done.code == 0, done.err
    assert surroundings(host) == before


def main_process(host: Host) -> str:
    return host.machine.run("systemctl", "show", "--property=MainPID", "--value", UNIT).strip()
