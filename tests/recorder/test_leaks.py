"""Which stacks leaked most, when, and after what."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from console.recorder.derive import leak_event
from console.recorder.leaks import leak_records, leaks_by_stack
from console.recorder.values import EventKind, RecordedEvent
from tests.support.swarms import NOW, entry

SECOND = timedelta(seconds=1)


def removal(subject: str, at: datetime = NOW, stack: str = "ghost", network: str = "") -> RecordedEvent:
    noun = "Network" if network else "Service"
    return RecordedEvent(
        at, EventKind.REMOVAL, subject, f"{noun} {subject} was removed.", network=network, stack=stack
    )


def leak(at: datetime = NOW, stack: str = "ghost", *addresses: str) -> RecordedEvent:
    return leak_event(entry("proxy", *(addresses or ("10.0.1.7",)), stack=stack, ended_at=at), "proxy")


SERVICE, NETWORK = (
    removal("ghost_app", NOW - SECOND),
    removal("ghost_internal", NOW - SECOND, network="ghost_internal"),
)
UPDATE = RecordedEvent(
    NOW - SECOND,
    EventKind.DEPLOY,
    "ghost_app",
    "Service ghost_app was updated from image a to b.",
    stack="ghost",
)


@pytest.mark.parametrize(
    ("events", "after"),
    [
        ((SERVICE, NETWORK), "stack ghost was removed"),
        ((SERVICE,), "service ghost_app was removed"),
        ((NETWORK,), "network ghost_internal was removed"),
        ((UPDATE,), "service ghost_app was updated"),
        # A snapshot sees the leak before the removal.
        ((removal("ghost_app", NOW + 30 * SECOND),), "service ghost_app was removed"),
        # What was long before, what another stack did, and a creation tell nothing; the leak itself names its network.
        ((removal("ghost_app", NOW - 3600 * SECOND),), "network ghost_internal was removed"),
        ((removal("wiki_app", stack="wiki"),), "network ghost_internal was removed"),
        (
            (RecordedEvent(NOW - SECOND, EventKind.DEPLOY, "ghost_app", "Service ghost_app was created."),),
            "network ghost_internal was removed",
        ),
    ],
)
def test_a_leak_names_what_it_came_after(events: tuple[RecordedEvent, ...], after: str) -> None:
    (record,) = leak_records([*events, leak()])
    assert record.after == after


def test_stacks_are_in_the_order_of_what_they_leaked() -> None:
    hour = timedelta(hours=1)
    events = [
        leak(NOW - 3 * hour, "wiki", "10.0.1.1"),
        leak(NOW - 2 * hour, "wiki", "10.0.1.2"),
        leak(NOW - 2 * hour + 30 * SECOND, "wiki", "10.0.1.3"),
        leak(NOW - hour, "ghost", "10.0.1.4", "10.0.1.5", "10.0.1.6", "10.0.1.7", "10.0.1.8", "10.0.1.9"),
        leak(NOW, "shop", "10.0.1.10"),
    ]
    stacks = leaks_by_stack(leak_records(events, network="proxy"))
    assert [(stack.name, stack.addresses, stack.times) for stack in stacks] == [
        ("ghost", 6, 1),
        ("wiki", 3, 2),
        ("shop", 1, 1),
    ]
    assert stacks[1].last.at == NOW - 2 * hour + 30 * SECOND
    assert leaks_by_stack(leak_records(events, network="other")) == ()


def test_a_leak_says_how_many_addresses_it_lost_and_an_older_record_names_them() -> None:
    many = leak(NOW, "ghost", *(f"10.0.1.{number}" for number in range(1, 31)))
    assert many.addresses == 30
    (record,) = leak_records([replace(many, sentence="ghost_app.1 leaked more than it says.")])
    assert record.addresses == 30
    older = replace(many, addresses=0)
    assert [record.addresses for record in leak_records([older])] == [30]


def test_what_both_a_console_and_the_recorder_saw_counts_once() -> None:
    seen = entry("proxy", "10.0.1.7", ended_at=NOW + 5 * SECOND)
    alone = entry("proxy", "10.0.1.8", "10.0.1.9", stack="wiki")
    elsewhere = entry("other", "10.0.2.9")
    records = leak_records([leak()], [seen, alone, elsewhere], "proxy")
    assert sorted((record.stack, record.addresses) for record in records) == [("ghost", 1), ("wiki", 2)]
    later = entry("proxy", "10.0.1.7", ended_at=NOW + timedelta(hours=1))
    assert len(leak_records([leak()], [later], "proxy")) == 2


def test_a_service_of_no_stack_is_named_by_itself() -> None:
    (found,) = leaks_by_stack(leak_records([], [entry("proxy", "10.0.1.7", stack="")]))
    assert (found.name, found.is_stack) == ("_app", False)
