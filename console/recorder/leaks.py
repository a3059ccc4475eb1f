"""Which stacks leaked how much, and after what: from the record, and from the leak log that consoles keep. Pure."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from console.addresses.leaks import LeakEntry
from console.frozen import frozen
from console.recorder.values import EventKind, RecordedEvent

SAME_TIME = timedelta(minutes=10)
"""Consoles and the recorder see a task end at times that differ by no more."""
SAME_REMOVAL = timedelta(minutes=2)
"""What a stack leaked within so long it leaked at one time."""
BEFORE, AFTER = timedelta(minutes=10), timedelta(minutes=2)
"""A removal leaks within so long, and may be seen so much later than the leak."""
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_MORE = re.compile(r" and (\d+) more on ")


@frozen
class LeakRecord:
    """What one task leaked on one network."""

    at: datetime
    network: str
    stack: str
    """Empty for a service of no stack, or where it is not known."""
    service: str
    task: str
    addresses: int
    removed_network: str
    """Name of the network that was removed while the task was stopping."""
    after: str = ""
    """What happened just before: `stack app was removed`. Empty where nothing is known."""

    @property
    def owner(self) -> str:
        """The stack, else the service."""
        return self.stack or self.service


@frozen
class StackLeaks:
    """All that a stack leaked, or a service of no stack."""

    name: str
    is_stack: bool
    addresses: int
    times: int
    last: LeakRecord


def leak_records(
    events: Sequence[RecordedEvent], entries: Iterable[LeakEntry] = (), network: str = ""
) -> tuple[LeakRecord, ...]:
    """Return what leaked on a network, or on all, newest first: what both tell is there once."""
    records = [
        _of_event(event, events)
        for event in events
        if event.kind is EventKind.LEAK and network in ("", event.network)
    ]
    recorded: dict[tuple[str, str], list[datetime]] = {}
    for record in records:
        recorded.setdefault((record.network, record.task), []).append(record.at)
    for entry in entries:
        seen = recorded.get((entry.network_name, entry.task_name), ())
        if network in ("", entry.network_name) and not any(
            abs(at - entry.ended_at) <= SAME_TIME for at in seen
        ):
            records.append(_of_entry(entry, events))
    return tuple(sorted(records, key=lambda record: record.at, reverse=True))


def leaks_by_stack(records: Iterable[LeakRecord]) -> tuple[StackLeaks, ...]:
    """Return the stacks that leaked, those first that leaked most, of equal ones those that leaked last."""
    by_owner: dict[tuple[str, bool], list[LeakRecord]] = {}
    for record in sorted(records, key=lambda leak: leak.at):
        by_owner.setdefault((record.owner, bool(record.stack)), []).append(record)
    stacks = [
        StackLeaks(name, is_stack, sum(record.addresses for record in leaks), _times(leaks), last=leaks[-1])
        for (name, is_stack), leaks in by_owner.items()
    ]
    stacks.sort(key=lambda stack: stack.last.at, reverse=True)
    return tuple(sorted(stacks, key=lambda stack: (-stack.addresses, -stack.times)))


def preceding(events: Iterable[RecordedEvent], at: datetime, stack: str, service: str, network: str) -> str:
    """Return what was done to a stack or service just before a moment, as the end of `after …`; nothing where it is not known.

    `network` is the one that was removed under the task. Which command did it the engine does not tell.
    """
    near = [
        event
        for event in events
        if event.kind in (EventKind.REMOVAL, EventKind.DEPLOY)
        and at - BEFORE <= event.at <= at + AFTER
        and ((stack and event.stack == stack) or event.subject in (service, network))
    ]
    removals = [event for event in near if event.kind is EventKind.REMOVAL]
    networks = [event for event in removals if event.network]
    services = [event for event in removals if not event.network]
    if stack and networks and services:
        return f"stack {stack} was removed"
    if removals:
        last = (services or networks)[-1]
        return f"{'network' if last.network else 'service'} {last.subject} was removed"
    updates = [event for event in near if event.at <= at and " was updated" in event.sentence]
    return f"service {updates[-1].subject} was updated" if updates else ""


def after_leak(event: RecordedEvent, events: Iterable[RecordedEvent]) -> str:
    """Return what a recorded leak came after, as `preceding` does."""
    return preceding(events, event.at, event.stack, event.subject, _removed_network(event.sentence))


def _of_event(event: RecordedEvent, events: Iterable[RecordedEvent]) -> LeakRecord:
    return LeakRecord(
        event.at,
        event.network,
        event.stack,
        event.subject,
        event.sentence.partition(" leaked ")[0],
        event.addresses or _count(event.sentence),
        _removed_network(event.sentence),
        after_leak(event, events) or _without_record(_removed_network(event.sentence)),
    )


def _of_entry(entry: LeakEntry, events: Iterable[RecordedEvent]) -> LeakRecord:
    return LeakRecord(
        entry.ended_at,
        entry.network_name,
        entry.stack,
        entry.service_name,
        entry.task_name,
        len(entry.addresses),
        entry.removed_network,
        preceding(events, entry.ended_at, entry.stack, entry.service_name, entry.removed_network)
        or _without_record(entry.removed_network),
    )


def _without_record(removed_network: str) -> str:
    """Return what a leak itself tells."""
    return f"network {removed_network} was removed" if removed_network else ""


def _count(sentence: str) -> int:
    """Return how many addresses a sentence of a leak names: older records hold no other figure."""
    more = _MORE.search(sentence)
    named = len(_ADDRESS.findall(sentence.partition(" leaked ")[2].partition(" on ")[0]))
    return max(1, named + (int(more[1]) if more else 0))


def _removed_network(sentence: str) -> str:
    return (
        sentence.rpartition(": network ")[2].partition(" was removed")[0] if ": network " in sentence else ""
    )


def _times(leaks: Sequence[LeakRecord]) -> int:
    times, last = 0, None
    for leak in leaks:
        if last is None or leak.at - last > SAME_REMOVAL:
            times += 1
        last = leak.at
    return times
