"""Since when a swarm has been recorded, for those who only look."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from console.errors import HostError
from console.storage.state import RECORD_FILE

if TYPE_CHECKING:
    from console.monitor.values import Watching
    from console.recorder.values import WatchSpan

SHORT = timedelta(minutes=5)
"""A recorder that was away no longer was started again; a longer time was not watched."""
FRESH = timedelta(minutes=5)
"""A recorder that is at work says so every minute."""


def watching_of(spans: "Sequence[WatchSpan]", now: datetime, *, is_at_work: bool) -> "Watching | None":
    """Return since when a swarm has been recorded without a longer break; None where it never was.

    `spans` come oldest first. A recorder that is at work may record another swarm.
    """
    from console.monitor.values import Watching  # noqa: PLC0415 - as below

    if not spans:
        return None
    last = max(spans, key=lambda span: span.ended)
    if not is_at_work or now - last.ended > FRESH:
        return Watching(is_at_work=False, since=last.ended)
    since = last.began
    for span in sorted(spans, key=lambda span: span.began, reverse=True):
        if since - span.ended > SHORT:
            break
        since = min(since, span.began)
    return Watching(is_at_work=True, since=since)


def read_watching(state: Path, cluster_id: str, now: datetime) -> "Watching | None":
    """Return since when a swarm has been recorded; None where it never was, or the record cannot be read."""
    # What reads a record, or tells who writes it, is loaded where there is one.
    try:
        (state / RECORD_FILE).lstat()
    except OSError:
        return None
    from console.storage.record import RecordStore  # noqa: PLC0415 - see above
    from console.storage.recorder_lock import recorder_of  # noqa: PLC0415 - see above

    try:
        spans = RecordStore(state).spans(cluster_id)
    except HostError:
        return None
    return watching_of(spans, now, is_at_work=bool(spans) and bool(recorder_of(state)))
