"""Everything that can be done for a switch before it: build, keep, compare, predict. The running system stays."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from console.errors import Declined, HostError, Result, unknown_from
from console.host.streaming import Program, run_streaming
from console.nixos.file import STORE_PATH, NixosPaths
from console.nixos.prediction import Activation, Endangered, docker_threatened, predict
from console.nixos.progress import NixProgress
from console.text import SENTENCE_LIMIT, clean, plural

Tell = Callable[[str], Awaitable[object]]
"""Receives lines of progress, clean."""

MOST_LINES = 2_000
"""How many lines of a build are shown; the rest is counted."""
ROOT_TIMEOUT_S = 60.0
DIFF_TIMEOUT_S = 60.0
_MOST_DIFFERENCES = 200
_ACTIVATES = "bin/switch-to-configuration"
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_RELATIVE = (".", "/")


def flake_at(flake: str, repository: Path) -> str:
    """Return a flake reference whose path, if it is one, is absolute: `.#host` is meant from the repository."""
    cut = min((at for each in "#?" if (at := flake.find(each)) >= 0), default=len(flake))
    path, rest = flake[:cut], flake[cut:]
    if path and not path.startswith(_RELATIVE):
        return flake
    absolute = (repository / path).resolve()
    if any(each in str(absolute) for each in "#?"):
        raise Declined(f"{clean(str(absolute), SENTENCE_LIMIT)} is not a valid flake path.")
    return f"{absolute}{rest}"


def build_command(flake: str) -> tuple[str, ...]:
    """Return the command that builds a system and does nothing else."""
    return ("nixos-rebuild", "build", "--flake", flake)


async def build(flake: str, folder: Path, places: NixosPaths, timeout_s: float, tell: Tell) -> str:
    """Return the store path of the system that a flake describes, built. Nothing on this host is changed.

    In the folder a link `result` is made, which also keeps it. Raises HostError where it cannot be built.
    """
    command = build_command(flake)
    code, printed, progress = await _told(
        (*command, "--log-format", "internal-json"), folder, places, timeout_s, tell
    )
    if code and any("--log-format" in line for line in progress.last_lines):
        code, printed, progress = await _told(command, folder, places, timeout_s, tell)
    if code:
        said = progress.errors or progress.last_lines[-1:]
        raise HostError(
            f"The new system could not be built (exit code {code}). {said[-1] if said else ''}".strip(),
            "Nothing on this host was changed. Fix the flake, or what its build lacks, and try again.",
        )
    system = next((each for each in reversed(printed) if re.match(STORE_PATH, each)), "")
    if not system and (folder / "result").is_symlink():
        # Before nixpkgs 24.11 it was not printed.
        system = str((folder / "result").resolve())
    if not (Path(system) / _ACTIVATES).exists() or not system:
        raise HostError("nixos-rebuild did not print which system it built.", f"Try: {' '.join(command)}")
    return system


async def keep(system: str, link: Path, places: NixosPaths) -> None:
    """Keep a system from garbage collection for as long as the link is there. Raises HostError."""
    await places.run(
        ("nix-store", "--realise", system, "--add-root", str(link), "--indirect"), ROOT_TIMEOUT_S
    )


async def differences(old: str, new: str, places: NixosPaths) -> Result[tuple[str, ...]]:
    """Return what `nix store diff-closures` says, line by line, or why it says nothing."""
    options = ("--extra-experimental-features", "nix-command")
    try:
        said = await places.run(("nix", *options, "store", "diff-closures", old, new), DIFF_TIMEOUT_S)
    except HostError as error:
        return unknown_from(error)
    lines = _COLOUR.sub(b"", said).decode("utf-8", "replace").splitlines()
    shown = tuple(clean(line, SENTENCE_LIMIT) for line in lines[:_MOST_DIFFERENCES])
    left = len(lines) - len(shown)
    return (*shown, f"and {plural(left, 'more difference')}") if left else shown


async def _told(
    argv: tuple[str, ...], folder: Path, places: NixosPaths, timeout_s: float, tell: Tell
) -> tuple[int, list[str], NixProgress]:
    progress = NixProgress()
    printed: list[str] = []
    count = 0

    async def receive(raw: bytes) -> None:
        nonlocal count
        for line in progress.lines(raw):
            count += 1
            if count <= MOST_LINES:
                await tell(line)

    async def take(raw: bytes) -> None:
        printed.append(clean(raw.strip(), SENTENCE_LIMIT))
        del printed[:-10]

    code = await run_streaming(Program(argv, places.environment, str(folder)), timeout_s, receive, take)
    if count > MOST_LINES:
        await tell(f"… {plural(count - MOST_LINES, 'line')} more")
    return code, printed, progress


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
    differences: Result[tuple[str, ...]]
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


async def prepare(order: Order, places: NixosPaths, tell: Tell) -> Built:
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
