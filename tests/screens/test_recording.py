"""Since when it has been recorded, in words and where they stand."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.diagnosis.assess import assess
from console.errors import Unknown
from console.monitor.values import Watching
from console.monitor.watching import read_watching, watching_of
from console.recorder.values import WatchSpan
from console.settings import Thresholds
from console.storage.record import RecordStore
from console.storage.recorder_lock import recording
from screens.cli.main import main
from screens.output.snapshot_json import as_json
from screens.present.recording import recording_text
from tests.support.console_driver import console
from tests.support.engines import read_swarm, simulation
from tests.support.monitor_states import SIZES, monitor_state
from tests.support.swarms import NOW, network, service, snapshot, swarm
from tests.support.use import growing

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_a_restart_of_the_recorder_is_no_break_and_a_longer_time_is() -> None:
    second = timedelta(seconds=1)
    spans = [
        WatchSpan(NOW - 9 * DAY, NOW - 8 * DAY),
        WatchSpan(NOW - 7 * DAY, NOW - 2 * DAY),
        WatchSpan(NOW - 2 * DAY + 10 * second, NOW - 30 * second),
    ]
    assert watching_of(spans, NOW, is_at_work=True) == Watching(is_at_work=True, since=NOW - 7 * DAY)
    assert watching_of(spans, NOW, is_at_work=False) == Watching(is_at_work=False, since=NOW - 30 * second)
    # Somebody records into the same directory, but not this swarm.
    assert watching_of(spans, NOW + HOUR, is_at_work=True) == Watching(
        is_at_work=False, since=NOW - 30 * second
    )
    assert watching_of([], NOW, is_at_work=True) is None


@pytest.mark.parametrize(
    ("watching", "text"),
    [
        (None, ""),
        (Watching(is_at_work=True, since=NOW - 9 * DAY), "recorded since 3 Jun"),
        (Watching(is_at_work=True, since=NOW - HOUR), "recorded since 01:00"),
        (Watching(is_at_work=False, since=NOW - 9 * DAY), "not recorded since 3 Jun"),
    ],
)
def test_the_words(watching: Watching | None, text: str) -> None:
    assert recording_text(watching, NOW, UTC) == text


async def test_it_is_read_from_the_record_and_the_lock(tmp_path: Path) -> None:
    assert read_watching(tmp_path, "cluster", NOW) is None
    assert not (tmp_path / "record.sqlite").exists()
    RecordStore(tmp_path).note_watching("cluster", WatchSpan(NOW - DAY, NOW))
    assert read_watching(tmp_path, "cluster", NOW) == Watching(is_at_work=False, since=NOW)
    async with recording(tmp_path, SystemClock()):
        assert read_watching(tmp_path, "cluster", NOW) == Watching(is_at_work=True, since=NOW - DAY)
        assert read_watching(tmp_path, "another", NOW) is None
    (tmp_path / "record.sqlite").write_bytes(b"damaged" * 100)
    assert read_watching(tmp_path, "cluster", NOW) is None


async def test_the_overview_says_it_where_there_is_room() -> None:
    state = swarm([network("proxy", "10.0.1.0/28")], [service("web_app", ("id-proxy", "10.0.1.2"))])
    since = NOW - 9 * DAY
    shown = replace(
        monitor_state(state, trends={"id-proxy": growing(2, 13, 0)}),
        watching=Watching(is_at_work=True, since=since),
    )
    for size in SIZES:
        async with console(shown, size=size) as driver:
            frame = driver.frame
            assert all(len(line) <= size[0] for line in frame.splitlines())
            assert ("recorded since 3 Jun" in frame) == (size[0] >= 80), frame


@pytest.mark.parametrize(
    ("watching", "recorded"),
    [
        (None, None),
        (Watching(is_at_work=True, since=NOW), {"since": NOW.isoformat(), "until": None}),
        (Watching(is_at_work=False, since=NOW), {"since": None, "until": NOW.isoformat()}),
    ],
)
def test_the_json_of_a_glance_has_it(watching: Watching | None, recorded: object) -> None:
    seen = snapshot(swarm())
    document = json.loads(as_json(seen, assess(seen, Thresholds()), watching))
    assert document["recorded"] == recorded


def test_glance_says_it_in_its_last_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with simulation("evening") as simulated:
        swarm_read = asyncio.run(read_swarm(simulated.host))
        assert not isinstance(swarm_read.engine, Unknown)
        began = swarm_read.engine.time - 9 * DAY
        RecordStore(tmp_path).note_watching(
            swarm_read.engine.cluster_id, WatchSpan(began, swarm_read.engine.time)
        )
        arguments = ["glance", "--host", simulated.host, "--quick", "--state-dir", str(tmp_path)]
        main([*arguments, "--journal", "/dev/null"])
        text = capsys.readouterr().out
        main([*arguments, "--journal", "/dev/null", "--json"])
        document = json.loads(capsys.readouterr().out)
    assert document["recorded"] == {"since": None, "until": swarm_read.engine.time.isoformat()}
    last = text.rstrip().rsplit("\n\n", maxsplit=1)[-1]
    assert "not recorded since" in " ".join(last.split())
