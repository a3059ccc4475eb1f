"""Whom to tell what, and when."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from console.alerts.decision import decide, present_of, trial
from console.alerts.values import FindingKey, Memory, Notification, Occasion
from console.diagnosis.values import Severity
from console.errors import Unknown
from console.monitor.values import MonitorState
from tests.alerts.states import AWAY, HOUR, MINUTE, away, found, state_of
from tests.support.swarms import NOW

CRITICAL, WARNING, UNKNOWN = Severity.CRITICAL, Severity.WARNING, Severity.UNKNOWN


class Receiver:
    """One alert, and what it has told."""

    def __init__(self, at: Severity = CRITICAL) -> None:
        self.at = at
        self.memories: dict[FindingKey, Memory] = {}
        self.now: datetime = NOW

    def see(self, state: MonitorState, after: timedelta = timedelta(0)) -> tuple[Notification, ...]:
        self.now += after
        self.memories, notifications = decide(self.memories, present_of(state, self.now, "here"), self.at)
        return notifications

    def told(self, state: MonitorState, after: timedelta = timedelta(0)) -> list[str]:
        return [f"{each.occasion.value} {each.subject}" for each in self.see(state, after)]


def test_a_rise_is_told_once_and_its_end_once() -> None:
    receiver = Receiver()
    assert receiver.told(state_of()) == []
    (rise,) = receiver.see(state_of(found()), MINUTE)
    assert (rise.occasion, rise.severity, rise.at, rise.since, rise.host) == (
        Occasion.RISE,
        CRITICAL,
        receiver.now,
        receiver.now,
        "here",
    )
    assert (rise.short, rise.sentence, rise.hint) == ("proxy is full", "proxy has no address left.", "Look.")
    for _ in range(100):
        assert receiver.told(state_of(found(sentence="It says it otherwise.")), HOUR) == []
    assert receiver.told(state_of(), MINUTE) == []
    (end,) = receiver.see(state_of(), MINUTE)
    assert (end.occasion, end.severity) == (Occasion.END, CRITICAL)
    assert end.sentence == "Over after 4 d: proxy is full."
    assert receiver.told(state_of(), 10 * HOUR) == []
    assert receiver.memories == {}


def test_one_snapshot_without_it_is_no_end() -> None:
    receiver = Receiver()
    receiver.see(state_of(found()))
    assert receiver.told(state_of(), HOUR) == []
    assert receiver.told(state_of(), timedelta(seconds=59)) == []
    assert receiver.told(state_of(found()), timedelta(seconds=1)) == []
    assert receiver.told(state_of(), timedelta(seconds=1)) == []
    assert receiver.told(state_of(), timedelta(seconds=59)) == []
    assert receiver.told(state_of(), timedelta(seconds=1)) == ["end proxy"]


def test_what_flaps_is_told_at_most_once_an_hour() -> None:
    receiver = Receiver()
    rises = []
    for minute in range(6 * 60):
        state = state_of(found()) if minute % 10 < 5 else state_of()
        rises += [each.at for each in receiver.see(state, MINUTE) if each.occasion is Occasion.RISE]
    assert len(rises) == 6
    assert all(later - earlier >= HOUR for earlier, later in itertools.pairwise(rises))


def test_what_comes_back_within_the_hour_and_stays_is_told_when_the_hour_is_over() -> None:
    receiver = Receiver()
    assert receiver.told(state_of(found())) == ["rise proxy"]
    receiver.see(state_of(), MINUTE)
    assert receiver.told(state_of(), MINUTE) == ["end proxy"]
    assert receiver.told(state_of(found()), MINUTE) == []
    assert receiver.told(state_of(found()), timedelta(minutes=56)) == []
    (rise,) = receiver.see(state_of(found()), MINUTE)
    assert rise.since == NOW + 3 * MINUTE


def test_what_came_back_unsaid_ends_unsaid() -> None:
    receiver = Receiver()
    receiver.see(state_of(found()))
    receiver.see(state_of(), MINUTE)
    receiver.see(state_of(), MINUTE)
    receiver.see(state_of(found()), MINUTE)
    receiver.see(state_of(), MINUTE)
    assert receiver.told(state_of(), MINUTE) == []


def test_the_severity_decides() -> None:
    state = state_of(found("a", "one", WARNING), found("b", "two", CRITICAL), found("c", "note", Severity.OK))
    assert Receiver(CRITICAL).told(state) == ["rise two"]
    assert Receiver(WARNING).told(state) == ["rise one", "rise two"]


def test_the_same_finding_about_another_thing_is_another_thing() -> None:
    receiver = Receiver()
    assert receiver.told(state_of(found())) == ["rise proxy"]
    assert receiver.told(state_of(found(), found(subject="web"))) == ["rise web"]


def test_what_gets_worse_is_told_again_when_the_hour_is_over() -> None:
    receiver = Receiver(WARNING)
    assert receiver.told(state_of(found(severity=WARNING))) == ["rise proxy"]
    assert receiver.told(state_of(found(severity=CRITICAL)), MINUTE) == []
    (worse,) = receiver.see(state_of(found(severity=CRITICAL)), HOUR)
    assert (worse.severity, worse.since) == (CRITICAL, NOW)
    assert receiver.told(state_of(found(severity=WARNING)), HOUR) == []
    assert receiver.told(state_of(found(severity=CRITICAL)), HOUR) == []


def test_what_is_less_bad_is_no_longer_critical() -> None:
    receiver = Receiver()
    receiver.see(state_of(found()))
    receiver.see(state_of(found(severity=WARNING)), HOUR)
    (end,) = receiver.see(state_of(found(severity=WARNING)), MINUTE)
    assert end.sentence == "No longer critical after 60 min: proxy is full."


def test_an_engine_that_does_not_answer_ends_nothing_and_is_told_after_a_minute() -> None:
    receiver = Receiver(WARNING)
    burning = state_of(found())
    receiver.see(burning)
    assert receiver.told(away(burning), HOUR) == []
    assert receiver.told(away(state_of()), timedelta(seconds=59)) == []
    (rise,) = receiver.see(away(state_of()), timedelta(seconds=1))
    assert (rise.code, rise.severity, rise.sentence, rise.hint) == (
        "swarm-unread",
        UNKNOWN,
        AWAY.reason,
        AWAY.hint,
    )
    receiver.see(burning, HOUR)
    assert receiver.told(burning, MINUTE) == ["end swarm"]
    critical = Receiver()
    critical.see(away(burning))
    assert critical.told(away(burning), HOUR) == []


def test_a_short_restart_of_dockerd_is_not_told() -> None:
    receiver = Receiver(WARNING)
    assert receiver.told(away(state_of())) == []
    assert receiver.told(state_of(), timedelta(seconds=50)) == []
    assert receiver.told(away(state_of()), 2 * MINUTE) == []
    assert receiver.told(state_of(), MINUTE) == []


@pytest.mark.parametrize(
    "unread", [found("part-unread", "networks", UNKNOWN), found("network-unread", "proxy", UNKNOWN)]
)
def test_what_cannot_be_judged_does_not_end(unread: object) -> None:
    receiver = Receiver()
    receiver.see(state_of(found()))
    receiver.see(state_of(unread), HOUR)  # type: ignore[arg-type] # both are findings
    assert receiver.told(state_of(unread), HOUR) == []  # type: ignore[arg-type] # the same
    receiver.see(state_of(), MINUTE)
    assert receiver.told(state_of(), MINUTE) == ["end proxy"]


def test_another_network_that_cannot_be_inspected_holds_up_nothing() -> None:
    receiver = Receiver()
    receiver.see(state_of(found()))
    unread = found("network-unread", "web", UNKNOWN)
    receiver.see(state_of(unread), MINUTE)
    assert receiver.told(state_of(unread), MINUTE) == ["end proxy"]


def test_a_failure_in_a_journal_that_cannot_be_read_does_not_end() -> None:
    receiver = Receiver()
    logged = found("logged-exhausted", "journal")
    receiver.see(state_of(logged, found()))
    silent = state_of(journal=Unknown("No journal."))
    receiver.see(silent, MINUTE)
    assert receiver.told(silent, MINUTE) == ["end proxy"]
    receiver.see(state_of(), MINUTE)
    assert receiver.told(state_of(), MINUTE) == ["end journal"]


def test_a_run_is_told_and_ends_while_the_engine_is_away() -> None:
    receiver = Receiver()
    run = found("run-unfinished", "run-1", short="the run run-1 waits")
    waiting = replace(away(state_of()), run_findings=(run,))
    assert receiver.told(waiting) == ["rise run-1"]
    receiver.see(away(state_of()), MINUTE)
    assert receiver.told(away(state_of()), MINUTE) == ["end run-1"]
    receiver.see(waiting, 2 * HOUR)
    unread = replace(away(state_of()), run_findings=(found("runs-unread", "run", UNKNOWN),))
    receiver.see(unread, MINUTE)
    assert receiver.told(unread, MINUTE) == []


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    receiver = Receiver()
    receiver.now += timedelta(days=300)
    receiver.see(state_of(found()))
    receiver.see(state_of(), MINUTE)
    assert receiver.told(state_of(), -timedelta(days=300)) == []
    assert receiver.told(state_of(), MINUTE) == ["end proxy"]
    assert receiver.told(state_of(found()), MINUTE) == ["rise proxy"]


def test_texts_from_outside_are_clean_and_short() -> None:
    (rise,) = Receiver().see(
        state_of(found(short="\x1b[2J" * 5000, sentence="a\x00\u202e" * 5000, hint="\r\n" * 5000))
    )
    for text in (rise.short, rise.sentence, rise.hint):
        assert text.isprintable()
        assert len(text) <= 1000


def test_notifications_have_names_of_their_own() -> None:
    receiver = Receiver()
    (first,) = receiver.see(state_of(found()))
    (second,) = receiver.see(state_of(found(), found(subject="web")))
    assert len({first.id, second.id, trial(NOW, "here").id}) == 3
    assert first.id == replace(first, sentence="other words").id
