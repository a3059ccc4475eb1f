"""What ends again and again is stuck in every snapshot, however its period and the dwell time compare."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from console.diagnosis.quiescence.checks import judge
from console.diagnosis.quiescence.crash_loops import find_loop
from console.diagnosis.quiescence.values import (
    Check,
    CheckState,
    PreviousChecks,
    QuiescenceRules,
    QuiescenceVerdict,
)
from console.errors import Unknown
from console.settings import QuiescenceSettings, Thresholds
from console.swarm.model import SwarmState, Task
from tests.support.quiet import RUNS, WEB, judged, names, of_web, seen
from tests.support.swarms import NOW, ago, engine, swarm, task

RESTART_S = 5.0
"""Swarm's usual delay before it starts another task."""


def looping(at_s: float, period_s: float, *, state: str = "failed", listed: int = 4) -> SwarmState:
    """Return the swarm so many seconds after a service began to end once in a period, its last ended tasks listed."""
    count = int(at_s // period_s)
    ended = [
        task("web", state=state, desired="shutdown", since=NOW + timedelta(seconds=each * period_s))
        for each in range(max(1, count - listed + 1), count + 1)
    ]
    began_s = count * period_s + (RESTART_S if count else 0)
    runs = at_s >= began_s
    newest = task(
        "web",
        state="running" if runs else "ready",
        desired="running" if runs else "ready",
        since=NOW + timedelta(seconds=began_s if runs else count * period_s),
    )
    there = swarm(services=[WEB], tasks=[*ended, newest])
    return replace(there, engine=replace(engine(), time=NOW + timedelta(seconds=at_s)))


def snapshots(
    rules: QuiescenceRules, period_s: float, until_s: float, *, state: str = "failed", listed: int = 4
) -> Iterator[tuple[float, dict[str, Check]]]:
    """Yield what snapshots find, each with its time; they are closer together than the engine's events would wake them."""
    previous, at_s = PreviousChecks(), 0.0
    while at_s < until_s:
        found = judge(seen(looping(at_s, period_s, state=state, listed=listed)), previous, rules)
        previous = found.previous
        yield at_s, {each.code: each for each in found.report.checks}
        at_s += 0.7


def rules(dwell_s: float) -> QuiescenceRules:
    return QuiescenceRules(QuiescenceSettings(), Thresholds(), dwell_s)


PERIODS_S = (6.0, 7.5, 11.0, 59.0, 64.0, 110.0, 500.0)
CRASH_LOOPS = [
    (period_s, dwell_s, listed) for period_s in PERIODS_S for dwell_s in (5.0, 60.0) for listed in (4, 1)
]
# Where Swarm lists nothing that has ended, nothing tells that it failed: as of what ends well, only what is never calm
# for the dwell time is a loop.
UNLISTED = [(period_s, dwell_s, 0) for period_s, dwell_s, _ in CRASH_LOOPS[::2] if period_s <= 2 * dwell_s]


@pytest.mark.parametrize(("period_s", "dwell_s", "listed"), [*CRASH_LOOPS, *UNLISTED])
def test_a_crash_loop_of_any_period_is_stuck_and_stays_so(
    period_s: float, dwell_s: float, listed: int
) -> None:
    # After the third failure and the dwell time at the latest, and then in every snapshot without exception.
    known_s = 3 * period_s + dwell_s + 2
    missed = [
        at_s
        for at_s, checks in snapshots(rules(dwell_s), period_s, known_s + 2.5 * period_s, listed=listed)
        if at_s > known_s and (names(checks["stuck"]) != ["web"] or checks["tasks"].blockers)
    ]
    assert missed == []


@pytest.mark.parametrize("period_s", [6.0, 64.0, 110.0])
def test_what_ends_well_too_often_to_be_seen_calm_is_stuck(period_s: float) -> None:
    for at_s, checks in snapshots(rules(60), period_s, 8 * period_s, state="complete"):
        if at_s > 2 * period_s + 62:
            assert names(checks["stuck"]) == ["web"], at_s
            assert checks["stuck"].blockers[0].what.startswith("keeps ending, ")


def test_what_ends_well_now_and_then_is_restless_for_the_dwell_time_and_quiet_for_longer() -> None:
    calm = [
        not checks["replicas"].blockers and not checks["stuck"].blockers
        for _, checks in snapshots(rules(60), 300, 1500, state="complete")
    ]
    runs = "".join("q" if each else "." for each in calm).split(".")
    assert sum(len(each) * 0.7 > 60 for each in runs) >= 4
    assert not any(names(checks["stuck"]) for _, checks in snapshots(rules(60), 300, 1500, state="complete"))


def test_a_crash_loop_is_known_at_the_first_look_by_what_swarm_lists() -> None:
    state = looping(25.5, 6.0)
    found = judged(state, rules=rules(5)).report
    (stuck,) = (each for each in found.checks if each.code == "stuck")
    assert stuck.blockers[0].what == "keeps failing, 0 of 1 running"
    accepting = replace(rules(5), accepted=frozenset(("web",)))
    state = looping(25.5, 6.0)
    assert (
        judged(state, rules=accepting, reported_changes=(of_web("die"), of_web("start"))).report.verdict
        is QuiescenceVerdict.QUIET
    )


def failed(since_s: float) -> Task:
    return task("web", state="failed", desired="shutdown", since=ago(since_s))


@pytest.mark.parametrize("since_s", [(59, 58.9, 58), (59,)])
def test_tasks_that_fail_once_all_together_are_not_stuck(since_s: tuple[float, ...]) -> None:
    state = swarm(services=[WEB], tasks=[*(failed(each) for each in since_s), task("web", since=ago(50))])
    found = judged(state, previous=PreviousChecks({"id-web": ago(61)}))
    assert [(each.code, names(each)) for each in found.report.blocking] == [("replicas", ["web"])]


def test_two_failures_some_minutes_apart_are_two_accidents_and_three_are_a_loop() -> None:
    twice = [failed(400), failed(100), RUNS]
    assert judged(swarm(services=[WEB], tasks=twice)).report.verdict is QuiescenceVerdict.QUIET
    thrice = judged(swarm(services=[WEB], tasks=[failed(700), *twice])).report
    assert [(each.code, each.state) for each in thrice.blocking] == [("stuck", CheckState.STUCK)]


def test_a_service_that_outlives_its_failures_is_settled() -> None:
    fast = [failed(each) for each in (111, 105, 99, 93, 87)]
    assert judged(swarm(services=[WEB], tasks=[*fast, RUNS])).report.verdict is QuiescenceVerdict.QUIET
    slow = [failed(each) for each in (800, 600, 401)]
    assert judged(swarm(services=[WEB], tasks=[*slow, RUNS])).report.verdict is QuiescenceVerdict.QUIET


def test_failures_from_before_the_last_change_tell_nothing() -> None:
    changed = replace(WEB, updated=ago(30))
    found = judged(swarm(services=[changed], tasks=[*(failed(each) for each in (60, 50, 40)), RUNS]))
    assert found.report.verdict is QuiescenceVerdict.QUIET
    growing = replace(changed, replicas=2)
    busy = judged(swarm(services=[growing], tasks=[*(failed(each) for each in (60, 50, 40)), RUNS])).report
    assert [each.blockers[0].what for each in busy.blocking] == ["has 1 of 2 running"]


def test_replicas_that_a_change_asks_for_were_not_lost() -> None:
    before = judged(swarm(services=[WEB], tasks=[RUNS])).previous
    grown = replace(WEB, replicas=2, updated=ago(-1))
    later = swarm(services=[grown], tasks=[RUNS, task("web", slot=2, state="starting", since=ago(-2))])
    later = replace(later, engine=replace(engine(), time=ago(-3)))
    assert not judged(later, previous=before).previous.past["id-web"].ends


def test_what_cannot_be_read_for_a_moment_makes_nobody_forget() -> None:
    before = judged(swarm(services=[WEB], tasks=[failed(20), failed(14), RUNS])).previous
    blind = judged(swarm(services=[WEB], tasks=Unknown("no answer")), previous=before).previous
    assert blind.past == before.past


def test_a_loop_needs_its_ends_close_to_each_other() -> None:
    assert find_loop([], 10) is None
    assert find_loop([ago(5)], 10) is None
    assert find_loop([ago(30), ago(5)], 10) is None
    found = find_loop([ago(500), ago(12), ago(20), ago(5)], 10)
    assert found is not None
    assert (found.since, found.last, found.lull_s) == (ago(20), ago(5), 8.0)
    assert found.holds(ago(5 - 15.9))
    assert not found.holds(ago(5 - 16))
