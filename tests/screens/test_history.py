"""`vipconsole history`: the use of overlays over time, as the command shows it."""

import asyncio
import csv
import io
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from console.errors import HostError
from console.simulator.past import keep_past
from console.storage.history import FILE, HistoryStore
from tests.support.engines import Simulation, simulation
from tests.support.program import Outcome, vipconsole

NARROW = {"COLUMNS": "80", "LINES": "24"}


@pytest.fixture(scope="module")
def evening() -> Iterator[Simulation]:
    with simulation("evening") as running:
        yield running


@pytest.fixture(scope="module")
def past(evening: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with the history of the evening, of which tests get copies."""
    state = tmp_path_factory.mktemp("past")
    asyncio.run(keep_past(evening.model, evening.host, state))
    return state


@pytest.fixture
def kept(past: Path, tmp_path: Path) -> Path:
    """A state directory of a test's own with the history of the evening."""
    shutil.copytree(past, tmp_path, dirs_exist_ok=True)
    return tmp_path


def history(running: Simulation, state: Path, *arguments: str, **environment: str) -> Outcome:
    return vipconsole(
        "history", *arguments, "--host", running.host, home=state, environment={**NARROW, **environment}
    )


def test_a_chart_of_one_network_fits_the_terminal(evening: Simulation, kept: Path) -> None:
    said = history(evening, kept, "proxy", LANG="C.UTF-8")
    lines = said.out.splitlines()
    assert said.code == 2
    assert lines[0].startswith(" ! proxy  249 of 253 in use  full in about 3 hours (+")
    assert lines[1].startswith(" 253 ──")
    assert " full ~" in lines[1]
    assert any("░░░" in line for line in lines)
    assert lines[-1].endswith("Watched all the time. Last 24 h, times in UTC.")
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 22


def test_a_longer_time_shows_the_leaks_and_whose_removal_caused_them(evening: Simulation, kept: Path) -> None:
    said = history(evening, kept, "proxy", "--since", "11d", LINES="40")
    assert "▲ 12 leaked" in said.out
    assert "leaked when stack test-mediawiki-nightly592 was removed" in " ".join(said.out.split())
    assert "and 7 more before (--all lists all)" in said.out


def test_a_terminal_without_unicode_gets_ascii(evening: Simulation, kept: Path) -> None:
    said = history(evening, kept, "proxy", "--since", "11d", LC_ALL="C")
    assert said.out.isascii()
    assert "^ 12 leaked  / forecast" in said.out
    assert history(evening, kept, LC_ALL="C").out.isascii()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_without_a_name_every_network_has_a_line_the_worst_first(
    evening: Simulation, kept: Path, width: int
) -> None:
    said = history(evening, kept, COLUMNS=str(width))
    lines = said.out.splitlines()
    assert "FORECAST" in lines[0]
    assert lines[1].startswith(" ! proxy")
    assert "full in about 3 hours" in " ".join(" ".join(lines[1:3]).split())
    assert max(map(len, lines)) <= width
    assert "more are steady (--all shows them)" in " ".join(said.out.split())


def test_all_networks_are_shown_where_that_is_asked_for(evening: Simulation, kept: Path) -> None:
    assert len(history(evening, kept, "--all").out.splitlines()) > 100


def test_json_has_the_samples_the_leaks_and_the_forecast(evening: Simulation, kept: Path) -> None:
    said = history(evening, kept, "proxy", "--json", "--since", "11d")
    document = said.json
    assert (document["schema"], document["exit_code"], said.code) == ("vipconsole.history/1", 2, 2)
    (proxy,) = document["networks"]
    assert (proxy["name"], proxy["capacity"], proxy["used"]) == ("proxy", 253, 249)
    assert proxy["samples"][-1] == {"at": document["until"], "used": 249}
    assert len(proxy["samples"]) > 200
    assert sum(len(leak["addresses"]) for leak in proxy["leaks"]) == 12
    assert proxy["leaks"][0]["stack"] == "test-mediawiki-nightly592"
    assert proxy["forecast"]["text"].startswith("full in about 3 hours (+")
    assert datetime.fromisoformat(proxy["forecast"]["full_at"]) > datetime.fromisoformat(document["until"])
    assert proxy["unwatched_s"] == 0
    assert len(history(evening, kept, "--json").json["networks"]) > 100


def test_csv_has_a_header_and_times_in_utc(evening: Simulation, kept: Path) -> None:
    said = history(evening, kept, "proxy", "--csv", "--since", "11d", TZ="Asia/Tokyo")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert list(rows[0]) == ["at", "network", "network_id", "used", "capacity", "leaked"]
    assert all(row["at"].endswith("+00:00") for row in rows)
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert {row["network"] for row in rows} == {"proxy"}
    assert sum(int(row["leaked"]) for row in rows) == 12
    assert (rows[-1]["used"], rows[-1]["capacity"]) == ("249", "253")


def test_without_a_history_it_says_what_keeps_one(evening: Simulation, tmp_path: Path) -> None:
    for arguments in (("proxy",), (), ("--json",), ("proxy", "--csv")):
        said = history(evening, tmp_path, *arguments)
        text = " ".join(said.err.split())
        assert (said.code, said.out) == (3, "")
        assert f"There is no history of {'proxy' if 'proxy' in arguments else 'this swarm'} yet in" in text
        assert "Leave the console open: it keeps a value a minute" in text
    assert not (tmp_path / FILE).exists()


def test_a_network_that_is_not_there_is_said_so(evening: Simulation, kept: Path) -> None:
    said = history(evening, kept, "prxy")
    assert said.code == 2
    assert "There is no overlay named prxy. Did you mean proxy?" in said.err


def test_a_damaged_history_is_said_so(evening: Simulation, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database " * 500)
    said = history(evening, tmp_path, "proxy")
    assert said.code == 3
    assert "cannot be used" in said.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away and become somebody else")
def test_a_history_of_root_is_said_so(kept: Path) -> None:
    os.chown(kept, 0, 0)
    kept.chmod(0o755)
    os.setegid(65534)
    os.seteuid(65534)
    try:
        with pytest.raises(HostError) as raised:
            HistoryStore(kept).points("cluster")
    finally:
        os.seteuid(0)
        os.setegid(0)
    assert "Permission denied" in raised.value.sentence
    assert "Run this as the owner (root" in raised.value.hint


def test_a_read_only_directory_can_be_read(evening: Simulation, kept: Path) -> None:
    (kept / FILE).chmod(0o400)
    kept.chmod(0o500)
    assert history(evening, kept, "proxy").code == 2
    kept.chmod(0o700)


@pytest.mark.parametrize("since", ["1m", "61d"])
def test_no_time_that_nothing_is_kept_of(evening: Simulation, kept: Path, since: str) -> None:
    said = history(evening, kept, "--since", since)
    assert said.code == 64
    assert "--since takes 10m to 60d." in said.err


def test_the_demo_has_a_history_and_names_its_own_command() -> None:
    said = vipconsole("history", "--demo", "proxy", "--since", "11d", environment=NARROW)
    assert said.code == 2
    assert said.out.startswith("SIMULATED")
    assert "proxy  249 of 253 in use  full in about 3 hours (+" in said.out
    assert "12 leaked" in said.out
    assert "`vipconsole --demo history NETWORK`" in " ".join(
        vipconsole("history", "--demo", environment=NARROW).out.split()
    )


def test_glance_says_when_it_will_be_full(evening: Simulation, kept: Path) -> None:
    for home, is_said in ((kept, True), (kept / "nothing", False)):
        said = vipconsole("glance", "proxy", "--host", evening.host, home=home)
        assert ("Forecast: full in about 3 hours (+" in said.out) is is_said
