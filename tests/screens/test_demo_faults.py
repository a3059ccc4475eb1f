"""`--demo --fail-at`: what goes wrong in the demo is shown, asked about and undone as it would be on a real host."""

from pathlib import Path

import pytest

from console.simulator.host.processes import unit_processes
from tests.support.demo import NEW, OLD, demo_host
from tests.support.program import vipconsole

pytestmark = [pytest.mark.process, pytest.mark.long]


def test_a_build_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    host = demo_host(tmp_path, "build")
    before = host.file("etc/nixos/nix/modules/swarm.nix")
    failed = host.run("--fail-at", "build")
    assert failed.code == 2, failed.out + failed.err
    assert "failed with exit code 1" in failed.out
    assert host.file("etc/nixos/nix/modules/swarm.nix") == before
    (run,) = host.runs()
    # The fault happens once.
    done = host.command("resume", run["run"], *host.words)
    assert done.code == 0, done.out + done.err


def test_a_network_that_cannot_be_removed_brings_everything_back(tmp_path: Path) -> None:
    host = demo_host(tmp_path, "recreate")
    with host.failing_at("network-remove") as failing:
        assert "context deadline exceeded (HTTP 500). Everything is on it again." in failing.failure
        assert host.subnet() == OLD
        failing.decide("recreate", "retry")
        assert failing.end().code == 0
    assert host.subnet() == NEW


def test_a_service_that_does_not_come_back_is_named_and_can_be_undone(tmp_path: Path) -> None:
    # It is waited for until the time of the step is over.
    host = demo_host(tmp_path, "recreate", recreate_within="40s")
    with host.failing_at("recreate=image") as failing:
        assert "drone_app" in failing.failure
        assert host.subnet() == NEW
        assert "No such image: drone/drone:2" in host.command("why", "drone_app").out
        failing.decide("recreate", "undo")
        assert failing.end().code == 1
    assert host.subnet() == OLD
    assert host.command("why", "drone_app").code == 0


@pytest.mark.parametrize("reason", ["units", "refused"])
def test_a_switch_that_fails_asks_and_can_be_tried_again(tmp_path: Path, reason: str) -> None:
    host = demo_host(tmp_path, "build", "switch")
    with host.failing_at(f"switch={reason}") as failing:
        assert failing.end().code == 4, failing.end().out
        failing.decide("switch", "retry")
        done = host.command("attach", failing.name, *host.words)
        assert done.code == 0, done.out + done.err


def test_an_engine_that_hangs_in_the_outage_is_waited_for(tmp_path: Path) -> None:
    host = demo_host(tmp_path, "recreate")
    done = host.run("--fail-at", "engine-hangs")
    assert done.code == 0, done.out + done.err
    assert host.subnet() == NEW


def test_a_killed_runner_stays_dead_until_it_is_resumed(tmp_path: Path) -> None:
    host = demo_host(tmp_path, "recreate")
    killed = host.run("--fail-at", "runner-killed")
    assert killed.code == 3, killed.out + killed.err
    assert unit_processes(host.folder) == ()
    (run,) = host.runs()
    assert run["state"] == "interrupted"
    resume = f"vipconsole --demo resume {run['run']}"
    assert resume in killed.out
    # A command can be copied from JSON, and from every form of the report.
    assert resume in host.command("glance", "--json", "--quick").out
    page = host.folder.with_name("page.html")
    host.command("report", run["run"], "--html", str(page))
    for form in (host.command("report", run["run"]).out, page.read_text()):
        assert resume in form
    # It blocks nothing outside.
    assert vipconsole("runs", "--json").json["runs"] == []
    done = host.command("resume", run["run"], *host.words)
    assert done.code == 0, done.out + done.err
    assert host.subnet() == NEW
