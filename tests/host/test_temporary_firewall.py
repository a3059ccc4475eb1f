"""The rules of a temporary manager's cable, in the real firewalls of a network namespace of the test's own."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from shutil import which

import pytest

from console.errors import HostError
from console.host.process import CommandFailed, output_of
from console.host.temporary.firewall import TABLE, Firewall
from console.host.temporary.values import INTERFACE, Cable
from tests.engine.namespaces import Namespaces

CABLE = Cable(INTERFACE, "198.18.0.1", "198.18.0.2", 30, "10.99.0.2")
COUNTERS = re.compile(r"packets \d+ bytes \d+|\[\d+:\d+\]|^#.*$", re.MULTILINE)
NIXOS = (
    "nft add table inet nixos-fw",
    "nft add chain inet nixos-fw input '{ type filter hook input priority 0; policy drop; }'",
    "nft add chain inet nixos-fw rpfilter '{ type filter hook prerouting priority -140; policy drop; }'",
    "nft add rule inet nixos-fw input iifname lo accept",
)
OWN_FILTER = (
    "nft add table ip filter",
    "nft add chain ip filter input '{ type filter hook input priority 0; policy drop; }'",
    "nft add rule ip filter input iifname lo accept",
)


def iptables_rules(command: str) -> tuple[str, ...]:
    """Return commands that make what docker and NixOS (with iptables) leave in the table `filter`."""
    return (
        f"{command} -N DOCKER-USER",
        f"{command} -P FORWARD DROP",
        f"{command} -A FORWARD -j DOCKER-USER",
        f"{command} -A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
        f"{command} -N nixos-fw",
        f"{command} -A nixos-fw -m comment --comment 'all else' -j DROP",
        f"{command} -A INPUT -j nixos-fw",
        f"{command} -P OUTPUT DROP",
    )


@pytest.fixture
def network() -> Iterator[Namespaces]:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("network namespaces need root on Linux")
    if missing := [name for name in ("iptables", "iptables-legacy", "nft") if not which(name)]:
        pytest.fail(f"{', '.join(missing)} is missing; `make test` installs it")
    namespaces = Namespaces("firewall")
    try:
        yield namespaces
    finally:
        assert not namespaces.close()


def prepare(network: Namespaces, *commands: str) -> None:
    for command in commands:
        network.run("sh", "-ec", command)


def rules(network: Namespaces) -> str:
    """Return all rules there are, without counters."""
    text = network.run("sh", "-ec", "nft list ruleset; iptables-nft-save; iptables-legacy-save")
    return "\n".join(line for line in COUNTERS.sub("", text).splitlines() if line.strip())


def firewall(network: Namespaces, *hidden: str) -> Firewall:
    """Return the firewall of a host that lacks some commands."""

    async def run(argv: Sequence[str], timeout_s: float) -> bytes:
        assert argv[0] not in hidden
        output = await output_of(network.entering(*argv), timeout_s)
        if argv[0] != "/bin/sh":
            return output
        paths = output.decode().split()
        return "\n".join(path for path in paths if path.rpartition("/")[2] not in hidden).encode()

    return Firewall(INTERFACE, run)


LEGACY = ("iptables", "iptables-nft", "nft")
HOSTS = {
    "iptables on nftables": (iptables_rules("iptables-nft"), ()),
    "iptables on nftables, no nft": (iptables_rules("iptables-nft"), ("nft",)),
    "legacy iptables": (iptables_rules("iptables-legacy"), LEGACY),
    "legacy iptables beside the other": (iptables_rules("iptables-legacy"), ()),
    "nftables only": (NIXOS, ("iptables", "iptables-nft", "iptables-legacy")),
    "nftables and iptables": ((*NIXOS, *iptables_rules("iptables-nft")), ()),
    "a table that only looks like one of iptables": (OWN_FILTER, ()),
    "nothing": ((), ()),
}


@pytest.mark.parametrize("host", HOSTS)
async def test_what_is_opened_is_closed_again_and_the_rules_of_others_stay_as_they_were(
    host: str, network: Namespaces
) -> None:
    commands, hidden = HOSTS[host]
    prepare(network, *commands)
    before = rules(network)
    door = firewall(network, *hidden)
    assert await door.leftovers() == ()
    await door.open(CABLE)
    opened = rules(network)
    assert all(INTERFACE in line or TABLE in line for line in await door.leftovers() if "handle" not in line)
    await door.open(CABLE)
    # An open door stays as it is: the handles of rules aside, and they are not shown.
    assert rules(network) == opened
    await door.close()
    assert rules(network) == before
    assert await door.leftovers() == ()
    await door.close()
    assert rules(network) == before


async def test_rules_are_first_in_their_chains_and_only_for_the_two_managers(network: Namespaces) -> None:
    prepare(network, *NIXOS, *iptables_rules("iptables-nft"))
    await firewall(network).open(CABLE)
    saved = network.run("iptables-nft-save")
    first = {
        chain: next(line for line in saved.splitlines() if line.startswith(f"-A {chain} "))
        for chain in ("INPUT", "OUTPUT", "FORWARD")
    }
    assert first == {
        "INPUT": "-A INPUT -s 198.18.0.2/32 -d 10.99.0.2/32 -i vipconsole0 -j ACCEPT",
        "OUTPUT": "-A OUTPUT -s 10.99.0.2/32 -d 198.18.0.2/32 -o vipconsole0 -j ACCEPT",
        "FORWARD": "-A FORWARD -o vipconsole0 -j DROP",
    }
    assert "-A FORWARD -i vipconsole0 -j DROP" in saved
    listed = network.run("nft", "list", "chain", "inet", "nixos-fw", "input").splitlines()
    assert listed[3].strip() == ('iifname "vipconsole0" ip saddr 198.18.0.2 ip daddr 10.99.0.2 accept')
    assert "vipconsole0" not in network.run("nft", "list", "chain", "inet", "nixos-fw", "rpfilter")


async def test_every_rule_is_removed_however_many_and_wherever_they_are(network: Namespaces) -> None:
    prepare(network, *NIXOS, *iptables_rules("iptables-nft"))
    before = rules(network)
    for _ in range(3):
        prepare(
            network,
            f"iptables-nft -I INPUT -i {INTERFACE} -j ACCEPT",
            f"iptables-nft -A nixos-fw -o {INTERFACE} -m comment --comment 'two words' -j DROP",
            f"nft insert rule inet nixos-fw input iifname {INTERFACE} accept",
        )
    door = firewall(network)
    await door.open(CABLE)
    await door.close()
    assert rules(network) == before


async def test_a_wrong_rule_is_replaced_when_the_door_is_opened_again(network: Namespaces) -> None:
    prepare(network, *NIXOS, *iptables_rules("iptables-nft"))
    door = firewall(network)
    await door.open(Cable(INTERFACE, "10.254.0.1", "10.254.0.2", 30, "10.99.0.7"))
    await door.open(CABLE)
    opened = rules(network)
    assert "10.254" not in opened
    assert "10.99.0.7" not in opened


async def test_a_table_that_only_looks_like_one_of_iptables_is_opened_too(network: Namespaces) -> None:
    prepare(network, *OWN_FILTER)
    await firewall(network).open(CABLE)
    assert 'iifname "vipconsole0" ip saddr 198.18.0.2 ip daddr 10.99.0.2 accept' in rules(network)


@pytest.mark.parametrize("hidden", [(), ("nft",)])
async def test_a_table_that_does_not_exist_is_not_made(hidden: tuple[str, ...], network: Namespaces) -> None:
    await firewall(network, *hidden).open(CABLE)
    assert "table ip filter" not in rules(network)
    assert "*filter" not in rules(network)


async def test_a_kernel_without_nftables_has_none() -> None:
    async def run(argv: Sequence[str], _timeout_s: float) -> bytes:
        if argv[0] == "nft":
            raise CommandFailed(
                argv, 1, b"netlink: Error: cache initialization failed: Protocol not supported"
            )
        return b"/usr/sbin/nft\n"

    door = Firewall(INTERFACE, run)
    await door.open(CABLE)
    await door.close()
    assert await door.leftovers() == ()


async def test_a_firewall_that_cannot_be_read_is_told() -> None:
    async def run(argv: Sequence[str], _timeout_s: float) -> bytes:
        if argv[0] == "nft":
            raise CommandFailed(argv, 1, b"Operation not permitted (you must be root)")
        return b"/usr/sbin/nft\n"

    with pytest.raises(HostError, match="you must be root"):
        await Firewall(INTERFACE, run).open(CABLE)


async def test_a_malformed_reply_is_told() -> None:
    async def run(argv: Sequence[str], _timeout_s: float) -> bytes:
        return b"[}" if argv[0] == "nft" else b"/usr/sbin/nft\n"

    with pytest.raises(HostError, match="gave a malformed reply"):
        await Firewall(INTERFACE, run).leftovers()
