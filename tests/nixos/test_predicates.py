"""What a runbook can ask about a NixOS host."""

from typing import Any

import pytest

from console.errors import Declined
from console.runbook.contracts import Answer, CheckResult
from console.runbook.language.checking import parameters_for
from console.runbook.language.values import Call, Json
from console.runbook.predicates.nixos import NixParses, SystemIs, UnitsUnaffected
from tests.nixos.attempts import edits
from tests.support.nixos import Host, step

ALL: tuple[Any, ...] = (NixParses, SystemIs, UnitsUnaffected)


async def ask(
    host: Host, name: str, step_name: str = "ask", *, systemd: bool = False, **parameters: Json
) -> CheckResult:
    kind = next(each for each in ALL if each.name == name)
    predicate = kind(host.places(systemd=systemd))
    given = parameters_for(Call(name, parameters), predicate.parameters)
    found: CheckResult = await predicate.check(step(host, step_name), given)
    return found


async def test_whether_a_file_is_nix(host: Host) -> None:
    assert (await ask(host, "nix.parses", file="nix/modules/swarm.nix")).answer is Answer.YES
    host.swarm_nix.write_text("{ a = ; }")
    broken = await ask(host, "nix.parses", file="nix/modules/swarm.nix")
    assert (broken.answer, "(line 1)" in broken.sentence) == (Answer.NO, True)
    host.swarm_nix.write_text("x: ~/${x}\n")
    assert (await ask(host, "nix.parses", file="nix/modules/swarm.nix")).answer is Answer.YES
    host.swarm_nix.write_text("{ a = b; }")
    unbound = await ask(host, "nix.parses", file="nix/modules/swarm.nix")
    assert (unbound.answer, "undefined variable 'b'" in unbound.sentence) == (Answer.NO, True)
    (host.folder / "bin/nix-instantiate").write_text("#!/bin/sh\nexit 127\n")
    host.swarm_nix.write_text("{ }")
    assert (await ask(host, "nix.parses", file="nix/modules/swarm.nix")).answer is Answer.CANNOT_TELL
    assert (await ask(host, "nix.parses", file="none.nix")).answer is Answer.CANNOT_TELL
    with pytest.raises(Declined, match="outside the repository"):
        await ask(host, "nix.parses", file="/etc/passwd")


async def test_which_system_runs_and_boots(host: Host) -> None:
    first = host.running
    (host.repository / "daemon.json").write_text("[]")
    other = host.built("other")
    assert (await ask(host, "system.is", system=first)).answer is Answer.YES
    assert (await ask(host, "system.is", system=other)).answer is Answer.NO
    host.run("nix-env", "--profile", str(host.folder / "profiles/system"), "--set", other)
    assert (await ask(host, "system.is", system=first)).answer is Answer.NO
    assert (await ask(host, "system.is", system=first, boots=False)).answer is Answer.YES


async def test_what_a_switch_would_leave_alone(host: Host) -> None:
    docker: list[Json] = ["docker.service"]
    built = edits(host)
    outputs = await built.act()
    system = str(outputs["new_system"])
    assert (await ask(host, "units.unaffected", units=docker, system=system)).answer is Answer.YES
    # By default the system that the step itself has built.
    assert (await ask(host, "units.unaffected", built.name, units=docker)).answer is Answer.YES
    found = await ask(host, "units.unaffected", built.name, units=["swarm-init.service"])
    assert (found.answer, found.sentence) == (Answer.NO, "The switch would restart swarm-init.service.")
    assert found.evidence == {"dry_activate": ["restarts swarm-init.service"]}
    assert (await ask(host, "units.unaffected", units=docker)).answer is Answer.CANNOT_TELL


@pytest.mark.parametrize("systemd", [False, True])
async def test_a_unit_by_its_bare_name_is_the_same_unit(host: Host, *, systemd: bool) -> None:
    built = edits(host)
    await built.act()
    found = await ask(host, "units.unaffected", built.name, systemd=systemd, units=["swarm-init"])
    assert (found.answer, found.sentence) == (Answer.NO, "The switch would restart swarm-init.service.")


async def test_a_unit_by_another_of_its_names_is_the_same_unit(host: Host) -> None:
    built = edits(host)
    await built.act()
    host.behave(units={"swarm.service": {"Id": "swarm-init.service", "LoadState": "loaded"}})
    found = await ask(host, "units.unaffected", built.name, systemd=True, units=["swarm"])
    assert (found.answer, found.sentence) == (Answer.NO, "The switch would restart swarm-init.service.")


async def test_of_a_unit_that_is_not_there_it_is_not_known_what_a_switch_does(host: Host) -> None:
    built = edits(host)
    await built.act()
    found = await ask(host, "units.unaffected", built.name, systemd=True, units=["dockr", "docker"])
    assert found.answer is Answer.CANNOT_TELL
    assert "systemd has no unit dockr.service" in found.sentence


async def test_elsewhere_nothing_is_known(host: Host) -> None:
    (host.folder / "NIXOS").unlink()
    assert (await ask(host, "system.is", system=host.running)).answer is Answer.CANNOT_TELL
    assert (
        await ask(host, "units.unaffected", units=["a"], system=host.running)
    ).answer is Answer.CANNOT_TELL
