"""What an older version wrote is read by this one, and the run that it began goes on."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from console.durations import NO_TIME
from console.runbook.store.finished import LOG
from console.storage.census import read_censuses
from console.storage.history import HistoryStore
from console.storage.record import RecordStore
from tests.support.demo import NEW, DemoHost, demo_host
from tests.upgrade.state import HERE, STATE, load

VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / STATE).is_dir())


@pytest.fixture(params=VERSIONS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> DemoHost:
    """Give a host whose state directory an older version wrote, with a run that waits before the outage."""
    made = demo_host(tmp_path, "recreate")
    load(HERE / request.param, made.folder)
    return made


def run_of(host: DemoHost) -> Path:
    (found,) = (host.folder / STATE / "runs").iterdir()
    return found


def test_the_run_is_listed_and_goes_on_to_its_end(host: DemoHost) -> None:
    name = run_of(host).name
    (listed,) = host.runs()
    assert (listed["run"], listed["outcome"]) == (name, "waiting at recreate"), listed
    report = host.command("report", name)
    assert "It asks whether recreate may begin." in " ".join(report.out.split())
    resumed = host.command("resume", *host.words)
    assert resumed.code == 0, resumed
    assert "DONE" in resumed.out
    assert host.subnet() == NEW


def test_a_run_that_holds_what_only_another_version_knows_is_named_and_not_touched(host: DemoHost) -> None:
    log = run_of(host) / LOG
    with closing(sqlite3.connect(log)) as file, file:
        file.execute("INSERT INTO events VALUES (9, '2026-11-30T18:29:30+00:00', 'Levitated', '{}')")
    kept = log.read_bytes()
    name = run_of(host).name
    for command in (("runs",), ("resume", "--headless"), ("abandon", "--yes", name), ("report",)):
        said = host.command(*command)
        assert "holds an event that cannot be read: Levitated" in said.out + said.err, (command, said)
        assert "Traceback" not in said.err
    assert name in host.command("runs").out
    assert log.read_bytes() == kept


def test_history_record_and_census_are_read(host: DemoHost) -> None:
    state = host.folder / STATE
    record = RecordStore(state)
    (cluster,) = record.clusters()
    sentences = [event.sentence for event in record.events(cluster, NO_TIME)]
    assert sentences == ["Service gone was created.", "Service gone was removed."]
    assert len(record.spans(cluster)) == 1
    points = HistoryStore(state).points(cluster)
    assert sorted(point.used for series in points.values() for point in series) == [1, 7]
    censuses = read_censuses(state)
    assert isinstance(censuses, tuple)
    assert [census.network_name for census in censuses] == ["proxy"]
    # Whatever shows them says nothing of damage.
    for command in (("history", "--events"), ("history",), ("glance", "--all")):
        said = host.command(*command)
        assert (said.code, said.err) == (0, ""), said
        assert "cannot be" not in said.out
