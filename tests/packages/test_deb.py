"""The Debian package in a clean root: what it brings, what an upgrade keeps, what its removal leaves."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console import __version__
from console.runbook.language.values import Effect
from console.runbook.run.events import Began
from console.runbook.run.header import StepHeader
from console.runbook.store.database import append, create
from console.runbook.store.finished import LOG, RUNS
from screens.cli.commands.completion import script
from tests.packages.clean import NUMBERS, STATE, clean_debian, files, install, older, package
from tests.support.runs import ALICE, START, header
from tests.support.systemd import Machine

pytestmark = pytest.mark.package
RUN = "20260612-020000-proxy-16"
LOCK = "/run/vipconsole/lock"
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/vipconsole",
    "zsh": "usr/share/zsh/vendor-completions/_vipconsole",
    "fish": "usr/share/fish/vendor_completions.d/vipconsole.fish",
}
UNITS = ("vipconsole-guard.service", "vipconsole-guard.timer", "vipconsole-record.service")
LARGEST = 10_000_000


@pytest.fixture(params=NUMBERS)
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def debian(suite: str) -> Iterator[Machine]:
    with clean_debian(suite) as machine:
        yield machine


def begin_run(machine: Machine, folder: Path) -> Path:
    """Let there be an unfinished run, and return its log."""
    steps = tuple(StepHeader(name, name, "test.do", Effect.READ) for name in ("quiet", "recreate"))
    with closing(create(folder / LOG)) as log:
        append(log, Began(header(), steps, ALICE), START)
    machine.run("install", "-d", "-m", "700", f"/{STATE}", f"/{STATE}/{RUNS}", f"/{STATE}/{RUNS}/{RUN}")
    # SQLite opens nothing by a path that leads through another process.
    made = machine.root / STATE / RUNS / RUN / LOG
    made.write_bytes((folder / LOG).read_bytes())
    made.chmod(0o600)
    return made


def test_it_is_small_and_depends_on_the_python_of_its_release(debian: Machine, suite: str) -> None:
    assert (debian.root / "dist" / package(suite)).stat().st_size < LARGEST
    fields = debian.run("dpkg-deb", "-f", f"/dist/{package(suite)}", "Version", "Depends")
    assert f"Version: {__version__}+deb{NUMBERS[suite]}" in fields
    assert {"bookworm": "python3.11,", "trixie": "python3.13,"}[suite] in fields


def test_it_works_once_installed_and_leaves_nothing_when_it_is_purged(debian: Machine, suite: str) -> None:
    before = files(debian)
    install(debian, package(suite))
    installed = files(debian)
    assert debian.run("vipconsole", "--version").split()[-1] == __version__
    # What a user has tried is the user's own, as with every package.
    own = ("env", "XDG_STATE_HOME=/tmp/own", "vipconsole")
    glance = debian.call(*own, "glance", "--demo")
    assert (glance.returncode, b"proxy" in glance.stdout) == (2, True), glance
    check = debian.call(*own, "run", "--demo", "--check")
    assert b"proxy" in check.stdout, check
    doctor = debian.call("vipconsole", "doctor", "--all")
    assert doctor.returncode == 2, doctor
    assert b"The journal is read with systemd's own library" in doctor.stdout
    assert debian.run("man", "-w", "vipconsole").strip() == "/usr/share/man/man1/vipconsole.1.gz"
    assert "vipconsole glance" in debian.run("sh", "-c", "MANWIDTH=100 man vipconsole | cat")
    for shell, path in COMPLETIONS.items():
        assert (debian.root / path).read_text() == script(shell)
    for unit in UNITS:
        verified = debian.call("systemd-analyze", "verify", unit)
        assert (verified.returncode, verified.stderr) == (0, b""), unit
    # Whatever ran wrote nothing beside the program.
    assert {path for path in files(debian) - installed if path.startswith("/opt")} == set()
    said = debian.run("dpkg", "--purge", "vipconsole")
    assert "warning" not in said
    assert files(debian) - before == set()
    assert before - files(debian) == set()
    assert not (debian.root / "run/vipconsole").exists()


def test_an_upgrade_keeps_what_was_begun_and_nothing_of_the_version_before(
    debian: Machine, suite: str, tmp_path: Path
) -> None:
    install(debian, older(debian, package(suite)))
    log = begin_run(debian, tmp_path)
    kept = log.read_bytes()
    install(debian, package(suite))
    assert log.read_bytes() == kept
    assert RUN in debian.run("vipconsole", "runs")
    program = debian.root / "opt/vipconsole/lib"
    assert list(program.rglob("gone*")) == []
    assert list(program.rglob("finished.cpython-*.pyc"))


def test_a_run_that_is_unfinished_survives_a_removal_and_a_purge(
    debian: Machine, suite: str, tmp_path: Path
) -> None:
    name = package(suite)
    install(debian, name)
    log = begin_run(debian, tmp_path)
    kept = log.read_bytes()
    removed = debian.call("dpkg", "--remove", "vipconsole")
    assert removed.returncode == 0, removed
    assert b"`vipconsole resume` goes on" in removed.stderr
    assert not (debian.root / "opt/vipconsole").exists()
    purged = debian.call("dpkg", "--purge", "vipconsole")
    assert b"/var/lib/vipconsole is kept" in purged.stderr
    assert log.read_bytes() == kept
    install(debian, name)
    assert RUN in debian.run("vipconsole", "runs")
    assert not (log.parents[2] / "unfinished").exists()
    debian.run("vipconsole", "abandon", "--yes", RUN)
    assert debian.call("dpkg", "--purge", "vipconsole").stderr == b""
    assert not (debian.root / STATE).exists()


def test_a_program_that_changes_the_swarm_is_neither_replaced_nor_removed(
    debian: Machine, suite: str
) -> None:
    install(debian, older(debian, package(suite)))
    (debian.root / "run/vipconsole").mkdir()
    (debian.root / LOCK.lstrip("/")).write_text("stack-rm ghost, process 7, by alice, since 02:00")
    for attempt in (("-i", f"/dist/{package(suite)}"), ("--remove", "vipconsole")):
        held = debian.call("flock", LOCK, "dpkg", *attempt)
        assert held.returncode != 0
        assert b"changing the swarm now: stack-rm ghost, process 7, by alice" in held.stderr
        assert "0.0.1" in debian.run("dpkg-query", "-W", "-f", "${Version} ${Status}", "vipconsole")
        assert debian.run("vipconsole", "--version").split()[-1] == __version__
    install(debian, package(suite))
    assert "ok installed" in debian.run("dpkg-query", "-W", "-f", "${Status}", "vipconsole")


def test_it_is_not_laid_over_an_environment_that_was_made_by_hand(debian: Machine, suite: str) -> None:
    debian.run("python3", "-m", "venv", "--without-pip", "/opt/vipconsole")
    refused = debian.call("dpkg", "-i", f"/dist/{package(suite)}")
    assert refused.returncode != 0
    assert b"rm -r /opt/vipconsole" in refused.stderr
    assert not (debian.root / "opt/vipconsole/bin/vipconsole").exists()
    debian.run("rm", "-r", "/opt/vipconsole")
    install(debian, package(suite))
