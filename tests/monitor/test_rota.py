"""Which networks are inspected when, and which have been the same for long enough to count leaks in them."""

from dataclasses import replace

from console.errors import Unknown
from console.monitor.schedule import ATTENTION_INTERVAL_S, MOST_AT_ONCE, IDLE_INTERVAL_S, InspectionSchedule
from console.swarm.values import Network, NetworkDetail, Service, SwarmState, Task
from tests.support.swarms import network, service, swarm, task

SETTLE_S = 2.0
PROXY, OTHER = network("proxy", "10.0.1.0/24"), network("other", "10.0.2.0/24")
WEB = service("web", ("id-proxy", "10.0.1.2"))
RUNS = task("web", ("id-proxy", "10.0.1.3"))


class Looks:
    """A rota that is asked at the beginning and told at the end of each look."""

    def __init__(self, *attended: str) -> None:
        self.rota = InspectionSchedule(SETTLE_S)
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
        """Return what was chosen; `after` are the networks as they were found to be."""
        # Parts that did not change are the very same, as the reader gives them.
        state = SwarmState(swarm().engine, networks, services, tasks, swarm().nodes)
        chosen = set(self.rota.choose(state, self.attended, at_s))
        self.rota.note(replace(state, networks=after or networks), at_s)
        return chosen


def test_what_was_never_inspected_is() -> None:
    snapshots = Looks()
    assert snapshots.snapshot(0) == {"id-proxy", "id-other"}
    assert snapshots.snapshot(0.5) == set()


def test_everything_is_inspected_once_more_when_it_has_settled() -> None:
    snapshots = Looks()
    snapshots.snapshot(0)
    assert snapshots.snapshot(1.5) == set()
    assert snapshots.rota.settled_networks() == frozenset()
    assert snapshots.snapshot(2) == {"id-proxy", "id-other"}
    assert snapshots.rota.settled_networks() == {"id-proxy", "id-other"}
    assert snapshots.snapshot(4) == set()


def test_where_holders_change_it_is_inspected_at_once_and_when_it_has_settled() -> None:
    snapshots = Looks()
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    stopping = (replace(RUNS, desired_state="shutdown"),)
    assert snapshots.snapshot(4, tasks=stopping) == {"id-proxy"}
    assert snapshots.rota.settled_networks() == {"id-other"}
    assert snapshots.snapshot(4.5, tasks=stopping) == set()
    gone: tuple[Task, ...] = ()
    assert snapshots.snapshot(5, tasks=gone) == {"id-proxy"}
    assert snapshots.snapshot(6, tasks=gone) == set()
    assert snapshots.snapshot(7, tasks=gone) == {"id-proxy"}
    assert snapshots.rota.settled_networks() == {"id-proxy", "id-other"}


def test_services_that_come_and_go_touch_their_networks() -> None:
    snapshots = Looks()
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    late = service("late", networks=["id-other"])
    assert snapshots.snapshot(4, services=(WEB, late)) == {"id-other"}
    assert snapshots.snapshot(5, services=(late,)) == {"id-proxy"}


def test_what_the_inspection_finds_changed_is_not_settled() -> None:
    snapshots = Looks()
    snapshots.snapshot(0)
    counted = replace(PROXY, detail=NetworkDetail((), 1, {}))
    snapshots.snapshot(2, after=(counted, OTHER))
    assert snapshots.rota.settled_networks() == {"id-other"}
    assert snapshots.snapshot(4, networks=(counted, OTHER)) == {"id-proxy"}
    assert snapshots.rota.settled_networks() == {"id-proxy", "id-other"}


def test_what_somebody_attends_to_is_inspected_often_and_the_others_seldom() -> None:
    snapshots = Looks("proxy")
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    assert snapshots.snapshot(2 + ATTENTION_INTERVAL_S - 0.1) == set()
    assert snapshots.snapshot(2 + ATTENTION_INTERVAL_S) == {"id-proxy"}
    assert "id-other" in snapshots.snapshot(2 + IDLE_INTERVAL_S)


def test_of_many_only_some_are_due_at_once() -> None:
    many = tuple(network(f"n{number}", f"10.1.{number}.0/24") for number in range(50))
    snapshots = Looks()
    for at_s in (0, 2):
        assert len(snapshots.snapshot(at_s, networks=many)) == 50
    seen = set[str]()
    for number in range(7):
        chosen = snapshots.snapshot(2 + IDLE_INTERVAL_S + number, networks=many)
        assert len(chosen) == min(MOST_AT_ONCE, 50 - len(seen))
        assert not chosen & seen
        seen |= chosen
    assert len(seen) == 50


def test_what_could_not_be_inspected_is_tried_again() -> None:
    snapshots = Looks()
    failed = replace(PROXY, detail=Unknown("cut off"))
    snapshots.snapshot(0, after=(failed, OTHER))
    assert snapshots.snapshot(0.5, networks=(failed, OTHER)) == {"id-proxy"}
    snapshots.snapshot(3, networks=(failed, OTHER))
    assert "id-proxy" not in snapshots.rota.settled_networks()


def test_parts_that_cannot_be_read_are_compared_when_they_can_again() -> None:
    snapshots = Looks()
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    state = SwarmState(swarm().engine, (PROXY, OTHER), Unknown("no"), Unknown("no"), swarm().nodes)
    assert snapshots.rota.choose(state, (), 3) == set()
    snapshots.rota.note(state, 3)
    assert snapshots.snapshot(4) == set()
    assert snapshots.snapshot(5, tasks=()) == {"id-proxy"}


def test_networks_that_are_gone_are_forgotten() -> None:
    snapshots = Looks()
    for at_s in (0, 2):
        snapshots.snapshot(at_s)
    snapshots.snapshot(3, networks=(OTHER,))
    assert snapshots.rota.settled_networks() == {"id-other"}
    assert snapshots.snapshot(4) == {"id-proxy"}
