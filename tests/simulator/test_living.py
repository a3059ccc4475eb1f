"""The living scenario: something happens all the time, and nothing grows."""

from datetime import UTC, datetime

from console.journal.matching import match_line
from console.journal.parsing import parse_line
from console.simulator.engine import SimulatedEngine
from console.simulator.scenarios import ROUND_S, build
from tests.simulator.swarms import check_pools

NOW = datetime(2026, 6, 12, 4, 40, tzinfo=UTC)


def free(engine: SimulatedEngine) -> int:
    (pool,) = engine.allocator.pools.pools[engine.store.find_network("proxy").id]
    return pool.free


def waiting(engine: SimulatedEngine) -> set[str]:
    return {each.service_name for each in engine.store.tasks.values() if each.state == "new"}


def test_within_two_minutes_proxy_is_full_and_deploys_are_stuck() -> None:
    engine = build("living", date=NOW)
    at_first = free(engine), len(engine.addresses_of("proxy", "leaked"))
    assert at_first == (74, 12)
    engine.advance(6)
    assert free(engine) < 74
    engine.advance(9)
    assert len(engine.addresses_of("proxy", "leaked")) > 12
    engine.advance(85)
    assert free(engine) == 0
    assert {"ghost_app", "discourse_app"} <= waiting(engine)
    # … for longer than it takes until that is a finding.
    engine.advance(80)
    assert {"ghost_app", "discourse_app"} <= waiting(engine)
    check_pools(engine)


def test_hardly_ten_seconds_go_by_without_anything_to_be_seen_until_it_is_full() -> None:
    engine = build("living", date=NOW)
    for _ in range(9):
        before = engine.store.index
        engine.advance(10)
        assert engine.store.index > before


def test_then_somebody_tidies_up_and_a_restart_gives_back_what_leaked() -> None:
    engine = build("living", date=NOW)
    engine.advance(ROUND_S - 30)
    assert waiting(engine) == set()
    assert free(engine) > 40
    assert engine.addresses_of("proxy", "leaked")
    engine.advance(20)
    assert engine.addresses_of("proxy", "leaked") == []
    check_pools(engine)


def test_dockerd_logs_all_of_it_in_its_own_words() -> None:
    engine = build("living", date=NOW)
    before = len(engine.store.dockerd_log.lines)
    engine.advance(ROUND_S)
    lines = [each.text for each in engine.store.dockerd_log.lines][before:]
    found = [match_line(parse_line(each)) for each in lines]
    assert {each[0].id for each in found if each is not None} == {
        "vip-create",
        "task-pending",
        "task-address",
        "network-gone-under-tasks",
        "key-modified",
        "remove-failed",
        "daemon-stopped",
        "daemon-starting",
        "daemon-ready",
        "leader-changed",
    }
    assert all(parse_line(each).is_well_formed for each in lines)


def test_it_goes_on_for_hours_and_nothing_grows() -> None:
    engine = build("living", date=NOW)

    def sizes() -> dict[str, int]:
        store = engine.store
        return {
            "networks": len(store.networks),
            "services": len(store.services),
            "tasks": len(store.tasks),
            "containers": len(store.containers),
            "lines": len(store.dockerd_log.lines),
            "to come": len(store.timeline._due),
            "pools": len(engine.allocator.pools.pools),
        }

    engine.advance(12 * ROUND_S)
    early = sizes()
    engine.advance(24 * ROUND_S)
    assert sizes() == {**early, "lines": engine.store.dockerd_log.lines.maxlen}
    check_pools(engine)


def test_every_round_comes_to_a_full_network() -> None:
    engine = build("living", date=NOW)
    for _ in range(3):
        engine.advance(150)
        assert free(engine) == 0
        assert {"discourse_app", "mediawiki_app"} <= waiting(engine)
        engine.advance(ROUND_S - 150)
