"""The step that edits and builds, on a NixOS host whose store and builds are Nix's own."""

import signal
from pathlib import Path

import pytest

from console.errors import Declined, HostError, StepFailed
from console.nixos.file import NOT_NIXOS
from console.nixos.rebuild import MOST_LINES
from console.runbook.contracts import Answer
from tests.nixos.attempts import edits
from tests.support.nixos import SWARM_NIX, Host

EDITED = SWARM_NIX.replace("--attachable proxy", "--attachable --subnet 10.10.0.0/16 proxy")


async def test_the_plan_shows_the_edit_and_the_commands_and_changes_nothing(host: Host) -> None:
    plan = await edits(host).plan()
    assert (
        "+  docker network create --driver overlay --attachable --subnet 10.10.0.0/16 proxy" in plan.changes
    )
    assert plan.calls[1] == f"nixos-rebuild build --flake '{host.repository}#host'"
    assert [each.sentence for each in plan.checked] == [
        "Line 8 creates proxy without a subnet.",
        "For Nix, the two versions differ in this one place only.",
        "swarm.nix is not in a git repository.",
    ]
    assert (plan.refused, plan.not_applicable, plan.basis["verdict"]) == ((), "", "absent")
    assert host.swarm_nix.read_text() == SWARM_NIX
    assert host.calls == []


async def test_it_edits_builds_and_tells_what_a_switch_would_do(host: Host) -> None:
    step, before = edits(host), host.running
    assert (await step.probe()).answer is Answer.NO
    outputs = await step.act()
    assert host.swarm_nix.read_text() == EDITED
    assert outputs["old_system"] == before == host.running == host.next
    assert outputs["new_system"] != before
    assert outputs["dry_activate"] == ["restarts swarm-init.service"]
    assert outputs["endangered"] == []
    assert outputs["units"] == ["swarm-init.service"]
    assert set(outputs) == set(step.action.outputs)  # type: ignore[attr-defined] # a class may have them
    assert any(each.startswith("To commit the change: git -C ") for each in step.said)
    assert "building 'nixos-system-host-25.11' (0 of 1 built)" in step.said
    found = await step.probe()
    assert (found.answer, found.evidence["new_system"]) == (Answer.YES, outputs["new_system"])
    assert (await step.verify(outputs)).answer is Answer.YES
    assert host.switches() == 0


async def test_neither_system_is_garbage_while_the_run_is_there(host: Host) -> None:
    step = edits(host)
    outputs = await step.act()
    other = host.built("other")
    (host.folder / "other").unlink()
    # Nothing else leads to them any more.
    host.run("nix-env", "--profile", str(host.folder / "profiles/system"), "--set", other)
    host.run("nix-env", "--profile", str(host.folder / "profiles/system"), "--delete-generations", "old")
    host.collect_garbage()
    for name in ("new_system", "old_system"):
        assert (Path(str(outputs[name])) / "bin/switch-to-configuration").exists()


async def test_what_is_done_already_is_only_built(host: Host) -> None:
    host.swarm_nix.write_text(EDITED)
    step = edits(host)
    assert "already creates proxy as 10.10.0.0/16" in (await step.plan()).summary
    outputs = await step.act()
    assert outputs["diff"] == []
    await step.undo()
    assert host.swarm_nix.read_text() == EDITED


async def test_undo_brings_the_file_back(host: Host) -> None:
    step = edits(host)
    await step.act()
    await step.undo()
    assert host.swarm_nix.read_text() == SWARM_NIX
    await step.undo()
    assert (await step.verify()).answer is Answer.NO


async def test_undo_throws_nothing_of_anybody_away(host: Host) -> None:
    step = edits(host)
    await step.act()
    host.swarm_nix.write_text(EDITED + "# mine\n")
    with pytest.raises(Declined, match="Somebody else has changed"):
        await step.undo()
    assert host.swarm_nix.read_text() == EDITED + "# mine\n"


async def test_a_build_that_fails_leaves_the_file_as_it_was_and_says_why(host: Host) -> None:
    (host.repository / "daemon.json").unlink()
    step = edits(host)
    with pytest.raises(HostError, match=r"could not be built \(exit code 1\).*daemon.json") as raised:
        await step.act()
    assert "Nothing on this host was changed" in raised.value.hint
    assert host.swarm_nix.read_text() == SWARM_NIX
    assert step.said[-1].endswith("swarm.nix is as it was before.")
    assert (await step.probe()).answer is Answer.NO


async def test_a_build_that_was_mended_goes_on(host: Host) -> None:
    host.behave(build_fails="error: cannot connect to cache.example.invalid")
    step = edits(host)
    with pytest.raises(HostError, match="cannot connect to cache"):
        await step.act()
    host.behave()
    await step.act()
    await step.undo()
    assert host.swarm_nix.read_text() == SWARM_NIX


async def test_a_build_that_hangs_is_ended_with_all_it_started(host: Host) -> None:
    host.hold("build")
    step = edits(host)
    step.timeout_s = 3.0
    with pytest.raises(HostError, match="timed out after"):
        await step.act()
    assert host.processes() == []
    assert host.swarm_nix.read_text() == SWARM_NIX


async def test_megabytes_of_output_are_bounded(host: Host) -> None:
    host.behave(build_megabytes=8)
    step = edits(host)
    await step.act()
    assert len(step.said) < MOST_LINES + 50
    assert sum(map(len, step.said)) < 3_000_000
    assert any(each.endswith("more lines") or "more" in each for each in step.said)


@pytest.mark.parametrize("how", [{"no_log_format": True}, {"prints_no_path": True}])
async def test_older_wrappers_do_as_well(host: Host, how: dict[str, bool]) -> None:
    host.behave(**how)
    outputs = await edits(host).act()
    assert outputs["units"] == ["swarm-init.service"]


async def test_a_file_that_takes_no_part_in_the_system_is_noticed_and_put_back(host: Host) -> None:
    other = host.repository / "other.nix"
    other.write_text(SWARM_NIX)
    step = edits(host, file="other.nix")
    with pytest.raises(StepFailed, match="is not part of the system"):
        await step.act()
    assert (other.read_text(), host.swarm_nix.read_text()) == (SWARM_NIX, SWARM_NIX)


@pytest.mark.parametrize("how", [{"dry_code": 1}, {"dry_silent": True}])
async def test_what_a_switch_would_do_must_be_known(host: Host, how: dict[str, int]) -> None:
    host.behave(**how)
    with pytest.raises(HostError, match="The effect of the switch is unknown"):
        await edits(host).act()
    assert host.swarm_nix.read_text() == SWARM_NIX


@pytest.mark.parametrize("systemd", [False, True])
@pytest.mark.parametrize("written", ["docker.service", "docker"])
async def test_a_docker_unit_that_would_be_restarted_is_told(
    host: Host, written: str, *, systemd: bool
) -> None:
    host.docker_unit = written
    (host.repository / "daemon.json").write_text('{"debug": true}')
    outputs = await edits(host, systemd=systemd).act()
    assert outputs["endangered"] == [
        "The switch would stop docker.service.",
        "The switch would stop docker.socket.",
    ]


@pytest.mark.parametrize("at", ["before", "after"])
async def test_killed_between_any_two_records_it_goes_on_and_can_be_undone(host: Host, at: str) -> None:
    step = edits(host)
    process = await step.start(crash_after=at)
    assert await process.wait() == -signal.SIGKILL
    # Killed with the intent on disk the file is untouched; killed after the edit it is edited.
    assert host.swarm_nix.read_text() == (SWARM_NIX if at == "before" else EDITED)
    assert (await step.probe()).answer is Answer.NO
    outputs = await step.act()
    assert host.swarm_nix.read_text() == EDITED
    assert outputs["units"] == ["swarm-init.service"]
    await step.undo()
    assert host.swarm_nix.read_text() == SWARM_NIX


async def test_killed_while_it_builds_it_builds_again(host: Host) -> None:
    gate = host.hold("build")
    step = edits(host)
    process = await step.start()
    await host.has_begun("build")
    process.kill()
    await process.wait()
    gate.unlink()
    assert (await step.probe()).answer is Answer.NO
    await step.act()
    await step.undo()
    assert host.swarm_nix.read_text() == SWARM_NIX


async def test_on_another_host_it_has_no_meaning_and_is_no_failure(host: Host) -> None:
    (host.folder / "NIXOS").unlink()
    step = edits(host)
    assert (await step.plan()).not_applicable == NOT_NIXOS
    with pytest.raises(HostError, match="not NixOS"):
        await step.act()
    assert host.swarm_nix.read_text() == SWARM_NIX


async def test_an_engine_elsewhere_is_no_reason_to_change_this_host(host: Host) -> None:
    step = edits(host)
    context, parameters = step.next()
    context.host = "tcp://192.0.2.1:2375"
    assert "so this host is not changed" in (await step.action.plan(context, parameters)).refused[0]
    with pytest.raises(Declined, match="so this host is not changed"):
        await step.action.act(context, parameters)
    assert host.swarm_nix.read_text() == SWARM_NIX


async def test_a_file_that_cannot_be_edited_safely_is_refused_with_its_lines(host: Host) -> None:
    host.swarm_nix.write_text(EDITED.replace("10.10.0.0", "10.20.0.0"))
    step = edits(host)
    (refused,) = (await step.plan()).refused
    assert "Line 8 creates proxy as 10.20.0.0/16, not as 10.10.0.0/16." in refused
    with pytest.raises(Declined, match="Line 8"):
        await step.act()
    assert host.calls == []
