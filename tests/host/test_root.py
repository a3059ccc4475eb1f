"""With another root of the host, nothing of this machine is read or written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from console.host.process import PATH
from console.host.root import VARIABLE, choose_root, has_own_root, host_name, host_root, under_root
from console.storage.state import state_folder

CONSOLE = Path(__file__).parents[2] / "console"
PLACES = """
import json
from console.host import audit, identity, lock_probe, process, reader as host_reader
from console.journal import access, reader
from console.nixos import file
from console.runbook.language import source
from console.storage.state import state_folder
from console.swarm.address import resolve_host
from console import settings
print(json.dumps([str(each).removeprefix("unix://") for each in (
    audit.JOURNAL_SOCKET, identity.MACHINE_ID, identity.BOOT_ID, lock_probe.LOCK, host_reader.PROC, host_reader.HostPaths().booted,
    host_reader.BOOTED, *access.SYSTEM_DIRECTORIES, reader.ROOT_JOURNAL, file.PLACES.marker, file.PLACES.running,
    file.PLACES.profile, file.PLACES.switch_lock, file.PLACES.booted, source.SYSTEM_FILE, settings.SYSTEM_FILE,
    state_folder(), resolve_host(), process.PATH,
)]))
"""
REAL = re.compile(r'Path\(f?"/(?!proc/(self|locks|meminfo|\{)|proc"|sys/fs/cgroup)')
"""A path of this machine; what the kernel says of real processes, and how it limits them, has no other root."""


def places(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PLACES],
        capture_output=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_every_place_of_the_host_follows_its_root(tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    # What the environment says of this machine does not count.
    told = {VARIABLE: root, "DOCKER_HOST": "tcp://192.0.2.1:2375", "VIPCONSOLE_STATE_DIR": "/elsewhere"}
    found = places(**told)
    assert [place for place in found if not place.startswith(f"{root}/")] == []
    assert found[-1].startswith(f"{root}/bin:")


def test_without_another_root_every_place_is_this_machine_s() -> None:
    *found, path = places()
    assert "/etc/machine-id" in found
    assert "/var/run/docker.sock" in found
    assert path == PATH


def test_no_module_has_a_path_of_this_machine_of_its_own() -> None:
    sources = (each for each in CONSOLE.rglob("*.py") if each.name not in ("root.py", "state.py"))
    own = [
        f"{each.name}: {line.strip()}"
        for each in sources
        for line in each.read_text().splitlines()
        if REAL.search(line) and 'Path("/")' not in line
    ]
    assert own == []


def test_the_state_is_in_the_root_for_every_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert (has_own_root(), host_root()) == (True, tmp_path)
    assert state_folder() == tmp_path / "var/lib/vipconsole"
    monkeypatch.setenv(VARIABLE, "")
    assert (has_own_root(), host_root()) == (False, Path("/"))


def test_a_host_in_a_folder_has_a_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert host_name() == ""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_text("ci-host\n")
    assert host_name() == "ci-host"


def test_the_root_cannot_change_once_a_path_was_taken(tmp_path: Path) -> None:
    assert under_root("/etc/x") == Path("/etc/x")
    with pytest.raises(RuntimeError, match="cannot change any more"):
        choose_root(tmp_path)
    assert VARIABLE not in os.environ
