"""Times that people read: in the operator's own zone, which is named, east and west of Greenwich."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.addresses.leaks import allocator_of
from console.diagnosis.assess import assess
from console.diagnosis.why.evidence import line_rows
from console.durations import (
    LOCAL,
    NO_TIME,
    NOT_KNOWN,
    TimeFormat,
    clock_time,
    duration,
    iso,
    moment,
    stamp,
    zone_name,
)
from console.journal.matching import LogEvent
from console.journal.signatures import SIGNATURES
from console.journal.summary import summarise
from console.journal.values import Batch, Window
from console.journal.window import start_gap
from console.settings import Thresholds
from console.swarm import parse
from screens.output.snapshot_json import as_json
from screens.present.network import facts
from tests.diagnosis.test_logged import VIP, entry
from tests.journal.journals import daemon, export_text
from tests.journal.lines import VIP_LINE
from tests.support.program import vipconsole
from tests.support.swarms import HERE, NOW, network, snapshot, swarm

ROOT = Path(__file__).parents[1]
ZONES = {
    "Europe/Berlin": "04:00:00 CEST",
    "America/New_York": "22:00:00 EDT",
    "America/Sao_Paulo": "23:00:00 UTC-03",
}
"""What it is there at `NOW`, 02:00 UTC on a summer's day."""
GO_ZERO = "0001-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def zone_put_back() -> Iterator[None]:
    yield
    time.tzset()


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (40.4, "40 s"),
        (99, "99 s"),
        (840, "14 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (864_000, "10 d"),
        (float("nan"), "an unknown time"),
    ],
)
def test_spans_are_said_in_their_largest_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_time_is_told_in_the_operators_zone_and_names_it(zone: str) -> None:
    day = "2026-06-12" if zone == "Europe/Berlin" else "2026-06-11"
    assert stamp(NOW) == f"{day} {ZONES[zone]}"
    assert stamp(NOW, TimeFormat.SECOND) == ZONES[zone]
    assert moment(NOW, NOW) == clock_time(NOW) == ZONES[zone][:5]


def test_summer_time_is_that_of_the_time_and_not_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    assert stamp(datetime(2026, 1, 15, 12, 0, tzinfo=UTC)) == "2026-01-15 13:00:00 CET"
    assert stamp(datetime(2026, 7, 15, 12, 0, tzinfo=UTC)) == "2026-07-15 14:00:00 CEST"
    # The hour that comes twice in October.
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    assert [stamp(each, TimeFormat.MINUTE) for each in twice] == ["02:30 CEST", "02:30 CET"]
    assert [each.astimezone(LOCAL).astimezone(UTC) for each in twice] == twice


def test_findings_and_evidence_tell_the_same_time_as_the_journal(zone: str) -> None:
    journal = summarise([Batch((entry(VIP, 0),))], {}, 3600)
    found = assess(snapshot(swarm(api=(1, 52)), journal=journal), Thresholds())
    (finding,) = [each for each in found.findings if each.code == "logged-vip-create"]
    hour, name = ZONES[zone][:5], ZONES[zone][9:]
    assert f"at {hour} {name}" in finding.sentence
    (row,) = line_rows([LogEvent(SIGNATURES[0], NOW, "c1", "boot", "text")])
    assert row.field == stamp(NOW)
    (gap,) = start_gap(
        Window(since=NOW - timedelta(hours=1)), {"__REALTIME_TIMESTAMP": str(int(NOW.timestamp() * 1e6))}
    )
    assert f"begins at {stamp(NOW)}, later" in gap.reason


def test_json_tells_iso_with_the_offset_in_every_zone(zone: str) -> None:
    seen = snapshot(swarm([network("proxy", "10.0.1.0/24", created=NOW)], api=(1, 52)))
    document = json.loads(as_json(seen, assess(seen, Thresholds())))
    assert document["taken_at"] == "2026-06-12T02:00:00+00:00", zone
    assert document["networks"][0]["created"] == "2026-06-12T02:00:00+00:00"


def test_glance_and_journal_tell_the_same_time_in_the_zone_of_the_one_who_asks(tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    recording.write_bytes(export_text([{"__CURSOR": "1", **daemon(VIP_LINE)}], int(NOW.timestamp() * 1e6)))
    where = ("--demo", "--journal", str(recording))
    for zone, shown in ZONES.items():
        told = f"2026-06-1{2 if zone == 'Europe/Berlin' else 1} {shown[:5]} {shown[9:]}"
        for command in (("journal",), ("glance", "--quick")):
            said = vipconsole(*command, *where, environment={"TZ": zone})
            assert told in said.out.replace("\n", " ").replace("  ", " "), (command, zone, said.out)


def test_a_zero_time_is_not_known_wherever_it_is_told(zone: str) -> None:
    assert parse.parse_moment(GO_ZERO) == parse.parse_moment("0001-01-01T00:00:00.000000000Z") == NO_TIME, (
        zone
    )
    assert {stamp(NO_TIME), clock_time(NO_TIME), moment(NO_TIME, NOW)} == {NOT_KNOWN}
    assert zone_name(NO_TIME)
    assert iso(NO_TIME) is None
    assert iso(None) is None


def test_a_network_of_which_the_engine_does_not_tell_when_it_was_made(zone: str) -> None:
    data: dict[str, Any] = {
        "Id": "id-proxy", "Name": "proxy", "Driver": "overlay", "Scope": "swarm", "Created": GO_ZERO,
        "IPAM": {"Config": [{"Subnet": "10.0.1.0/24", "Gateway": "10.0.1.1"}]},
    }  # fmt: skip
    bare = {**data, "Id": "id-bare", "Name": "bare", "IPAM": {}}
    proxy = parse.network(data)
    seen = snapshot(swarm([proxy, parse.network(bare)], api=(1, 52)))
    found = assess(seen, Thresholds())
    texts = [
        "".join(text for text, _ in paragraph.parts)
        for each in found.accounts
        for paragraph in facts(each, seen, LOCAL)
    ]
    assert sum("unknown: the engine does not report it" in each for each in texts) == 2, zone
    assert "bare has been without a subnet for an unknown time." in [each.sentence for each in found.findings]
    document = json.loads(as_json(seen, found))
    assert {each["created"] for each in document["networks"]} == {None}


def test_other_objects_without_a_time_take_the_next_best_one() -> None:
    service = {
        "ID": "s", "Version": {"Index": 1}, "CreatedAt": "2026-06-12T02:00:00Z", "UpdatedAt": GO_ZERO, "Spec": {"Name": "web"},
        "UpdateStatus": {"State": "updating", "StartedAt": GO_ZERO},
    }  # fmt: skip
    read = parse.service(service)
    assert (read.updated, read.update_started) == (NOW, None)
    task = {
        "ID": "t", "Version": {"Index": 1}, "CreatedAt": "2026-06-12T02:00:00Z", "DesiredState": "running", "Spec": {},
        "Status": {"State": "new", "Timestamp": GO_ZERO},
    }  # fmt: skip
    assert parse.task(task).since == NOW
    assert parse.task({**task, "CreatedAt": GO_ZERO}).since == NO_TIME


def test_when_dockerd_began_is_not_told_by_a_bridge_without_a_time() -> None:
    bridge = network("bridge", "172.17.0.0/16", driver="bridge", scope="local", created=NO_TIME)
    allocator = allocator_of(swarm([bridge], nodes=[HERE]))
    assert allocator is not None
    assert allocator.daemon_began is None


MADE_FOR_PROGRAMS = {
    "console/durations.py",  # the one place for people
    "console/simulator/wire_networks.py",
    "console/simulator/dockerd_log.py",
    "console/runbook/store/folders.py",  # names of runs and files, in UTC
    "console/rehearsal/forecast.py",  # names of files, in UTC
    "screens/tui/environment.py",  # names of files, in UTC
    "console/host/reader.py",  # reads what `who` writes
}


def test_no_other_place_makes_text_of_a_time() -> None:
    made = re.compile(r"strftime|strptime|:[^{}\"']*%[YHM]|%Y|astimezone\(\)|timespec")
    for package in ("console", "screens"):
        for path in (ROOT / package).rglob("*.py"):
            name = str(path.relative_to(ROOT))
            if name not in MADE_FOR_PROGRAMS:
                lines = [each for each in path.read_text().splitlines() if made.search(each)]
                assert [each for each in lines if "isoformat(timespec" not in each] == [], name
