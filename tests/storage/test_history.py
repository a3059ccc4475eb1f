"""The history of use on disk: kept, thinned, shared, and never the end of anything."""

import os
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from console.addresses.forecast import Point
from console.errors import HostError
from console.storage.history import FILE, MAX_DAYS, HistoryStore, StoredHistory
from tests.support.swarms import NOW, entry

KEY = ("id-proxy", "series")
CLUSTER, ALLOCATOR = "cluster", "leader 1"


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore(tmp_path / "state")


def at(minutes: float, used: int = 7) -> Point:
    return Point(NOW + timedelta(minutes=minutes), used)


def kept(store: HistoryStore) -> StoredHistory:
    return store.load(CLUSTER, ALLOCATOR)


def test_there_is_nothing_at_first(store: HistoryStore) -> None:
    assert kept(store) == StoredHistory({}, ())


def test_points_come_back_in_their_order_each_once_for_its_minute(
    store: HistoryStore, tmp_path: Path
) -> None:
    store.add_points(CLUSTER, [(KEY, at(2, 9)), (KEY, at(0, 7))])
    store.add_points(CLUSTER, [(KEY, at(2.4, 10)), (("id-proxy", "other"), at(0, 1))])
    assert HistoryStore(tmp_path / "state").load(CLUSTER, ALLOCATOR).points == {
        KEY: (at(0, 7), at(2, 10)),
        ("id-proxy", "other"): (at(0, 1),),
    }
    assert store.load("another", ALLOCATOR).points == {}


def test_the_points_of_some_networks_are_read_without_those_of_the_others(store: HistoryStore) -> None:
    keys = [(network_id, series) for network_id in ("id-a", "id-b", "id-c") for series in ("one", "two")]
    store.add_points(CLUSTER, [(key, at(minute)) for key in keys for minute in (1, 0)])
    store.add_points("another", [(("id-a", "one"), at(5))])
    both = (at(0), at(1))
    assert store.points(CLUSTER, ["id-a", "id-c", "absent"]) == {
        key: both for key in keys if key[0] != "id-b"
    }
    assert store.points(CLUSTER, []) == {}
    assert store.points(CLUSTER) == dict.fromkeys(keys, both)


def test_only_this_user_may_read_it(store: HistoryStore, tmp_path: Path) -> None:
    store.add_points(CLUSTER, [(KEY, at(0))])
    folder = tmp_path / "state"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}


def test_leaks_come_back_for_their_allocator_only(store: HistoryStore) -> None:
    one = entry("id-proxy", "10.0.1.3", "10.0.1.4")
    other = entry("id-proxy", "10.0.1.9", stack="wiki", ended_at=NOW + timedelta(minutes=1))
    store.change_leaks(CLUSTER, ALLOCATOR, [one, other], [])
    assert kept(store).entries == (other, one)
    assert store.load(CLUSTER, "leader 2").entries == ()
    store.change_leaks(CLUSTER, ALLOCATOR, [], [one])
    assert kept(store).entries == (other,)


def test_the_past_is_thinned_and_the_distant_past_let_go(store: HistoryStore) -> None:
    day = 24 * 60
    every_minute = [at(-minutes, minutes) for minutes in range(3 * day)]
    store.add_points(CLUSTER, [(KEY, each) for each in every_minute])
    store.add_points(CLUSTER, [(KEY, at(-(MAX_DAYS + 1) * day))])
    store.thin(NOW, {})
    left = kept(store).points[KEY]
    ages = [(NOW - each.at) / timedelta(minutes=1) for each in left]
    assert max(ages) < MAX_DAYS * day
    assert sum(each <= 120 for each in ages) == 121
    assert sum(120 < each <= day for each in ages) == pytest.approx(22 * 6, abs=2)
    assert sum(day < each for each in ages) == pytest.approx(2 * 12, abs=2)
    assert left[-1] == at(0, 0)
    store.thin(NOW, {})
    assert kept(store).points[KEY] == left


def test_leaks_of_an_allocator_that_is_gone_are_let_go(store: HistoryStore) -> None:
    store.change_leaks(CLUSTER, "leader 0", [entry("id-proxy", "10.0.1.3")], [])
    store.change_leaks("another", "leader 9", [entry("id-proxy", "10.0.1.4")], [])
    store.thin(NOW, {CLUSTER: ALLOCATOR})
    assert store.load(CLUSTER, "leader 0").entries == ()
    assert len(store.load("another", "leader 9").entries) == 1


def test_it_does_not_grow_for_ever(store: HistoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.storage.history.MAX_ROWS", 50)
    monkeypatch.setattr("console.storage.history.MAX_LEAKS", 3)
    store.add_points(CLUSTER, [(KEY, at(-each)) for each in range(100)])
    leaks = [
        entry("id-proxy", f"10.0.1.{each}", stack=f"s{each}", ended_at=NOW + timedelta(minutes=each))
        for each in range(9)
    ]
    store.change_leaks(CLUSTER, ALLOCATOR, leaks, [])
    store.thin(NOW, {CLUSTER: ALLOCATOR})
    assert kept(store).points[KEY] == tuple(at(-each) for each in reversed(range(50)))
    assert [each.stack for each in kept(store).entries] == ["s8", "s7", "s6"]


def patiently(act: Callable[[], object]) -> None:
    """Do it, and again while another is writing for too long, as the console does a minute later."""
    for _ in range(50):
        try:
            act()
        except HostError as error:
            if "locked" not in error.sentence:
                raise
        else:
            return
    raise AssertionError("the store is locked for good")


def test_two_consoles_at_once_do_not_hurt_each_other(tmp_path: Path) -> None:
    def write(number: int) -> None:
        store = HistoryStore(tmp_path / "state")
        for minute in range(40):
            points = [((f"id-{number}", "s"), at(minute)), (KEY, at(minute, minute))]
            leaks = [entry("id-proxy", f"10.0.1.{minute}")]
            patiently(partial(store.add_points, CLUSTER, points))
            patiently(partial(store.change_leaks, CLUSTER, ALLOCATOR, leaks, []))
            patiently(partial(kept, store))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    found = kept(HistoryStore(tmp_path / "state"))
    assert {key: len(points) for key, points in found.points.items()} == {
        ("id-0", "s"): 40, ("id-1", "s"): 40, ("id-2", "s"): 40, KEY: 40,
    }  # fmt: skip
    assert len(found.entries) == 40


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage " * 1000, b"SQLite format 3\x00" + b"\xff" * 5000],
    ids=["empty", "text", "torn"],
)
def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / FILE).write_bytes(content)
    store = HistoryStore(state)
    if not content:
        assert kept(store) == StoredHistory({}, ())
        return
    for act in (lambda: kept(store), lambda: store.add_points(CLUSTER, [(KEY, at(0))])):
        with pytest.raises(HostError) as failed:
            act()
        assert str(state / FILE) in failed.value.sentence
        assert "remove the file" in failed.value.hint


def test_a_row_that_makes_no_sense_is_an_error_too(store: HistoryStore, tmp_path: Path) -> None:
    store.change_leaks(CLUSTER, ALLOCATOR, [entry("id-proxy", "10.0.1.3")], [])
    with sqlite3.connect(tmp_path / "state" / FILE) as file:
        file.execute("UPDATE leaks SET entry = '{}'")
    file.close()
    with pytest.raises(HostError, match="cannot be used"):
        kept(store)


def test_a_file_of_another_version_is_left_alone(store: HistoryStore, tmp_path: Path) -> None:
    kept(store)
    with sqlite3.connect(tmp_path / "state" / FILE) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(HostError, match="another version"):
        store.add_points(CLUSTER, [(KEY, at(0))])


def test_a_place_where_nothing_can_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError):
        kept(HistoryStore(tmp_path / "file" / "state"))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE).mkdir()
    with pytest.raises(HostError):
        kept(HistoryStore(tmp_path / "state"))


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.mkfifo(tmp_path / "state" / FILE)
    with pytest.raises(HostError, match="no regular file"):
        HistoryStore(tmp_path / "state").points(CLUSTER)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "state" / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostError):
        kept(HistoryStore(tmp_path / "state"))
    assert (tmp_path / "elsewhere").read_bytes() == b""
