"""What a snapshot leads to: by code, severity and what the operator reads."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from console.causes.addresses import MISSING_ATTACHMENT
from console.diagnosis.assess import assess
from console.diagnosis.findings.networks import percent
from console.diagnosis.values import Assessment, Finding, Severity, Snapshot
from console.errors import Unknown
from console.host.activity import Route
from console.settings import Thresholds
from console.swarm.model import Node, SwarmState
from tests.support.swarms import HERE, ago, network, service, snapshot, swarm, task

PROXY, OTHER = "id-proxy", "id-other"
THRESHOLDS = Thresholds()
LEADER = Node("node-leader", "first", "ready", "active", is_manager=True, is_leader=True)
FOLLOWER = Node(HERE.id, "ci-host", "ready", "active", is_manager=True, is_leader=False)


def assessed(state: SwarmState, **more: object) -> Assessment:
    return assess(snapshot(state, **more), THRESHOLDS)  # type: ignore[arg-type] # passed on as they are


def codes(assessment: Assessment, *severities: Severity) -> list[str]:
    return [each.code for each in assessment.findings if not severities or each.severity in severities]


def find(assessment: Assessment, code: str) -> Finding:
    (found,) = [each for each in assessment.findings if each.code == code]
    return found


ONLY_PROXY = network("proxy", "10.0.1.0/28")


def filled(held: int) -> SwarmState:
    """A proxy with so many held addresses."""
    tasks = [task("a", (PROXY, f"10.0.1.{n + 2}"), slot=n, node="") for n in range(held)]
    return swarm([ONLY_PROXY], [service("a", networks=(PROXY,), mode="dnsrr")], tasks)


@pytest.mark.parametrize(
    ("held", "severity", "code"),
    [
        (9, Severity.OK, None),
        (10, Severity.WARNING, "network-filling"),
        (11, Severity.WARNING, "network-filling"),
        (12, Severity.CRITICAL, "network-filling"),
    ],
)
def test_use_is_judged_by_its_share(held: int, severity: Severity, code: str | None) -> None:
    found = assessed(filled(held))
    assert found.severity is severity
    assert [each for each in codes(found) if each.startswith("network")] == ([code] if code else [])


def test_a_full_network_says_so() -> None:
    tasks = [task("a", (PROXY, f"10.0.1.{n}"), slot=n) for n in range(3, 15)]
    full = swarm([network("proxy", "10.0.1.0/28", load_balancer="10.0.1.2", peers=1)], [], tasks)
    found = assessed(full)
    assert (found.severity, found.headline) == (Severity.CRITICAL, "proxy is full")
    assert find(found, "network-full").sentence == "proxy is full: all 13 addresses are taken."


def test_a_full_network_names_the_stacks_with_most_of_its_addresses() -> None:
    sizes = {"mail": 1, "shop": 5, "wiki": 3, "blog": 4}
    names = [f"{stack}_{number}" for stack, count in sizes.items() for number in range(count)]
    services = [service(name, (PROXY, f"10.0.1.{host}")) for host, name in enumerate(names, 2)]
    found = assessed(swarm([network("proxy", "10.0.1.0/28")], services))
    assert find(found, "network-full").hint.endswith(
        "Most addresses: shop (5), blog (4), wiki (3). `vipconsole glance proxy --holders` lists all."
    )


def test_deploys_that_wait_on_a_scarce_network_name_them_too_and_a_roomy_one_does_not() -> None:
    waits = service("ghost_app", networks=(PROXY,), updated=ago(840))
    holders = [service(f"shop_{host}", (PROXY, f"10.0.1.{host}")) for host in range(2, 14)]
    names = "Most addresses: shop (12). `vipconsole glance proxy --holders` lists all."
    unsure = assessed(swarm([network("proxy", "10.0.1.0/28")], [*holders, waits]))
    assert find(unsure, "deploy-waits").hint.endswith(names)
    counted = swarm(
        [network("proxy", "10.0.1.0/28", use={"10.0.1.0/28": (15, 1)})], [*holders, waits], api=(1, 52)
    )
    assert find(assessed(counted), "deploy-waits").hint.endswith(names)
    roomy = swarm(
        [network("proxy", "10.0.1.0/24", use={"10.0.1.0/24": (15, 241)})], [*holders, waits], api=(1, 52)
    )
    assert "Most addresses" not in find(assessed(roomy), "deploy-waits").hint


def test_an_upper_bound_is_called_one() -> None:
    assert find(assessed(filled(12)), "network-filling").sentence.startswith(
        "proxy is 92 % full: at most 1 of 13"
    )


def counting(in_use: int) -> SwarmState:
    use = {"10.0.1.0/28": (in_use, 16 - in_use)}
    return swarm([network("proxy", "10.0.1.0/28", use=use)], api=(1, 52))


def test_leaks_from_the_threshold_on_are_a_warning_and_below_it_a_note() -> None:
    found = assessed(counting(4), earlier=counting(4))
    assert find(found, "leaked").severity is Severity.WARNING
    wide = swarm([network("proxy", "10.0.1.0/24", use={"10.0.1.0/24": (5, 251)})], api=(1, 52))
    found = assessed(wide, earlier=wide)
    assert find(found, "leaked").severity is Severity.OK
    assert found.severity is Severity.OK


def test_leaks_that_cannot_be_counted_are_said_and_change_nothing() -> None:
    found = assessed(filled(1))
    assert find(found, "leaks-uncounted").severity is Severity.OK
    assert found.severity is Severity.OK
    assert "leaked" not in codes(found)


def test_more_holders_than_taken_addresses_are_a_warning() -> None:
    use = {"10.0.1.0/28": (3, 13)}
    odd = swarm([network("proxy", "10.0.1.0/28", use=use)], [service("a", (PROXY, "10.0.1.2"))], api=(1, 52))
    assert find(assessed(odd, earlier=odd), "overcounted").severity is Severity.WARNING


def stuck(seconds: float, free: int = 0) -> SwarmState:
    held = [task("a", (PROXY, f"10.0.1.{n + 2}"), slot=n, node="") for n in range(13 - free)]
    waiting = task("ghost_app", state="new", since=ago(seconds), node="")
    services = [
        service("a", networks=(PROXY,), mode="dnsrr"),
        service("ghost_app", networks=(PROXY,), updated=ago(seconds)),
    ]
    return swarm([network("proxy", "10.0.1.0/28")], services, [*held, waiting])


def test_a_deploy_that_waits_for_longer_than_a_minute_is_named() -> None:
    found = assessed(stuck(840))
    waits = find(found, "deploy-waits")
    assert waits.severity is Severity.CRITICAL
    assert waits.sentence == "1 deploy waits for an address on proxy: ghost_app for 14 min."
    assert found.headline == "1 deploy waits for an address; proxy is full"
    assert "deploy-waits" not in codes(assessed(stuck(59)))


def test_a_service_without_replicas_waits_for_its_vip_too() -> None:
    state = swarm([network("proxy", "10.0.1.0/28")], [service("a", networks=(PROXY,), updated=ago(120))])
    assert find(assessed(state), "deploy-waits").names == ("a",)
    state = swarm(
        [network("proxy", "10.0.1.0/28")], [service("a", networks=(PROXY,), updated=ago(120), mode="dnsrr")]
    )
    assert "deploy-waits" not in codes(assessed(state))


def test_a_published_port_needs_an_address_on_ingress() -> None:
    ingress = network("ingress", "10.0.0.0/24", ingress=True)
    state = swarm([ingress], [service("web", updated=ago(120), publishes_ingress=True)])
    assert find(assessed(state), "deploy-waits").subject == "ingress"


def test_many_waiting_deploys_are_one_finding_with_all_names() -> None:
    services = [service(f"s{n:02}", networks=(PROXY,), updated=ago(100 + n)) for n in range(9)]
    waits = find(assessed(swarm([network("proxy", "10.0.1.0/28")], services)), "deploy-waits")
    assert waits.sentence.startswith("9 deploys wait for an address on proxy: s08 for 2 min")
    assert waits.sentence.endswith("and 5 more.")
    assert len(waits.names) == 9


def exact(free: int) -> SwarmState:
    state = stuck(300, free)
    use = {"10.0.1.0/28": (16 - free, free)}
    return SwarmState(
        swarm(api=(1, 52)).engine,
        (network("proxy", "10.0.1.0/28", use=use),),
        state.services,
        state.tasks,
        (HERE,),
    )


def test_a_deploy_that_waits_beside_free_addresses_is_not_blamed_on_them() -> None:
    assert "Addresses are not exhausted" in find(assessed(exact(10)), "deploy-waits").hint
    assert "2 free addresses now" in find(assessed(exact(2)), "deploy-waits").hint


def test_a_task_of_an_unknown_service_is_named_by_its_id() -> None:
    state = swarm([], Unknown("no answer"), [task("ghost_app", state="new", since=ago(90))])
    found = assessed(state)
    assert find(found, "deploy-waits").names == ("service id-ghost_app",)
    assert found.severity is Severity.CRITICAL


def test_tasks_told_to_end_do_not_wait() -> None:
    state = swarm(
        [], [service("a", mode="dnsrr")], [task("a", state="new", desired="remove", since=ago(900))]
    )
    assert assessed(state).severity is Severity.OK


def test_a_task_rejected_for_want_of_a_node_address_is_critical_by_its_whole_error_only() -> None:
    def rejected(error: str, seconds: float) -> Assessment:
        ended = task("a", state="rejected", since=ago(seconds), error=error)
        return assessed(swarm([], [service("a", mode="dnsrr")], [ended]))

    assert find(rejected(MISSING_ATTACHMENT, 60), "node-without-address").names == ("a",)
    assert rejected(f"said: {MISSING_ATTACHMENT}", 60).severity is Severity.OK
    assert rejected(MISSING_ATTACHMENT, 7200).severity is Severity.OK


def test_an_address_held_twice_is_critical_only_while_it_stays_so() -> None:
    both = swarm(
        [network("proxy", "10.0.1.0/24")],
        [service("a", (PROXY, "10.0.1.2")), service("b", (PROXY, "10.0.1.2"))],
    )
    one = swarm([network("proxy", "10.0.1.0/24")], [service("a", (PROXY, "10.0.1.2"))])
    twice = find(assessed(both, earlier=both), "held-twice")
    assert twice.severity is Severity.CRITICAL
    assert twice.sentence == "10.0.1.2 on proxy is held by vip a, vip b."
    assert "held-twice" not in codes(assessed(both, earlier=one))
    assert "held-twice" in codes(assessed(both))


def test_overlapping_overlays_and_routes_are_warnings() -> None:
    state = swarm([network("a", "10.0.0.0/16"), network("b", "10.0.9.0/24"), network("c", "10.1.0.0/24")])
    routes = (Route(IPv4Network("10.1.0.0/16"), "tun0"), Route(IPv4Network("192.168.0.0/24"), "eth0"))
    found = assessed(state, routes=routes)
    assert find(found, "subnets-overlap").names == ("a", "b")
    assert find(found, "route-overlap").sentence == "The host's route 10.1.0.0/16 (tun0) overlaps c."
    assert found.severity is Severity.WARNING


def test_every_pair_that_overlaps_is_found() -> None:
    cidrs = ["10.0.0.0/8", "10.0.0.0/24", "10.0.1.0/24", "10.0.1.128/25", "11.0.0.0/24", "11.0.0.0/24"]
    state = swarm([network(f"n{n}", cidr) for n, cidr in enumerate(cidrs)])
    pairs = {each.names for each in assessed(state).findings if each.code == "subnets-overlap"}
    assert pairs == {("n0", "n1"), ("n0", "n2"), ("n0", "n3"), ("n2", "n3"), ("n4", "n5")}


def test_two_networks_of_one_name_are_a_warning() -> None:
    state = swarm(
        [
            network("proxy", "10.0.1.0/24"),
            network("proxy", "172.20.0.0/16", id="x", driver="bridge", scope="local"),
        ]
    )
    assert find(assessed(state), "same-name").severity is Severity.WARNING
    local = [network("x", id=each, driver="bridge", scope="local") for each in "ab"]
    assert assessed(swarm(local)).severity is Severity.OK


@pytest.mark.parametrize(
    ("age_s", "used", "severity"), [(61, True, "critical"), (61, False, "warning"), (59, True, "ok")]
)
def test_a_network_without_a_subnet(age_s: float, used: bool, severity: str) -> None:  # noqa: FBT001 - a row of the table
    state = swarm(
        [network("late", driver="", created=ago(age_s))],
        [service("a", networks=("id-late",), updated=ago(10))] if used else [],
    )
    assert assessed(state).severity == severity


def test_the_leader_is_named_when_it_is_another_node() -> None:
    found = assessed(swarm(nodes=(LEADER, FOLLOWER)))
    assert "logged on first" in find(found, "not-leader").sentence
    assert found.severity is Severity.OK
    assert find(assessed(swarm(nodes=(FOLLOWER,))), "no-leader").severity is Severity.CRITICAL


def test_a_swarm_that_cannot_be_read_is_unknown_and_told_once() -> None:
    nothing = Unknown("Nothing listens.", "Start it.")
    state = SwarmState(nothing, nothing, nothing, nothing, nothing)
    found = assess(snapshot(state, routes=nothing), THRESHOLDS, ("proxy",))
    assert codes(found) == ["swarm-unread"]
    assert (found.severity, found.severity.exit_code) == (Severity.UNKNOWN, 3)
    assert found.findings[0].sentence == "Nothing listens."


@pytest.mark.parametrize("part", ["networks", "services", "tasks"])
def test_a_part_that_cannot_be_read_is_unknown_and_the_rest_stands(part: str) -> None:
    parts = {"networks": (network("proxy", "10.0.1.0/24"),), "services": (), "tasks": ()} | {
        part: Unknown("cut off")
    }
    found = assessed(swarm(**parts))  # type: ignore[arg-type] # a table of parts
    assert find(found, "part-unread").subject == part
    assert found.severity is Severity.UNKNOWN


def test_a_network_that_cannot_be_inspected_is_unknown() -> None:
    found = assessed(swarm([network("proxy", "10.0.1.0/24", detail=Unknown("HTTP 500"))]))
    assert find(found, "network-unread").severity is Severity.UNKNOWN


def test_unread_nodes_and_routes_are_notes() -> None:
    found = assessed(swarm(nodes=Unknown("cut off")), routes=Unknown("no ip"))
    assert sorted(codes(found, Severity.OK)) == ["leaks-uncounted", "nodes-unread", "routes-unread"]
    assert found.severity is Severity.OK


def test_critical_is_worse_than_unknown_and_unknown_than_a_warning() -> None:
    order = sorted(Severity, key=lambda each: each.rank)
    assert [each.value for each in order] == ["ok", "warning", "unknown", "critical"]
    assert [each.exit_code for each in order] == [0, 1, 3, 2]


def test_only_the_networks_asked_for_are_judged() -> None:
    state = filled(12)
    quiet = SwarmState(
        state.engine,
        (ONLY_PROXY, network("other", "10.0.2.0/24")),
        state.services,
        state.tasks,
        state.nodes,
    )
    seen_leaking: Snapshot = snapshot(quiet)
    assert assess(seen_leaking, THRESHOLDS, ("other",)).severity is Severity.OK
    assert [each.network.name for each in assess(seen_leaking, THRESHOLDS, ("other",)).accounts] == ["other"]
    assert assess(seen_leaking, THRESHOLDS, ("proxy",)).severity is Severity.CRITICAL


def test_a_network_asked_for_that_is_not_there_is_critical() -> None:
    found = assess(snapshot(filled(1)), THRESHOLDS, ("prxy",))
    assert (found.severity, find(found, "network-absent").hint) == (Severity.CRITICAL, "Did you mean proxy?")


def test_the_headline_of_a_healthy_swarm_names_the_fullest_network() -> None:
    state = swarm(
        [network("proxy", "10.0.1.0/24"), network("b", "10.0.2.0/24", load_balancer="10.0.2.2", peers=1)]
    )
    assert assessed(state).headline == "2 overlays, fullest is b at 0.4 %"
    assert assessed(swarm()).headline == "no overlay has a subnet"


def test_networks_come_fullest_first() -> None:
    late = network("late", driver="")
    state = filled(5)
    both = swarm([network("a", "10.0.2.0/24"), ONLY_PROXY, late], state.services, state.tasks)
    assert [each.network.name for each in assessed(both).accounts] == ["late", "proxy", "a"]


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"),
        (1 / 65_533, "0.002 %"),
        (0.004, "0.4 %"),
        (12 / 253, "4.7 %"),
        (0.05, "5 %"),
        (0.984, "98 %"),
        (0.999, "99 %"),
        (1, "100 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, said: str) -> None:
    assert percent(share) == said


def test_a_network_without_addresses_is_none_to_wait_for() -> None:
    on_host = replace(service("a", networks=("id-host",), updated=ago(900)), addressless_ids=("id-host",))
    assert assessed(swarm([], [on_host])).severity is Severity.OK


def test_a_job_that_runs_is_not_stopping() -> None:
    assert not task("job", desired="complete").is_stopping
    assert task("a", desired="shutdown").is_stopping
    assert task("a", desired="remove").is_stopping


def test_where_leaks_are_unknown_the_network_that_most_wait_on_is_blamed() -> None:
    # The shared network is full of leaks that this engine cannot tell; the small one only seems fuller.
    networks = [
        network("proxy", "10.0.1.0/24"),
        network("small", "10.0.2.0/29", load_balancer="10.0.2.2", peers=1),
    ]
    waiting = [service(f"s{n}", networks=(PROXY,), updated=ago(300)) for n in range(3)]
    both = service("both", networks=(PROXY, "id-small"), updated=ago(300))
    waits = find(assessed(swarm(networks, [*waiting, both])), "deploy-waits")
    assert (waits.subject, len(waits.names)) == ("proxy", 4)


def test_a_network_that_is_full_for_certain_is_blamed_before_any_other() -> None:
    full = [task("a", ("id-small", f"10.0.2.{n}"), slot=n, node="") for n in range(2, 7)]
    networks = [network("proxy", "10.0.1.0/24"), network("small", "10.0.2.0/29")]
    both = service("both", networks=(PROXY, "id-small"), updated=ago(300))
    one = service("one", networks=(PROXY,), updated=ago(300))
    found = assessed(swarm(networks, [both, one, service("a", networks=("id-small",), mode="dnsrr")], full))
    assert {each.subject for each in found.findings if each.code == "deploy-waits"} == {"small", "proxy"}


def test_a_finding_of_several_networks_is_one_of_each() -> None:
    state = swarm(
        [network("alpha", "10.0.0.0/16"), network("proxy", "10.0.1.0/24"), network("far", "10.9.0.0/24")]
    )
    seen = snapshot(state, routes=(Route(IPv4Network("10.0.0.0/15"), "tun0"),))
    for name, severity in (("alpha", Severity.WARNING), ("proxy", Severity.WARNING), ("far", Severity.OK)):
        assert assess(seen, THRESHOLDS, (name,)).severity is severity
