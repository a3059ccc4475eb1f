"""What kept censuses say to an operator."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address

from console.addresses.leaks import Census, allocator_of
from console.diagnosis.assess import assess
from console.diagnosis.values import Assessment, Severity
from console.errors import Result, Unknown
from console.journal.summary import summarise
from console.settings import Thresholds
from console.swarm.model import SwarmState
from tests.support.swarms import LONG_AGO, NOW, ago, network, service, snapshot, swarm

PROXY = "id-proxy"
STATE = swarm([network("proxy", "10.0.1.0/28"), network("bridge", driver="bridge", scope="local")])


def a_census(*addresses: str, balancers: int = 0) -> Census:
    allocator = allocator_of(STATE)
    assert allocator is not None
    return Census(PROXY, "proxy", ago(180), allocator, tuple(map(IPv4Address, addresses)), balancers)


def assessed(censuses: Result[tuple[Census, ...]], state: SwarmState = STATE) -> Assessment:
    return assess(replace(snapshot(state), censuses=censuses), Thresholds())


def test_what_leaked_is_named_with_its_age() -> None:
    found = assessed((a_census("10.0.1.8", "10.0.1.9"),))
    (leaked,) = [each for each in found.findings if each.code == "leaked"]
    assert leaked.severity is Severity.WARNING
    assert leaked.sentence == (
        "2 addresses of proxy leaked (15 % of 13): taken in the allocator, held by nobody, as a census found 3 min ago "
        "(10.0.1.8, 10.0.1.9); more may have leaked since."
    )
    assert leaked.names == ("10.0.1.8", "10.0.1.9")


def test_possible_load_balancers_are_said() -> None:
    found = assessed((a_census("10.0.1.7", "10.0.1.8", "10.0.1.9", balancers=2),))
    (leaked,) = [each for each in found.findings if each.code == "leaked"]
    assert leaked.sentence.startswith("1 address of proxy leaked")
    assert "(2 of these are other nodes' load balancers: 10.0.1.7, 10.0.1.8, 10.0.1.9)" in leaked.sentence


def test_a_census_that_found_nothing_is_a_note_with_its_age() -> None:
    found = assessed((a_census(),))
    (none,) = [each for each in found.findings if each.code == "none-leaked"]
    assert (none.severity, none.sentence) == (
        Severity.OK,
        "A census 3 min ago found no leaked address in proxy (10.0.1.0/28).",
    )


def test_a_void_census_is_a_note_that_says_why_and_counts_nothing() -> None:
    other = replace(a_census("10.0.1.9"), network_id="id-other", network_name="other")
    kept = replace(
        a_census("10.0.1.9"), allocator=replace(a_census().allocator, daemon_began=NOW - timedelta(days=99))
    )
    found = assessed((kept, other))
    (stale,) = [each for each in found.findings if each.code == "census-stale"]
    assert stale.sentence == "The last census of proxy is stale: dockerd was restarted."
    assert found.accounts[0].leaked is None
    assert found.severity is Severity.OK


def test_dockerds_log_makes_it_void() -> None:
    rebuilt = replace(summarise([], {}, 3600), rebuilt_at=ago(60))
    seen = replace(snapshot(STATE, journal=rebuilt), censuses=(a_census("10.0.1.9"),))
    codes = [each.code for each in assess(seen, Thresholds()).findings]
    assert "census-stale" in codes
    assert "leaked" not in codes


def test_censuses_that_cannot_be_read_are_said() -> None:
    found = assessed(Unknown("The file is broken.", "Remove it."))
    (unread,) = [each for each in found.findings if each.code == "censuses-unread"]
    assert "The file is broken." in unread.sentence


def test_a_probe_is_no_deploy_that_waits() -> None:
    probe = replace(service("vipconsole-probe-x", networks=(PROXY,), updated=LONG_AGO), probe="machine/7")
    proxy = network("proxy", "10.0.1.0/28")
    assert "deploy-waits" not in [each.code for each in assessed((), swarm([proxy], [probe])).findings]
    waits = assessed((), swarm([proxy], [replace(probe, probe="")])).findings
    assert "deploy-waits" in [each.code for each in waits]
