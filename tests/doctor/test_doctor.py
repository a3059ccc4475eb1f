"""The doctor says of each thing whether it works, and what mends it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from console.alerts.alert import Alert
from console.alerts.values import AlertState
from console.diagnosis.values import Severity
from console.doctor.examination import examine
from console.doctor.nixos import examine_nixos
from console.doctor.settings import examine_settings
from console.doctor.values import DoctorArea, Examination, Patient, Tools, worst
from console.errors import HostError, UsageError
from console.journal.reader import DaemonLog
from console.journal.values import Batch, JournalGap, Window
from console.nixos.file import NixosPaths
from console.settings import Nixos, Settings
from console.storage.alerts import write_alerts
from console.storage.recorder_lock import FILE as RECORDER_LOCK
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_swarm
from tests.support.engines import Simulation, reader_of, simulation

NOW = datetime(2026, 6, 12, tzinfo=UTC)
SUBNET = IPv4Network("10.10.0.0/16")
RUNNING = b"LoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic=1\n"
ENABLE = "`systemctl enable --now vipconsole-record.service`."
SYNCHRONISED = b"NTPSynchronized=yes\n"
UNITS = b"Id=vipconsole-record.service\nLoadState=not-found\nActiveState=inactive\n"


class Journal:
    """A journal with so many lines, one with a gap, or one that cannot be read."""

    def __init__(self, entries: int = 3, error: HostError | None = None, gap: str = "") -> None:
        self._entries = entries
        self._error = error
        self._gaps = (JournalGap(gap),) if gap else ()

    async def read(self, _: Window) -> Batch:
        if self._error is not None:
            raise self._error
        entries: Any = (object(),) * self._entries
        return Batch(entries, self._gaps)

    def follow(self, *_: object) -> Any:
        raise NotImplementedError


class Host:
    """A host with systemd, whose commands answer as they are told."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.booted = folder / "booted"
        self.booted.mkdir()
        self.answers: dict[str, bytes | HostError] = {
            "docker.service": RUNNING,
            "timedatectl": SYNCHRONISED,
            "vipconsole-guard.timer": UNITS,
        }
        self.log = DaemonLog(Journal(), is_proven=True)
        self.settings = Settings()

    async def run(self, argv: Sequence[str], _: float) -> bytes:
        answer = next(answer for word, answer in self.answers.items() if word in argv)
        if isinstance(answer, HostError):
            raise answer
        return answer

    def tools(self) -> Tools:
        return Tools(self.run, self.booted, self.state / "lock")

    def patient(self, reader: EngineReader) -> Patient:
        return Patient(reader, self.log, self.state, SUBNET, self.settings, NOW)

    def examined(self, reader: EngineReader) -> dict[tuple[DoctorArea, str], Examination]:
        found = asyncio.run(examine(self.patient(reader), self.tools()))
        assert len({(each.area, each.subject) for each in found}) == len(found)
        return {(each.area, each.subject): each for each in found}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@contextmanager
def served(api: str = "1.52", **more: Any) -> Iterator[tuple[Simulation, EngineReader]]:
    engine = a_swarm(api, **more)
    a_network(engine)
    with simulation(engine) as running, reader_of(running.host) as reader:
        yield running, reader


def wrong(found: dict[tuple[DoctorArea, str], Examination]) -> set[tuple[DoctorArea, str]]:
    return {key for key, examination in found.items() if examination.severity is not Severity.OK}


PLACE = (DoctorArea.ENGINE, "place")
CLOCK = (DoctorArea.HOST, "clock")
"""The simulated engine has another name and another date than this machine."""


def test_where_everything_works_nothing_is_wrong(host: Host) -> None:
    with served() as (_, reader):
        found = host.examined(reader)
    assert wrong(found) <= {
        PLACE,
        CLOCK,
        (DoctorArea.HOST, "command ip"),
        (DoctorArea.HOST, "command systemctl"),
    }
    assert "counts addresses" in found[DoctorArea.ENGINE, "version"].sentence
    assert "leads the swarm" in found[DoctorArea.ENGINE, "leader"].sentence
    assert "3 lines of docker.service" in found[DoctorArea.LOG, "journal"].sentence


def test_an_engine_that_does_not_count_is_told_with_what_helps(host: Host) -> None:
    with served("1.41") as (_, reader):
        found = host.examined(reader)[DoctorArea.ENGINE, "version"]
    assert found.severity is Severity.OK
    assert "does not count" in found.sentence
    assert "vipconsole census proxy" in found.hint


@pytest.mark.parametrize("kind", ["refuse", "garbage", "status:500"])
def test_an_engine_that_fails_keeps_nothing_else_from_being_examined(host: Host, kind: str) -> None:
    with served() as (running, reader):
        running.break_call("*", kind)
        found = host.examined(reader)
    assert found[DoctorArea.ENGINE, "swarm"].severity is Severity.CRITICAL
    assert found[DoctorArea.ENGINE, "swarm"].hint
    assert {area for area, _ in found} == {
        DoctorArea.ENGINE,
        DoctorArea.LOG,
        DoctorArea.HOST,
        DoctorArea.NIXOS,
        DoctorArea.SERVICES,
    }


def test_no_engine_at_all_is_told_by_its_socket(host: Host, tmp_path: Path) -> None:
    with reader_of(f"unix://{tmp_path}/none.sock") as reader:
        found = host.examined(reader)[DoctorArea.ENGINE, "swarm"]
    assert "the socket does not exist" in found.sentence
    assert "systemctl status docker" in found.hint


def test_a_network_that_is_not_there_is_told_with_those_that_are(host: Host) -> None:
    host.settings = replace(host.settings, network="shared")
    with served() as (_, reader):
        found = host.examined(reader)[DoctorArea.ENGINE, "network"]
    assert found.severity is Severity.WARNING
    assert "Overlays: proxy" in found.hint


def test_a_journal_without_a_line_is_not_taken_for_a_quiet_one(host: Host) -> None:
    host.log = DaemonLog(Journal(0), is_proven=True)
    with served() as (_, reader):
        found = host.examined(reader)[DoctorArea.LOG, "journal"]
    assert found.severity is Severity.WARNING
    assert "docker_unit" in found.hint


def test_a_journal_that_cannot_be_read_is_unknown(host: Host) -> None:
    host.log = DaemonLog(
        Journal(error=HostError("It cannot be read.", "Join the group adm.")), is_proven=True
    )
    with served() as (_, reader):
        found = host.examined(reader)[DoctorArea.LOG, "journal"]
    assert (found.severity, found.hint) == (Severity.UNKNOWN, "Join the group adm.")


def test_the_journal_of_a_host_that_is_not_the_engines_is_not_read(host: Host) -> None:
    host.log = DaemonLog(Journal())
    with served() as (_, reader):
        found = host.examined(reader)
    assert (DoctorArea.LOG, "journal") not in found
    assert "is not read" in found[DoctorArea.LOG, "reader"].sentence
    assert found[PLACE].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("command", "answer", "subject", "severity"),
    [
        ("docker.service", b"LoadState=not-found\nActiveState=inactive\n", "systemd", Severity.UNKNOWN),
        ("docker.service", RUNNING.replace(b"=active", b"=failed"), "systemd", Severity.CRITICAL),
        ("docker.service", HostError("It hangs."), "systemd", Severity.UNKNOWN),
    ],
)
def test_a_unit_that_does_not_run_is_told(
    host: Host, command: str, answer: bytes | HostError, subject: str, severity: Severity
) -> None:
    host.answers[command] = answer
    with served() as (_, reader):
        assert host.examined(reader)[DoctorArea.HOST, subject].severity is severity


def test_a_host_without_systemd_is_told_and_nothing_of_systemd_is_asked(host: Host) -> None:
    host.booted.rmdir()
    host.answers.clear()
    with served() as (_, reader):
        found = host.examined(reader)
    assert "systemd does not run this host" in found[DoctorArea.HOST, "systemd"].sentence


def test_a_clock_that_nobody_sets_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.answers["timedatectl"] = b"NTPSynchronized=no\n"
    with served() as (running, reader):
        at = running.model.now.timestamp()
        monkeypatch.setattr("console.doctor.engine.time.time", lambda: at)
        assert "timedatectl set-ntp true" in host.examined(reader)[CLOCK].hint
        monkeypatch.setattr("console.doctor.engine.time.time", lambda: at + 60)
        assert "60 s behind" in host.examined(reader)[CLOCK].sentence
        monkeypatch.setattr("console.doctor.engine.time.time", lambda: at - 14_860_800)
        assert "172 d ahead of" in host.examined(reader)[CLOCK].sentence
        # It told its time at some moment in between: that it took its time is no difference of clocks.
        times = iter((at - 4,))
        monkeypatch.setattr("console.doctor.engine.time.time", lambda: next(times, at + 4))
        assert "timedatectl set-ntp true" in host.examined(reader)[CLOCK].hint


def test_the_state_directory_is_told_as_it_is(host: Host) -> None:
    with served() as (_, reader):
        assert str(host.state) in host.examined(reader)[DoctorArea.HOST, "state"].sentence
        host.state = host.state / "deeper" / "still"
        assert "is not there yet" in host.examined(reader)[DoctorArea.HOST, "state"].sentence


@pytest.mark.parametrize(("free", "severity"), [(10e6, Severity.CRITICAL), (100e6, Severity.WARNING)])
def test_a_disk_that_is_nearly_full_is_told(
    host: Host, monkeypatch: pytest.MonkeyPatch, free: float, severity: Severity
) -> None:
    class Usage:
        def __init__(self, _: object) -> None:
            self.free = free

    monkeypatch.setattr("console.doctor.host.shutil.disk_usage", Usage)
    with served() as (_, reader):
        assert host.examined(reader)[DoctorArea.HOST, "disk"].severity is severity


def test_a_recorder_that_failed_and_one_that_works_are_told(host: Host) -> None:
    subject = (DoctorArea.SERVICES, "recorder")
    with served() as (_, reader):
        assert host.examined(reader)[subject].hint == ENABLE.replace(
            "`.", "` (the unit files are in docs/record.md)."
        )
        host.answers["vipconsole-guard.timer"] = UNITS.replace(b"not-found", b"loaded")
        assert host.examined(reader)[subject].hint == ENABLE
        host.answers["vipconsole-guard.timer"] = UNITS.replace(b"inactive", b"failed")
        assert host.examined(reader)[subject].severity is Severity.WARNING
    assert not (host.state / RECORDER_LOCK).exists()


def test_where_no_systemd_runs_nothing_is_enabled_with_it(host: Host) -> None:
    host.booted.rmdir()
    with served() as (_, reader):
        examined = host.examined(reader)
    hints = [examined[DoctorArea.SERVICES, subject].hint for subject in ("recorder", "guard")]
    assert hints == [
        "`vipconsole record` in a terminal (docs/record.md).",
        "Before a batch: `vipconsole guard`.",
    ]


def test_alerts_that_do_not_get_through_are_told(host: Host) -> None:
    subject = (DoctorArea.SERVICES, "alerts")
    host.settings = replace(host.settings, alert=(Alert("ops", ("/bin/true",)),))
    with served() as (_, reader):
        found = host.examined(reader)[subject]
        assert found.severity is Severity.WARNING
        assert "1 alert set: ops. No recorder is at work, and only a recorder sends them." in found.sentence
        assert found.hint == "`vipconsole record` in a terminal."
        host.answers["vipconsole-guard.timer"] = UNITS.replace(b"inactive", b"active").replace(
            b"not-found", b"loaded"
        )
        assert host.examined(reader)[subject].severity is Severity.OK
        recorder = host.examined(reader)[DoctorArea.SERVICES, "recorder"]
        assert "is at work. What it keeps is not in" in recorder.sentence
        trouble = AlertState(lost=2, lost_at=NOW - timedelta(hours=1))
        write_alerts(host.state, {"ops": trouble})
        found = host.examined(reader)[subject]
    assert found.severity is Severity.WARNING
    assert found.hint == "`vipconsole alert --test ops`."


def test_an_alert_whose_program_is_not_there_is_told_before_it_is_needed(host: Host, tmp_path: Path) -> None:
    program = str(tmp_path / "notify")
    host.settings = replace(host.settings, alert=(Alert("ops", (program,)),))
    with served() as (_, reader):
        found = host.examined(reader)[DoctorArea.SERVICES, "alerts"]
    assert f"cannot be run: {program}." in found.sentence
    assert f"`ls -l {program}`" in found.hint


@pytest.mark.parametrize(
    ("path", "subject"), [("/services*", "services"), ("/tasks*", "tasks"), ("/networks/*", "attachments")]
)
def test_a_part_that_a_proxy_refuses_is_told(host: Host, path: str, subject: str) -> None:
    with served() as (running, reader):
        running.break_call(path, "status:403")
        found = host.examined(reader)
    assert found[DoctorArea.ENGINE, "swarm"].severity is Severity.OK
    assert found[DoctorArea.ENGINE, subject].severity is Severity.UNKNOWN


def test_a_damaged_journal_is_not_taken_for_one_without_a_line(host: Host) -> None:
    host.log = DaemonLog(Journal(0, gap="The journal is empty, so nothing is known."), is_proven=True)
    with served() as (_, reader):
        found = host.examined(reader)[DoctorArea.LOG, "journal"]
    assert found.severity is Severity.UNKNOWN
    assert "is not known. The journal is empty" in found.sentence


def test_a_recording_is_read_and_one_without_a_line_is_told(host: Host) -> None:
    host.log = DaemonLog(Journal(), is_recorded=True)
    with served() as (_, reader):
        assert (
            "3 lines of docker.service can be read"
            in host.examined(reader)[DoctorArea.LOG, "journal"].sentence
        )
        host.log = DaemonLog(Journal(0), is_recorded=True)
        found = host.examined(reader)[DoctorArea.LOG, "journal"]
    assert (found.severity, found.sentence) == (
        Severity.WARNING,
        "The recording has no line of docker.service.",
    )


def test_an_address_that_cannot_be_used_keeps_nothing_else_from_being_examined(host: Host) -> None:
    patient = Patient(
        UsageError("x is not an engine address.", "Write unix:///…"),
        host.log,
        host.state,
        SUBNET,
        host.settings,
        NOW,
    )
    found = {(each.area, each.subject): each for each in asyncio.run(examine(patient, host.tools()))}
    assert found[DoctorArea.ENGINE, "address"].severity is Severity.CRITICAL
    assert found[DoctorArea.HOST, "state"].severity is Severity.OK
    assert found[DoctorArea.LOG, "journal"].severity is Severity.OK
    patient = replace(patient, log=UsageError("Journal not found: /x.", "Name another."))
    found = {(each.area, each.subject): each for each in asyncio.run(examine(patient, host.tools()))}
    assert found[DoctorArea.LOG, "reader"].severity is Severity.CRITICAL


def test_settings_that_cannot_be_used_are_told_and_the_defaults_hold(tmp_path: Path) -> None:
    system, user = tmp_path / "system.toml", tmp_path / "user.toml"
    (found,) = examine_settings((system, user), None, user)[1]
    assert "No settings file" in found.sentence
    assert f"config init` writes {user} " in found.hint
    system.write_text('network = "shared"\n')
    settings, (found,) = examine_settings((system, user), None, user)
    assert (settings.network, found.severity) == ("shared", Severity.OK)
    user.write_text("networc = 1\n")
    settings, (found,) = examine_settings((system, user), None, user)
    assert (settings, found.severity) == (Settings(), Severity.CRITICAL)
    assert "did you mean network?" in found.sentence


@pytest.mark.process
@pytest.mark.parametrize(
    ("text", "severity", "sentence"),
    [
        (
            "docker network create --driver overlay proxy",
            Severity.WARNING,
            "by one exact edit: docker network create",
        ),
        (
            "docker network create --subnet 10.10.0.0/16 --driver overlay proxy",
            Severity.OK,
            "already creates",
        ),
        ("echo nothing", Severity.WARNING, ""),
    ],
)
def test_the_edit_of_the_nix_file_is_told_before_it_is_needed(
    host: Host, tmp_path: Path, text: str, severity: Severity, sentence: str
) -> None:
    (tmp_path / "swarm.nix").write_text(f"{{ x.script = ''\n  {text}\n''; }}\n")
    host.settings = replace(host.settings, nixos=Nixos(repository=str(tmp_path), file="swarm.nix"))
    marker = tmp_path / "NIXOS"
    with served() as (_, reader):
        absent = asyncio.run(examine_nixos(host.patient(reader), NixosPaths(marker=marker)))
        marker.touch()
        # There is no Nix on this path: then its own check of the edit is what is missing.
        found, git, *means = asyncio.run(
            examine_nixos(host.patient(reader), NixosPaths(marker=marker, path="/nonexistent"))
        )
        (tmp_path / "flake.nix").touch()
        tool = tmp_path / "nixos-rebuild"
        tool.touch(0o755)
        with_all = asyncio.run(
            examine_nixos(host.patient(reader), NixosPaths(marker=marker, path=str(tmp_path)))
        )
    assert [each.severity for each in absent] == [Severity.OK]
    assert (found.severity, sentence in found.sentence) == (severity, True)
    assert found.hint or severity is Severity.OK
    assert git.subject == "git"
    # Without these an edit that is exact leads nowhere.
    assert [each.subject for each in means] == ["nixos-rebuild", "flake"]
    assert {each.severity for each in means} == {Severity.WARNING}
    assert [each.subject for each in with_all] == ["file", "git"]


def test_the_worst_decides() -> None:
    of = [
        Examination(DoctorArea.HOST, severity, severity, "")
        for severity in (Severity.OK, Severity.WARNING, Severity.CRITICAL, Severity.UNKNOWN)
    ]
    assert worst(of) is Severity.CRITICAL
    assert worst(of[:2]) is Severity.WARNING
    assert worst([]) is Severity.OK
