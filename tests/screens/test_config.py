"""`vipconsole config`."""

import json
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from console.errors import SettingsError
from console.settings import LISTS, Settings, load_settings
from console.settings_file import reference, template
from console.settings_schema import settings_schema
from screens.cli.main import main

SET = """
network = "pr\\u007foxy \U0001f600"
[quiet]
dwell_s = 61.5
units = ["a", "b*"]
[[alert]]
name = "ops"
webhook = "https://chat.example/hooks/secret"
[[alert]]
command = ["/usr/bin/notify", "--token", "secret"]
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "1000")
    return tmp_path


def test_what_is_in_effect_is_a_file_that_says_where_each_value_comes_from(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user, given = home / "vipconsole" / "config.toml", home / "given.toml"
    user.parent.mkdir()
    user.write_text(SET)
    given.write_text("[quiet]\ndwell_s = 90\n")
    assert main(["config", "--config", str(given)]) == 0
    shown = capsys.readouterr().out
    assert f"dwell_s = 90  # {given}" in shown.splitlines()
    assert f'units = ["a.service", "b*"]  # {user}' in shown.splitlines()
    assert "timeout_s = 900  # default" in shown.splitlines()
    assert f"[[alert]]  # {user}" in shown.splitlines()
    assert "secret" not in shown
    data = tomllib.loads(shown)
    assert [each.get("webhook") for each in data["alert"]] == ["(hidden)", None]
    assert data["alert"][1]["command"] == ["/usr/bin/notify", "(hidden)", "(hidden)"]


def test_what_is_in_effect_means_the_same_when_it_is_read_again(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = home / "source.toml"
    source.write_text(SET.partition("[[alert]]")[0])
    main(["config", "show", "--config", str(source)])
    (home / "again.toml").write_text(capsys.readouterr().out)
    again, once = load_settings([home / "again.toml"]), load_settings([source])
    # What cannot be shown as it is, such as a control character, is shown by its escape.
    assert replace(again, network="") == replace(once, network="")


def test_what_was_hidden_is_not_taken_for_a_secret_when_it_is_read_again(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = home / "source.toml"
    source.write_text(SET)
    main(["config", "show", "--config", str(source)])
    (home / "again.toml").write_text(capsys.readouterr().out)
    with pytest.raises(SettingsError) as raised:
        load_settings([home / "again.toml"])
    assert raised.value.sentence.count("write it again") == 2
    assert "[[alert]] 1: webhook has (hidden)" in raised.value.sentence
    assert "[[alert]] 2: command has (hidden)" in raised.value.sentence


def test_one_document_has_each_key_with_its_value_and_origin(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "given.toml").write_text(SET)
    main(["config", "show", "--json", "--config", str(home / "given.toml")])
    out = capsys.readouterr().out
    found: dict[str, Any] = json.loads(out)["settings"]
    assert found["quiet.dwell_s"] == {"value": 61.5, "origin": str(home / "given.toml")}
    assert found["guard.prune"] == {"value": True, "origin": "default"}
    assert "secret" not in out
    assert len(found) == len(set(found)) > 30


def test_a_file_to_begin_with_sets_nothing_and_is_never_written_over_another(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "new" / "config.toml"
    assert main(["config", "init", "--config", str(path)]) == 0
    assert load_settings([path]) == Settings()
    assert path.read_text() == template()
    path.write_text("mine")
    assert main(["config", "init", "--config", str(path)]) == 64
    assert "stays as it is" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_what_root_makes_for_the_system_can_be_read_by_every_user(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system = home / "etc" / "vipconsole" / "config.toml"
    monkeypatch.setattr("screens.cli.commands.config.SYSTEM_FILE", system)
    monkeypatch.setattr("screens.cli.commands.config.own_settings_file", lambda: system)
    assert main(["config", "init"]) == 0
    assert stat.S_IMODE(system.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(system.stat().st_mode) == 0o644
    # What a user makes is their own, and where it cannot be made, another file can be named.
    own = home / "own" / "config.toml"
    assert main(["config", "init", "--config", str(own)]) == 0
    assert stat.S_IMODE(own.parent.stat().st_mode) == 0o700
    assert main(["config", "init", "--config", str(own / "below" / "config.toml")]) == 3
    assert "Name a file elsewhere with --config." in capsys.readouterr().err


def test_every_comment_of_the_template_becomes_a_setting_without_its_sign(tmp_path: Path) -> None:
    uncommented = "\n".join(
        line.removeprefix("#") if line.startswith("#") and line[1:2].isalpha() else line
        for line in template().splitlines()
    )
    assert tomllib.loads(uncommented) == tomllib.loads(reference())
    (tmp_path / "config.toml").write_text(uncommented)
    assert load_settings([tmp_path / "config.toml"]) == Settings()


def test_the_schema_takes_what_the_program_takes_and_refuses_what_it_refuses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == settings_schema()
    validator = jsonschema.Draft7Validator(schema)
    validator.check_schema(schema)
    for text in (reference(), SET, ""):
        validator.validate(tomllib.loads(text))
    for wrong in (
        'theme = "blue"',
        "networc = 1",
        "[quiet]\ndwell_s = 0",
        "[guard]\nprune = 1",
        "[[node]]\nx = 1",
    ):
        assert list(validator.iter_errors(tomllib.loads(wrong))), wrong
    assert set(LISTS) <= set(schema["properties"])
