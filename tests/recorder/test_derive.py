"""What happened between two states, as events."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from console.addresses.leaks import LeakLog
from console.diagnosis.values import Finding, Severity
from console.errors import Unknown
from console.journal.matching import LogEvent
from console.journal.signatures import SIGNATURES, Signature
from console.journal.summary import summarise
from console.monitor.values import Line, Log, MonitorState
from console.recorder.baseline import Baseline, from_json, to_json
from console.recorder.derive import Derivation, derive
from console.recorder.values import EventKind, RecordedEvent
from console.swarm.model import Network, Service, SwarmState, Task
from tests.support.monitor_states import monitor_state
from tests.support.swarms import HERE, NOW, entry, network, service, swarm, task

BRIDGE = network("bridge", "172.17.0.0/16", driver="bridge", scope="local")
PROXY = network("proxy", "10.0.1.0/24")
NO_VIP = next(each for each in SIGNATURES if each.id == "vip-create")
REBUILD = next(each for each in SIGNATURES if each.is_rebuild)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


class Film:
    """States one after the other, and the events that they make; the baseline goes through its JSON each time."""

    def __init__(self) -> None:
        self.baseline = Baseline()
        self.bridge = BRIDGE
        self.counts: Mapping[datetime, Mapping[str, int]] = {}

    def show(
        self,
        minutes: float,
        services: Iterable[Service] | Unknown = (),
        tasks: Iterable[Task] = (),
        networks: Iterable[Network] | Unknown = (PROXY,),
        findings: tuple[Finding, ...] = (),
        leak_log: LeakLog | None = None,
        log: Log | None = None,
        **more: Any,
    ) -> tuple[RecordedEvent, ...]:
        networks = networks if isinstance(networks, Unknown) else (self.bridge, *networks)
        state = _at(minutes, swarm(networks, services, tasks, **more))
        shown = monitor_state(state, leak_log=leak_log, log=log)
        assert shown.snapshot.value is not None
        assessment = replace(shown.snapshot.value.assessment, findings=findings)
        snapshot = replace(shown.snapshot, value=replace(shown.snapshot.value, assessment=assessment))
        derivation = derive(self.baseline, replace(shown, snapshot=snapshot), at(minutes))
        assert from_json(to_json(derivation.baseline)) == replace(derivation.baseline, seen_at=None)
        self.baseline, self.counts = derivation.baseline, derivation.counts
        return derivation.events

    def kill(self) -> None:
        """Go on with what is on disk."""
        self.baseline = replace(from_json(to_json(self.baseline)), seen_at=self.baseline.seen_at)


def _at(minutes: float, state: SwarmState) -> SwarmState:
    assert not isinstance(state.engine, Unknown)
    return replace(state, engine=replace(state.engine, time=at(minutes)))


def updated(before: Service, minutes: float, **changes: Any) -> Service:
    spec = {"Changes": sorted(map(str, changes.items()))}
    return replace(before, version=before.version + 1, updated=at(minutes), spec=spec, **changes)


def line(number: int, moment: datetime, signature: Signature | None) -> Line:
    meaning = None if signature is None else LogEvent(signature, moment, "", "", "")
    return Line(number, "text", moment, "error", meaning)


def logged(*lines: Line) -> Log:
    rebuilds = [
        each.at for each in lines if isinstance(each.meaning, LogEvent) and each.meaning.signature.is_rebuild
    ]
    return Log(replace(summarise([], {}), rebuilt_at=max(rebuilds, default=None)), lines)


def finding(severity: Severity = Severity.WARNING, subject: str = "proxy") -> Finding:
    return Finding(
        "network-filling", severity, subject, "proxy is nearly full", "proxy has 3 free addresses."
    )


def told(events: Iterable[RecordedEvent]) -> list[tuple[str, str]]:
    return [(event.kind.value, event.sentence) for event in events]


def test_what_is_there_at_first_did_not_happen() -> None:
    film = Film()
    failed = task("web_app", state="failed", since=at(-1), error="exit 1")
    assert film.show(0, [service("web_app")], [failed]) == ()
    assert film.show(1, [service("web_app")], [failed]) == ()


def test_a_state_without_a_snapshot_says_nothing() -> None:
    assert derive(Baseline(), MonitorState(), NOW) == Derivation(Baseline(), (), {})


def test_services_come_change_and_go() -> None:
    film = Film()
    web = service("web_app")
    film.show(0)
    (created,) = film.show(1, [replace(web, created=at(0.5))])
    assert (created.at, created.kind, created.subject, created.stack) == (
        at(0.5), EventKind.DEPLOY, "web_app", "web",
    )  # fmt: skip
    film = Film()
    web = replace(web, image="nginx:2")
    film.show(0, [web])
    newer = updated(web, 1, image="nginx:3")
    assert told(film.show(1, [newer])) == [
        ("deploy", "Service web_app was updated from image nginx:2 to nginx:3.")
    ]
    wider = updated(newer, 2, replicas=4)
    assert told(film.show(2, [wider])) == [("deploy", "Service web_app was updated from 1 to 4 replicas.")]
    (gone,) = film.show(3)
    assert (gone.at, gone.kind, gone.sentence) == (at(3), EventKind.REMOVAL, "Service web_app was removed.")


def test_what_swarm_itself_writes_to_a_service_is_no_deploy() -> None:
    film = Film()
    web = service("web_app")
    film.show(0, [web])
    assert film.show(1, [replace(web, version=7, update_state="completed", updated=at(1))]) == ()


def test_an_update_that_stops_is_a_failure_once() -> None:
    film = Film()
    web = service("web_app")
    film.show(0, [web])
    stopped = replace(web, version=2, update_state="paused", update_message="update paused due to failure")
    (event,) = film.show(1, [stopped])
    assert (event.kind, event.sentence) == (
        EventKind.FAILURE, "The update of web_app stopped. update paused due to failure",
    )  # fmt: skip
    assert film.show(2, [replace(stopped, version=3)]) == ()


def test_a_crash_loop_is_one_event_until_it_rests() -> None:
    film = Film()
    web = service("web_app")
    film.show(0, [web])
    (event,) = film.show(1, [web], [task("web_app", state="failed", since=at(0.9), error="exit 1")])
    assert (event.at, event.kind, event.stack) == (at(0.9), EventKind.FAILURE, "web")
    assert event.sentence == "Tasks of web_app began to fail: exit 1."
    for minutes in range(2, 20):
        failed = [task("web_app", slot=minutes, state="rejected", since=at(minutes - 0.1))]
        assert film.show(minutes, [web], failed) == ()
    assert film.show(40, [web]) == ()
    (again,) = film.show(41, [web], [task("web_app", state="failed", since=at(41))])
    assert again.at == at(41)


def test_many_that_fail_at_once_are_one_event() -> None:
    film = Film()
    services = [service(f"s{number}_app") for number in range(30)]
    film.show(0, services)
    tasks = [task(each.name, state="failed", since=at(1)) for each in services]
    assert told(film.show(1, services, tasks)) == [
        ("failure", "Tasks of 30 services began to fail: s0_app, s1_app, s2_app, s3_app and 26 more.")
    ]


def test_a_removed_network_and_a_list_that_lacks_it() -> None:
    film = Film()
    internal = network("web_internal", "10.0.2.0/24")
    web = service("web_app", ("id-web_internal", "10.0.2.5"))
    film.show(0, [web], networks=[PROXY, internal])
    # An engine that cannot reach the leader lists its own copies only.
    assert film.show(1, [web]) == ()
    events = film.show(2, networks=[PROXY])
    assert told(events) == [
        ("removal", "Service web_app was removed."), ("removal", "Network web_internal was removed."),
    ]  # fmt: skip
    assert events[1].network == "web_internal"


def test_what_cannot_be_read_has_not_changed() -> None:
    film = Film()
    film.show(0, [service("web_app")])
    assert film.show(1, Unknown("It timed out."), networks=Unknown("It timed out.")) == ()
    assert film.show(2, [service("web_app")]) == ()


def test_every_leak_is_an_event_once_also_those_of_earlier_sessions() -> None:
    film = Film()
    one, two = entry("id-proxy", "10.0.1.7"), entry("id-proxy", "10.0.1.8", stack="shop", ended_at=at(1))
    (first,) = film.show(0, leak_log=LeakLog(NOW, (one,)))
    assert (first.at, first.network, first.stack, first.severity) == (NOW, "proxy", "ghost", Severity.WARNING)
    assert first.sentence == (
        "ghost_app.1 leaked 10.0.1.7 on proxy: network ghost_internal was removed while it was stopping."
    )
    (second,) = film.show(1, leak_log=LeakLog(NOW, (two, one)))
    assert (second.subject, second.stack) == ("shop_app", "shop")
    fewer = replace(two, addresses=two.addresses)
    assert film.show(2, leak_log=LeakLog(NOW, (fewer, one))) == ()


def test_a_finding_begins_gets_worse_and_ends() -> None:
    film = Film()
    (began,) = film.show(0, findings=(finding(),))
    assert (began.subject, began.network, began.severity) == ("network-filling", "proxy", Severity.WARNING)
    assert film.show(1, findings=(finding(),)) == ()
    (worse,) = film.show(2, findings=(finding(Severity.CRITICAL),))
    assert worse.severity is Severity.CRITICAL
    assert film.show(3) == ()
    # It comes back before it has been gone for long.
    assert film.show(3.5, findings=(finding(Severity.CRITICAL),)) == ()
    assert film.show(4) == ()
    (ended,) = film.show(5.5)
    assert (ended.at, ended.is_end, ended.subject) == (at(4), True, "network-filling")
    assert ended.sentence == "Over: proxy is nearly full."
    assert film.show(6, findings=(finding(Severity.OK),)) == ()


def test_a_restart_of_dockerd_is_an_event_at_its_time() -> None:
    film = Film()
    film.show(0)
    film.bridge = replace(BRIDGE, created=at(0.5))
    (restart,) = film.show(1)
    assert (restart.at, restart.kind, restart.subject) == (at(0.5), EventKind.RESTART, "dockerd")
    assert film.show(2) == ()


def test_a_rebuild_that_only_the_log_tells_is_an_event_and_that_of_a_restart_is_not_another() -> None:
    film = Film()
    film.show(0, log=logged(line(1, at(-30), REBUILD)))
    assert told(film.show(1, log=logged(line(2, at(0.9), REBUILD)))) == []
    assert told(film.show(2, log=logged(line(2, at(0.9), REBUILD)))) == [
        ("restart", "The allocator was rebuilt, by dockerd's log.")
    ]
    film.bridge = replace(BRIDGE, created=at(2.9))
    assert told(film.show(3, log=logged(line(3, at(2.95), REBUILD)))) == [
        ("restart", "dockerd was restarted. Its allocator forgot what had leaked.")
    ]
    assert film.show(4, log=logged(line(3, at(2.95), REBUILD))) == ()


def test_a_borrowed_manager_is_told() -> None:
    film = Film()
    film.show(0)
    (event,) = film.show(1, nodes=(replace(HERE, allocator_rebuilt="2026-06-12T02:00:30Z"),))
    assert event.sentence == "A borrowed manager rebuilt the allocator."


def test_what_dockerd_logs_is_counted_by_the_hour_and_told_once_an_hour() -> None:
    film = Film()
    lines = [line(1, at(0), NO_VIP), line(2, at(1), NO_VIP), line(3, at(61), NO_VIP), line(4, at(62), None)]
    events = film.show(0, log=logged(*lines))
    assert [(event.at, event.subject) for event in events] == [(at(0), "vip-create"), (at(61), "vip-create")]
    assert film.counts == {NOW: {"vip-create": 2}, at(60): {"vip-create": 1}}
    assert film.show(63, log=logged(*lines, line(5, at(63), NO_VIP))) == ()
    assert film.counts == {at(60): {"vip-create": 1}}


def test_a_recorder_that_was_started_again_counts_no_line_twice() -> None:
    film = Film()
    lines = [line(1, at(0), NO_VIP), line(2, at(1), NO_VIP)]
    film.show(2, log=logged(*lines))
    film.kill()
    assert film.show(3, log=logged(*lines, line(3, at(2.5), NO_VIP))) == ()
    assert film.counts == {NOW: {"vip-create": 1}}


def test_another_leader_has_another_allocator() -> None:
    film = Film()
    film.show(0)
    other = replace(HERE, id="node-b", hostname="host-b")
    (event,) = film.show(1, nodes=(replace(HERE, is_leader=False), other))
    assert event.sentence == "host-b leads the swarm now. Its allocator is a new one."
    assert film.show(2, nodes=(replace(HERE, is_leader=False), replace(other, is_leader=False))) == ()
    assert film.show(3, nodes=(replace(HERE, is_leader=False), other)) == ()
