"""Where dockerd tells why it gives no address, that is quoted; a network with room is never called full."""

from dataclasses import replace

import pytest

from console.addresses.accounting import account
from console.causes.addresses import MISSING_ATTACHMENT
from console.diagnosis.findings.networks import find_unallocated_networks
from console.diagnosis.findings.waiting import find_waiting_deploys
from console.diagnosis.values import Finding
from console.diagnosis.why.evidence import ServiceStatus, last_lines
from console.journal.matching import LogEvent, LogMatcher
from console.journal.signatures import Confidence
from console.settings import Thresholds
from tests.journal.lines import entry, line
from tests.support.swarms import NOW, ago, network, snapshot, swarm
from tests.support.why import (
    LATELY,
    OBJECT,
    ROOMY,
    SMALL,
    WAITING,
    app,
    crowd,
    event,
    one,
    why,
)

TAKEN = "could not allocate VIP from IPAM: Address already in use"
INIT = f"failed allocating service {OBJECT} during init"
COUNTED = network("proxy", "10.0.1.0/24", use={"10.0.1.0/24": (8, 248)})
REJECTED = one(state="rejected", error=MISSING_ATTACHMENT, desired_state="ready", since=ago(60))


def test_dockerds_own_reason_is_quoted_and_nothing_is_called_full() -> None:
    told = why([app(has_vip=False, id=OBJECT)], [], lines={OBJECT: event(INIT, TAKEN)})
    assert (told.cause, told.standing, told.is_address_problem) == (
        "allocation-refused",
        ServiceStatus.BLOCKED,
        True,
    )
    assert "Address already in use" in told.verdict
    assert "full" not in told.verdict
    assert "0 of its 253 addresses have a known holder" in told.meaning
    assert TAKEN in told.evidence[-1].value
    assert "remove a stack" not in told.advice.lower()


@pytest.mark.parametrize(
    ("message", "error", "words"),
    [
        (INIT, "the flux capacitor is empty", "the flux capacitor is empty"),
        (f"Failed allocation for service {OBJECT}", "could not resolve IPAM driver lab/ipam", "lab/ipam"),
        (f"Failed allocation for service {OBJECT}", (f"could not allocate VIP from IPAM: cannot find address pool for {'x' * 300}: "
         "the cause"), "the cause"),
    ],
)  # fmt: skip
def test_a_reason_that_nobody_knows_is_quoted_by_its_end(message: str, error: str, words: str) -> None:
    told = why([app(has_vip=False, id=OBJECT)], [], lines={OBJECT: event(message, error)})
    assert told.cause == "allocation-refused"
    assert told.verdict.endswith(words)


def test_the_reason_stands_though_the_task_that_waits_for_it_is_logged_later() -> None:
    reason = event(INIT, "the flux capacitor is empty")
    waits = event(
        "task allocation failure",
        f"service {OBJECT} to which task {'b' * 25} belongs has pending allocations",
    )
    assert last_lines([reason, waits])[OBJECT] is reason


def test_what_an_agent_said_does_not_hide_what_the_manager_said() -> None:
    reason = event(INIT, TAKEN)
    tail = f" module=node/agent/taskmanager node.id={'d' * 25} service.id={OBJECT} task.id={'b' * 25}"
    agent = LogMatcher().recognise(entry(line("fatal task error", "no such network: proxy", tail)))
    assert isinstance(agent, LogEvent)
    assert agent.ids["service"] == OBJECT
    assert last_lines([reason, agent])[OBJECT] is reason


def test_a_task_that_only_waits_is_no_reason() -> None:
    waits = event(
        "task allocation failure",
        f"service {OBJECT} to which task {'b' * 25} belongs has pending allocations",
    )
    told = why([app(has_vip=False, id=OBJECT)], [], [COUNTED], lines={OBJECT: waits}, api=(1, 52))
    assert told.cause == "pending-allocations"


def test_a_network_that_is_full_for_certain_stays_the_cause() -> None:
    own = app(has_vip=False, id=OBJECT)
    assert why([own, *crowd()], [], [SMALL], lines={OBJECT: event(INIT, TAKEN)}).cause == "no-vip"


def test_a_service_that_has_its_addresses_is_not_refused() -> None:
    own = replace(app(), id=OBJECT)
    running = replace(one(), service_id=OBJECT)
    assert why([own], [running], lines={OBJECT: event(INIT, TAKEN)}).cause == "well"


@pytest.mark.parametrize("prefix", ["", "preparing failed: "])
def test_where_the_engine_counts_room_a_rejected_task_does_not_blame_a_full_network(prefix: str) -> None:
    rejected = replace(REJECTED, error=prefix + MISSING_ATTACHMENT)
    told = why([app()], [rejected], [COUNTED], api=(1, 52))
    assert told.is_address_problem is None
    assert told.certainty is Confidence.POSSIBLE
    assert "248 addresses free on proxy" in told.meaning
    assert "not" in told.verdict or "none" in told.verdict
    assert "generic resources" in told.meaning
    assert "engine version" in told.meaning
    assert "is, or was, full" not in told.meaning
    assert "emove a stack" not in told.advice


@pytest.mark.parametrize(
    "networks", [[ROOMY], [network("proxy", "10.0.1.0/24", use={"10.0.1.0/24": (256, 0)})]]
)
def test_where_nothing_is_counted_or_all_is_used_the_network_may_be_full(networks: list) -> None:  # type: ignore[type-arg] # of networks
    told = why([app()], [REJECTED], networks, api=(1, 52))
    assert (told.cause, told.is_address_problem) == ("node-without-address", True)


def found_in(rejected_on: object) -> Finding:
    state = swarm([rejected_on], [app()], [REJECTED], api=(1, 52))  # type: ignore[list-item] # a network
    seen = snapshot(state)
    return next(
        each
        for each in find_waiting_deploys(seen, account(state), Thresholds())
        if each.code == "node-without-address"
    )


def test_glance_says_the_same_of_a_rejected_task() -> None:
    assert "248 addresses free on proxy" in found_in(COUNTED).hint
    assert "full" not in found_in(COUNTED).hint
    assert "full" in found_in(ROOMY).hint


@pytest.mark.parametrize("has_ipv6", [False, True])
def test_a_network_with_ipv6_that_has_no_subnet_lists_that_cause(*, has_ipv6: bool) -> None:
    bare = replace(network("proxy", driver=""), has_ipv6=has_ipv6)
    (glanced,) = find_unallocated_networks((bare,), (), NOW, Thresholds())
    told = why([app(has_vip=False)], [WAITING], [bare])
    assert ("IPv6" in glanced.hint, "IPv6" in told.meaning) == (has_ipv6, has_ipv6)
    assert "overlaps" in glanced.hint


def test_the_line_of_an_ipv6_network_is_the_cause_of_its_services() -> None:
    own = replace(network("proxy", driver="", id="n" * 25), has_ipv6=True)
    said = event(
        f"Failed allocation for network {'n' * 25}",
        f"failed allocating pools and gateway IP for network {'n' * 25}: cannot find address pool for "
        "poolID:fd00:1::/64/invalid Prefix",
        at=LATELY,
    )
    waiting = replace(app(has_vip=False), network_ids=("n" * 25,))
    told = why([waiting], [WAITING], [own], lines={"n" * 25: said})
    assert told.cause == "network-without-subnet"
    assert "Docker 28 and later" in told.meaning
