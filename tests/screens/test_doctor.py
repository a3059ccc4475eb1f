"""`vipconsole doctor`."""

import json
from pathlib import Path

import pytest

from screens.cli.main import main
from tests.support.engines import simulation

JSON_KEYS = {"area", "subject", "severity", "sentence", "hint"}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.mark.process
def test_a_report_begins_with_the_verdict_and_ends_with_the_worst_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--host", f"unix://{tmp_path}/none.sock"]) == 2
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("1 thing does not work")
    assert "  CRITICAL  There is no engine at" in out
    assert "systemctl status docker" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.process
def test_what_could_be_more_is_hinted_at_when_all_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with simulation("evening", api_version="1.41") as running:
        main(["doctor", "--host", running.host])
        short = capsys.readouterr().out
        main(["doctor", "--all", "--host", running.host])
        whole = capsys.readouterr().out
    assert "(API 1.41) does not count addresses" in short
    assert "`vipconsole census proxy` lists what leaked" not in short
    assert "`vipconsole census proxy` lists what leaked" in whole


@pytest.mark.process
def test_one_document_has_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    with simulation("evening") as running:
        code = main(["doctor", "--json", "--host", running.host])
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["exit_code"], document["host"]) == (
        "vipconsole.doctor/1",
        code,
        running.host,
    )
    assert {frozenset(each) for each in document["examinations"]} == {frozenset(JSON_KEYS)}
    areas = [each["area"] for each in document["examinations"]]
    assert set(areas) == {"engine", "log", "host", "nixos", "services", "settings", "terminal"}


@pytest.mark.process
def test_wrong_settings_and_a_wrong_address_are_findings_and_no_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.toml").write_text("networc = 1\n")
    assert main(["doctor", "--config", str(tmp_path / "wrong.toml"), "--host", "ftp://x"]) == 2
    out = capsys.readouterr().out
    assert "did you mean network?" in out
    assert "ftp://x is not an engine address." in out
    assert out.splitlines()[0].startswith("2 things do not work")


@pytest.mark.process
def test_a_user_is_told_of_the_file_that_config_init_writes_for_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    main(["doctor", "--all", "--json", "--host", "ftp://x"])
    (found,) = (
        each for each in json.loads(capsys.readouterr().out)["examinations"] if each["area"] == "settings"
    )
    path = tmp_path / "vipconsole" / "config.toml"
    assert f"config init` writes {path} " in found["hint"]
    assert main(["config", "init"]) == 0
    assert path.is_file()


@pytest.mark.process
def test_nodes_that_the_settings_name_are_tried_and_nothing_is_kept_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with simulation("evening") as running:
        settings = tmp_path / "nodes.toml"
        settings.write_text(
            f'[[node]]\nname = "w1"\nhost = "{running.host}"\njournal = "none"\n'
            f'[[node]]\nname = "w2"\nhost = "unix://{tmp_path}/none.sock"\njournal = "none"\n'
        )
        main(["doctor", "--json", "--config", str(settings), "--host", running.host])
    document = json.loads(capsys.readouterr().out)
    found = {each["subject"]: each for each in document["examinations"] if each["area"] == "nodes"}
    assert set(found) == {"w1", "w2"}
    assert (found["w1"]["severity"], found["w2"]["severity"]) == ("ok", "warning")
    assert "w2 cannot be read. There is no engine at" in found["w2"]["sentence"]
    assert found["w2"]["hint"]
    assert not (tmp_path / "state").exists()
