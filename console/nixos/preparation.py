"""Everything that can be done for a switch before it: build, keep, compare, foretell. Nothing that runs is changed."""

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

from console.nixos.activation import Activation, Endangered
from console.nixos.places import Places
from console.nixos.prediction import docker_threatened, predict
from console.nixos.rebuild import Tell, build, differences, keep
from console.parts import Part
from console.text import clean

NEW_LINK, OLD_LINK = "new-system", "old-system"
"""Links in the run's folder that keep both systems from garbage collection."""
_UNITS = "etc/systemd/system"
_MOST_BYTES = 256 * 1024
_STORED = re.compile(rb"/[^\s'\"=;]*/[a-z0-9]{32}-[^\s'\"=;]+")


@dataclass(frozen=True, slots=True)
class Built:
    """A system that is built, beside the one that runs."""

    new: str
    old: str
    differences: Part[tuple[str, ...]]
    activation: Activation
    endangered: tuple[Endangered, ...]
    """Of the docker unit and its socket."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built, and where its links go."""

    flake: str
    folder: Path
    timeout_s: float
    """For the build."""
    docker_unit: str


async def prepare(order: Order, places: Places, tell: Tell) -> Built:
    """Build a system, keep it and the one that runs, and find out what a switch would do. Raises HostError.

    The folder gets links that keep both systems for as long as it is there.
    """
    old = places.running_system()
    await keep(old, order.folder / OLD_LINK, places)
    new = await build(order.flake, order.folder, places, order.timeout_s, tell)
    await keep(new, order.folder / NEW_LINK, places)
    activation = await predict(new, places)
    dangers = await docker_threatened(order.docker_unit, activation, places)
    return Built(new, old, await differences(old, new, places), activation, dangers)


async def units_with(system: str, text: str) -> tuple[str, ...]:
    """Return the services of a system that have a text in their unit or in the scripts that it runs."""
    return await asyncio.to_thread(_units_with, Path(system) / _UNITS, text.encode())


def _units_with(folder: Path, text: bytes) -> tuple[str, ...]:
    found = []
    # Many units name the same programs.
    looked: dict[bytes, bool] = {}
    for unit in sorted(folder.glob("*.service")):
        content = _head(unit)
        named = _STORED.findall(content)
        for each in named:
            if each not in looked:
                looked[each] = text in _head(Path(os.fsdecode(each)))
        if text in content or any(looked[each] for each in named):
            found.append(clean(unit.name))
    return tuple(found)


def _head(path: Path) -> bytes:
    """Return the beginning of a file, nothing where it is none that can be read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return b""
