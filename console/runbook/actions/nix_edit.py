"""Gives a network its subnet in the NixOS configuration and builds the system, before anything on the host changes."""

import asyncio
import os
import shlex
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from console.errors import StepFailed, Unknown, VipconsoleError
from console.host.root import under_root
from console.nixos.edit import Edit, backup_of, commit_command, inspect_edit
from console.nixos.file import NOT_NIXOS, PLACES, NixosPaths, short
from console.nixos.prediction import dry_command, require_system
from console.nixos.rebuild import BuildRequest, BuildResult, build_command, flake_at, prepare, units_with
from console.nixos.swarm_nix import SubnetVerdict
from console.runbook.answers import (
    cannot_tell_on_error,
    check_result,
    folder_of,
    recorded_changes,
    require_this_host,
    time_to_wait_s,
    why_this_host_is_refused,
)
from console.runbook.contracts import ActionPlan, Answer, CheckResult, Context, NetworkName, Parameters
from console.runbook.language.values import Effect, Json
from console.text import SENTENCE_LIMIT, clean, listed


class EditParameters(Parameters):
    """Which network, which subnet, and where both are configured."""

    network: NetworkName
    subnet: IPv4Network = Field(description="The subnet that the network is created with.")
    file: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description="The Nix file that creates the network, in the repository. Default: the setting nixos.file.",
    )
    flake: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description="The flake that builds this host, such as `.#host`. Default: the setting nixos.flake.",
    )


class NixEditAndBuild:
    """Edits the file, builds the system, and tells what a switch would do. Nothing that runs is changed."""

    name: ClassVar[str] = "nix.edit_and_build"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = EditParameters
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = ""
    outputs: ClassVar[tuple[str, ...]] = (
        "new_system",
        "old_system",
        "diff",
        "differences",
        "dry_activate",
        "endangered",
        "units",
    )

    def __init__(self, places: NixosPaths = PLACES) -> None:
        self._places = places

    async def plan(self, context: Context, parameters: EditParameters) -> ActionPlan:
        """Show the edit as a diff, and the commands."""
        if not self._places.is_nixos:
            return ActionPlan("Edit and build the NixOS configuration.", not_applicable=NOT_NIXOS)
        edit, flake = await self._edit(context, parameters), self._flake(context, parameters)
        refusal = await why_this_host_is_refused(context)
        what = f"{parameters.network} as {parameters.subnet}"
        old = self._places.running_system()
        return ActionPlan(
            f"Edit {clean(str(edit.file.path), SENTENCE_LIMIT)} so that it creates {what}, and build the "
            "system."
            if edit.is_needed
            else f"Build the system; its configuration already creates {what}.",
            reads=(clean(str(edit.file.path), SENTENCE_LIMIT),),
            changes=edit.diff or ("nothing outside the Nix store",),
            calls=(
                *((f"write {edit.file.path}",) if edit.is_needed else ()),
                clean(shlex.join(build_command(flake)), SENTENCE_LIMIT),
                " ".join(dry_command("NEW")),
                f"nix store diff-closures {old} NEW",
            ),
            checked=tuple(_checks(edit)),
            refused=tuple(sentence for sentence in (refusal, edit.refusal) if sentence),
            basis={"file": edit.file.digest, "flake": flake, "verdict": edit.reading.verdict.value},
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: EditParameters) -> CheckResult:
        """Tell whether an earlier attempt of this step has built what is configured now."""
        edit = await self._edit(context, parameters)
        if edit.reading.verdict is not SubnetVerdict.PRESENT:
            return check_result(False, edit.reading.sentence)
        build = next(recorded_changes(context, "system", "build"), None)
        if build is None or build.result is None or build.state["file"] != edit.file.digest:
            return check_result(False, f"{edit.reading.sentence} The result of its build is not known yet.")
        await asyncio.to_thread(require_system, build.result["new_system"])
        return CheckResult(Answer.YES, f"{edit.reading.sentence} It is built.", build.result)

    async def act(self, context: Context, parameters: EditParameters) -> Mapping[str, Json]:
        """Edit and build. Where it cannot be built, the file is as it was before."""
        await require_this_host(context, self._places)
        edit = await self._edit(context, parameters)
        edit.require()
        folder = await folder_of(context, "nix-edit.diff", "".join(f"{line}\n" for line in edit.diff))
        backup = backup_of(folder, edit.file.path, parameters.network, parameters.subnet)
        if edit.is_needed:
            number = await context.change_recorder.before(
                "file",
                str(edit.file.path),
                "edit",
                {
                    "path": os.fsdecode(edit.file.path),
                    "folder": str(folder),
                    "sha256": edit.file.digest,
                    "original": str(backup.original),
                },
            )
            await asyncio.to_thread(backup.change, edit.file, edit.new)
            await context.change_recorder.after(number, {"diff": list(edit.diff)})
            await context.say(f"{edit.file.path} is edited. The original is stored as {backup.original}.")
        try:
            outputs = await self._build(context, parameters, folder)
        except VipconsoleError:
            if await asyncio.to_thread(backup.restore):
                await context.say(f"{edit.file.path} is as it was before.")
            raise
        await context.say(
            f"To commit the change: {commit_command(edit, parameters.network, parameters.subnet)}"
        )
        return {**outputs, "diff": list(edit.diff)}

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: EditParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether the file has the subnet, and the system that was built of it is there."""
        edit = await self._edit(context, parameters)
        if edit.reading.verdict is not SubnetVerdict.PRESENT:
            return check_result(False, edit.reading.sentence)
        system = outputs.get("new_system")
        if isinstance(system, str):
            await asyncio.to_thread(require_system, system)
        return check_result(True, f"{edit.reading.sentence} The system built from it exists.", system=system)

    async def undo(self, context: Context, parameters: EditParameters, outputs: Mapping[str, Json]) -> None:
        """Bring the file back. Refused where somebody has edited it since. What was built stays in the store."""
        for change in recorded_changes(context, "file", "edit"):
            path = Path(change.state["path"])
            backup = backup_of(Path(change.state["folder"]), path, parameters.network, parameters.subnet)
            if await asyncio.to_thread(backup.restore):
                await context.say(f"{path} is as it was before.")

    async def _edit(self, context: Context, parameters: EditParameters) -> Edit:
        settings = context.world.settings.nixos
        return await inspect_edit(
            parameters.file or settings.file,
            under_root(settings.repository),
            parameters.network,
            parameters.subnet,
            self._places.run,
        )

    def _flake(self, context: Context, parameters: EditParameters) -> str:
        settings = context.world.settings.nixos
        return flake_at(parameters.flake or settings.flake, under_root(settings.repository))

    async def _build(self, context: Context, parameters: EditParameters, folder: Path) -> dict[str, Json]:
        settings, flake = context.world.settings, self._flake(context, parameters)
        edit = await self._edit(context, parameters)
        number = await context.change_recorder.before("system", flake, "build", {"file": edit.file.digest})
        order = BuildRequest(flake, folder, time_to_wait_s(context), settings.docker_unit)
        build = await prepare(order, self._places, context.say)
        units = await units_with(build.new, str(parameters.subnet))
        if not units and build.new == build.old:
            raise StepFailed(
                f"{edit.file.path} is not part of the system: building {flake} gives the system that "
                "already runs.",
                "Name the flake that uses the file.",
            )
        outputs = _outputs(build, units)
        await context.change_recorder.after(number, outputs)
        for line in _summary_lines(build, units, parameters):
            await context.say(line)
        return outputs


def _outputs(build: BuildResult, units: tuple[str, ...]) -> dict[str, Json]:
    differences = build.differences
    return {
        "new_system": build.new,
        "old_system": build.old,
        "differences": [differences.reason] if isinstance(differences, Unknown) else list(differences),
        "dry_activate": list(build.activation.lines),
        "endangered": [endangered_unit.sentence for endangered_unit in build.units_at_risk],
        "units": list(units),
    }


def _summary_lines(build: BuildResult, units: tuple[str, ...], parameters: EditParameters) -> Iterator[str]:
    effects = build.activation.lines or ("touches no unit",)
    yield from (f"A switch to {short(build.new)} {effect}." for effect in effects)
    yield from (endangered_unit.sentence for endangered_unit in build.units_at_risk)
    if units:
        yield f"{parameters.subnet} appears in {listed(units)} of the new system."
    else:
        yield (
            f"No unit of the new system contains {parameters.subnet}: check what creates "
            f"{parameters.network}."
        )


def _checks(edit: Edit) -> list[CheckResult]:
    checks = [check_result(not edit.refusal, edit.reading.sentence, lines=list(edit.reading.lines))]
    checks += [check_result(True, note) for note in edit.reading.notes]
    if isinstance(edit.nix, Unknown):
        checks.append(CheckResult(Answer.CANNOT_TELL, f"Nix could not check the edit. {edit.nix.reason}"))
    elif edit.is_needed:
        checks.append(check_result(True, edit.nix))
    if isinstance(edit.git, Unknown):
        checks.append(CheckResult(Answer.CANNOT_TELL, f"{edit.git.reason} {edit.git.hint}".strip()))
    elif edit.git:
        checks.append(check_result(False, edit.git))
    return checks
