"""`vipconsole history --events`: what happened last night, over a record that the real store wrote."""

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.diagnosis.values import Severity
from console.recorder.derive import leak_event
from console.recorder.values import EventKind, RecordedEvent, WatchSpan
from console.simulator.past import keep_past, keep_record
from console.storage.record import FILE, RecordStore
from tests.support.engines import Simulation, simulation
from tests.support.program import Outcome, vipconsole
from tests.support.swarms import entry

NARROW = {"COLUMNS": "80", "LINES": "24"}
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def evening() -> Iterator[Simulation]:
    with simulation("evening") as running:
        yield running


def night(now: datetime) -> list[RecordedEvent]:
    at = now - 3 * HOUR
    return [
        RecordedEvent(at - HOUR, EventKind.DEPLOY, "shop_web", "Service shop_web was created.", stack="shop"),
        RecordedEvent(at, EventKind.REMOVAL, "ghost_app", "Service ghost_app was removed.", stack="ghost"),
        RecordedEvent(
            at,
            EventKind.REMOVAL,
            "ghost_internal",
            "Network ghost_internal was removed.",
            network="ghost_internal",
            stack="ghost",
        ),
        leak_event(entry("proxy", "10.0.1.7", ended_at=at + timedelta(seconds=2)), "proxy"),
        RecordedEvent(
            at + 5 * MINUTE,
            EventKind.FAILURE,
            "wiki_app",
            "Tasks of wiki_app began to fail: no such image.",
            severity=Severity.WARNING,
        ),
        RecordedEvent(at + 6 * MINUTE, EventKind.RESTART, "dockerd", "dockerd was restarted."),
        RecordedEvent(
            at + 7 * MINUTE,
            EventKind.FINDING,
            "nearly-full",
            "proxy is nearly full.",
            network="proxy",
            severity=Severity.CRITICAL,
        ),
        RecordedEvent(
            at + 9 * MINUTE,
            EventKind.FINDING,
            "nearly-full",
            "Over: nearly full.",
            network="proxy",
            severity=Severity.CRITICAL,
            is_end=True,
        ),
    ]


@pytest.fixture
def recorded(evening: Simulation, tmp_path: Path) -> Path:
    """A state directory with the record of a night, in which the recorder was away for half an hour."""
    now, cluster = evening.model.now, evening.model.cluster_id
    store = RecordStore(tmp_path)
    store.add(cluster, night(now))
    store.note_watching(cluster, WatchSpan(now - 30 * HOUR, now - 2 * HOUR))
    store.note_watching(cluster, WatchSpan(now - 90 * MINUTE, now))
    return tmp_path


def events(running: Simulation, state: Path, *arguments: str, **environment: str) -> Outcome:
    return vipconsole(
        "history",
        "--events",
        *arguments,
        "--host",
        running.host,
        home=state,
        environment={**NARROW, **environment},
    )


def words(said: Outcome) -> str:
    return " ".join(said.out.split())


def test_the_night_is_one_list_by_time_with_the_time_without_a_recorder(
    evening: Simulation, recorded: Path
) -> None:
    said = events(evening, recorded, "--since", "12h")
    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[0] == " Last 12 h: 1 leak, 1 failure, 1 restart, 1 removal, 1 deploy, 1 finding"
    told = [
        "Service shop_web was created.",
        "1 service and 1 network of stack ghost were removed.",
        "* leak ghost_app.1 leaked 10.0.1.7 on proxy, after stack ghost was removed.",
        "* failure Tasks of wiki_app began to fail: no such image.",
        "restart dockerd was restarted.",
        "! finding proxy is nearly full.",
        "ended Over: nearly full.",
        "? gap not watched",
        "gaps: 30 min. Times in UTC.",
    ]
    places = [words(said).find(part) for part in told]
    assert -1 not in places
    assert places == sorted(places)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [40, 60, 120, 200])
def test_it_is_as_wide_as_the_terminal_and_plain_where_that_is(
    evening: Simulation, recorded: Path, width: int
) -> None:
    said = events(evening, recorded, COLUMNS=str(width), LC_ALL="C")
    assert said.out.isascii()
    assert max(map(len, said.out.splitlines())) <= width
    assert "after stack ghost was removed." in words(said)


def test_of_a_network_only_what_concerns_it(evening: Simulation, recorded: Path) -> None:
    said = events(evening, recorded, "proxy")
    assert said.out.startswith(" proxy  Last 24 h: 1 leak, 1 restart, 1 removal, 1 finding\n")
    assert "shop_web" not in said.out
    misspelt = events(evening, recorded, "prxy")
    assert misspelt.code == 0
    assert "Nothing is recorded about a network prxy. Did you mean proxy?" in " ".join(misspelt.err.split())


def test_json_has_every_event_and_gap(evening: Simulation, recorded: Path) -> None:
    said = events(evening, recorded, "--json", "--since", "12h")
    document = said.json
    assert (document["schema"], document["exit_code"], said.code) == ("vipconsole.events/1", 0, 0)
    assert [event["kind"] for event in document["events"]] == [
        "deploy", "removal", "removal", "leak", "failure", "restart", "finding", "finding",
    ]  # fmt: skip
    (leak,) = (event for event in document["events"] if event["kind"] == "leak")
    assert (leak["network"], leak["stack"], leak["after"]) == ("proxy", "ghost", "stack ghost was removed")
    assert [event["is_end"] for event in document["events"]][-2:] == [False, True]
    (gap,) = document["gaps"]
    lasted = datetime.fromisoformat(gap["until"]) - datetime.fromisoformat(gap["since"])
    assert lasted == 30 * MINUTE


def test_when_nothing_records_now_it_says_so(evening: Simulation, tmp_path: Path) -> None:
    now, cluster = evening.model.now, evening.model.cluster_id
    RecordStore(tmp_path).note_watching(cluster, WatchSpan(now - 3 * HOUR, now - HOUR))
    said = events(evening, tmp_path, "--since", "2h")
    assert "Last 2 h: nothing happened" in said.out
    assert "Nothing records since" in said.out
    assert events(evening, tmp_path, "--json").json["gaps"][-1]["until"] is None


def test_without_a_record_it_says_what_keeps_one(evening: Simulation, tmp_path: Path) -> None:
    for arguments in ((), ("proxy",), ("--json",)):
        said = events(evening, tmp_path, *arguments)
        assert (said.code, said.out) == (3, "")
        assert "There is no record of this swarm yet in" in " ".join(said.err.split())
        assert "`vipconsole record` keeps one" in " ".join(said.err.split())
    assert not (tmp_path / FILE).exists()


def test_the_record_is_read_while_there_is_no_engine(tmp_path: Path) -> None:
    now, store = datetime.now(UTC), RecordStore(tmp_path)
    for cluster, ended in (("old", now - HOUR), ("new", now)):
        store.note_watching(cluster, WatchSpan(now - 30 * HOUR, ended))
    store.add("new", night(now))
    said = vipconsole(
        "history",
        "--events",
        "--json",
        "--host",
        f"unix://{tmp_path}/gone.sock",
        home=tmp_path,
        environment=NARROW,
    )
    assert said.code == 0
    assert "This is the record of the swarm that was recorded last." in " ".join(said.err.split())
    assert len(said.json["events"]) == len(night(now))


def test_what_cannot_be_is_refused(evening: Simulation, recorded: Path) -> None:
    assert events(evening, recorded, "--csv").code == 64
    assert events(evening, recorded, "--since", "61d").code == 64
    (recorded / FILE).write_bytes(b"not a database " * 500)
    assert events(evening, recorded).code == 3


def test_a_long_list_is_cut_at_its_beginning(evening: Simulation, tmp_path: Path) -> None:
    now, cluster = evening.model.now, evening.model.cluster_id
    store = RecordStore(tmp_path)
    store.note_watching(cluster, WatchSpan(now - 30 * HOUR, now))
    store.add(
        cluster,
        (
            RecordedEvent(
                now - number * MINUTE, EventKind.DEPLOY, f"web{number}", f"Service web{number} was updated."
            )
            for number in range(300)
        ),
    )
    assert "100 earlier (--all shows them)" in events(evening, tmp_path).out
    assert len(events(evening, tmp_path, "--all").out.splitlines()) == 302


@pytest.fixture(scope="module")
def past(evening: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which both a console and a recorder kept the evening; tests get copies."""
    state = tmp_path_factory.mktemp("past")
    asyncio.run(keep_past(evening.model, evening.host, state))
    keep_record(evening.model, state)
    return state


@pytest.fixture
def kept(past: Path, tmp_path: Path) -> Path:
    """A state directory of a test's own in which both kept the evening."""
    shutil.copytree(past, tmp_path, dirs_exist_ok=True)
    return tmp_path


def history(running: Simulation, state: Path, *arguments: str, **environment: str) -> Outcome:
    return vipconsole(
        "history",
        "proxy",
        *arguments,
        "--host",
        running.host,
        home=state,
        environment={**NARROW, **environment},
    )


def test_of_a_network_the_stacks_that_leaked_most_are_told(evening: Simulation, kept: Path) -> None:
    said = history(evening, kept, "--since", "11d")
    lines = said.out.splitlines()
    (head,) = (number for number, line in enumerate(lines) if line.startswith(" LEAKED BY"))
    assert lines[head].split() == ["LEAKED", "BY", "LEAKED", "LAST", "TIMES", "AFTER"]
    assert lines[head + 1].startswith(" stack test-mediawiki-nightly592  1")
    assert lines[head + 1].endswith("its removal")
    assert lines[-1] == "   and 7 more (--all lists all)"
    # It is on one page.
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    everything = history(evening, kept, "--since", "11d", "--all").out
    assert everything.count(" stack ") == 24
    assert "LEAKED BY" not in history(evening, kept).out


@pytest.mark.parametrize("width", [40, 60, 120])
def test_figures_of_stacks_are_whole_at_any_width(evening: Simulation, kept: Path, width: int) -> None:
    said = history(evening, kept, "--since", "11d", COLUMNS=str(width))
    assert max(map(len, said.out.splitlines())) <= width
    assert "LEAKED BY" in said.out


def test_json_has_the_stacks_and_what_was_seen_twice_once(evening: Simulation, kept: Path) -> None:
    (proxy,) = history(evening, kept, "--since", "11d", "--json").json["networks"]
    stacks = proxy["leaking_stacks"]
    assert sum(stack["addresses"] for stack in stacks) == 12
    assert stacks[0]["stack"] == "test-mediawiki-nightly592"
    assert {stack["after"] for stack in stacks} == {f"stack {stack['stack']} was removed" for stack in stacks}


def test_a_record_that_cannot_be_read_takes_nothing_else_away(evening: Simulation, kept: Path) -> None:
    (kept / FILE).write_bytes(b"not a database " * 500)
    said = history(evening, kept, "--since", "11d")
    assert said.code == 2
    assert "cannot be used" in said.err
    assert "its network's r" in said.out


def test_the_demo_has_a_record() -> None:
    said = vipconsole("history", "--demo", "--events", "--since", "11d", environment=NARROW)
    assert said.code == 0
    assert "12 leaks, 12 removals" in said.out
    assert "not watched" not in said.out
    assert said.out.endswith("Times in UTC.\n")
