"""The step that switches: how a switch can end, what it outlives, and the way back."""

import asyncio
import fcntl
import os
import pty
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from console.errors import Declined, HostError, StepFailed
from console.nixos.file import NOT_NIXOS, short
from console.nixos.switching import MOST_LINES, REBUILD_UNIT
from console.runbook.contracts import Answer
from console.runbook.language.values import Json
from tests.nixos.attempts import Attempts, switches
from tests.support.nixos import Host


def log_of(outputs: Mapping[str, Json]) -> str:
    return Path(str(outputs["log"])).read_text()


@contextmanager
def lock_held(host: Host) -> Iterator[None]:
    with (host.folder / "switch.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def test_a_switch_makes_the_system_run_and_boot(host: Host, new: str, step: Attempts) -> None:
    before = host.running
    plan = await step.plan()
    assert plan.calls == (f"nixos-rebuild switch --no-reexec --store-path {new}",)
    assert plan.refused == ()
    assert "it restarts swarm-init.service" in plan.changes
    assert (await step.probe()).answer is Answer.NO
    outputs = await step.act()
    assert (host.running, host.next) == (new, new)
    assert (outputs["system"], outputs["old_system"]) == (new, before)
    assert "restarting the following units: swarm-init.service" in log_of(outputs)
    assert "restarting the following units: swarm-init.service" in step.said
    found = await step.probe()
    assert (found.answer, dict(found.evidence)) == (Answer.YES, dict(outputs))
    assert (await step.verify(outputs)).answer is Answer.YES
    assert host.switches() == 1
    # What is left is the log: no unit, no note of a process.
    assert not list(host.folder.glob("units/*"))
    assert not list(host.folder.glob("runs/switch/*.pid"))


async def test_where_nixos_rebuild_takes_no_store_path_it_does_what_that_would_do(
    host: Host, new: str, simple: Attempts
) -> None:
    host.behave(help="nixos-rebuild [switch|boot]")
    before = host.running
    (call,) = (await simple.plan()).calls
    assert call.startswith("sh -c nix-env --profile")
    await simple.act()
    assert (host.running, host.next) == (new, new)
    await simple.undo()
    assert (host.running, host.next) == (before, before)


FAILURES: dict[str, tuple[dict[str, Any], str, str]] = {
    "refused": (
        {"switch_code": 1},
        r"refused before any unit was changed. Its output: Pre-switch check",
        "Fix the failure",
    ),
    "activation": ({"switch_code": 2}, r"activation script of the new system failed", "half switched"),
    "units": (
        {"switch_code": 4},
        r"some of its units are not running: certs.service",
        "systemctl status certs.service",
    ),
    "units, to an older wrapper": (
        {"switch_code": 4, "wrapper_code": 1, "failed_units": "a.service, b.timer"},
        r"some of its units are not running: a.service, b.timer",
        "systemctl status a.service b.timer",
    ),
    "reboot": ({"switch_code": 100}, r"takes effect only after a reboot", "Undo, unless"),
    "busy": (
        {"switch_code": 11, "switch_says": "Could not acquire lock"},
        r"Another switch is under way",
        "Wait until",
    ),
    "an error number": ({"switch_code": 5}, r"failed with 5 \(Input/output error\)", "Read its output"),
    "killed": (
        {"switch_signal": 9, "wrapper_code": 137},
        r"killed before it was done \(signal 9\)",
        "Switch again",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_every_way_to_fail_is_told_apart(host: Host, new: str, failure: str) -> None:
    before = host.running
    how, says, hint = FAILURES[failure]
    host.behave(**how)
    step = switches(host, new, systemd=False)
    with pytest.raises(StepFailed, match=says) as raised:
        await step.act()
    assert hint in raised.value.hint
    # What is so is said too, and not what ought to be.
    assert (
        f"This host runs {short(host.running)}, and the next boot starts {short(new)}"
        in raised.value.sentence
    )
    host.behave()
    # However it failed, there is a way back.
    await step.undo()
    assert (host.running, host.next) == (before, before)


async def test_after_units_failed_it_is_not_well_until_they_run(host: Host, new: str) -> None:
    step = switches(host, new, systemd=True)
    failed = {"certs.service": {"LoadState": "loaded", "ActiveState": "failed", "SubState": "failed"}}
    host.behave(switch_code=4, units=failed)
    with pytest.raises(StepFailed):
        await step.act()
    assert (await step.probe()).answer is Answer.YES
    verified = await step.verify()
    assert (verified.answer, "certs.service failed" in verified.sentence) == (Answer.NO, True)
    host.behave()
    assert (await step.verify()).answer is Answer.YES


async def test_a_switch_that_failed_is_tried_again_as_a_new_one(
    host: Host, new: str, simple: Attempts
) -> None:
    before = host.running
    host.behave(switch_code=1)
    for _ in range(2):
        with pytest.raises(StepFailed, match="refused"):
            await simple.act()
    host.behave()
    outputs = await simple.act()
    assert (host.running, outputs["old_system"]) == (new, before)
    assert host.switches() == 3


@pytest.mark.parametrize("at", ["before", "after"])
async def test_killed_between_any_two_records_it_switches_once_and_ends_the_same(
    host: Host, new: str, step: Attempts, at: str
) -> None:
    before = host.running
    process = await step.start(crash_after=at)
    assert await process.wait() == -signal.SIGKILL
    found = await step.probe()
    assert found.answer is (Answer.NO if at == "before" else Answer.YES)
    if found.answer is Answer.NO:
        outputs = await step.act()
        assert outputs["old_system"] == before
    assert (host.running, host.next, host.switches()) == (new, new, 1)
    await step.undo()
    assert (host.running, host.next) == (before, before)


async def test_a_switch_outlives_its_terminal_and_whoever_began_it(
    host: Host, new: str, step: Attempts
) -> None:
    gate = host.hold("switch")
    ours, theirs = pty.openpty()

    def with_terminal() -> None:
        # Where these tests were started by nohup(1), it would be ignored.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.setsid()
        fcntl.ioctl(theirs, 0x540E, 0)  # TIOCSCTTY: it is this session's terminal now

    process = await step.start(stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=with_terminal)
    os.close(theirs)
    await host.has_begun("switch")
    # Everything that belongs to the terminal gets SIGHUP.
    os.close(ours)
    await process.wait()
    assert process.returncode != 0
    found = await step.probe()
    assert (found.answer, "its end is not known yet" in found.sentence) == (Answer.NO, True)
    assert "Wait for the end of the switch that has started" in (await step.plan()).summary
    gate.unlink()
    await step.act()
    assert (host.running, host.next, host.switches()) == (new, new, 1)
    assert "activating the configuration..." in step.said


async def test_its_end_is_seen_even_when_nobody_watched(host: Host, step: Attempts) -> None:
    gate = host.hold("switch")
    process = await step.start()
    await host.has_begun("switch")
    process.kill()
    await process.wait()
    host.behave(switch_code=4)
    gate.unlink()
    while host.processes():  # noqa: ASYNC110 - it ends when it ends
        await asyncio.sleep(0.02)
    # The system runs; that units failed must not get lost.
    assert (await step.probe()).answer is Answer.NO
    with pytest.raises(StepFailed, match=r"some of its units are not running: certs.service"):
        await step.act()
    assert host.switches() == 1


async def test_one_that_takes_too_long_goes_on_and_is_watched_again(
    host: Host, new: str, simple: Attempts
) -> None:
    gate = host.hold("switch")
    simple.timeout_s = 3.0
    with pytest.raises(
        StepFailed, match=r"Timed out after 3 s\. The switch is still running: vipconsole-r1-switch-1"
    ):
        await simple.act()
    gate.unlink()
    simple.timeout_s = 100.0
    await simple.act()
    assert (host.running, host.switches()) == (new, 1)


async def test_megabytes_of_output_are_bounded(simple: Attempts) -> None:
    simple.host.behave(switch_megabytes=20)
    outputs = await simple.act()
    assert len(simple.said) < MOST_LINES + 50
    assert len(log_of(outputs)) > 20_000_000
    assert any("lines more, in " in each for each in simple.said)


async def test_another_switch_is_waited_for_by_the_operator(host: Host, simple: Attempts) -> None:
    before = host.running
    with lock_held(host):
        with pytest.raises(Declined, match="Another switch of this host is under way"):
            await simple.plan()
        with pytest.raises(Declined, match="Another switch of this host is under way"):
            await simple.act()
    assert (host.running, host.next, host.switches()) == (before, before, 0)
    await simple.act()


async def test_docker_is_not_restarted_unasked(host: Host) -> None:
    (host.repository / "daemon.json").write_text('{"debug": true}')
    system = host.built("other")
    step = switches(host, system, systemd=True)
    said = ("The switch would stop docker.service.", "The switch would stop docker.socket.")
    assert (await step.plan()).refused == said
    with pytest.raises(Declined, match=r"would stop docker.service") as raised:
        await step.act()
    assert "may_restart_docker" in raised.value.hint
    assert host.switches() == 0
    allowed = switches(host, system, systemd=True, may_restart_docker=True)
    plan = await allowed.plan()
    assert (plan.refused, set(said) <= set(plan.changes)) == ((), True)
    await allowed.act()
    assert host.running == system


async def test_what_takes_docker_down_with_it_counts_too(host: Host, new: str) -> None:
    host.behave(
        also_restarts=["containerd.service"],
        units={"docker.service": {"Requires": "docker.socket containerd.service", "PartOf": ""}},
    )
    step = switches(host, new, systemd=True)
    (refused,) = (await step.plan()).refused
    assert refused == "The switch would take docker.service down with containerd.service, which it needs."


async def test_a_unit_of_another_nixos_rebuild_is_noticed_and_a_dead_one_is_cleared(
    host: Host, new: str
) -> None:
    step = switches(host, new, systemd=True)
    host.behave(units={REBUILD_UNIT: {"LoadState": "loaded", "ActiveState": "active", "SubState": "running"}})
    assert f"{REBUILD_UNIT} is active" in (await step.plan()).refused[0]
    with pytest.raises(Declined, match="is active"):
        await step.act()
    assert host.switches() == 0
    host.behave(units={REBUILD_UNIT: {"LoadState": "loaded", "ActiveState": "failed", "SubState": "failed"}})
    await step.act()
    assert f"systemctl reset-failed -- {REBUILD_UNIT}" in host.calls
    assert host.running == new


async def test_systemd_that_restarts_in_the_middle_is_waited_for(host: Host, new: str) -> None:
    gate = host.hold("switch")
    step = switches(host, new, systemd=True)
    acting = asyncio.create_task(step.act())
    await host.has_begun("switch")
    host.behave(systemctl_down=True)
    await asyncio.sleep(0.2)
    gate.unlink()
    host.behave()
    await acting
    assert host.running == new


async def test_a_switch_that_nobody_remembers_is_judged_by_what_runs(host: Host, new: str) -> None:
    step = switches(host, new, systemd=True)
    process = await step.start(crash_after="before")
    await process.wait()
    # As after a reboot: it was begun, systemd knows nothing of it, and the system is there.
    host.run("nix-env", "--profile", str(host.folder / "profiles/system"), "--set", new)
    (host.folder / "current-system").unlink()
    (host.folder / "current-system").symlink_to(new)
    assert (await step.probe()).answer is Answer.YES
    assert host.switches() == 0


async def test_a_system_that_is_gone_is_refused(host: Host, new: str, simple: Attempts) -> None:
    (host.folder / "new").unlink()
    host.collect_garbage()
    for ask in (simple.plan, simple.act):
        with pytest.raises(HostError, match="is not an existing NixOS system"):
            await ask()
    assert host.switches() == 0
    assert new not in (host.running, host.next)


async def test_on_another_host_it_has_no_meaning_and_is_no_failure(host: Host, simple: Attempts) -> None:
    (host.folder / "NIXOS").unlink()
    assert (await simple.plan()).not_applicable == NOT_NIXOS
    with pytest.raises(HostError, match="not NixOS"):
        await simple.act()
