"""Failures that are told by their cause: of an allocation, of an address that is not given back, of a task on its node."""

from dataclasses import replace

import pytest

from console.diagnosis.findings.sources import find_log_failures
from console.diagnosis.why.networks import EXHAUSTION_SIGNATURES
from console.guard.shortage import REFUSALS
from console.journal.failures import ALL_SIGNATURES, FAILURES
from console.journal.matching import LogEvent, LogMatcher, UnexplainedError
from console.journal.signatures import SIGNATURES, LogSeverity
from console.journal.summary import Summary, describe, objects_at_fault, summarise
from console.journal.values import Batch
from tests.journal.lines import AGENT, NODE, N, S, T, entry, line

VIA = f"failed to allocate network IP for task {T} network {N}: "
POOLS = f"failed allocating pools and gateway IP for network {N}: "
NAMES = {N: "proxy", S: "shop_app", NODE: "worker-2"}
SETUP = "starting container failed: failed to set up container networking: "


def summary_of(*lines: str) -> Summary:
    return summarise(
        [Batch(tuple(replace(entry(each), cursor=str(n)) for n, each in enumerate(lines)))], NAMES
    )


def recognised(text: str) -> LogEvent:
    found = LogMatcher().recognise(entry(text))
    assert isinstance(found, LogEvent), text
    return found


ALLOCATIONS = [
    # From public reports: identifiers shortened by those who reported them.
    ("task allocation failure",
     "failed to allocate network IP for task 5task network 9net: could not allocate IP from IPAM: Address already in use",
     "allocation-address-taken"),
    ("failed allocating service 3svc during init", "could not allocate VIP from IPAM: Address already in use",
     "allocation-address-taken"),
    ("Failed allocation for network 9net",
     ("failed allocating pools and gateway IP for network 9net: cannot find address pool for "
     "poolID:fd00:1::/64/invalid Prefix"), "allocation-ipv6"),
    # Siblings.
    ("task allocation failure", VIA + "could not allocate IP from IPAM: Address already in use", "allocation-address-taken"),
    ("task allocation failure",
     f"failed during networktask allocation for task {T}: {VIA}could not allocate IP from IPAM: Address already in use",
     "allocation-address-taken"),
    (f"Failed allocation for service {S}", "could not allocate VIP from IPAM: no available addresses on this pool",
     "allocation-no-address"),
    (f"Failed allocation for network {N}", f"{POOLS}failed to allocate gateway (10.0.1.1): Address already in use",
     "allocation-address-taken"),
    (f"Failed allocation for network {N}", POOLS + "invalid address pool", "allocation-invalid-pool"),
    (f"Failed allocation for network {N}", POOLS + "invalid pool request: invalid address subpool",
     "allocation-invalid-pool"),
    (f"Failed allocation for network {N}", POOLS + "requested address is out of range", "allocation-invalid-pool"),
    (f"Failed allocation for network {N}", POOLS + "pool and subpool are of incompatible address families",
     "allocation-invalid-pool"),
    (f"failed allocating network {N} during init",
     POOLS + "invalid pool request: Pool overlaps with other one on this address space", "allocation-overlap"),
    (f"failed allocating network {N} during init", POOLS + "all predefined address pools have been fully subnetted",
     "allocation-pools-used-up"),
    (f"Failed allocation of unallocated network {N}",
     POOLS + "Pool overlaps with other one on this address space", "allocation-overlap"),
    (f"Failed allocation for network {N}",
     (f"failed while allocating driver state for network {N}: could not obtain vxlan id for pool 10.0.1.0/24: "
     "no bit available"), "allocation-vxlan"),
    (f"Failed allocation for network {N}", "could not resolve IPAM driver lab/ipam", "allocation-driver"),
    (f"failed allocating service {S} during init", "networkallocator: could not find local network state",
     "allocation-network-unknown"),
    (f"Failed to allocate network resources for node {NODE}", "could not allocate IP from IPAM: Address already in use",
     "allocation-address-taken"),
    (f"Failed allocation for service {S}", ("could not allocate VIP from IPAM: cannot find address pool for "
     "poolID:10.0.1.0/24/invalid Prefix"), "allocation-pool-lost"),
    (f"failed allocating task {T} during init", f"service {S} to which this task {T} belongs has pending allocations",
     "allocation-pending"),
    (f"Failed to commit allocation for service {S}",
     f"failed updating state in store transaction for service {S}: update out of sequence", "allocation-not-written"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "error", "cause"), ALLOCATIONS)
def test_a_failed_allocation_has_an_entry_of_its_own(message: str, error: str, cause: str) -> None:
    summary = summary_of(line(message, error))
    assert [each.signature.id for each in summary.findings] == [cause]
    assert summary.worst in (LogSeverity.WARNING, LogSeverity.CRITICAL)
    assert not summary.unexplained_count


@pytest.mark.parametrize(
    "message",
    [
        "task allocation failure", f"Failed allocation for service {S}", "Failed allocation for service 3svc",
        f"Failed allocation for network {N}", f"failed allocating task {T} during init",
        "failed allocating ingress network during init", f"Failed allocation during update of service {S}",
        f"Failed to allocate network resources for node {NODE}", f"allocation commit failure for task {T}",
    ],
)  # fmt: skip
def test_an_allocation_that_failed_for_a_reason_nobody_knows_is_a_warning_with_its_line(message: str) -> None:
    summary = summary_of(line(message, "the flux capacitor is empty"))
    (found,) = summary.findings
    assert found.signature.id == "allocation-unknown"
    assert summary.worst is LogSeverity.WARNING
    assert "does not know" in found.signature.meaning
    assert found.signature.shows_line
    assert "the flux capacitor is empty" in found.text


def test_what_no_manager_would_write_is_no_failed_allocation() -> None:
    for text in (
        line("task allocation failure"),
        line("task allocation failure", "x", level="info"),
        line("task allocation failure in spirit", "x"),
        line("Failed allocation for service shop_app", "x"),
        line("task allocation failure", "x", tail=" module=node node.id=somewhere"),
        line("could not start", "task allocation failure"),
    ):
        assert not isinstance(LogMatcher().recognise(entry(text)), LogEvent), text


RELEASES = [
    line("error deallocating vip", "networkallocator: could not find local network state",
         tail=f" vip.addr=10.0.1.9/24 vip.network={N}"),
    line("IPAM failure while releasing VIP address 10.0.1.9/24", "cannot find address pool", tail=f" network.id={N}"),
    line(f"Failed freeing network resources for task {T}", "x", tail=f" network.id={N}"),
    line(f"error deallocating attachment for network {N} on node {NODE}", "x"),
    line(f"failed to release IP addresses while rolling back allocation for task {T} network {N}", "x"),
]  # fmt: skip


@pytest.mark.parametrize("text", RELEASES)
def test_the_network_is_named_on_which_an_address_was_not_given_back(text: str) -> None:
    (found,) = summary_of(text).findings
    assert found.signature.id == "release-failed"
    assert "network proxy" in describe(found)


def test_a_network_that_never_had_addresses_has_none_to_give_back() -> None:
    text = line(
        f"Failed during network free for network {N}", f"could not get networker state for network {N}"
    )
    assert isinstance(LogMatcher().recognise(entry(text)), UnexplainedError)


AGENTS = [
    ('subnet sandbox join failed for "10.0.2.0/24": error creating vxlan interface: file exists', "stale-vxlan"),
    ("network sandbox join failed: error creating vxlan interface: file exists", "stale-vxlan"),
    ('subnet sandbox join failed for "10.0.2.0/24": could not set link up: no such device', "stale-sandbox"),
    (('network sandbox join failed: could not get network sandbox (oper true): failed get network namespace "": '
     "no such file or directory"), "stale-sandbox"),
    ("could not add neighbor entry into the sandbox: file exists", "stale-sandbox"),
    ("Pool overlaps with other one on this address space", "node-pool-overlap"),
    ("invalid pool request: Pool overlaps with other one on this address space", "node-pool-overlap"),
    ("failed to allocate gateway (10.0.24.1): Address already in use", "gateway-taken"),
    ("Address already in use", "address-taken"),
    (f"network {N} not found", "network-not-found"),
    ("No such network: tapestry_network", "network-not-found"),
    ("could not find the corresponding predefined swarm network: network host not found", "network-not-found"),
    (("attaching to network failed, make sure your network options are correct and check manager logs: "
     "context deadline exceeded"), "attach-timeout"),
    (("driver failed programming external connectivity on endpoint gw_1 (f3): Bind for 0.0.0.0:80 failed: "
     "port is already allocated"), "port-taken"),
    (("driver failed programming external connectivity on endpoint gw_1 (f3): Error starting userland proxy: "
     "listen tcp4 0.0.0.0:53: bind: address already in use"), "port-taken"),
    (("driver failed programming external connectivity on endpoint gw_1 (f3): failed to bind host port for "
     "0.0.0.0:443:172.18.0.3:443/tcp: address already in use"), "port-taken"),
    (("driver failed programming external connectivity on endpoint gw_1 (f3): failed to bind host port "
     "0.0.0.0:8080/tcp: address already in use"), "port-taken"),
    (("driver failed programming external connectivity on endpoint gw_1 (f3):  (iptables failed: iptables --wait "
     "-t nat -A DOCKER: iptables: No chain/target/match by that name.\n (exit status 1))"), "firewall"),
    ("endpoint with name shop_app.1.x already exists in network proxy", "endpoint-left-over"),
    ("no available IPv4 addresses on this network's address pools: docker_gwbridge (0a1b)", "node-pool-full"),
    ("failed to set up container networking: something new", "container-network"),
]  # fmt: skip

STARTING = (
    'starting container failed: subnet sandbox join failed for "10.77.0.0/28": overlay: cannot determine address family of '
    "transport: the local data-plane address is not currently known"
)


@pytest.mark.parametrize("prefix", ["", "starting container failed: ", SETUP])
@pytest.mark.parametrize(("error", "cause"), AGENTS)
def test_what_an_agent_says_of_its_network_is_known_whatever_stands_in_front(
    prefix: str, error: str, cause: str
) -> None:
    summary = summary_of(line("fatal task error", prefix + error, AGENT))
    (found,) = summary.findings
    assert found.signature.id == cause
    assert summary.worst in (LogSeverity.WARNING, LogSeverity.CRITICAL)
    told = describe(found)
    assert "service shop_app" in told
    assert "node worker-2" in told


def test_a_node_that_is_about_to_start_is_noted_and_asks_for_nothing() -> None:
    summary = summary_of(line("fatal task error", STARTING, AGENT))
    (found,) = summary.findings
    assert (found.signature.id, summary.worst) == ("node-starting", LogSeverity.NOTE)
    assert not list(find_log_failures(summary, is_required=True))


def test_a_second_ingress_network_is_logged_as_a_message_alone() -> None:
    text = line(
        f"Cannot allocate ingress network ingress2 ({N}) because another ingress network is already present: a (b)"
    )
    assert recognised(text).signature.id == "allocation-second-ingress"
    assert isinstance(
        LogMatcher().recognise(entry(line("Cannot allocate ingress network of my own"))), UnexplainedError
    )


def test_a_container_started_by_hand_meets_the_same_errors() -> None:
    text = line(
        "Handler for POST /v1.41/containers/web/start returned error: driver failed programming external connectivity "
        "on endpoint web (ab): Bind for 0.0.0.0:80 failed: port is already allocated",
        tail="",
    )
    assert recognised(text).signature.id == "port-taken"


@pytest.mark.parametrize(
    "error",
    [
        "task: non-zero exit (3)", "No such image: lab/absent:1", 'starting container failed: exec: "x": not found',
        "No such image: x: Address already in use", 'exec: "port is already allocated": not found',
        'starting container failed: exec: "x: Address already in use": executable file not found in $PATH: unknown',
        'invalid mount config for type "bind": bind source path does not exist: /a: Address already in use',
        "assigned node no longer meets constraints",
    ],
)  # fmt: skip
def test_what_is_the_applications_stays_among_the_other_errors_with_its_service_and_node(error: str) -> None:
    summary = summary_of(line("fatal task error", error, AGENT))
    assert not summary.findings
    (other,) = summary.error_patterns
    assert objects_at_fault(other.objects) == ("service shop_app", "node worker-2")


@pytest.mark.parametrize("key", ["network.id", "vip.network", "nid", "network_id"])
def test_the_fields_beside_any_error_name_what_is_at_fault(key: str) -> None:
    (other,) = summary_of(
        line("something new", "x", tail=f" {key}={N} module=node node.id={NODE}")
    ).error_patterns
    # A manager names itself in every line.
    assert objects_at_fault(other.objects) == ("network proxy",)
    (other,) = summary_of(line("something new", "x", tail=f' {key}="$(reboot)"')).error_patterns
    assert not other.objects


def test_errors_that_begin_alike_and_end_in_different_causes_are_told_apart() -> None:
    command = "starting container failed: " + "x" * 300
    summary = summary_of(*(line("fatal task error", f"{command}: {each}", AGENT) for each in ("one", "two")))
    assert len(summary.error_patterns) == 2


def test_no_failure_that_is_told_by_its_cause_lets_guard_restart_dockerd() -> None:
    told = {each.id for each in FAILURES}
    strict = {each.id for each in SIGNATURES}
    assert not told & (REFUSALS | EXHAUSTION_SIGNATURES)
    assert strict >= REFUSALS | EXHAUSTION_SIGNATURES
    assert not any(each.is_leak_evidence or each.lost_addresses or each.is_rebuild for each in FAILURES)
    ids = [each.id for each in ALL_SIGNATURES]
    assert len(ids) == len(set(ids))
