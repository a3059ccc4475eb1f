"""Which went first, a task or its network, by the engine's events: where they tell it, and where they do not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from console.addresses.leak_tracker import IDLE_INTERVAL_S, ORDER_WAIT_S, LeakTracker, settle, step
from console.addresses.removal_order import EventTimes
from console.swarm.model import Engine, SwarmState, Task
from tests.addresses.test_leak_tracker import BEFORE, ENDED, GHOST, PROXY, RUNS, lost, state
from tests.support.swarms import NOW

OWN_ID = "id-ghost_internal"
SERVICE_ID = RUNS.service_id
LEAKED = [("id-proxy", ["10.0.1.3"])]
BEFORE_S, AFTER_S = 0.5, 1.0
"""When the snapshots were taken between which task and network went."""


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def times(
    *,
    removed: float | None = 0.6,
    ended: float | None = 0.8,
    cleared: float | None = None,
    updated: float | None = None,
    complete: float | None = 0.0,
) -> EventTimes:
    def one(key: str, seconds: float | None) -> dict[str, datetime]:
        return {} if seconds is None else {key: at(seconds)}

    return EventTimes(
        one(RUNS.id, ended),
        one(RUNS.id, cleared),
        one(OWN_ID, removed),
        one(SERVICE_ID, updated),
        None if complete is None else at(complete),
    )


def look(leak_tracker: LeakTracker, seen: SwarmState, at_s: float) -> LeakTracker:
    assert isinstance(seen.engine, Engine)
    seen = replace(seen, engine=replace(seen.engine, time=at(at_s)))
    return step(replace(leak_tracker, has_events=True), seen, 100 + at_s)


def unsettled(*before: tuple[SwarmState, float]) -> LeakTracker:
    """Return the leak tracker after snapshots, in the last of which neither task nor network is there."""
    leak_tracker = LeakTracker()
    for seen, at_s in (*(before or ((BEFORE, BEFORE_S),)), (ENDED, AFTER_S)):
        leak_tracker = look(leak_tracker, seen, at_s)
    return leak_tracker


def stopping() -> Task:
    return replace(RUNS, desired_state="remove")


def test_a_network_that_was_removed_before_the_container_ended_made_its_task_leak() -> None:
    leak_tracker = unsettled()
    assert (leak_tracker.leak_log.entries, leak_tracker.leak_log.gaps) == ((), ())
    leak_tracker = settle(leak_tracker, ENDED, times(), 101.0)
    (entry,) = leak_tracker.leak_log.entries
    assert lost(leak_tracker) == LEAKED
    assert (entry.task_name, entry.stack, entry.removed_network, entry.ended_at) == (
        "ghost_app.1",
        "ghost",
        "ghost_internal",
        at(0.8),
    )
    assert leak_tracker.leak_log.gaps == ()
    assert leak_tracker.unsettled_tasks == ()


@pytest.mark.parametrize(
    "told",
    [
        times(removed=0.9),
        times(removed=0.8),
        times(removed=None),
        times(ended=None),
        times(updated=0.55),
        times(complete=0.51),
        times(complete=None),
        times(removed=1.7, cleared=0.9),
        EventTimes(),
    ],
    ids=[
        "the container ended first",
        "at the same moment",
        "no removal is told",
        "no end is told: it ran on another node",
        "its service was updated: the task may have been gone before its container",
        "events are missing",
        "no event arrived",
        "it was cleared away only just before",
        "nothing is told",
    ],
)
def test_what_events_do_not_tell_stays_unknown_and_is_said_after_a_while(told: EventTimes) -> None:
    waiting = settle(unsettled(), ENDED, told, 101.0 + ORDER_WAIT_S - 0.1)
    assert (waiting.leak_log.entries, waiting.leak_log.gaps) == ((), ())
    given_up = settle(waiting, ENDED, told, 101.0 + ORDER_WAIT_S)
    assert given_up.leak_log.entries == ()
    (gap,) = given_up.leak_log.gaps
    assert (gap.since, gap.until) == (at(BEFORE_S), at(AFTER_S))
    assert "1 task ended (ghost_app.1) and ghost_internal was removed between two snapshots" in gap.why


def test_an_event_that_comes_a_little_later_settles_it() -> None:
    waiting = settle(unsettled(), ENDED, times(removed=None), 101.0)
    assert lost(settle(waiting, ENDED, times(), 101.5)) == LEAKED


def test_a_container_that_was_cleared_away_before_its_network_was_removed_leaked_nothing() -> None:
    freed = settle(unsettled(), ENDED, times(ended=0.1, cleared=0.2, removed=1.3, complete=None), 101.0)
    assert (freed.leak_log.entries, freed.leak_log.gaps, freed.unsettled_tasks) == ((), (), ())


def test_of_a_task_that_was_stopping_already_updates_count_since_it_was_meant_to_run() -> None:
    seen_stopping = unsettled((BEFORE, 0.1), (state(stopping()), BEFORE_S))
    assert lost(settle(seen_stopping, ENDED, times(updated=0.05), 101.0)) == LEAKED
    assert settle(seen_stopping, ENDED, times(updated=0.2), 101.0).leak_log.entries == ()
    # It was never seen meant to run.
    always = unsettled((state(stopping(), services=(GHOST,)), BEFORE_S))
    assert settle(always, ENDED, times(), 101.0).leak_log.entries == ()


def test_with_events_a_snapshot_that_comes_late_leaves_nothing_out_while_tasks_are_ending() -> None:
    leak_tracker = LeakTracker()
    for seen, at_s in ((BEFORE, 0.5), (state(stopping()), 1.0), (state(stopping()), 9.0)):
        leak_tracker = look(leak_tracker, seen, at_s)
    assert leak_tracker.leak_log.gaps == ()
    late = look(leak_tracker, state(stopping()), 9.0 + IDLE_INTERVAL_S + 0.1)
    assert [gap.why for gap in late.leak_log.gaps] == ["No snapshot was taken for 10.1 s."]


def test_an_address_that_somebody_holds_again_has_not_leaked() -> None:
    other = replace(RUNS, id="another", attachments=RUNS.attachments[1:])
    held = state(other, networks=(PROXY,))
    assert settle(unsettled(), held, times(), 101.0).leak_log.entries == ()


def test_what_an_earlier_session_followed_is_settled_at_the_first_snapshot() -> None:
    (followed,) = look(LeakTracker(), BEFORE, BEFORE_S).tracked_tasks.values()
    resumed = LeakTracker(tracked_tasks={followed.task.id: followed}, resumed_at=at(BEFORE_S))
    seen = look(resumed, ENDED, AFTER_S)
    assert lost(settle(seen, ENDED, times(), 101.0)) == LEAKED
    # Who does not know until when it was followed claims nothing.
    (gap,) = settle(seen, ENDED, times(complete=0.6), 110.0).leak_log.gaps
    assert (gap.since, gap.until) == (at(BEFORE_S), at(AFTER_S))


def test_an_allocator_that_began_anew_has_forgotten_it() -> None:
    leak_tracker = unsettled()
    after = look(leak_tracker, replace(ENDED, nodes=()), 1.5)
    assert after.unsettled_tasks == ()
    assert settle(after, ENDED, times(), 102.0).leak_log.entries == ()
