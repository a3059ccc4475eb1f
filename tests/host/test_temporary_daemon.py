"""What a temporary manager declines, tells and removes; the real one is in tests/engine."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from console.errors import Declined, HostError, NotAllowed
from console.host.process import PATH, CommandFailed
from console.host.temporary.daemon import TemporaryDaemon, temporary_daemon
from console.host.temporary.finding import DockerdProgram, find_dockerd
from console.host.temporary.unit import SCRIPT, TemporaryHost
from console.host.temporary.values import INTERFACE, Cable
from tests.support.clocks import Hours

CABLE = Cable(INTERFACE, "198.18.0.1", "198.18.0.2", 30, "10.99.0.2")
VERSION = "20.10.24+dfsg1"
UNIT = "vipconsole-temporary-manager.service"


@dataclass
class Host:
    """A host without firewall, whose commands are recorded; `interfaces` are its own."""

    version: str = VERSION
    interfaces: list[str] = field(default_factory=lambda: ["lo"])
    unit: str = "not-found inactive dead"
    restarts: int = 0
    commands: list[tuple[str, ...]] = field(default_factory=list)
    stubborn: tuple[str, ...] = ()
    """Commands that fail."""
    written: Path | None = None
    """Where a unit writes to when it is started."""

    async def run(self, argv: Sequence[str], timeout_s: float) -> bytes:
        assert timeout_s > 0
        self.commands.append(tuple(argv))
        if argv[0] in self.stubborn:
            raise CommandFailed(argv, 1, b"Operation not permitted.")
        if argv[-1] == "--version":
            return f"Docker version {self.version}, build 5d6db84\n".encode()
        if argv[:3] == ("ip", "-json", "link"):
            return json.dumps([{"ifname": name} for name in self.interfaces]).encode()
        if argv[:3] == ("ip", "link", "delete"):
            self.interfaces.remove(argv[-1])
        if argv[0] == "systemd-run":
            self.unit = "loaded active running"
            if self.written:
                with self.written.open("a") as log:
                    log.write("failed to start daemon: no space left on device\n")
        if argv[:2] == ("systemctl", "stop"):
            self.unit = "not-found inactive dead"
        if "--property=NRestarts" in argv:
            self.restarts += 1
            return str(self.restarts).encode()
        if argv[:2] == ("systemctl", "show"):
            load, active, sub = self.unit.split()
            return f"Id={UNIT}\nLoadState={load}\nActiveState={active}\nSubState={sub}\n".encode()
        return b""


@dataclass
class Setting:
    """A temporary manager on a simulated host."""

    host: Host
    folder: Path
    daemon: TemporaryDaemon


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return make_setting(tmp_path)


def make_setting(tmp_path: Path, name: str = "t", *, systemd: bool = True) -> Setting:
    booted, proc = tmp_path / "booted", tmp_path / "proc"
    if systemd:
        booted.mkdir()
    (proc / "1").mkdir(parents=True)
    (proc / "1" / "cmdline").write_bytes(b"init\0")
    (proc / "1" / "stat").write_text("1 (init) S " + "0 " * 40)
    (proc / "stat").write_text("btime 1700000000\n")
    (proc / "self").mkdir()
    (proc / "self" / "mounts").write_text("proc /proc proc rw 0 0\n")
    host = Host()
    folder = tmp_path / name
    about = TemporaryHost(host.run, Hours(), booted, proc)
    return Setting(host, folder, TemporaryDaemon(folder, "/usr/sbin/dockerd", VERSION, host=about))


async def test_a_unit_is_started_that_comes_back_by_itself_and_ends_whole(setting: Setting) -> None:
    with pytest.raises(HostError):
        await setting.daemon.start(CABLE)
    (command,) = [command for command in setting.host.commands if command[0] == "systemd-run"]
    assert "--unit=vipconsole-temporary-manager" in command
    for kept in ("Restart=always", "RestartSec=1", "KillMode=control-group", "StartLimitIntervalSec=0"):
        assert f"--property={kept}" in command
    assert [word for word in command if word.startswith("--setenv=PATH=")]
    assert command[command.index("--") + 1 :] == (
        *("/bin/sh", str(SCRIPT), "unit", str(setting.folder)),
        *(INTERFACE, "198.18.0.1", "198.18.0.2", "30", "10.99.0.2", "/usr/sbin/dockerd"),
    )


async def test_one_that_ends_again_and_again_is_told_with_the_end_of_its_log(setting: Setting) -> None:
    setting.folder.mkdir()
    (setting.folder / "log").write_text("of an earlier start\n")
    setting.host.written = setting.folder / "log"
    with pytest.raises(HostError) as raised:
        await setting.daemon.start(CABLE)
    assert raised.value.sentence == (
        "The dockerd of the temporary manager ended while it started: "
        "failed to start daemon: no space left on device"
    )
    assert raised.value.hint == f"Its whole log is {setting.folder}/log."


async def test_another_version_is_declined_with_both(setting: Setting) -> None:
    setting.host.version = "26.1.5"
    with pytest.raises(Declined) as raised:
        await setting.daemon.start(CABLE)
    assert raised.value.sentence == (
        f"/usr/sbin/dockerd is version 26.1.5, but the running dockerd is {VERSION}."
    )
    assert not setting.folder.exists()


async def test_a_folder_whose_socket_would_have_too_long_a_path_is_declined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    setting = make_setting(tmp_path, "t" * 100)
    with pytest.raises(Declined, match="too long for a socket: 107 bytes at most"):
        await setting.daemon.start(CABLE)
    assert not setting.folder.exists()


async def test_only_root_can_start_one(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotAllowed, match="Only root"):
        await setting.daemon.start(CABLE)
    assert setting.host.commands == []


async def test_what_was_never_started_runs_not_and_is_removed_without_ado(setting: Setting) -> None:
    assert not await setting.daemon.is_running()
    await setting.daemon.remove()
    assert await setting.daemon.leftovers() == ()


async def test_all_that_exists_is_told_and_then_removed(setting: Setting) -> None:
    setting.host.unit = "loaded active running"
    setting.host.interfaces.append(INTERFACE)
    (setting.folder / "data").mkdir(parents=True)
    assert await setting.daemon.is_running()
    assert await setting.daemon.leftovers() == (
        f"unit: {UNIT} (active)",
        f"interface: {INTERFACE}",
        f"folder: {setting.folder}",
    )
    await setting.daemon.remove()
    assert await setting.daemon.leftovers() == ()
    assert setting.host.interfaces == ["lo"]


async def test_one_that_is_about_to_be_started_again_runs(setting: Setting) -> None:
    setting.host.unit = "loaded activating auto-restart"
    assert await setting.daemon.is_running()


async def test_a_systemd_that_does_not_tell_is_no_answer(setting: Setting) -> None:
    setting.host.stubborn = ("systemctl",)
    with pytest.raises(HostError, match="Operation not permitted"):
        await setting.daemon.is_running()


async def test_what_cannot_be_removed_is_told_and_the_rest_is_removed(setting: Setting) -> None:
    setting.host.interfaces.append(INTERFACE)
    (setting.folder / "data").mkdir(parents=True)
    mounts = setting.folder.parent / "proc" / "self" / "mounts"
    mounts.write_text(f"tmpfs {setting.folder}/data tmpfs rw 0 0\n")
    with pytest.raises(HostError) as raised:
        await setting.daemon.remove()
    assert raised.value.sentence == (
        "The temporary manager could not be removed: "
        f"Something is mounted in {setting.folder}: {setting.folder}/data."
    )
    assert setting.host.interfaces == ["lo"]
    assert await setting.daemon.leftovers() == (f"folder: {setting.folder}",)


async def test_the_files_of_one_that_does_not_end_stay(setting: Setting) -> None:
    setting.host.unit = "loaded active running"
    setting.host.stubborn = ("systemctl",)
    (setting.folder / "data").mkdir(parents=True)
    with pytest.raises(HostError, match="could not be removed"):
        await setting.daemon.remove()
    assert (setting.folder / "data").exists()


async def test_no_dockerd_of_the_version_is_declined_with_those_there_are(tmp_path: Path) -> None:
    setting = make_setting(tmp_path)
    running = tmp_path / "proc" / "77"
    for folder in (running, tmp_path / "proc" / "self"):
        (folder / "ns").mkdir(parents=True)
        (folder / "ns" / "net").symlink_to("net:[1]")
    (running / "exe").symlink_to("/opt/docker/dockerd (deleted)")
    (running / "environ").write_bytes(b"HOME=/\0PATH=/opt/docker\0")
    about = TemporaryHost(setting.host.run, Hours(), tmp_path / "booted", tmp_path / "proc")
    with pytest.raises(Declined, match=rf"/opt/docker/dockerd is {re.escape(VERSION)}"):
        await temporary_daemon(setting.folder, "28.5.2", about)
    found = await find_dockerd(VERSION, tmp_path / "proc", setting.host.run)
    assert found == DockerdProgram("/opt/docker/dockerd", f"/opt/docker:{PATH}")


async def test_a_dockerd_of_another_network_is_not_the_running_one(tmp_path: Path) -> None:
    setting = make_setting(tmp_path)
    for name, namespace in (("77", "net:[2]"), ("self", "net:[1]")):
        (tmp_path / "proc" / name / "ns").mkdir(parents=True)
        (tmp_path / "proc" / name / "ns" / "net").symlink_to(namespace)
    (tmp_path / "proc" / "77" / "exe").symlink_to("/elsewhere/dockerd")
    (tmp_path / "proc" / "77" / "environ").write_bytes(b"")
    setting.host.stubborn = ("dockerd",)
    with pytest.raises(Declined) as raised:
        await find_dockerd("1.2.3", tmp_path / "proc", setting.host.run)
    assert "elsewhere" not in raised.value.sentence
