"""Nothing of the host on which tests run reaches a test: its settings, its state, its environment."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from console.host.lock_probe import LOCK
from console.runbook.language.source import SYSTEM_FILE as SYSTEM_RUNBOOK
from console.settings import SYSTEM_FILE, Settings, load_settings, user_file
from console.storage.state import state_folder
from tests.support.isolation import HIDDEN
from tests.support.program import vipconsole
from tests.support.systemd import machine

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can plant something where a host has it")
PROBE = "test_nothing_of_this_host_is_seen"
HOSTILE = {
    "DOCKER_HOST": "tcp://192.0.2.1:2375",
    "DOCKER_CONTEXT": "evil",
    "NO_COLOR": "1",
    "COLUMNS": "20",
    "LINES": "5",
    "TZ": "Pacific/Kiritimati",
    "LANG": "C",
    "LC_ALL": "C",
    "TEXTUAL_ANIMATIONS": "none",
    "TEXTUAL_COLOR_SYSTEM": "standard",
    "SUDO_USER": "evil",
    "SUDO_UID": "12345",
    "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 2",
    "GIT_DIR": "/nonexistent",
}
EVIL = {
    "etc/vipconsole/config.toml": 'network = "evil"\n[broken\n',
    "etc/vipconsole/runbook.yaml": "evil: [",
    "etc/docker/daemon.json": '{"evil": true}',
    "etc/gitconfig": "[evil",
    "var/lib/vipconsole/history.sqlite": "garbage",
    "var/lib/vipconsole/runs/20260101-000000/run.sqlite": "garbage",
    "run/vipconsole/lock": "evil",
    "home/.config/vipconsole/config.toml": 'network = "evil"',
    "home/.local/state/vipconsole/history.sqlite": "garbage",
    "home/.docker/config.json": '{"currentContext": "evil"}',
    "home/.gitconfig": "[evil",
}
# Overlays show what is planted besides what this machine has, which is not touched.
INSIDE = """
mount -t overlay -o lowerdir="$0/etc:/etc" overlay /etc
mount -t overlay -o lowerdir="$0/var/lib:/var/lib" overlay /var/lib
mkdir -p /run/vipconsole
mount --bind "$0/run/vipconsole" /run/vipconsole
exec "$@"
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Return a folder with what a host may have, as if it were the root of one."""
    for name, content in EVIL.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_nothing_of_this_host_is_seen() -> None:
    for each in HIDDEN:
        assert not each.exists() or not any(each.iterdir()), each
    assert (SYSTEM_RUNBOOK.exists(), LOCK.exists()) == (False, False)
    assert load_settings((SYSTEM_FILE, user_file(os.environ))) == Settings()
    assert not state_folder().exists()
    # Tests before this one may have written to their own home; of the host's nothing is in it.
    assert not [name for name in EVIL if name.startswith("home/") and (Path.home() / name[5:]).exists()]
    assert not {name for name, value in HOSTILE.items() if os.environ.get(name) == value}
    assert time.tzname == ("UTC", "UTC")
    shown = vipconsole("glance", "--demo", "--quick", "--json")
    assert (shown.code, shown.err) == (2, ""), shown
    git = subprocess.run(["git", "config", "--list"], capture_output=True, check=False, cwd="/")
    assert (git.returncode, git.stdout, git.stderr) == (0, b"", b"")


def on_a_used_host(planted: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the test above where a host has everything that is planted."""
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        ["unshare", "-m", "sh", "-ec", INSIDE, str(planted), *pytest_, f"{__file__}::{PROBE}"],
        capture_output=True,
        check=False,
        text=True,
        timeout=250,
        cwd=Path(__file__).parents[1],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(planted / "home"),
            "VIPCONSOLE_STATE_DIR": str(planted / "var/lib/vipconsole"),
            **HOSTILE,
        },
    )


@AS_ROOT
@pytest.mark.parametrize("workers", ["0", "1"])
def test_where_the_program_has_been_used_tests_see_nothing_of_it(planted: Path, workers: str) -> None:
    done = on_a_used_host(planted, "-n", workers)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


@AS_ROOT
def test_without_the_isolation_that_would_be_noticed(planted: Path) -> None:
    done = on_a_used_host(planted, "--noconftest")
    assert (done.returncode, "1 failed" in done.stdout) == (1, True), done.stdout + done.stderr


@pytest.mark.engine
@AS_ROOT
def test_a_machine_that_tests_boot_has_nothing_of_this_host(
    planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (planted / "home").rename(planted / "root")
    for name in ("etc/planted", "etc/environment", "etc/systemd/journald.conf.d/evil.conf", "etc/localtime"):
        (planted / name).parent.mkdir(parents=True, exist_ok=True)
        (planted / name).write_text("evil=1\n")
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    with machine(planted) as booted:
        assert booted.run("cat", "/etc/planted") == "evil=1\n"
        names = [
            "/etc/vipconsole",
            "/etc/docker",
            "/etc/gitconfig",
            "/etc/systemd/journald.conf.d",
            "/etc/localtime",
        ]
        names += [
            "/var/lib/vipconsole",
            "/run/vipconsole",
            "/root/.config",
            "/root/.docker",
            "/root/.gitconfig",
            "/root/.local/state",
        ]
        there = [each for each in names if booted.call("test", "-e", each).returncode == 0]
        assert there == []
        assert booted.run("cat", "/etc/environment") == ""
        seen = dict(each.split("=", 1) for each in booted.run("env").splitlines())
        assert set(seen) <= {"PATH", "HOME", "LANG", "TZ"}
        assert (seen["HOME"], seen["TZ"]) == ("/root", "UTC")
