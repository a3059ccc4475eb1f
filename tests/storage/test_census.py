import json
import os
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from console.addresses.leaks import AllocatorGeneration, Census
from console.errors import HostError, Unknown
from console.storage.census import FOLDER, read_censuses, write_census
from console.storage.state import state_folder
from tests.support.swarms import LONG_AGO, NOW

CENSUS = Census(
    "net1",
    "proxy",
    NOW,
    AllocatorGeneration("cluster", "leader", "node", LONG_AGO),
    (IPv4Address("10.0.1.9"),),
    1,
)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    other = replace(CENSUS, network_id="net2", allocator=replace(CENSUS.allocator, daemon_began=None))
    third = replace(
        CENSUS, network_id="net3", allocator=replace(CENSUS.allocator, rebuilt="2026-11-30T02:00:00+00:00")
    )
    for census in (CENSUS, other, third):
        write_census(tmp_path, census)
    assert read_censuses(tmp_path) == (CENSUS, other, third)


def test_one_from_before_there_were_borrowed_managers_is_read(tmp_path: Path) -> None:
    path = write_census(tmp_path, CENSUS)
    data = json.loads(path.read_text())
    del data["allocator"]["rebuilt"]
    path.write_text(json.dumps(data))
    assert read_censuses(tmp_path) == (CENSUS,)


def test_the_last_one_of_a_network_is_kept(tmp_path: Path) -> None:
    write_census(tmp_path, CENSUS)
    later = replace(CENSUS, taken_at=NOW + timedelta(hours=1), unaccounted=())
    write_census(tmp_path, later)
    assert read_censuses(tmp_path) == (later,)


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write_census(tmp_path / "new" / "state", CENSUS)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_an_identifier_from_outside_does_not_lead_elsewhere(tmp_path: Path) -> None:
    path = write_census(tmp_path, replace(CENSUS, network_id="../../x/\x1b[2J" + "y" * 300))
    assert path.parent == tmp_path / FOLDER
    assert len(path.name) < 200


def test_nothing_kept_is_nothing_known(tmp_path: Path) -> None:
    assert read_censuses(tmp_path) == ()
    assert read_censuses(Path("/nonexistent")) == ()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", '{"schema": "vipconsole.evidence/2"}', "[" * 100_000, "\x00"],
)
def test_a_file_that_makes_no_sense_is_unknown_and_named(tmp_path: Path, text: str) -> None:
    path = write_census(tmp_path, CENSUS)
    path.write_text(text)
    found = read_censuses(tmp_path)
    assert isinstance(found, Unknown)
    assert str(path) in found.reason


@pytest.mark.parametrize("key", ["network_id", "taken_at", "allocator", "unaccounted"])
def test_a_file_with_a_field_of_another_kind_is_unknown(tmp_path: Path, key: str) -> None:
    path = write_census(tmp_path, CENSUS)
    path.write_text(json.dumps({**json.loads(path.read_text()), key: 5}))
    assert isinstance(read_censuses(tmp_path), Unknown)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="cannot be created"):
        write_census(tmp_path / "file", CENSUS)


def test_state_lives_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", "/elsewhere")
    assert state_folder() == Path("/elsewhere")
    monkeypatch.delenv("VIPCONSOLE_STATE_DIR")
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert state_folder() == Path("/home/alice/.local/state/vipconsole")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_folder() == Path("/state/vipconsole")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert state_folder() == Path("/var/lib/vipconsole")
