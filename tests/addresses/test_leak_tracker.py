"""What the leak tracker says of removals, step by step: each test is a series of snapshots of a swarm."""

from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address

import pytest

from console.addresses.leak_tracker import LeakTracker, drop_addresses, step
from console.addresses.leaks import LeakEntry, LeakLog
from console.errors import Unknown, known
from console.swarm.model import (
    Engine,
    LocalEndpoint,
    Network,
    NetworkDetail,
    Node,
    Service,
    SwarmState,
    Task,
)
from tests.support.swarms import HERE, NOW, engine, network, service, swarm, task

PROXY = network("proxy", "10.0.1.0/24")
OWN = network("ghost_internal", "10.0.2.0/24")
BRIDGE = network("bridge", "172.17.0.0/16", driver="bridge", scope="local")
GHOST = service("ghost_app", ("id-ghost_internal", "10.0.2.2"), ("id-proxy", "10.0.1.2"))
ON_BOTH = (("id-ghost_internal", "10.0.2.3"), ("id-proxy", "10.0.1.3"))
RUNS = task("ghost_app", *ON_BOTH)
DIES = replace(RUNS, desired_state="remove")
DEAD = replace(DIES, state="shutdown")


def state(
    *tasks: Task,
    networks: tuple[Network, ...] = (PROXY, OWN),
    services: tuple[Service, ...] = (),
    at_s: float = 0,
) -> SwarmState:
    found = swarm([*networks, BRIDGE], services, tasks)
    assert isinstance(found.engine, Engine)
    return replace(found, engine=replace(found.engine, time=NOW + timedelta(seconds=at_s)))


BEFORE = state(RUNS, services=(GHOST,))
REMOVED = state(DIES, networks=(PROXY,))
ENDED = state(networks=(PROXY,))


def track(
    *snapshots: SwarmState | tuple[SwarmState, float],
    rebuilt_at: datetime | None = None,
    removed: tuple[str, ...] = (),
) -> LeakTracker:
    """Return the leak tracker after these snapshots, half a second apart by default; the last gets the arguments."""
    leak_tracker, at_s = LeakTracker(), 100.0
    for number, snapshot in enumerate(snapshots):
        found, apart_s = snapshot if isinstance(snapshot, tuple) else (snapshot, 0.5)
        at_s += apart_s
        is_last = number == len(snapshots) - 1
        if isinstance(found.engine, Engine):
            moment = NOW + timedelta(seconds=at_s - 100)
            found = replace(found, engine=replace(found.engine, time=moment))
        leak_tracker = step(
            leak_tracker, found, at_s, rebuilt_at if is_last else None, removed if is_last else ()
        )
    return leak_tracker


def lost(leak_tracker: LeakTracker) -> list[tuple[str, list[str]]]:
    return [(each.network_id, [str(one) for one in each.addresses]) for each in leak_tracker.leak_log.entries]


def test_a_task_that_outlives_its_network_leaks_what_it_has_elsewhere() -> None:
    leak_tracker = track(BEFORE, REMOVED, ENDED)
    assert leak_tracker.leak_log.entries == (
        LeakEntry(
            network_id="id-proxy",
            network_name="proxy",
            addresses=(IPv4Address("10.0.1.3"),),
            task_id=RUNS.id,
            task_name="ghost_app.1",
            service_name="ghost_app",
            stack="ghost",
            removed_network="ghost_internal",
            ended_at=NOW + timedelta(seconds=1.5),
        ),
    )
    assert leak_tracker.leak_log.monitored_since == NOW + timedelta(seconds=0.5)
    assert leak_tracker.leak_log.gaps == ()


def test_it_is_entered_when_it_ends_and_not_before() -> None:
    assert track(BEFORE, REMOVED).leak_log.entries == ()


def test_an_end_that_is_still_listed_is_one_too() -> None:
    assert lost(track(BEFORE, REMOVED, state(DEAD, networks=(PROXY,)))) == [("id-proxy", ["10.0.1.3"])]


def test_a_task_that_ended_before_its_network_was_removed_leaks_nothing() -> None:
    leak_tracker = track(BEFORE, state(DIES), state(DEAD), ENDED)
    assert leak_tracker.leak_log == LeakLog(NOW + timedelta(seconds=0.5))


def test_every_network_that_stays_has_an_entry_of_its_own() -> None:
    ingress = network("ingress", "10.0.0.0/24", ingress=True)
    published = task("ghost_app", ("id-ingress", "10.0.0.9"), *ON_BOTH)
    leak_tracker = track(
        state(published, networks=(ingress, PROXY, OWN), services=(GHOST,)),
        state(replace(published, desired_state="remove"), networks=(ingress, PROXY)),
        state(networks=(ingress, PROXY)),
    )
    assert lost(leak_tracker) == [("id-ingress", ["10.0.0.9"]), ("id-proxy", ["10.0.1.3"])]


def test_a_copy_of_the_network_on_the_node_is_not_the_network() -> None:
    later = replace(OWN, created=OWN.created + timedelta(milliseconds=200))
    for copy in (later, replace(later, is_leftover=True)):
        assert lost(track(BEFORE, state(DIES, networks=(PROXY, copy)), ENDED)) == [("id-proxy", ["10.0.1.3"])]


def test_such_a_copy_is_left_out_for_as_long_as_it_is_listed() -> None:
    copy = replace(OWN, created=OWN.created + timedelta(milliseconds=200))
    left = state(networks=(PROXY, copy))
    leak_tracker = track(BEFORE, state(DIES, networks=(PROXY, copy)), left, left)
    assert known(leak_tracker.without_leftovers(left).networks, ()) == (PROXY, BRIDGE)
    assert leak_tracker.without_leftovers(BEFORE) is not BEFORE
    assert track(BEFORE).without_leftovers(BEFORE) is BEFORE


def test_a_removal_that_the_engine_told_counts_before_the_list_shows_it() -> None:
    leak_tracker = step(track(BEFORE), state(DIES), 101.0, removed_ids=("id-ghost_internal",))
    assert lost(step(leak_tracker, ENDED, 101.5)) == [("id-proxy", ["10.0.1.3"])]


def test_where_it_was_not_seen_which_went_first_nothing_is_entered_and_it_is_said() -> None:
    leak_tracker = track(BEFORE, ENDED)
    assert leak_tracker.leak_log.entries == ()
    (gap,) = leak_tracker.leak_log.gaps
    assert (gap.since, gap.until) == (NOW + timedelta(seconds=0.5), NOW + timedelta(seconds=1))
    assert gap.why == (
        "1 task ended (ghost_app.1) and ghost_internal was removed between two snapshots: their order, "
        "and so what leaked, is unknown."
    )


def test_tasks_without_addresses_or_on_one_network_leak_nothing() -> None:
    unplaced = replace(
        RUNS, attachments=tuple(replace(each, addresses=()) for each in RUNS.attachments), state="new"
    )
    alone = task("ghost_app", ("id-ghost_internal", "10.0.2.9"), slot=2)
    shell = task("", ("id-proxy", "10.0.1.8"), container="c" * 64)
    leak_tracker = track(
        state(unplaced, alone, shell, services=(GHOST,)),
        state(unplaced, alone, shell, networks=(PROXY,)),
        ENDED,
    )
    assert (leak_tracker.leak_log.entries, leak_tracker.leak_log.gaps) == ((), ())


def test_a_network_that_swarm_gives_no_addresses_on_is_not_missed() -> None:
    on_host = replace(RUNS.attachments[0], network_id="host", network_name="host", addresses=())
    both = replace(RUNS, attachments=(on_host, *RUNS.attachments))
    leak_tracker = track(
        state(both, services=(GHOST,)), state(replace(both, desired_state="shutdown")), state()
    )
    assert (leak_tracker.leak_log.entries, leak_tracker.leak_log.gaps) == ((), ())


def test_a_network_gone_before_watching_began_is_gone_when_it_is_missing_twice() -> None:
    assert lost(track(REMOVED, REMOVED, ENDED)) == [("id-proxy", ["10.0.1.3"])]
    (entry,) = track(REMOVED, REMOVED, ENDED).leak_log.entries
    assert entry.removed_network == "id-ghost_internal"


def test_a_network_that_the_list_did_not_have_yet_is_not_gone() -> None:
    # It was made between the two answers of the first snapshot.
    leak_tracker = track(
        state(networks=(PROXY,)), state(RUNS, networks=(PROXY,), services=(GHOST,)), BEFORE, state()
    )
    assert leak_tracker.leak_log.entries == ()


def test_names_come_from_earlier_snapshots_from_the_container_or_from_the_tasks_own_labels() -> None:
    named = replace(DIES, container_id="c" * 64, stack="ghost")
    detail = NetworkDetail((LocalEndpoint("c" * 64, f"ghost_app.1.{RUNS.id}", None),), 1, {})
    on_node = state(named, networks=(replace(PROXY, detail=detail),))
    elsewhere = state(named, networks=(PROXY,))
    (local,) = track(on_node, on_node, ENDED).leak_log.entries
    (remote,) = track(elsewhere, elsewhere, ENDED).leak_log.entries
    assert (local.task_name, local.service_name, local.stack) == ("ghost_app.1", "ghost_app", "ghost")
    assert (remote.task_name, remote.service_name, remote.stack) == (f"task {RUNS.id[:12]}", "", "ghost")


def test_a_network_cannot_be_gone_while_a_service_names_it() -> None:
    # An engine that does not reach the leader lists only the copies that its own node has.
    half = state(RUNS, networks=(PROXY,), services=(GHOST,))
    leak_tracker = track(BEFORE, half, BEFORE, state(DEAD), ENDED)
    assert leak_tracker.leak_log.entries == ()
    assert track(BEFORE, half).leak_log.gaps[0].until is None
    # It is believed in the end: a deploy that raced with the removal may have left such a service.
    gone = track(BEFORE, *[half] * 4, state(networks=(PROXY,)))
    assert lost(gone) == [("id-proxy", ["10.0.1.3"])]


@pytest.mark.parametrize(
    "holder",
    [
        state(task("other", ("id-proxy", "10.0.1.3")), networks=(PROXY,)),
        state(networks=(PROXY,), services=(service("other", ("id-proxy", "10.0.1.3")),)),
        state(task("", ("id-proxy", "10.0.1.3"), container="c" * 64), networks=(PROXY,)),
        state(networks=(network("proxy", "10.0.1.0/24", load_balancer="10.0.1.3"),)),
    ],
    ids=["task", "service", "container", "load balancer"],
)
def test_an_address_that_somebody_holds_again_has_not_leaked_or_came_back(holder: SwarmState) -> None:
    assert track(BEFORE, REMOVED, ENDED, holder, ENDED).leak_log.entries == ()


def test_entries_of_a_network_that_is_removed_in_turn_are_void() -> None:
    assert track(BEFORE, REMOVED, ENDED, state(networks=())).leak_log.entries == ()


OTHER = Node("node-other", "other", "ready", "active", is_manager=True, is_leader=True)
STARTED_AGAIN = replace(BRIDGE, created=BRIDGE.created + timedelta(days=1))


@pytest.mark.parametrize(
    "after",
    [
        replace(ENDED, networks=(PROXY, STARTED_AGAIN)),
        replace(ENDED, nodes=(OTHER,)),
        replace(ENDED, nodes=(replace(HERE, is_leader=False),)),
    ],
    ids=["dockerd was restarted", "another node leads", "nobody leads"],
)
def test_entries_are_void_when_the_allocator_began_anew(after: SwarmState) -> None:
    assert track(BEFORE, REMOVED, ENDED, after).leak_log.entries == ()
    # … and stay so.
    assert track(BEFORE, REMOVED, ENDED, after, ENDED).leak_log.entries == ()


def test_nodes_that_cannot_be_read_void_nothing() -> None:
    blind = replace(ENDED, nodes=Unknown("no answer"))
    assert lost(track(BEFORE, REMOVED, ENDED, blind, ENDED)) == [("id-proxy", ["10.0.1.3"])]


def test_dockerds_log_makes_entries_from_before_void() -> None:
    assert (
        track(BEFORE, REMOVED, ENDED, ENDED, rebuilt_at=NOW + timedelta(seconds=1.9)).leak_log.entries == ()
    )
    early = track(BEFORE, REMOVED, ENDED, ENDED, rebuilt_at=NOW + timedelta(seconds=1.2))
    assert lost(early) == [("id-proxy", ["10.0.1.3"])]


def test_what_was_ending_while_the_allocator_began_anew_is_not_claimed() -> None:
    began = NOW + timedelta(seconds=1.2)
    leak_tracker = track(BEFORE, REMOVED, REMOVED, rebuilt_at=began)
    assert step(leak_tracker, ENDED, 102.0, began).leak_log.entries == ()


def test_an_old_restart_in_the_log_is_no_news() -> None:
    leak_tracker = step(track(BEFORE, REMOVED), REMOVED, 101.5, NOW - timedelta(minutes=20))
    assert lost(step(leak_tracker, ENDED, 102.0, NOW - timedelta(minutes=20))) == [("id-proxy", ["10.0.1.3"])]


SILENT = Unknown("The engine does not answer.")
BLIND = SwarmState(SILENT, SILENT, SILENT, SILENT, SILENT)


def test_a_swarm_that_cannot_be_seen_is_a_gap_that_goes_on() -> None:
    (gap,) = track(BEFORE, BLIND, BLIND).leak_log.gaps
    assert (gap.since, gap.until) == (NOW + timedelta(seconds=0.5), None)
    assert gap.why == "The swarm could not be read. The engine does not answer."


@pytest.mark.parametrize("part", ["networks", "tasks", "services"])
def test_so_is_one_of_which_a_part_cannot_be_read(part: str) -> None:
    half = replace(BEFORE, **{part: Unknown("cut off")})
    assert track(BEFORE, half).leak_log.gaps[0].why == "The swarm could not be read. cut off"


def test_it_ends_when_the_swarm_is_seen_again() -> None:
    (gap,) = track(BEFORE, (BLIND, 8), (BEFORE, 8)).leak_log.gaps
    assert (gap.since, gap.until) == (NOW + timedelta(seconds=0.5), NOW + timedelta(seconds=16.5))


def test_a_failed_snapshot_between_two_quiet_ones_leaves_nothing_out() -> None:
    assert track(BEFORE, BLIND, BEFORE).leak_log.gaps == ()


def test_tasks_that_are_ending_must_be_looked_at_closely() -> None:
    (gap,) = track(BEFORE, state(DIES), (state(DIES), 1.6)).leak_log.gaps
    assert gap.why == "No snapshot was taken for 1.6 s."
    assert track(BEFORE, state(DIES), (state(DIES), 1.4)).leak_log.gaps == ()
    assert track(BEFORE, (BEFORE, 9.9)).leak_log.gaps == ()
    assert track(BEFORE, (BEFORE, 10.1)).leak_log.gaps != ()


def test_a_task_that_does_not_end_is_not_waited_for_for_ever() -> None:
    assert track(BEFORE, state(DIES)).is_ending()
    stuck = track(BEFORE, *[state(DIES)] * 242)
    assert not stuck.is_ending()
    assert step(stuck, state(DIES), stuck.last_snapshot_s + 2).leak_log.gaps == ()


def test_nothing_is_ending_where_nothing_can_leak() -> None:
    alone = task("ghost_app", ("id-proxy", "10.0.1.9"), desired="shutdown")
    assert not track(state(alone, services=(GHOST,))).is_ending()


def test_where_nothing_changed_the_leak_log_is_the_very_same() -> None:
    leak_tracker = track(BEFORE, REMOVED, ENDED)
    assert step(leak_tracker, state(networks=(PROXY,), at_s=9), 102.0).leak_log is leak_tracker.leak_log


def test_what_the_engine_itself_counts_as_free_is_taken_out() -> None:
    leak_tracker = track(BEFORE, REMOVED, ENDED)
    assert drop_addresses(leak_tracker, "id-other", [IPv4Address("10.0.1.3")]) is leak_tracker
    assert drop_addresses(leak_tracker, "id-proxy", [IPv4Address("10.0.1.3")]).leak_log.entries == ()


def test_engines_of_any_version_are_watched_alike() -> None:
    assert engine((1, 52)).counts_addresses
    snapshots = [replace(each, engine=engine((1, 52))) for each in (BEFORE, REMOVED, ENDED)]
    assert lost(track(*snapshots)) == [("id-proxy", ["10.0.1.3"])]
