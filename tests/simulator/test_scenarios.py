import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.errors import SimulatorError
from console.simulator.engine import SimulatedEngine
from console.simulator.scenarios import SCENARIOS, build
from tests.simulator.swarms import check_pools, get

NOW = datetime(2026, 6, 12, 4, 40, tzinfo=UTC)


def held(engine: SimulatedEngine) -> dict[str, int]:
    kinds = ("vip", "task", "balancer", "leaked")
    return {kind: len(engine.addresses_of("proxy", kind)) for kind in kinds}


def counted(engine: SimulatedEngine) -> Any:
    return get(engine, "/networks/proxy").body["Status"]["IPAM"]["Subnets"]["10.0.1.0/24"]


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_is_consistent_and_ends_on_its_date(name: str) -> None:
    engine = build(name, date=NOW)
    assert abs(engine.now - NOW) < timedelta(seconds=1)
    check_pools(engine)


def test_in_the_evening_proxy_is_short_of_addresses_by_leaks() -> None:
    engine = build("evening", date=NOW)

    assert held(engine) == {"vip": 118, "task": 118, "balancer": 1, "leaked": 12}
    assert counted(engine) == {"IPsInUse": 252, "DynamicIPsAvailable": 4}
    waiting = {
        task.service_name: engine.now - task.created
        for task in engine.store.tasks.values()
        if task.state == "new"
    }
    assert {name: round(age.total_seconds() / 60) for name, age in waiting.items()} == {
        "ghost_app": 14,
        "discourse_app": 3,
    }
    ages = [engine.now - service.created for service in engine.store.services.values()]
    assert max(ages) > timedelta(days=10)
    assert len({age.days for age in ages}) > 5


def test_in_the_evening_the_waiting_deploys_start_when_time_goes_on() -> None:
    engine = build("evening", date=NOW)
    assert not any(task.state == "pending" for task in engine.store.tasks.values())
    engine.advance(10.0)
    assert not any(task.state == "new" for task in engine.store.tasks.values())
    assert counted(engine)["DynamicIPsAvailable"] == 0


def test_in_the_evening_proxy_was_full_when_they_came() -> None:
    engine = build("evening", date=NOW)
    gone = [task for task in engine.store.tasks.values() if not task.is_alive]
    assert [task.service_name for task in gone] == ["jitsi-pr88_app"] * 4
    assert held(engine)["leaked"] + sum(held(engine)[kind] for kind in ("vip", "task", "balancer")) + 4 == 253


def test_older_is_the_same_evening_uncounted() -> None:
    engine = build("older", date=NOW)
    assert held(engine)["leaked"] == 12
    assert get(engine, "/version").body["Version"] == "28.5.2"
    assert "Status" not in get(engine, "/networks/proxy").body


def test_quiet_is_nine_services_of_which_six_are_on_proxy() -> None:
    engine = build("quiet", date=NOW)
    assert len(engine.store.services) == 9
    assert held(engine) == {"vip": 6, "task": 6, "balancer": 1, "leaked": 0}
    assert Counter(task.state for task in engine.store.tasks.values()) == {"running": 9}


def test_in_the_cluster_another_node_leads() -> None:
    engine = build("cluster", date=NOW)
    assert get(engine, "/info").body["Swarm"]["Managers"] == 3
    assert not engine.node.is_leader
    assert held(engine)["balancer"] == 3


def test_large_is_as_large_as_it_says_and_quick_to_build() -> None:
    began = time.perf_counter()
    engine = build("large", date=NOW)
    # Built in half a second; the bound leaves room for a loaded machine.
    assert time.perf_counter() - began < 20
    assert held(engine)["vip"] == 1000
    assert Counter(task.state for task in engine.store.tasks.values()) == {"running": 2000}


def test_the_same_scenario_is_the_same_in_every_byte() -> None:
    assert build("evening", date=NOW).truth() == build("evening", date=NOW).truth()
    assert get(build("evening", date=NOW), "/tasks") == get(build("evening", date=NOW), "/tasks")


def test_unknown_names_and_versions_are_errors() -> None:
    with pytest.raises(SimulatorError, match="Unknown scenario 'morning'"):
        build("morning")
    with pytest.raises(SimulatorError, match=r"An engine with API 1\.2"):
        build("empty", api_version="1.2")
