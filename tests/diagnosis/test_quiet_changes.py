"""Changes that the engine tells, and what this host does: what of it blocks quiet."""

from dataclasses import replace
from datetime import timedelta

import pytest

from console.diagnosis.quiescence.checks import judge
from console.diagnosis.quiescence.values import (
    Changes,
    CheckInputs,
    CheckState,
    PreviousChecks,
    QuiescenceVerdict,
    ReportedChange,
)
from console.diagnosis.values import Snapshot
from console.errors import Unknown
from console.host.activity import Inapplicable, Login, OwnProcess, SystemdJob, Timer, Unit
from tests.support.hosts import OWN, activity, process
from tests.support.quiet import RULES, RUNS, WEB, change, check, crash_loop, judged, names, of_web, seen
from tests.support.swarms import LONG_AGO, NOW, ago, service, swarm, task


@pytest.mark.parametrize(
    "told",
    [
        *(
            change(kind, action)
            for kind in ("service", "network", "secret", "config", "node")
            for action in ("create", "remove")
        ),
        *(change(kind, "update") for kind in ("service", "network", "secret", "config")),
        change("node", "update", more={"availability.new": "drain"}),
        change("network", "connect", more={"container": "c9"}),
        change("network", "disconnect", more={"container": "c9"}),
        change("network", "destroy"),
        change("container", "create"),
        change("container", "start"),
        of_web("die"),
    ],
    ids=lambda each: f"{each.event.kind}-{each.event.action}",
)
def test_a_change_within_the_dwell_time_is_busy(told: ReportedChange) -> None:
    found = judged(swarm(services=[WEB], tasks=[RUNS]), reported_changes=(told,))
    assert [each.code for each in found.report.blocking] == ["changes"]
    assert found.changed_s == 990.0


@pytest.mark.parametrize(
    "told",
    [
        change("container", "exec_create: sh"),
        change("container", "health_status: healthy"),
        change("container", "destroy"),
        change("node", "update", more={"name": "x"}),
        change("image", "pull"),
        change("plugin", "enable"),
    ],
    ids=lambda each: f"{each.event.kind}-{each.event.action}",
)
def test_what_changes_nothing_is_passed_over(told: ReportedChange) -> None:
    found = judged(swarm(services=[WEB], tasks=[RUNS]), reported_changes=(told,))
    assert found.report.verdict is QuiescenceVerdict.QUIET
    assert found.changed_s is None


def test_a_change_longer_ago_than_the_dwell_time_is_quiet() -> None:
    assert (
        check("changes", reported_changes=(change("service", "update", received_s=939.0),)).state
        is CheckState.QUIET
    )


def test_what_stuck_services_make_their_node_do_is_passed_over() -> None:
    web = service("web", ("id-own", "10.0.2.3"), ("id-proxy", "10.0.1.3"))
    other = service("other", ("id-proxy", "10.0.1.4"))
    state = swarm(services=[web, other], tasks=[*crash_loop().tasks, task("other")])  # type: ignore[misc] # known
    copy = replace(change("network", "create", "own").event, scope="local")  # type: ignore[type-var] # an event
    stream_item = (
        of_web("create"),
        change("network", "connect", "proxy", more={"container": "id-c1"}),
        of_web("start"),
        of_web("die"),
        ReportedChange(copy, NOW, 990.0),
        change("network", "destroy", "own"),
    )
    previous = PreviousChecks({"id-web": ago(90)})
    assert check("changes", state, reported_changes=stream_item, previous=previous).state is CheckState.QUIET
    assert check("changes", state, reported_changes=stream_item).state is CheckState.BUSY
    shared = (change("network", "destroy", "proxy"),)
    assert check("changes", state, reported_changes=shared, previous=previous).state is CheckState.BUSY
    updated = (change("service", "update", "web"),)
    assert check("changes", state, reported_changes=updated, previous=previous).state is CheckState.BUSY


def test_a_gap_is_a_change_and_deafness_is_unknown() -> None:
    found = check("changes", reported_changes=(ReportedChange(None, NOW, 990.0),))
    assert (found.state, found.blockers[0].what) == (CheckState.BUSY, "could not be received for a while")
    assert check("changes", why_no_events=Unknown("it restarts")).state is CheckState.UNKNOWN


# This host.


def test_a_deploy_tool_blocks_by_its_pattern_and_never_shows_its_arguments() -> None:
    found = check("tools", processes=(process(7, "abra", "app", "deploy", "--password=hunter2"),))
    assert (found.state, names(found)) == (CheckState.BUSY, ["abra (pid 7)"])
    assert "hunter2" not in repr(found)


def test_jobs_units_and_a_held_lock_block_unless_they_are_our_own() -> None:
    found = check(
        "jobs",
        jobs=(
            SystemdJob("deploy-proxy.service", "start", "running"),
            SystemdJob(OWN.unit, "start", "running"),
        ),
    )
    assert names(found) == ["deploy-proxy.service"]
    batch, own = SystemdJob("batch.service", "start", "waiting"), SystemdJob(OWN.unit, "start", "running")
    assert check("jobs", jobs=(batch, own)).state is CheckState.QUIET
    assert names(check("jobs", jobs=(batch, own, SystemdJob("other.service", "stop", "running")))) == [
        "batch.service",
        "other.service",
    ]
    assert names(check("jobs", jobs=(batch,))) == ["batch.service"]
    busy = Unit("upgrade.service", "activating", "start", ago(9))
    idle = (
        Unit("a.service", "inactive", "dead", None),
        Unit("deploy-x.service", "active", "exited", LONG_AGO),
    )
    found = check("units", units=(busy, *idle, Unit(OWN.unit, "active", "running", NOW)))
    assert (names(found), found.blockers[0].since) == (["upgrade.service"], ago(9))
    assert names(check("run", lock_holder="run 7 by ada")) == ["run 7 by ada"]


def test_a_timer_blocks_when_it_is_about_to_fire() -> None:
    soon, later = (
        Timer("sweep.timer", NOW + timedelta(minutes=9)),
        Timer("far.timer", NOW + timedelta(minutes=11)),
    )
    found = check("timers", timers=(soon, later, Timer("never.timer", None)))
    assert names(found) == ["sweep.timer"]
    assert found.blockers[0].what == "fires in 9 min"


def test_other_logins_are_a_warning_and_our_own_is_none() -> None:
    mine = (Login("me", "pts/0", "7", None), Login("me", "pts/3", "9", None))
    here = (process(100, "vipconsole", terminal="pts/3"),)
    assert check("logins", logins=mine, processes=here).state is CheckState.QUIET
    other = Login("ada", "pts/4", "8", ago(60))
    report = judged(swarm(), logins=(*mine, other), processes=here).report
    logins = next(each for each in report.checks if each.code == "logins")
    assert (logins.state, names(logins)) == (CheckState.WARNING, ["ada on pts/4"])
    assert report.verdict is QuiescenceVerdict.QUIET
    assert check("logins", logins=Unknown("hidden")).state is CheckState.UNCHECKED


def test_a_host_check_that_has_no_meaning_here_does_not_block_unless_it_was_asked_for() -> None:
    elsewhere = Inapplicable("The engine is not on this host.")
    parts = ("processes", "jobs", "units", "timers", "logins", "lock_holder")
    host = activity(**dict.fromkeys(parts, elsewhere))
    assert (
        judge(replace(seen(swarm()), activity=host), PreviousChecks(), RULES).report.verdict
        is QuiescenceVerdict.QUIET
    )
    wanted = check("units", units=Inapplicable("no systemd", is_configured=True))
    assert (wanted.state, wanted.is_lasting) == (CheckState.UNKNOWN, True)
    assert check("jobs", jobs=Unknown("systemctl failed")).state is CheckState.UNKNOWN
    assert (
        judged(swarm(), own=OwnProcess(1, "", ""), jobs=(SystemdJob("x", "start", "waiting"),)).report.verdict
        is QuiescenceVerdict.BUSY
    )


def test_since_when_is_remembered_where_nothing_tells_and_told_by_this_hosts_clock() -> None:
    jobs = (SystemdJob("x.service", "start", "running"),)
    first = judged(swarm(), jobs=jobs)
    later = Snapshot("", NOW + timedelta(seconds=30), 0, swarm(), None, (), Unknown(""))
    again = judge(CheckInputs(later, activity(jobs=jobs), Changes((), None), 1030.0), first.previous, RULES)
    found = next(each for each in again.report.checks if each.code == "jobs")
    assert found.blockers[0].since == NOW
    updating = replace(WEB, update_state="updating", update_started=ago(5))
    ahead = replace(later, swarm=swarm(services=[updating], tasks=[RUNS]))
    moved = judge(CheckInputs(ahead, activity(), Changes((), None), 1030.0), PreviousChecks(), RULES)
    # The engine's clock says NOW, and this host's 30 s more.
    assert next(each for each in moved.report.checks if each.code == "updates").blockers[
        0
    ].since == NOW + timedelta(seconds=25)
