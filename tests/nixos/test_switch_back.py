"""The way back from a switch."""

import asyncio

import pytest

from console.errors import StepFailed
from console.nixos.file import short
from tests.nixos.attempts import Attempts
from tests.support.nixos import Host


async def test_undo_lets_a_switch_end_before_it_switches_back(host: Host, step: Attempts) -> None:
    before = host.running
    gate = host.hold("switch")
    process = await step.start()
    await host.has_begun("switch")
    process.kill()
    await process.wait()
    context, parameters = step.next()
    undoing = asyncio.create_task(step.action.undo(context, parameters, {}))
    while not context.said:  # noqa: ASYNC110 - it says so once it watches
        await asyncio.sleep(0.02)
    assert context.said == ["Wait until vipconsole-r1-switch-1 has ended."]
    assert host.switches() == 1
    gate.unlink()
    await undoing
    assert (host.running, host.next, host.switches()) == (before, before, 2)


async def test_an_undo_that_was_killed_goes_on(host: Host, simple: Attempts) -> None:
    before = host.running
    await simple.act()
    gate = host.hold("switch")
    (host.folder / "switch.began").unlink()
    process = await simple.start("undo")
    await host.has_begun("switch")
    process.kill()
    await process.wait()
    gate.unlink()
    await simple.undo()
    assert (host.running, host.next, host.switches()) == (before, before, 2)


async def test_after_an_undo_it_begins_anew_and_reads_no_old_log(
    host: Host, new: str, simple: Attempts
) -> None:
    host.behave(switch_code=4)
    with pytest.raises(StepFailed, match=r"certs.service"):
        await simple.act()
    host.behave()
    await simple.undo()
    # What was touched before an undo is no longer told to those that come after it.
    (host.folder / "runs/switch/touches").unlink()
    await simple.act()
    assert host.running == new
    assert not any("certs.service" in each for each in simple.said)
    await simple.undo()


async def test_undo_without_a_switch_does_nothing(host: Host, simple: Attempts) -> None:
    await simple.undo()
    assert host.switches() == 0


async def test_units_that_fail_in_either_system_do_not_stand_in_the_way_back(
    host: Host, simple: Attempts
) -> None:
    before = host.running
    host.behave(switch_code=4)
    with pytest.raises(StepFailed):
        await simple.act()
    await simple.undo()
    assert (host.running, host.next) == (before, before)
    assert "Switched back, but some units are not running: certs.service." in simple.said


async def test_an_undo_that_does_not_come_back_says_so(host: Host, new: str, simple: Attempts) -> None:
    await simple.act()
    host.behave(switch_code=1)
    with pytest.raises(StepFailed, match=r"Switching back: The switch was refused") as raised:
        await simple.undo()
    assert f"This host runs {short(new)}" in raised.value.sentence


async def test_the_next_boot_too_is_what_it_was(host: Host, simple: Attempts) -> None:
    running = host.running
    (host.repository / "daemon.json").write_text('{"log-level": "warn"}')
    awaited = host.built("awaited")
    (host.repository / "daemon.json").write_text("{}")
    host.run("nix-env", "--profile", str(host.folder / "profiles/system"), "--set", awaited)
    await simple.act()
    await simple.undo()
    assert (host.running, host.next) == (running, awaited)


async def test_the_way_back_is_not_garbage(host: Host, simple: Attempts) -> None:
    before = host.running
    await simple.act()
    host.run("nix-env", "--profile", str(host.folder / "profiles/system"), "--delete-generations", "old")
    host.collect_garbage()
    await simple.undo()
    assert host.running == before
