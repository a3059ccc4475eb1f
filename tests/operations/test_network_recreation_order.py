"""In which order services are stopped and come back, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.operations.network_recreation.order import (
    PROXY_STOP_S,
    STOP_LEAD_S,
    ends_after_s,
    in_order,
    is_proxy,
    stop_schedule,
    task_count,
)
from console.operations.network_recreation.record import ServiceRecord


def record(
    name: str, grace_s: float = 10.0, *, replicas: int | None = 1, publishes: bool = False
) -> ServiceRecord:
    return ServiceRecord(
        id=name,
        name=name,
        mode="replicated",
        replicas=replicas,
        placement=None,
        entries=(),
        publishes=publishes,
        uses_vip=True,
        running=1,
        grace_s=grace_s,
        is_elsewhere=False,
    )


def names_and_times(*services: ServiceRecord, first: tuple[str, ...] = ()) -> list[tuple[str, float]]:
    return [(stop.service.name, stop.after_s) for stop in stop_schedule(services, first)]


def test_the_longest_grace_is_stopped_first_and_the_others_so_much_later() -> None:
    assert names_and_times(record("quick", 1.0), record("slow", 10.0), record("middle", 6.0)) == [
        ("slow", 0.0),
        ("middle", 4.0 - STOP_LEAD_S),
        ("quick", 9.0 - STOP_LEAD_S),
    ]


def test_of_the_same_grace_the_one_that_comes_back_first_is_stopped_first() -> None:
    services = [record("b"), record("many", replicas=3), record("a")]
    order = ["a", "b", "many"]
    assert [service.name for service in in_order(services, ())] == order
    assert names_and_times(*services) == [(name, 0.0) for name in order]


@pytest.mark.parametrize(
    ("proxy_grace_s", "after_s"), [(10.0, 10.0 - PROXY_STOP_S - STOP_LEAD_S), (1.0, 9.0 - STOP_LEAD_S)]
)
def test_the_reverse_proxy_is_stopped_last_and_comes_back_first(proxy_grace_s: float, after_s: float) -> None:
    services = [record("slow", 10.0), record("edge", proxy_grace_s, publishes=True), record("same", 10.0)]
    assert names_and_times(*services)[-1] == ("edge", after_s)
    assert in_order(services, ())[0].name == "edge"


def test_the_reverse_proxy_waits_until_the_shortest_of_the_others_is_stopped() -> None:
    services = [record("slow", 10.0), record("quick", 1.0), record("edge", 10.0, publishes=True)]
    assert names_and_times(*services)[1:] == [("quick", 9.0 - STOP_LEAD_S), ("edge", 9.0 - STOP_LEAD_S)]


def test_a_network_of_proxies_waits_for_nobody() -> None:
    services = [record("a", 10.0, publishes=True), record("b", 1.0, publishes=True)]
    assert names_and_times(*services) == [("a", 0.0), ("b", 0.0)]


def test_the_proxy_publishes_a_port_or_is_named() -> None:
    assert is_proxy(record("edge", publishes=True), ())
    assert is_proxy(record("traefik_app"), ("*_proxy", "traefik*"))
    assert not is_proxy(record("shop_app"), ("*_proxy", "traefik*"))
    assert [name for name, _ in names_and_times(record("z"), record("traefik_app"), first=("traefik*",))] == [
        "z",
        "traefik_app",
    ]


def test_those_without_tasks_wait_for_nobody_and_nobody_for_them() -> None:
    assert names_and_times(record("idle", 300.0, replicas=0), record("quick", 1.0)) == [
        ("quick", 0.0),
        ("idle", 0.0),
    ]


services_of_any_shape = st.lists(
    st.builds(
        record,
        st.text("abc", min_size=1, max_size=3),
        st.floats(0, 600),
        replicas=st.integers(0, 3),
        publishes=st.booleans(),
    ),
    unique_by=lambda service: service.id,
    max_size=8,
)


@given(services_of_any_shape)
def test_nobody_is_forgotten_and_no_late_stop_delays_the_end(services: list[ServiceRecord]) -> None:
    stops = stop_schedule(services, ())
    assert {stop.service.id for stop in stops} == {service.id for service in services}
    assert all(stop.after_s >= 0 for stop in stops)
    others = [stop for stop in stops if not stop.is_proxy]
    longest_s = max((stop.service.grace_s for stop in others if task_count(stop.service)), default=0.0)
    assert ends_after_s(others) <= longest_s + 1e-6
    # A proxy is stopped after the last of the others, and adds what it is expected to take at most.
    assert ends_after_s(stops) <= longest_s + PROXY_STOP_S
    proxies = [stop.after_s for stop in stops if stop.is_proxy]
    assert min(proxies, default=float("inf")) >= max((stop.after_s for stop in others), default=0.0)
