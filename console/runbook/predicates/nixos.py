"""Predicates about a NixOS host: whether a file is Nix, which system it runs, and what a switch would leave alone."""

import asyncio
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from console.errors import Declined
from console.host.root import under_root
from console.nixos.edit import NotNix, parse_with_nix
from console.nixos.file import NOT_NIXOS, PLACES, NixosPaths, read_nix_file, short
from console.nixos.prediction import predict, units_at_risk
from console.runbook.answers import (
    System,
    Unreadable,
    cannot_tell,
    cannot_tell_on_error,
    check_result,
    recorded_changes,
)
from console.runbook.contracts import CheckResult, Context, Parameters, UnitName
from console.runbook.language.values import Json
from console.text import SENTENCE_LIMIT, clean, listed

_NAMED = 6


class ParsesParameters(Parameters):
    """Which file."""

    file: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="A Nix file in the repository (the setting nixos.repository)."
    )


class NixParses:
    """A file is Nix, to Nix itself."""

    name: ClassVar[str] = "nix.parses"
    parameters: ClassVar[type[BaseModel]] = ParsesParameters

    def __init__(self, places: NixosPaths = PLACES) -> None:
        self._places = places

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: ParsesParameters) -> CheckResult:
        """Tell whether Nix can read the file."""
        repository = under_root(context.world.settings.nixos.repository)
        file = await asyncio.to_thread(read_nix_file, Path(parameters.file), repository)
        name = clean(str(file.path), SENTENCE_LIMIT)
        try:
            await parse_with_nix(file.data, self._places.run)
        except NotNix as error:
            return check_result(False, f"{name} is not valid Nix: {error.sentence}")
        return check_result(True, f"{name} is valid Nix.")


class SystemParameters(Parameters):
    """Which system."""

    system: System = Field(description="The store path of a system.")
    boots: bool = Field(default=True, description="Whether the next boot must start it too.")


class SystemIs:
    """A system is the one that this host runs and boots."""

    name: ClassVar[str] = "system.is"
    parameters: ClassVar[type[BaseModel]] = SystemParameters

    def __init__(self, places: NixosPaths = PLACES) -> None:
        self._places = places

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: SystemParameters) -> CheckResult:
        """Tell which system runs, and which the next boot starts."""
        if not self._places.is_nixos:
            raise Unreadable(NOT_NIXOS)
        running, following = self._places.running_system(), self._places.next_system()
        is_so = running == parameters.system and (following == running or not parameters.boots)
        sentence = f"This host runs {short(running)}, and the next boot starts {short(following)}."
        return check_result(is_so, sentence, running=running, next=following)


class UnaffectedParameters(Parameters):
    """Which units, and by which system."""

    units: Annotated[list[UnitName], Field(min_length=1, max_length=100)] = Field(
        description="Units that a switch must neither stop nor restart."
    )
    system: System | None = Field(
        default=None, description="The store path of the system; default: the one that this step has built."
    )


class UnitsUnaffected:
    """Switching to a system would neither stop nor restart units."""

    name: ClassVar[str] = "units.unaffected"
    parameters: ClassVar[type[BaseModel]] = UnaffectedParameters

    def __init__(self, places: NixosPaths = PLACES) -> None:
        self._places = places

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: UnaffectedParameters) -> CheckResult:
        """Tell which of the units would not go on, by a dry activation made now."""
        if not self._places.is_nixos:
            raise Unreadable(NOT_NIXOS)
        try:
            activation = await predict(parameters.system or _built_system(context), self._places)
        except Declined as error:
            return cannot_tell(error)
        dangers = await units_at_risk(parameters.units, activation, self._places)
        effects: list[Json] = list(activation.lines)
        if dangers:
            return check_result(False, " ".join(danger.sentence for danger in dangers), dry_activate=effects)
        return check_result(
            True,
            f"A switch would neither stop nor restart {listed(parameters.units, _NAMED)}.",
            dry_activate=effects,
        )


def _built_system(context: Context) -> str:
    build = next(recorded_changes(context, "system", "build"), None)
    if build is None or build.result is None:
        raise Unreadable("This step has built no system.", "Name it: `${steps.build.outputs.new_system}`.")
    return str(build.result["new_system"])
