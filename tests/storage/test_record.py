"""What the recorder kept, on disk."""

import sqlite3
import stat
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from console.diagnosis.values import Severity
from console.errors import HostError
from console.recorder.values import EventKind, RecordedEvent, WatchSpan
from console.storage.record import FILE, RecordStore
from tests.support.swarms import NOW

HOUR = NOW.replace(minute=0, second=0, microsecond=0)
LEAK = RecordedEvent(
    NOW,
    EventKind.LEAK,
    "web_app",
    "web_app.1 leaked 10.0.1.7 on proxy.",
    network="proxy",
    stack="web",
    severity=Severity.WARNING,
    addresses=1,
)
MEGABYTE = 2**20


def deploy(at: datetime, number: int = 1) -> RecordedEvent:
    return RecordedEvent(at, EventKind.DEPLOY, f"web_{number}", f"web_{number} was updated.", stack="web")


def test_what_is_written_is_read_again_oldest_first_and_of_its_swarm_only(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    ended = RecordedEvent(
        NOW + timedelta(seconds=1), EventKind.FINDING, "nearly-full", "It ended.", is_end=True
    )
    earlier = deploy(NOW - timedelta(microseconds=1))
    store.add("cluster", [ended, LEAK, earlier])
    store.add("another", [deploy(NOW)])
    assert RecordStore(tmp_path).events("cluster", NOW - timedelta(days=1)) == (earlier, LEAK, ended)
    assert store.events("cluster", NOW, NOW + timedelta(seconds=1)) == (LEAK,)


def test_the_same_event_is_kept_once(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.add("cluster", [LEAK])
    store.add("cluster", [LEAK, replace(LEAK, sentence="web_app.2 leaked 10.0.1.8 on proxy.")])
    assert len(store.events("cluster", NOW)) == 2


def test_a_span_grows_and_another_one_stands_beside_it(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.note_watching("cluster", WatchSpan(NOW, NOW))
    store.note_watching("cluster", WatchSpan(NOW, NOW + timedelta(minutes=1)))
    later = WatchSpan(NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    store.note_watching("cluster", later)
    assert store.spans("cluster") == (WatchSpan(NOW, NOW + timedelta(minutes=1)), later)
    assert store.spans("another") == ()


def test_counts_of_an_hour_add_up(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.keep("cluster", [], {HOUR + timedelta(minutes=3): {"ip-exhausted": 2, "raft-slow": 0}}, "")
    later = {
        HOUR + timedelta(minutes=59): {"ip-exhausted": 3},
        HOUR + timedelta(hours=1): {"ip-exhausted": 1},
    }
    store.keep("cluster", [], later, "")
    assert store.counts("cluster", HOUR + timedelta(minutes=30)) == {
        HOUR: {"ip-exhausted": 5},
        HOUR + timedelta(hours=1): {"ip-exhausted": 1},
    }
    assert store.counts("cluster", HOUR + timedelta(hours=2)) == {}


def test_events_counts_and_baseline_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    assert store.baseline("cluster") == ""
    store.keep("cluster", [LEAK], {HOUR: {"ip-exhausted": 1}}, "one")
    with pytest.raises(HostError):
        store.keep("cluster", [deploy(NOW)], {HOUR: {"ip-exhausted": 2**70}}, "two")
    assert store.events("cluster", NOW) == (LEAK,)
    assert store.counts("cluster", NOW) == {HOUR: {"ip-exhausted": 1}}
    assert (store.baseline("cluster"), store.baseline("another")) == ("one", "")


def test_reading_creates_nothing(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "none")
    assert store.events("cluster", NOW) == () == store.spans("cluster")
    assert store.counts("cluster", NOW) == {}
    assert not list(tmp_path.iterdir())


def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    RecordStore(tmp_path / "state").add("cluster", [LEAK])
    assert stat.S_IMODE((tmp_path / "state" / FILE).stat().st_mode) == 0o600


def test_what_is_older_than_sixty_days_goes(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.keep("cluster", [LEAK, deploy(NOW)], {NOW: {"ip-exhausted": 1}}, "")
    store.note_watching("cluster", WatchSpan(NOW, NOW + timedelta(hours=1)))
    store.thin(NOW + timedelta(days=59), MEGABYTE)
    assert len(store.events("cluster", NOW)) == 2
    store.thin(NOW + timedelta(days=61), MEGABYTE)
    assert store.events("cluster", NOW) == () == store.spans("cluster")
    assert store.counts("cluster", NOW) == {}


def test_a_file_that_is_too_large_loses_its_oldest_and_leaks_last(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.add("cluster", [LEAK])
    store.add("cluster", [deploy(NOW + timedelta(seconds=number), number) for number in range(8000)])
    assert (tmp_path / FILE).stat().st_size > MEGABYTE // 2
    store.thin(NOW + timedelta(days=1), MEGABYTE // 2)
    events = store.events("cluster", NOW)
    assert (tmp_path / FILE).stat().st_size <= MEGABYTE // 2
    assert events[0] == LEAK
    assert events[-1].subject == "web_7999"
    assert 2000 < len(events) < 8000


def test_leaks_alone_are_bounded_too(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.add("cluster", [replace(LEAK, at=NOW + timedelta(seconds=number)) for number in range(8000)])
    store.thin(NOW + timedelta(days=1), MEGABYTE // 2)
    assert (tmp_path / FILE).stat().st_size <= MEGABYTE // 2
    assert store.events("cluster", NOW)[-1].at == NOW + timedelta(seconds=7999)


def test_hostile_bytes_in_the_file_come_out_clean(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.add("cluster", [replace(LEAK, sentence="\x1b[2J" + "x" * 10_000, stack="a\nb")])
    (event,) = store.events("cluster", NOW)
    assert event.sentence.startswith("\\x1b[2J")
    assert len(event.sentence) == 1000
    assert event.stack == "a\\nb"


def test_a_damaged_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    for act in (
        lambda: RecordStore(tmp_path).events("cluster", NOW),
        lambda: RecordStore(tmp_path).add("cluster", [LEAK]),
        lambda: RecordStore(tmp_path).thin(NOW, MEGABYTE),
    ):
        with pytest.raises(HostError, match="cannot be used"):
            act()


def test_an_unknown_kind_and_another_version_are_errors(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.add("cluster", [LEAK])
    with sqlite3.connect(tmp_path / FILE) as file:
        file.execute("UPDATE events SET kind = 'party'")
    file.close()
    with pytest.raises(HostError, match="party"):
        store.events("cluster", NOW)
    with sqlite3.connect(tmp_path / FILE) as file:
        file.execute("PRAGMA user_version = 7")
    file.close()
    with pytest.raises(HostError, match="another version"):
        store.spans("cluster")


def without_addresses(folder: Path) -> None:
    """Make of a record one that was begun before a leak had its number of addresses."""
    with sqlite3.connect(folder / FILE) as file:
        file.execute("ALTER TABLE events DROP COLUMN addresses")
        file.execute("PRAGMA user_version = 1")
    file.close()


def test_an_older_record_is_read_and_goes_on(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    store.add("cluster", [LEAK])
    without_addresses(tmp_path)
    older = replace(LEAK, addresses=0)
    # Reading changes nothing in it: the reader may lack the permission to write.
    before = (tmp_path / FILE).read_bytes()
    assert store.events("cluster", NOW) == (older,)
    assert (tmp_path / FILE).read_bytes() == before
    two = replace(LEAK, at=NOW + timedelta(seconds=1), sentence="web_app.2 leaked two.", addresses=2)
    store.add("cluster", [two])
    assert store.events("cluster", NOW) == (older, two)
    assert store.count("cluster") == 2


def test_a_time_without_its_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="zone"):
        RecordStore(tmp_path).add("cluster", [deploy(NOW.replace(tzinfo=None))])


def test_a_directory_of_somebody_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(HostError, match="cannot be"):
        RecordStore(tmp_path / "state").add("cluster", [LEAK])


def test_swarms_are_known_by_when_they_were_watched_last(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    assert store.clusters() == ()
    store.note_watching("old", WatchSpan(NOW, NOW + timedelta(minutes=1)))
    store.note_watching("new", WatchSpan(NOW, NOW + timedelta(minutes=2)))
    assert store.clusters() == ("new", "old")
