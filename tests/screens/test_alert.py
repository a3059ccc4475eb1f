"""`vipconsole alert`."""

import json
import socket
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.alerts.decision import trial
from console.alerts.values import AlertState
from console.clock import SystemClock
from console.settings import Settings, load_settings
from console.storage.alerts import write_alerts
from screens.cli.arguments import build_parser
from screens.cli.commands.record import listeners_of
from screens.cli.main import main
from tests.support.program import vipconsole

CONFIG = """
[[alert]]
command = ["/bin/sh", "-c", "cat > got"]

[[alert]]
name = "bad"
command = ["/bin/sh", "-c", "echo no such channel; exit 3"]

[[alert]]
webhook = "http://user:secret@127.0.0.1:1/secret"
format = "slack"
at = "warning"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("> got", f"> {tmp_path}/got"))
    return path


@pytest.mark.process
def test_a_test_is_sent_once_through_each_and_what_comes_back_is_told(config: Path) -> None:
    said = vipconsole("alert", "--test", "--config", str(config), home=config.parent)
    assert said.code == 1
    assert said.out.splitlines() == [
        "sh: delivered: exit code 0",
        "bad: FAILED: exit code 3: no such channel",
        "127.0.0.1: FAILED: Connection refused",
    ]
    assert json.loads((config.parent / "got").read_text())["occasion"] == "test"
    assert "secret" not in said.out + said.err


@pytest.mark.process
def test_one_alert_is_tried_by_its_name(config: Path) -> None:
    said = vipconsole("alert", "--test", "sh", "--config", str(config), home=config.parent)
    assert (said.code, said.out) == (0, "sh: delivered: exit code 0\n")


def test_a_name_that_does_not_exist_is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alert", "--test", "bat", "--config", str(config)]) == 64
    assert "There is no alert bat.\n  Did you mean bad?" in capsys.readouterr().err


def test_settings_without_alerts_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alert", "--test"]) == 64
    assert "The settings have no [[alert]]." in capsys.readouterr().err


def test_the_list_says_how_each_goes(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["alert", "--config", str(config), "--state-dir", str(config.parent / "state")]
    assert main(arguments) == 0
    assert "bad: command, at critical: nothing was sent yet" in capsys.readouterr().out
    now = datetime.now(UTC)
    failing = AlertState(
        pending=(trial(now, "here"),), failing_since=now - timedelta(hours=3), reason="HTTP 500", lost=2
    )
    fine = AlertState(delivered=3, delivered_at=now - timedelta(minutes=5))
    write_alerts(config.parent / "state", {"127.0.0.1": failing, "bad": fine})
    assert main(arguments) == 1
    failed = "FAILING for 3 h: HTTP 500; 1 notification not delivered yet; 2 notifications given up"
    assert capsys.readouterr().out.splitlines() == [
        "sh: command, at critical: nothing was sent yet",
        "bad: command, at critical: last delivered 5 min ago",
        f"127.0.0.1: webhook (slack), at warning: {failed}",
    ]
    # What fails and is not in the settings any more is nobody's.
    write_alerts(config.parent / "state", {"gone": failing, "bad": replace(fine, lost=1)})
    assert main(arguments) == 0


def test_glance_tells_that_an_alert_does_not_get_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    failing = AlertState(
        pending=(trial(now, "here"),), failing_since=now - timedelta(hours=3), reason="HTTP 500"
    )
    write_alerts(tmp_path, {"ops": failing})
    main(["glance", "--json", "--host", "unix:///nonexistent", "--state-dir", str(tmp_path)])
    findings = json.loads(capsys.readouterr().out)["findings"]
    (finding,) = [each for each in findings if each["code"] == "alert-failing"]
    assert (finding["severity"], finding["subject"]) == ("warning", "ops")
    assert finding["sentence"] == (
        "The alert ops does not get through; it has failed for 3 h: HTTP 500; 1 notification not delivered yet."
    )


@pytest.mark.parametrize("text", ["", "[]"])
def test_glance_tells_that_the_file_of_alerts_cannot_be_read(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alerts.json").write_text(text)
    main(["glance", "--json", "--host", "unix:///nonexistent", "--state-dir", str(tmp_path)])
    codes = [each["code"] for each in json.loads(capsys.readouterr().out)["findings"]]
    assert "alerts-unread" in codes


def started_with(arguments: list[str], config: Path) -> Namespace:
    return build_parser().parse_args(["record", *arguments, "--config", str(config)])


async def test_a_simulated_swarm_alarms_nobody(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings([], config)
    for arguments, count in ((["--demo"], 0), ([], 1)):
        started = started_with(arguments, config)
        assert len(listeners_of(started, settings, config.parent, SystemClock())) == count
    assert "the swarm is simulated: nobody gets alerts" in capsys.readouterr().err


async def test_without_alerts_and_without_an_address_nobody_listens(tmp_path: Path) -> None:
    started = started_with([], tmp_path)
    assert listeners_of(started, Settings(), tmp_path, SystemClock()) == []


def test_a_recorder_that_cannot_listen_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = ["record", "--host", "unix:///nonexistent", "--state-dir", str(tmp_path)]
        assert main([*arguments, "--listen", address]) == 3
    assert f"Cannot listen on {address}: Address already in use." in capsys.readouterr().err
