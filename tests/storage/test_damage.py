"""Files of the state directory that somebody else wrote, or half of one: each is said to be damaged, and nothing breaks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.addresses.leaks import LeakEntry
from console.alerts.values import AlertState
from console.diagnosis.findings.unfinished import find_unfinished_runs
from console.errors import HostError, Unknown
from console.host.temporary.values import Cable
from console.recorder.recorder import stored_watch
from console.runbook.run.waits import BlockedTime, Waiting
from console.runbook.store.finished import runs_that_block
from console.runbook.store.output import PULSE, WAITING, beat, read_pulse, read_waiting, write_waiting
from console.storage.alerts import read_alerts, write_alerts
from console.storage.borrow import BorrowRecord, BorrowStore
from console.storage.census import read_censuses, write_census
from console.storage.history import HistoryStore
from console.storage.record import RecordStore
from tests.storage.test_census import CENSUS
from tests.support.swarms import NOW

NESTED = "[" * 30_000
CABLE = Cable("vipconsole0", "198.18.0.1", "198.18.0.2", 30, "192.0.2.10")


def changed(path: Path, *keys: str | int, value: Any) -> None:
    """Put another value into a file of JSON."""
    document = holder = json.loads(path.read_bytes())
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("key", ["failures", "delivered", "lost"])
def test_alerts_whose_counts_are_infinite_are_damaged(tmp_path: Path, key: str) -> None:
    write_alerts(tmp_path, {"ops": AlertState()})
    changed(tmp_path / "alerts.json", "alerts", "ops", key, value=float("inf"))
    with pytest.raises(HostError, match="OverflowError"):
        read_alerts(tmp_path)


def test_a_census_whose_count_is_infinite_is_unknown(tmp_path: Path) -> None:
    changed(write_census(tmp_path, CENSUS), "load_balancers_at_most", value=float("inf"))
    assert isinstance(read_censuses(tmp_path), Unknown)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("began_at",), "2026-06-01T00:00:00"),
        (("steps", 0, "began_at"), "2026-06-01T00:00:00"),
        (("steps", 0, "ended_at"), "2026-06-01T00:00:00"),
        (("cable", "prefix"), float("inf")),
    ],
)
def test_a_record_of_a_borrowed_manager_that_is_damaged_blocks_and_says_so(
    tmp_path: Path, keys: tuple[str | int, ...], value: object
) -> None:
    record = BorrowRecord("machine/1", NOW, "cluster", "node", "host", "192.0.2.10:2377", CABLE)
    BorrowStore(tmp_path).write(record.with_step("start", NOW).with_step_done(NOW))
    changed(tmp_path / "borrow/record.json", *keys, value=value)
    runs = runs_that_block(tmp_path)
    assert isinstance(runs, Unknown)
    assert "way-back.sh" in runs.hint
    assert list(find_unfinished_runs(runs, NOW))


def test_a_record_of_a_borrowed_manager_that_is_nested_without_end_blocks_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "borrow/record.json"
    path.parent.mkdir()
    path.write_text(NESTED)
    assert isinstance(runs_that_block(tmp_path), Unknown)
    assert path.read_text() == NESTED


def test_a_leak_that_is_nested_without_end_is_a_damaged_history(tmp_path: Path) -> None:
    store = HistoryStore(tmp_path)
    store.change_leaks("cluster", "one", [LeakEntry("n", "n", (), "t", "t", "s", "", "x", NOW)], [])
    store._database.do(lambda file: file.execute("UPDATE leaks SET entry = ?", (NESTED,)))
    with pytest.raises(HostError, match="remove the file"):
        raise_or(lambda: store.entries("cluster", "one"))


def raise_or(act: Callable[[], object]) -> None:
    try:
        act()
    except HostError as error:
        raise HostError(error.sentence + error.hint) from error


@pytest.mark.parametrize("text", [NESTED, '{"allocator": []}', '{"allocator": "x"}'])
async def test_a_damaged_baseline_is_no_earlier_watch(tmp_path: Path, text: str) -> None:
    store = RecordStore(tmp_path)
    store.keep("cluster", (), {}, text)
    assert not (await stored_watch(store)("cluster", "key")).tasks


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("engine_silent_s", value) for value in (float("nan"), float("inf"), 2**63, -1, "x")),
        ("monotonic", float("-inf")),
        ("monotonic", "x"),
    ],
)
def test_a_sign_of_life_of_no_possible_time_is_none(tmp_path: Path, key: str, value: object) -> None:
    beat(tmp_path, 1.0)
    assert read_pulse(tmp_path) is not None
    changed(tmp_path / PULSE, key, value=value)
    assert read_pulse(tmp_path) is None


@pytest.mark.parametrize("keys", [("began_at",), ("rows", 0, "ended_at")])
@pytest.mark.parametrize("value", ["2026-06-01T00:00:00", "9999-12-31T23:59:59-14:00"])
def test_a_wait_of_no_possible_time_is_none(tmp_path: Path, keys: tuple[str | int, ...], value: str) -> None:
    row = BlockedTime("web", "starts", NOW, NOW, 1, 2.0)
    write_waiting(tmp_path, Waiting("one", NOW, NOW, (), rows=(row,)))
    assert read_waiting(tmp_path) is not None
    changed(tmp_path / WAITING, *keys, value=value)
    assert read_waiting(tmp_path) is None


@pytest.mark.parametrize(("name", "read"), [(PULSE, read_pulse), (WAITING, read_waiting)])
def test_what_is_nested_without_end_is_none(
    tmp_path: Path, name: str, read: Callable[[Path], object]
) -> None:
    (tmp_path / name).write_text(NESTED)
    assert read(tmp_path) is None
