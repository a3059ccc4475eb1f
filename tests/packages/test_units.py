"""The units of the Debian package, on a clean Debian that its own systemd runs."""

from collections.abc import Iterator

import pytest

from tests.packages.clean import CACHE, install, older, package
from tests.support.systemd import CHECKOUT, Machine, machine

pytestmark = pytest.mark.package
RECORD = "vipconsole-record.service"
TIMER = "vipconsole-guard.timer"


@pytest.fixture
def host() -> Iterator[Machine]:
    # A later systemd wants one tree of cgroups, which not every machine that tests has.
    with machine(base=CACHE / "bookworm-host", more=(str(CHECKOUT / "dist"),)) as booted:
        booted.run("ln", "-s", str(CHECKOUT / "dist"), "/dist")
        yield booted


def shown(host: Machine, unit: str, name: str) -> str:
    return host.run("systemctl", "show", "--value", f"--property={name}", unit).strip()


def test_nothing_is_enabled_or_started_by_an_installation(host: Machine) -> None:
    install(host, package("bookworm"))
    for unit in (RECORD, TIMER):
        assert (shown(host, unit, "LoadState"), shown(host, unit, "UnitFileState")) == ("loaded", "disabled")
        assert shown(host, unit, "ActiveState") == "inactive"


def test_an_upgrade_restarts_the_recorder_at_work_and_a_removal_stops_everything(host: Machine) -> None:
    name = package("bookworm")
    install(host, older(host, name))
    host.run("systemctl", "enable", "--now", RECORD, TIMER)
    before = shown(host, RECORD, "MainPID")
    assert before != "0"
    install(host, name)
    assert shown(host, RECORD, "MainPID") not in ("0", before)
    assert [shown(host, unit, "ActiveState") for unit in (RECORD, TIMER)] == ["active", "active"]
    assert [shown(host, unit, "UnitFileState") for unit in (RECORD, TIMER)] == ["enabled", "enabled"]
    host.run("dpkg", "--remove", "vipconsole")
    assert [shown(host, unit, "ActiveState") for unit in (RECORD, TIMER)] == ["inactive", "inactive"]
    assert (host.root / "var/lib/vipconsole/record.lock").exists()
    host.run("dpkg", "--purge", "vipconsole")
    assert (
        host.run(
            "sh", "-c", "find /etc/systemd /var/lib/systemd /var/lib/vipconsole -name '*vipconsole*'; true"
        )
        == ""
    )


def test_an_upgrade_leaves_a_recorder_stopped_that_was_stopped(host: Machine) -> None:
    name = package("bookworm")
    install(host, older(host, name))
    install(host, name)
    assert shown(host, RECORD, "ActiveState") == "inactive"
