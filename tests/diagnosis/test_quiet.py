"""What each check of quiet takes for quiet, and what blocks it."""

from dataclasses import replace

import pytest

from console.diagnosis.quiescence.values import (
    Check,
    CheckState,
    Judgement,
    PreviousChecks,
    QuiescenceVerdict,
)
from console.errors import Unknown, known
from console.settings import QuiescenceSettings
from console.swarm.model import Node
from tests.support.quiet import EVERYTHING, RULES, RUNS, WEB, check, crash_loop, judged, names, of_web
from tests.support.swarms import HERE, NOW, ago, service, swarm, task
from tests.test_layers import modules_after


def test_judging_loads_no_door() -> None:
    loaded = modules_after("import console.diagnosis.quiescence.checks")
    assert not loaded & {"docker", "requests", "asyncio", "systemd", "subprocess"}


def test_a_swarm_at_rest_is_quiet_and_every_check_is_told() -> None:
    report = judged(swarm(services=[WEB], tasks=[RUNS])).report
    assert report.verdict is QuiescenceVerdict.QUIET
    assert {each.code for each in report.checks} == EVERYTHING
    assert not report.blocking


@pytest.mark.parametrize(("state", "word"), [("updating", "updating"), ("rollback_started", "rolling back")])
def test_an_update_under_way_is_busy_since_it_began(state: str, word: str) -> None:
    web = replace(WEB, update_state=state, update_started=ago(30))
    found = check("updates", swarm(services=[web], tasks=[RUNS]))
    assert (found.state, names(found)) == (CheckState.BUSY, ["web"])
    assert word in found.blockers[0].what
    assert found.blockers[0].since == ago(30)


@pytest.mark.parametrize("state", ["", "completed", "paused", "rollback_completed", "rollback_paused"])
def test_an_update_that_is_over_is_quiet(state: str) -> None:
    web = replace(WEB, update_state=state, update_started=ago(30))
    assert check("updates", swarm(services=[web], tasks=[RUNS])).state is CheckState.QUIET


@pytest.mark.parametrize(
    "state", ["new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting"]
)
def test_a_task_on_its_way_is_busy(state: str) -> None:
    fresh = replace(WEB, updated=ago(5), replicas=2)
    found = check(
        "tasks", swarm(services=[fresh], tasks=[RUNS, task("web", slot=2, state=state, since=ago(5))])
    )
    assert (found.state, names(found)) == (CheckState.BUSY, ["web"])
    assert state in found.blockers[0].what
    assert found.blockers[0].since == ago(5)


@pytest.mark.parametrize("desired", ["shutdown", "remove"])
def test_a_task_that_was_told_to_end_is_busy_also_when_its_service_is_gone(desired: str) -> None:
    stopping = task("gone", state="running", desired=desired, since=ago(59))
    found = check("tasks", swarm(services=[WEB], tasks=[RUNS, stopping]))
    assert (found.state, names(found)) == (CheckState.BUSY, ["service id-gone"])


def test_a_task_that_ends_on_a_node_that_is_down_says_so() -> None:
    down = Node("far", "far", "down", "active", is_manager=False, is_leader=False)
    stopping = task("web", slot=2, desired="shutdown", node="far")
    found = check("tasks", swarm(services=[WEB], tasks=[RUNS, stopping], nodes=[HERE, down]))
    assert "on a node that is down" in found.blockers[0].what


@pytest.mark.parametrize(("state", "desired"), [("pending", "complete"), ("running", "remove")])
def test_a_task_whose_service_is_gone_is_stuck_when_it_is_unchanged_for_the_dwell_time(
    state: str, desired: str
) -> None:
    left = replace(
        task("gone", state=state, desired=desired, since=ago(61)), service_id="k3v9q0w1x2y3z4a5b6c7d8e9f"
    )
    orphaned = swarm(services=[WEB], tasks=[RUNS, left])
    found = judged(orphaned)
    assert [each.code for each in found.report.blocking] == ["stuck"]
    assert names(by_code(found)["stuck"]) == ["service k3v9q0w1x2y3"]
    assert state in by_code(found)["stuck"].blockers[0].what
    for name in ("service k3v9q0w1x2y3", "k3v9q0w1x2y3", left.service_id):
        accepted = judged(orphaned, rules=replace(RULES, accepted=frozenset((name,))))
        assert accepted.report.verdict is QuiescenceVerdict.QUIET
        assert not by_code(accepted)["stuck"].note
        fresh = replace(orphaned, tasks=(RUNS, replace(left, since=ago(59))))
        early = judged(fresh, rules=replace(RULES, accepted=frozenset((name,))))
        assert [each.code for each in early.report.blocking] == ["tasks"]
    wrong = judged(orphaned, rules=replace(RULES, accepted=frozenset(("k3v9", "web"))))
    assert wrong.report.verdict is QuiescenceVerdict.BUSY


def test_no_service_is_taken_for_gone_while_services_cannot_be_read() -> None:
    state = replace(swarm(tasks=[task("web", state="pending", since=ago(90))]), services=Unknown("no answer"))
    assert judged(state).report.verdict is QuiescenceVerdict.UNKNOWN


FAR = Node("far", "far.example.org", "down", "active", is_manager=False, is_leader=False)
IN_VAIN = swarm(
    services=[WEB],
    tasks=[RUNS, task("web", slot=2, desired="shutdown", node="far")],
    nodes=[HERE, FAR],
)


def test_a_task_that_ends_on_a_node_that_is_down_is_stuck_after_the_dwell_time() -> None:
    first = judged(IN_VAIN)
    assert [each.code for each in first.report.blocking] == ["tasks"]
    assert list(first.previous.unsettled_since.values()) == [NOW]
    previous = PreviousChecks(dict.fromkeys(first.previous.unsettled_since, ago(61)))
    later = judged(IN_VAIN, previous=previous)
    assert [each.code for each in later.report.blocking] == ["stuck"]
    assert names(by_code(later)["stuck"]) == ["web"]
    assert later.previous.unsettled_since == previous.unsettled_since
    for name in ("web", "far.example.org"):
        accepting = replace(RULES, accepted=frozenset((name,)))
        accepted = judged(IN_VAIN, previous=previous, rules=accepting)
        assert accepted.report.verdict is QuiescenceVerdict.QUIET
        assert not by_code(accepted)["stuck"].note
        assert judged(IN_VAIN, rules=accepting).report.verdict is QuiescenceVerdict.BUSY
    assert judged(IN_VAIN, rules=replace(RULES, dwell_s=0, accepted=frozenset(("web",)))).report.verdict is (
        QuiescenceVerdict.QUIET
    )


def test_an_accepted_task_on_a_node_that_is_down_excuses_nothing_else_of_its_service() -> None:
    previous = PreviousChecks(dict.fromkeys(judged(IN_VAIN).previous.unsettled_since, ago(61)))
    accepting = replace(RULES, accepted=frozenset(("far.example.org",)))
    updating = replace(WEB, update_state="updating", update_started=ago(5))
    here = task("web", slot=3, state="running", desired="shutdown")
    more = replace(IN_VAIN, services=(updating,), tasks=(*known(IN_VAIN.tasks, ()), here))
    report = judged(more, previous=previous, rules=accepting, reported_changes=(of_web("die"),)).report
    assert [each.code for each in report.blocking] == ["updates", "tasks", "changes"]


def test_what_is_left_of_a_lost_service_on_a_node_that_is_down_can_be_accepted() -> None:
    state = swarm(tasks=[task("gone", desired="remove", node="far")], nodes=[HERE, FAR])
    previous = PreviousChecks(dict.fromkeys(judged(state).previous.unsettled_since, ago(61)))
    assert names(by_code(judged(state, previous=previous))["stuck"]) == ["service id-gone"]
    for name in ("service id-gone", "id-gone", "far.example.org"):
        accepting = replace(RULES, accepted=frozenset((name,)))
        assert judged(state, previous=previous, rules=accepting).report.verdict is QuiescenceVerdict.QUIET


def test_missing_replicas_are_busy_while_the_change_is_fresh() -> None:
    web = replace(WEB, replicas=3, updated=ago(10))
    found = check("replicas", swarm(services=[web], tasks=[RUNS]))
    assert (found.state, found.blockers[0].what) == (CheckState.BUSY, "has 1 of 3 running")


def test_a_global_service_is_converged_when_all_its_tasks_run() -> None:
    everywhere = replace(WEB, mode="global", replicas=None, updated=ago(10))
    tasks = [task("web", slot=0, node=each) for each in ("a", "b")]
    assert check("replicas", swarm(services=[everywhere], tasks=tasks)).state is CheckState.QUIET
    tasks[1] = replace(tasks[1], state="preparing", since=ago(5))
    assert names(check("replicas", swarm(services=[everywhere], tasks=tasks))) == ["web"]


def test_a_job_is_busy_until_it_is_done_and_its_tasks_are_not_taken_for_stopping() -> None:
    job = replace(WEB, mode="replicated-job", replicas=None)
    at_work = task("web", state="running", desired="complete", since=ago(59))
    assert names(check("replicas", swarm(services=[job], tasks=[at_work]))) == ["web"]
    assert check("tasks", swarm(services=[job], tasks=[at_work])).state is CheckState.QUIET
    done = swarm(services=[job], tasks=[task("web", state="complete", desired="complete")])
    assert judged(done).report.verdict is QuiescenceVerdict.QUIET


def by_code(found: Judgement) -> dict[str, Check]:
    return {each.code: each for each in found.report.checks}


@pytest.mark.parametrize("mode", ["replicated-job", "global-job"])
@pytest.mark.parametrize("state", ["pending", "running"])
def test_a_job_at_work_and_unchanged_for_the_dwell_time_is_stuck_and_can_be_accepted(
    mode: str, state: str
) -> None:
    job = replace(WEB, mode=mode, replicas=None)
    endless = swarm(services=[job], tasks=[task("web", state=state, desired="complete", since=ago(61))])
    found = judged(endless)
    assert [each.code for each in found.report.blocking] == ["stuck"]
    assert by_code(found)["stuck"].blockers[0].what == "is an unfinished job"
    accepting = replace(RULES, accepted=frozenset(("web",)))
    assert judged(endless, rules=accepting).report.verdict is QuiescenceVerdict.QUIET
    fresh = replace(endless, services=(replace(job, updated=ago(5)),))
    assert by_code(judged(fresh))["stuck"].state is CheckState.QUIET
    assert judged(fresh, rules=accepting).report.verdict is QuiescenceVerdict.BUSY


def test_a_job_that_keeps_failing_is_stuck_after_the_dwell_time() -> None:
    job = replace(WEB, mode="replicated-job", replicas=None, restart="on-failure")
    failed = task("web", state="failed", desired="shutdown", since=ago(3), error="exit (1)")
    again = swarm(
        services=[job], tasks=[failed, task("web", state="ready", desired="complete", since=ago(1))]
    )
    first = judged(again)
    assert names(by_code(first)["replicas"]) == ["web"]
    assert first.previous.unsettled_since == {"id-web": ago(1)}
    later = judged(again, previous=PreviousChecks({"id-web": ago(61)}))
    assert [each.code for each in later.report.blocking] == ["stuck"]
    assert by_code(later)["stuck"].blockers[0].what == "is an unfinished job and has failed (exit (1))"
    accepting = replace(RULES, accepted=frozenset(("web",)))
    assert judged(again, rules=accepting).report.verdict is QuiescenceVerdict.QUIET


def test_a_service_that_is_not_to_be_restarted_rests_when_its_task_has_ended() -> None:
    once = replace(WEB, restart="none")
    state = swarm(services=[once], tasks=[task("web", state="failed", desired="shutdown", since=ago(10))])
    assert judged(state).report.verdict is QuiescenceVerdict.QUIET
    again = replace(WEB, restart="on-failure")
    state = swarm(services=[again], tasks=[task("web", state="complete", desired="shutdown", since=ago(10))])
    assert judged(state).report.verdict is QuiescenceVerdict.QUIET


def test_a_crash_loop_is_restless_at_first_and_stuck_after_the_dwell_time() -> None:
    first = judged(crash_loop())
    assert names(next(each for each in first.report.checks if each.code == "replicas")) == ["web"]
    later = judged(crash_loop(), previous=PreviousChecks({"id-web": ago(61)}))
    checks = by_code(later)
    assert checks["stuck"].state is CheckState.STUCK
    assert checks["stuck"].blockers[0].what == "keeps failing (exit (1)), 0 of 1 running"
    assert checks["stuck"].blockers[0].since == ago(61)
    assert not checks["tasks"].blockers
    assert not checks["replicas"].blockers
    assert later.report.verdict is QuiescenceVerdict.BUSY
    assert "--accept" in checks["stuck"].hint


def test_a_crash_loop_in_an_instant_in_which_it_runs_is_one_still() -> None:
    failed = [task("web", state="failed", desired="shutdown", since=ago(each)) for each in (9, 3)]
    running = swarm(services=[WEB], tasks=[*failed, task("web", since=ago(1))])
    assert names(check("stuck", running, previous=PreviousChecks({"id-web": ago(90)}))) == ["web"]
    assert names(check("replicas", running)) == ["web"]


def test_a_change_makes_a_stuck_service_busy_again() -> None:
    fresh = replace(WEB, updated=ago(5))
    assert (
        check("stuck", crash_loop(fresh), previous=PreviousChecks({"id-web": ago(90)})).state
        is CheckState.QUIET
    )
    updating = replace(WEB, update_state="updating")
    report = judged(crash_loop(updating), previous=PreviousChecks({"id-web": ago(90)})).report
    assert {"updates", "tasks", "replicas"} <= {each.code for each in report.blocking}


def test_what_is_stuck_and_accepted_does_not_block_and_is_shown() -> None:
    accepting = replace(RULES, accepted=frozenset(("web", "typo")))
    report = judged(crash_loop(), rules=accepting).report
    assert report.verdict is QuiescenceVerdict.QUIET
    stuck = next(each for each in report.checks if each.code == "stuck")
    assert [(each.name, each.is_accepted) for each in stuck.blockers] == [("web", True)]
    assert "typo" in stuck.note
    fresh = judged(crash_loop(replace(WEB, updated=ago(5))), rules=accepting).report
    assert fresh.verdict is QuiescenceVerdict.BUSY


def test_who_waits_for_an_address_is_stuck_also_while_it_is_updating() -> None:
    web = replace(service("web", ("id-proxy", "10.0.1.3")), update_state="updating", update_started=ago(300))
    state = swarm(services=[web], tasks=[task("web", state="new", since=ago(300))])
    report = judged(state).report
    assert [each.code for each in report.blocking] == ["stuck"]
    assert "waits for an address" in report.blocking[0].blockers[0].what
    assert (
        judged(state, rules=replace(RULES, accepted=frozenset(("web",)))).report.verdict
        is QuiescenceVerdict.QUIET
    )


def test_a_single_look_needs_as_long_as_the_settings_say_to_call_something_stuck() -> None:
    once = replace(RULES, dwell_s=0)
    pending = swarm(services=[WEB], tasks=[task("web", state="pending", since=ago(59))])
    assert check("stuck", pending, rules=once).state is CheckState.QUIET
    pending = swarm(services=[WEB], tasks=[task("web", state="pending", since=ago(61))])
    assert check("stuck", pending, rules=once).state is CheckState.STUCK


def test_managers_must_be_reachable_and_one_must_lead() -> None:
    lost = Node(
        "m2", "second", "ready", "active", is_manager=True, is_leader=False, reachability="unreachable"
    )
    found = check("managers", swarm(nodes=[HERE, lost]))
    assert (found.state, names(found)) == (CheckState.BUSY, ["second"])
    found = check("managers", swarm(nodes=[replace(HERE, is_leader=False)]))
    assert names(found) == ["the swarm"]
    worker = Node("w", "w", "down", "active", is_manager=False, is_leader=False)
    assert check("managers", swarm(nodes=[HERE, worker])).state is CheckState.QUIET


def test_stacks_are_checked_only_where_some_are_allowed() -> None:
    state = swarm(services=[service("warm-keycloak_app"), service("ghost_app")])
    assert check("stacks", state).state is CheckState.UNCHECKED
    allowed = replace(RULES, settings=QuiescenceSettings(stacks=("warm-*", "traefik")))
    found = check("stacks", state, rules=allowed)
    assert (found.state, names(found)) == (CheckState.BUSY, ["ghost"])


@pytest.mark.parametrize("part", ["services", "tasks", "nodes"])
def test_what_cannot_be_read_is_unknown_and_never_quiet(part: str) -> None:
    state = replace(swarm(services=[WEB], tasks=[RUNS]), **{part: Unknown("no answer", "look again")})
    report = judged(state).report
    assert report.verdict is QuiescenceVerdict.UNKNOWN
    assert {each.note for each in report.blocking} == {"no answer"}


# Changes.
