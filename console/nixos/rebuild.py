"""Everything that can be done for a switch before it: build, keep, compare, predict. The running system stays."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

from console.errors import Declined, HostError, Result, unknown_from
from console.frozen import frozen
from console.host.streaming import Program, run_streaming
from console.nixos.file import STORE_PATH, NixosPaths
from console.nixos.prediction import Activation, UnitAtRisk, docker_units_at_risk, predict
from console.nixos.switching import Tell
from console.text import SENTENCE_LIMIT, clean, plural

MOST_LINES = 2_000
"""How many lines of a build are shown; the rest is counted."""
ROOT_TIMEOUT_S = 60.0
DIFF_TIMEOUT_S = 60.0
_MOST_DIFFERENCES = 200
_ACTIVATES = "bin/switch-to-configuration"
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_RELATIVE = (".", "/")
NEW_LINK, OLD_LINK = "new-system", "old-system"
"""Links in the run's folder that keep both systems from garbage collection."""
_UNITS = "etc/systemd/system"
_MOST_BYTES = 256 * 1024
_STORE_PATHS = re.compile(rb"/[^\s'\"=;]*/[a-z0-9]{32}-[^\s'\"=;]+")

_PREFIX = b"@nix "
_COPIES, _BUILDS, _BUILD = 103, 104, 105
"""Kinds of activity: copying store paths, all builds together, one build."""
_PROGRESS = 105
"""The kind of result that holds how many are done, and how many are expected."""
_WORTH_SAYING = 3
"""The most verbose level that is shown: 0 error, 1 warning, 2 notice, 3 info."""
_NIX_COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")
_ADVICE = "(use '--show-trace'"
"""Nix sends it as a separate error, after the real one."""
_MOST_ERRORS = 5
_LAST = 20
_STORE_NAME = re.compile(r"/[^' ]*/[a-z0-9]{32}-([^/' ]+?)(?:\.drv)?(?=$|[/' ])")


def flake_at(flake: str, repository: Path) -> str:
    """Return a flake reference whose path, if it is one, is absolute: `.#host` is meant from the repository."""
    absolute = flake_folder(flake, repository)
    return flake if absolute is None else f"{absolute}{flake[_end_of_path(flake) :]}"


def flake_folder(flake: str, repository: Path) -> Path | None:
    """Return the folder of a flake reference; None for one that is no path. Raises Declined for a path that Nix cannot take."""
    path = flake[: _end_of_path(flake)]
    if path and not path.startswith(_RELATIVE):
        return None
    absolute = (repository / path).resolve()
    if any(sign in str(absolute) for sign in "#?"):
        raise Declined(
            f"{clean(str(absolute), SENTENCE_LIMIT)} is not a valid flake path.",
            "Choose a path without `#` and `?`.",
        )
    return absolute


def _end_of_path(flake: str) -> int:
    return min((at for sign in "#?" if (at := flake.find(sign)) >= 0), default=len(flake))


def build_command(flake: str) -> tuple[str, ...]:
    """Return the command that builds a system and does nothing else."""
    return ("nixos-rebuild", "build", "--flake", flake)


async def build(flake: str, folder: Path, places: NixosPaths, timeout_s: float, tell: Tell) -> str:
    """Return the store path of the system that a flake describes, built. Nothing on this host is changed.

    In the folder a link `result` is made, which also keeps it. Raises HostError where it cannot be built.
    """
    command = build_command(flake)
    code, output, progress = await _run_and_report(
        (*command, "--log-format", "internal-json"), folder, places, timeout_s, tell
    )
    if code and any("--log-format" in line for line in progress.last_lines):
        code, output, progress = await _run_and_report(command, folder, places, timeout_s, tell)
    if code:
        errors = progress.errors or progress.last_lines[-1:]
        raise HostError(
            f"The new system could not be built (exit code {code}). {errors[-1] if errors else ''}".strip(),
            "Nothing on this host was changed. Fix the flake, or what its build lacks, and try again.",
        )
    system = next((line for line in reversed(output) if re.match(STORE_PATH, line)), "")
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
        output = await places.run(("nix", *options, "store", "diff-closures", old, new), DIFF_TIMEOUT_S)
    except HostError as error:
        return unknown_from(error)
    lines = _COLOUR.sub(b"", output).decode("utf-8", "replace").splitlines()
    difference_lines = tuple(clean(line, SENTENCE_LIMIT) for line in lines[:_MOST_DIFFERENCES])
    more_count = len(lines) - len(difference_lines)
    return (
        (*difference_lines, f"and {plural(more_count, 'more difference')}")
        if more_count
        else difference_lines
    )


class NixProgress:
    """Turns Nix's own progress (`--log-format internal-json`) into lines, and counts.

    Each line `@nix {…}` is an event; see `src/libutil/logging.hh` and `logging.cc` of Nix for its numbers.
    """

    def __init__(self) -> None:
        self._kinds: dict[int, int] = {}
        self._counts: dict[int, tuple[int, int]] = {}
        self.errors: tuple[str, ...] = ()
        """Nix's last errors, each in one line."""
        self.last_lines: tuple[str, ...] = ()
        """The last lines meant for a person."""

    def lines(self, raw: bytes) -> tuple[str, ...]:
        """Return what a raw line says to a person, nothing where that is nothing new."""
        text = self._plain(raw)
        if raw.startswith(_PREFIX):
            try:
                text = self._event(json.loads(raw.removeprefix(_PREFIX)))
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
                # Shown as it is: it may be the very line that tells what went wrong.
                text = self._plain(raw)
        lines = tuple(clean(line.rstrip(), SENTENCE_LIMIT) for line in text.splitlines() if line.strip())
        self.last_lines = (*self.last_lines, *lines)[-_LAST:]
        return lines

    def _plain(self, raw: bytes) -> str:
        text = _NIX_COLOUR.sub("", raw.decode("utf-8", "replace"))
        if text.lstrip().startswith("error:"):
            self._note(text)
        return text

    def _note(self, error: str) -> None:
        if error.startswith(_ADVICE):
            return
        self.errors = (*self.errors, clean(" ".join(error.split()), SENTENCE_LIMIT))[-_MOST_ERRORS:]

    def _event(self, event: dict[str, Any]) -> str:
        match event["action"]:
            case "start":
                self._kinds[event["id"]] = event["type"]
                return self._start_line(event) if event["type"] == _BUILD else ""
            case "stop":
                self._kinds.pop(event["id"], None)
            case "result" if event["type"] == _PROGRESS:
                return self._progress_line(event)
            case "msg":
                text = _NIX_COLOUR.sub("", str(event["msg"]))
                if event["level"] == 0:
                    self._note(text)
                return text if event["level"] <= _WORTH_SAYING else ""
        return ""

    def _start_line(self, event: dict[str, Any]) -> str:
        text = _STORE_NAME.sub(r"\1", str(event.get("text", "")))
        counts = self._so_far()
        return f"{text} ({counts})" if text and counts else text

    def _progress_line(self, event: dict[str, Any]) -> str:
        kind = self._kinds.get(event["id"])
        done, expected = int(event["fields"][0]), int(event["fields"][1])
        if kind not in (_BUILDS, _COPIES) or expected <= 0:
            return ""
        before = self._counts.get(kind, (0, 1))
        self._counts[kind] = (done, expected)
        # Thousands of paths are no thousand lines.
        return self._so_far() if 10 * done // expected != 10 * before[0] // before[1] else ""

    def _so_far(self) -> str:
        words = ((_BUILDS, "built"), (_COPIES, "fetched"))
        counts = [(*self._counts[kind], word) for kind, word in words if kind in self._counts]
        return ", ".join(f"{done} of {expected} {word}" for done, expected, word in counts)


async def _run_and_report(
    argv: tuple[str, ...], folder: Path, places: NixosPaths, timeout_s: float, tell: Tell
) -> tuple[int, list[str], NixProgress]:
    progress = NixProgress()
    output: list[str] = []
    count = 0

    async def receive(raw: bytes) -> None:
        nonlocal count
        for line in progress.lines(raw):
            count += 1
            if count <= MOST_LINES:
                await tell(line)

    async def take(raw: bytes) -> None:
        output.append(clean(raw.strip(), SENTENCE_LIMIT))
        del output[:-10]

    code = await run_streaming(Program(argv, places.environment, str(folder)), timeout_s, receive, take)
    if count > MOST_LINES:
        await tell(f"… {plural(count - MOST_LINES, 'line')} more")
    return code, output, progress


@frozen
class BuildResult:
    """A system that is built, beside the one that runs."""

    new: str
    old: str
    differences: Result[tuple[str, ...]]
    activation: Activation
    units_at_risk: tuple[UnitAtRisk, ...]
    """Of the docker unit and its socket."""


@frozen
class BuildRequest:
    """What is to be built, and where its links go."""

    flake: str
    folder: Path
    timeout_s: float
    """For the build."""
    docker_unit: str


async def prepare(request: BuildRequest, places: NixosPaths, tell: Tell) -> BuildResult:
    """Build a system, keep it and the one that runs, and find out what a switch would do. Raises HostError.

    The folder gets links that keep both systems for as long as it is there.
    """
    old = places.running_system()
    await keep(old, request.folder / OLD_LINK, places)
    new = await build(request.flake, request.folder, places, request.timeout_s, tell)
    await keep(new, request.folder / NEW_LINK, places)
    activation = await predict(new, places)
    dangers = await docker_units_at_risk(request.docker_unit, activation, places)
    return BuildResult(new, old, await differences(old, new, places), activation, dangers)


async def units_with(system: str, text: str) -> tuple[str, ...]:
    """Return the services of a system that have a text in their unit or in the scripts that it runs."""
    return await asyncio.to_thread(_units_with, Path(system) / _UNITS, text.encode())


def _units_with(folder: Path, text: bytes) -> tuple[str, ...]:
    units = []
    # Many units name the same programs.
    has_text: dict[bytes, bool] = {}
    for unit in sorted(folder.glob("*.service")):
        content = _head(unit)
        paths = _STORE_PATHS.findall(content)
        for path in paths:
            if path not in has_text:
                has_text[path] = text in _head(Path(os.fsdecode(path)))
        if text in content or any(has_text[path] for path in paths):
            units.append(clean(unit.name))
    return tuple(units)


def _head(path: Path) -> bytes:
    """Return the beginning of a file, nothing where it is none that can be read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return b""
