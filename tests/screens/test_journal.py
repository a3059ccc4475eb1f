"""`vipconsole journal`, and the journal in a glance, as processes on real journal files."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.journals import LiveJournal, container, daemon, foreign, suppressed, write_journal
from tests.journal.lines import VIP_LINE
from tests.support.engines import Simulation, simulation
from tests.support.program import PATIENT, PROGRAM, vipconsole

HOSTILE = 'level=error msg="\\x1b[2J\x1b[31m \u202e [/x] \x9b" error="\x1b]0;t\x07"'


@pytest.fixture(scope="module")
def quiet() -> Iterator[Simulation]:
    with simulation("quiet") as running:
        yield running


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    folder = tmp_path / "journal"
    folder.mkdir()
    write_journal(
        folder / "a.journal",
        [foreign(1), daemon(VIP_LINE), container(VIP_LINE), foreign(2), daemon(VIP_LINE)],
    )
    return folder


def test_a_failure_is_explained_and_counted(quiet: Simulation, journal: Path) -> None:
    said = vipconsole("journal", "--host", quiet.host, "--journal", str(journal))
    assert said.code == 2
    assert "A network of a new service is full." in said.out
    assert "×2" in said.out  # noqa: RUF001 - as shown
    assert "2 lines of dockerd" in said.out


def test_json_names_its_schema_and_all_figures(quiet: Simulation, journal: Path) -> None:
    said = vipconsole("journal", "--host", quiet.host, "--journal", str(journal), "--json")
    assert said.out.isascii()
    assert said.json["schema"] == "vipconsole.journal/1"
    (finding,) = said.json["findings"]
    assert (finding["signature"], finding["count"], finding["severity"]) == ("vip-create", 2, "critical")
    assert finding["objects"]["service"]


def test_a_glance_tells_it_too_in_every_form(quiet: Simulation, journal: Path) -> None:
    arguments = ("glance", "--quick", "--host", quiet.host, "--journal", str(journal))
    text = vipconsole(*arguments)
    assert (text.code, text.out.splitlines()[0]) == (2, " CRITICAL  dockerd logged 2 failures")
    assert vipconsole(*arguments, "--json").json["journal"]["findings"][0]["count"] == 2
    metrics = vipconsole(*arguments, "--prometheus").out
    assert 'vipconsole_journal_lines{severity="critical",signature="vip-create"} 2.0\n' in metrics
    assert "vipconsole_journal_readable 1.0\n" in metrics


def test_an_unread_journal_decides_the_exit_code_only_when_required(quiet: Simulation) -> None:
    # The simulated engine is not this host's own, so this host's journal is not its journal.
    arguments = ("glance", "--quick", "--host", quiet.host)
    assert vipconsole(*arguments).code == 0
    required = vipconsole(*arguments, "--require", "journal")
    assert required.code == 3
    assert "UNKNOWN  dockerd's journal cannot be read" in required.out
    assert "vipconsole_journal_readable 0.0\n" in vipconsole(*arguments, "--prometheus").out
    alone = vipconsole("journal", "--host", quiet.host)
    assert alone.code == 3
    assert "calls itself ci-host" in alone.err


def test_a_dead_daemon_does_not_keep_its_log_from_being_read(journal: Path) -> None:
    said = vipconsole("journal", "--host", "unix:///nonexistent", "--journal", str(journal))
    assert said.code == 2


def test_a_containers_words_and_hostile_bytes_are_no_finding_and_never_raw(
    quiet: Simulation, tmp_path: Path
) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    write_journal(
        folder / "a.journal", [container(VIP_LINE), daemon(HOSTILE), daemon(b"\xff\x1b[2J level=error")]
    )
    for arguments in (
        ("journal", "--all"),
        ("journal", "--json"),
        ("glance", "--quick"),
        ("glance", "--quick", "--json"),
    ):
        said = vipconsole(*arguments, "--host", quiet.host, "--journal", str(folder))
        assert said.code == 0
        assert said.out.replace("\n", "").isprintable()
        assert "vip-create" not in said.out


def test_dropped_messages_make_the_answer_incomplete(quiet: Simulation, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    write_journal(folder / "a.journal", [suppressed(9)])
    said = vipconsole("journal", "--host", quiet.host, "--journal", str(folder))
    assert said.code == 1
    assert "9 messages dropped" in said.out
    assert "Incomplete" in said.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "1y"), "is not a duration"),
        (("--since", "-1"), "is not a duration"),
        (("--journal", "/none"), "Journal not found: /none."),
        (("--journal", "9" * 300), "cannot be read: File name too long."),
        (("--journal", "/dev/null/x"), "The journal /dev/null/x cannot be read: Not a directory."),
    ],
)
def test_wrong_usage_is_64(arguments: tuple[str, ...], said: str) -> None:
    outcome = vipconsole("journal", *arguments)
    assert outcome.code == 64
    assert said in outcome.err


def test_follow_shows_a_new_failure_within_a_second(quiet: Simulation, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    environment = {**os.environ, "DOCKER_HOST": quiet.host, "LANG": "C.UTF-8", **PATIENT}
    with LiveJournal(folder / "live.journal") as live:
        live.write(foreign(1))
        command = [str(PROGRAM), "journal", "--follow", "--json", "--journal", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as following:
            assert following.stdout is not None
            # Until it follows, a line would be read as one of those before; so lines come until one is shown.
            os.set_blocking(following.stdout.fileno(), False)
            deadline = time.monotonic() + 60
            line, written = None, 0.0
            while not line:
                assert time.monotonic() < deadline
                live.write(daemon(VIP_LINE))
                written = time.monotonic()
                while not line and time.monotonic() < written + 1:
                    line = following.stdout.readline()
            shown_s = time.monotonic() - written
            following.send_signal(signal.SIGINT)
            assert following.wait(60) == 130
    assert json.loads(line)["signature"] == "vip-create"
    # The aim is a second; a loaded machine may take ten times as long.
    assert shown_s < 10


def test_a_recording_without_a_line_of_dockerd_is_unknown(
    quiet: Simulation, journal: Path, tmp_path: Path
) -> None:
    arguments = ("journal", "--host", quiet.host, "--journal", str(journal))
    (tmp_path / "bare.toml").write_text('docker_unit = "docker"\n')
    assert vipconsole(*arguments, "--config", str(tmp_path / "bare.toml")).code == 2
    (tmp_path / "snap.toml").write_text('docker_unit = "snap.docker.dockerd.service"\n')
    said = vipconsole(*arguments, "--config", str(tmp_path / "snap.toml"))
    assert said.code == 3
    assert "snap.docker.dockerd.service" in said.err


def test_a_time_that_is_asked_for_bounds_a_recording_too(quiet: Simulation, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    ten_days_ago_us = int((time.time() - 10 * 86_400) * 1e6)
    write_journal(folder / "a.journal", [daemon(VIP_LINE)], ten_days_ago_us)
    arguments = ("journal", "--host", quiet.host, "--journal", str(folder))
    whole = vipconsole(*arguments)
    assert whole.code == 2
    assert re.search(r"at 20\d\d-\d\d-\d\d \d\d:\d\d", whole.out)
    assert vipconsole(*arguments, "--since", "1h").code == 0


def test_a_recording_in_a_file_is_not_followed(quiet: Simulation, tmp_path: Path) -> None:
    (tmp_path / "export").write_text("")
    said = vipconsole("journal", "--host", quiet.host, "--journal", str(tmp_path / "export"), "--follow")
    assert said.code == 64
