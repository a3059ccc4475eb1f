import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.simulator.engine import SimulatedEngine
from console.simulator.filters import Refusal
from console.simulator.stacks import DeployedStack, Part, deploy, remove_at_once, remove_safely
from tests.simulator.swarms import a_network, a_service, a_swarm, check_pools, states

APP = (Part("app", ("proxy",), grace_s=2.0),)


def test_a_network_removed_under_a_dying_task_leaks_its_other_addresses() -> None:
    engine = a_swarm()
    a_network(engine)
    stack = deploy(engine, "shop", APP)
    engine.advance(5.0)
    (held,) = engine.addresses_of("proxy", "task")

    remove_at_once(engine, stack)
    assert engine.addresses_of("proxy", "leaked") == []
    engine.advance(30.0)

    assert engine.addresses_of("proxy", "leaked") == [held]
    assert engine.addresses_of("proxy", "vip") == engine.addresses_of("proxy", "balancer") == []


def test_the_safe_order_leaks_nothing() -> None:
    engine = a_swarm()
    a_network(engine)
    stack = deploy(engine, "shop", APP)
    engine.advance(5.0)

    remove_safely(engine, stack)

    assert set(engine.truth()["networks"]) == {"ingress", "proxy"}
    assert engine.truth()["networks"]["proxy"]["subnets"]["10.0.1.0/28"]["in_use"] == 3


def test_a_stack_on_the_shared_network_alone_leaks_nothing() -> None:
    engine = a_swarm()
    a_network(engine)
    stack = deploy(engine, "shop", (Part("app", ("proxy",), is_internal=False),))
    engine.advance(5.0)

    remove_at_once(engine, stack)
    engine.advance(30.0)

    assert engine.addresses_of("proxy", "leaked") == []


def test_unscheduled_tasks_leak_too() -> None:
    engine = a_swarm()
    proxy, own = a_network(engine), a_network(engine, "own", "10.9.0.0/28")
    service = a_service(engine, proxy, own, replicas=3, constraint="node.labels.none==x")
    engine.advance(1.0)
    assert states(engine, service) == ["pending"] * 3

    engine.services.remove(service)
    engine.networks.remove(own)
    engine.advance(1.0)

    assert len(engine.addresses_of("proxy", "leaked")) == 3


@pytest.mark.parametrize("cure", ["restart", "lead"])
def test_a_new_allocator_knows_of_no_leak(cure: str) -> None:
    engine = a_swarm(others=[("other", "manager")])
    a_network(engine)
    remaining = deploy(engine, "stays", APP)
    stack = deploy(engine, "shop", APP)
    engine.advance(5.0)
    vips = engine.store.services[remaining.service_ids[0]].vips
    remove_at_once(engine, stack)
    engine.advance(30.0)
    assert len(engine.addresses_of("proxy", "leaked")) == 1

    if cure == "restart":
        engine.restart()
    else:
        engine.lead("other")
    engine.advance(30.0)

    assert engine.addresses_of("proxy", "leaked") == []
    assert engine.store.services[remaining.service_ids[0]].vips == vips
    assert states(engine, remaining.service_ids[0])[-1] == "running"
    check_pools(engine)


def test_a_network_in_use_cannot_be_removed() -> None:
    engine = a_swarm()
    proxy = a_network(engine)
    service = a_service(engine, proxy)
    with pytest.raises(
        Refusal, match=f"FailedPrecondition desc = network {proxy} is in use by service {service}"
    ):
        engine.networks.remove("proxy")

    container = engine.containers.create(
        "alone", {"Image": "busybox", "HostConfig": {"NetworkMode": "proxy"}}
    )
    engine.containers.start(container)
    engine.services.remove(service)
    engine.advance(10.0)
    with pytest.raises(Refusal, match=f"network {proxy} is in use by task ") as refused:
        engine.networks.remove("proxy")
    assert refused.value.status == 400

    engine.containers.remove(container, force=True)
    engine.networks.remove("proxy")
    assert "proxy" not in engine.truth()["networks"]


def change(engine: SimulatedEngine, service_id: str, what: str, replicas: int) -> None:
    service = engine.store.services[service_id]
    spec = {**service.spec, "Mode": {"Replicated": {"Replicas": replicas}}}
    if what == "detach":
        networks = service.spec["TaskTemplate"].get("Networks") or []
        spec["TaskTemplate"] = {**service.spec["TaskTemplate"], "Networks": networks[1:]}
    engine.services.update(service_id, service.index, spec)


DOINGS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["deploy", "rm", "safely", "restart", "advance", "scale", "detach", "lead"]),
            st.integers(0, 9),
        ),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(DOINGS, st.sampled_from(["1.41", "1.52"]))
def test_whatever_happens_the_books_balance(doings: list[tuple[str, int]], api_version: str) -> None:
    engine = a_swarm(api_version, others=[("other", "manager")])
    a_network(engine, subnet="10.0.1.0/27")
    standing: list[DeployedStack] = []
    for number, (what, amount) in enumerate(doings):
        if what == "deploy":
            part = Part("app", ("proxy",), replicas=amount % 4, grace_s=1.0)
            standing.append(deploy(engine, f"stack{number}", (part,)))
        elif what == "restart":
            engine.restart()
        elif what == "lead":
            engine.lead("other" if amount % 2 else "ci-host")
        elif what == "advance":
            engine.advance(amount * 0.7)
        elif what in ("scale", "detach") and standing:
            change(engine, standing[amount % len(standing)].service_ids[0], what, amount % 4)
        elif standing:
            stack = standing.pop(amount % len(standing))
            (remove_at_once if what == "rm" else remove_safely)(engine, stack)
        check_pools(engine)
    engine.advance(60.0)
    check_pools(engine)
    engine.lead("ci-host")
    assert engine.addresses_of("proxy", "leaked") == []
