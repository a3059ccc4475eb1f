"""What dockerd last said about each object."""

from collections.abc import Iterable, Mapping

from console.journal.matching import Event, Recogniser
from console.journal.signatures import Certainty, Severity
from console.journal.values import Batch


def lines_of(batch: Batch) -> Mapping[str, Event]:
    """Return the last lines of a reading of dockerd's journal; see `last_lines`."""
    recogniser = Recogniser()
    found = (recogniser.recognise(each) for each in batch.entries)
    return last_lines(each for each in found if isinstance(each, Event))


def last_lines(events: Iterable[Event]) -> Mapping[str, Event]:
    """Return the last line that matters about each service, task, network and node, by their IDs.

    Lines that hold nothing up are left out (noise, and signs of a leak), and those from before the allocator began
    anew: it has tried again since. A line that names a cause is not replaced by one that only tells of its
    consequence.
    """
    lines: dict[str, Event] = {}
    for event in events:
        if event.signature.is_rebuild:
            lines.clear()
        if event.signature.severity is Severity.NOTE or event.signature.is_leak_evidence:
            continue
        if event.signature.is_about_node:
            # The task's own error tells the same, and what the manager said is wanted beside it.
            continue
        is_cause = _is_cause(event)
        for kind, each in event.ids.items():
            # Every line names the manager that wrote it; only some are about a node.
            if kind == "removed" or (kind == "node" and "<node>" not in event.signature.message):
                continue
            before = lines.get(each)
            if is_cause or before is None or not _is_cause(before):
                lines[each] = event
    return lines


def _is_cause(event: Event) -> bool:
    """Whether a line tells why, if only in dockerd's words, and not merely that something waits."""
    signature = event.signature
    return signature.certainty is Certainty.CERTAIN or (
        signature.shows_line and signature.id != "allocation-pending"
    )
