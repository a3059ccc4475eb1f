from dataclasses import replace

from console.addresses.accounting import account
from console.diagnosis.attachments import Attachments, RecreationImpact, find_attachments
from console.errors import Unknown
from console.swarm.model import Node, SwarmState
from tests.support.swarms import HERE, network, service, swarm, task

PROXY = "id-proxy"
OTHER = Node("node-other", "other", "ready", "active", is_manager=False, is_leader=False)


def on_proxy(state: SwarmState) -> Attachments:
    (found,) = [each for each in account(state) if each.network.id == PROXY]
    attached = find_attachments(found, state)
    assert isinstance(attached, Attachments)
    return attached


def test_everything_on_the_network_is_named_with_its_addresses_and_what_happens_to_it() -> None:
    state = swarm(
        [network("proxy", "10.0.1.0/24"), network("ghost_internal", "10.0.9.0/24")],
        [
            service("ghost_app", (PROXY, "10.0.1.2")),
            service("ghost_db", ("id-ghost_internal", "10.0.9.2")),
            replace(service("idle", (PROXY, "10.0.1.4")), replicas=0),
        ],
        [
            task("ghost_app", (PROXY, "10.0.1.3"), ("id-ghost_internal", "10.0.9.3")),
            task("", (PROXY, "10.0.1.5"), container="c" * 64),
        ],
    )
    told = {
        each.name: (each.kind, each.impact, [str(one) for one in each.addresses])
        for each in on_proxy(state).all
    }
    assert told == {
        "ghost_app": ("service", RecreationImpact.RESTARTS, ["10.0.1.2", "10.0.1.3"]),
        "cccccccccccc on ci-host": ("container", RecreationImpact.RECONNECTS, ["10.0.1.5"]),
        "idle": ("service", RecreationImpact.STAYS_DOWN, ["10.0.1.4"]),
    }


def test_what_would_be_refused_comes_first_with_its_reason() -> None:
    state = swarm(
        [network("proxy", "10.0.1.0/24")],
        [
            service("a_app", (PROXY, "10.0.1.2")),
            replace(service("b_job", (PROXY, "10.0.1.3")), mode="replicated-job", replicas=None),
            replace(service("c_app", (PROXY, "10.0.1.4")), update_state="updating"),
            replace(service("d_app", (PROXY, "10.0.1.5")), update_state="paused"),
        ],
        [
            task("a_app", (PROXY, "10.0.1.6")),
            task("", (PROXY, "10.0.1.7"), container="c" * 64, node="node-other"),
            task("gone", (PROXY, "10.0.1.8")),
        ],
        [HERE, OTHER],
    )
    found = on_proxy(state)
    refused = {each.name: each.because for each in found.with_impact(RecreationImpact.REFUSED)}
    assert list(refused) == ["b_job", "c_app", "cccccccccccc on other", "d_app"]
    assert "only the engine there" in refused["cccccccccccc on other"]
    assert [each.kind for each in found.with_impact(RecreationImpact.WAITS)] == ["task"]
    assert found.all[-1].name == "a_app"


def test_a_service_that_joined_without_getting_an_address_is_on_the_network_too() -> None:
    state = swarm([network("proxy", "10.0.1.0/24")], [service("waits", networks=[PROXY])])
    assert [each.name for each in on_proxy(state).all] == ["waits"]


def test_ingress_has_those_that_publish_through_it_and_is_never_recreated() -> None:
    ingress = network("ingress", "10.0.0.0/24", id=PROXY, ingress=True)
    state = swarm([ingress], [replace(service("web"), publishes_ingress=True), service("inner")])
    found = on_proxy(state)
    assert [each.name for each in found.all] == ["web"]
    assert found.refusal


def test_where_services_or_tasks_are_unread_it_is_unknown() -> None:
    state = swarm([network("proxy", "10.0.1.0/24")], Unknown("no answer"))
    assert find_attachments(account(state)[0], state) == Unknown("no answer")
