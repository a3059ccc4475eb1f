"""Which networks are inspected when, and which have been the same for long enough to count leaks in them."""

from dataclasses import replace

from console.errors import Unknown
from console.monitor.schedule import (
    ATTENTION_INTERVAL_S,
    IDLE_INTERVAL_S,
    MAX_DUE_INSPECTIONS,
    InspectionSchedule,
)
from console.swarm.model import Network, NetworkDetail, Service, SwarmState, Task
from tests.support.swarms import network, service, swarm, task

SETTLE_S = 2.0
PROXY, OTHER = network("proxy", "10.0.1.0/24"), network("other", "10.0.2.0/24")
WEB = service("web", ("id-proxy", "10.0.1.2"))
RUNS = task("web", ("id-proxy", "10.0.1.3"))


class Snapshots:
    """A schedule that is asked at the beginning of each snapshot and told at its end."""

    def __init__(self, *attended: str) -> None:
        self.schedule = InspectionSchedule(SETTLE_S)
        self.attended = attended

    def snapshot(
        self,
        at_s: float,
        *,
        networks: tuple[Network, ...] = (PROXY, OTHER),
        services: tuple[Service, ...] = (WEB,),
        tasks: tuple[Task, ...] = (RUNS,),
        after: tuple[Network, ...] | None = None,
    ) -> set[str]:
        """Return what the schedule chooses; `after` are the networks as the inspection finds them."""
        # Parts that did not change are the very same, as the reader gives them.
        state = SwarmState(swarm().engine, networks, services, tasks, swarm().nodes)
        chosen = set(self.schedule.choose(state, self.attended, at_s))
        self.schedule.note(replace(state, networks=after or networks), at_s)
        return chosen


def test_what_was_never_inspected_is() -> None:
    snapshots = Snapshots()
    assert snapshots.snapshot(0) == {"id-proxy", "id-other"}
    assert snapshots.snapshot(0.5) == set()


def test_everything_is_inspected_once_more_when_it_has_settled() -> None:
    snapshots = Snapshots()
    snapshots.snapshot(0)
    assert snapshots.snapshot(1.5) == set()
    assert snapshots.schedule.settled_networks() == frozenset()
    assert snapshots.snapshot(2) == {"id-proxy", "id-other"}
    assert snapshots.schedule.settled_networks() == {"id-proxy", "id-other"}
    assert snapshots.snapshot(4) == set()


def test_where_holders_change_it_is_inspected_at_once_and_when_it_has_settled() -> None:
    snapshots = Snapshots()
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    stopping = (replace(RUNS, desired_state="shutdown"),)
    assert snapshots.snapshot(4, tasks=stopping) == {"id-proxy"}
    assert snapshots.schedule.settled_networks() == {"id-other"}
    assert snapshots.snapshot(4.5, tasks=stopping) == set()
    gone: tuple[Task, ...] = ()
    assert snapshots.snapshot(5, tasks=gone) == {"id-proxy"}
    assert snapshots.snapshot(6, tasks=gone) == set()
    assert snapshots.snapshot(7, tasks=gone) == {"id-proxy"}
    assert snapshots.schedule.settled_networks() == {"id-proxy", "id-other"}


def test_services_that_come_and_go_touch_their_networks() -> None:
    snapshots = Snapshots()
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    late = service("late", networks=["id-other"])
    assert snapshots.snapshot(4, services=(WEB, late)) == {"id-other"}
    assert snapshots.snapshot(5, services=(late,)) == {"id-proxy"}


def test_what_the_inspection_finds_changed_is_not_settled() -> None:
    snapshots = Snapshots()
    snapshots.snapshot(0)
    counted = replace(PROXY, detail=NetworkDetail((), 1, {}))
    snapshots.snapshot(2, after=(counted, OTHER))
    assert snapshots.schedule.settled_networks() == {"id-other"}
    assert snapshots.snapshot(4, networks=(counted, OTHER)) == {"id-proxy"}
    assert snapshots.schedule.settled_networks() == {"id-proxy", "id-other"}


def test_what_somebody_attends_to_is_inspected_often_and_the_others_seldom() -> None:
    snapshots = Snapshots("proxy")
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    assert snapshots.snapshot(2 + ATTENTION_INTERVAL_S - 0.1) == set()
    assert snapshots.snapshot(2 + ATTENTION_INTERVAL_S) == {"id-proxy"}
    assert "id-other" in snapshots.snapshot(2 + IDLE_INTERVAL_S)


def test_of_many_only_some_are_due_at_once() -> None:
    many = tuple(network(f"n{number}", f"10.1.{number}.0/24") for number in range(50))
    snapshots = Snapshots()
    for at_s in (0, 2):
        assert len(snapshots.snapshot(at_s, networks=many)) == 50
    seen = set[str]()
    for number in range(7):
        chosen = snapshots.snapshot(2 + IDLE_INTERVAL_S + number, networks=many)
        assert len(chosen) == min(MAX_DUE_INSPECTIONS, 50 - len(seen))
        assert not chosen & seen
        seen |= chosen
    assert len(seen) == 50


def test_what_could_not_be_inspected_is_tried_again() -> None:
    snapshots = Snapshots()
    failed = replace(PROXY, detail=Unknown("cut off"))
    snapshots.snapshot(0, after=(failed, OTHER))
    assert snapshots.snapshot(0.5, networks=(failed, OTHER)) == {"id-proxy"}
    snapshots.snapshot(3, networks=(failed, OTHER))
    assert "id-proxy" not in snapshots.schedule.settled_networks()


def test_parts_that_cannot_be_read_are_compared_when_they_can_again() -> None:
    snapshots = Snapshots()
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    state = SwarmState(swarm().engine, (PROXY, OTHER), Unknown("no"), Unknown("no"), swarm().nodes)
    assert snapshots.schedule.choose(state, (), 3) == set()
    snapshots.schedule.note(state, 3)
    assert snapshots.snapshot(4) == set()
    assert snapshots.snapshot(5, tasks=()) == {"id-proxy"}


def test_networks_that_are_gone_are_forgotten() -> None:
    snapshots = Snapshots()
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    snapshots.snapshot(3, networks=(OTHER,))
    assert snapshots.schedule.settled_networks() == {"id-other"}
    assert snapshots.snapshot(4) == {"id-proxy"}
