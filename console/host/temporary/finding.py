"""Finds the program that this host's dockerd is run from: the temporary manager must be of the same version."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from shutil import which

from console.errors import Declined, HostError
from console.frozen import frozen
from console.host.process import MALFORMED_HINT, PATH, output_of
from console.host.reader import PROC, Run
from console.text import clean

_VERSION = re.compile(r"\bversion ([^,\s]+)")
_TIMEOUT_S = 30.0
_NAME = "dockerd"
_DELETED = " (deleted)"


@frozen
class DockerdProgram:
    """A dockerd that can be started."""

    program: str
    """Its absolute path."""
    path: str
    """Where it finds its commands (containerd above all), as PATH."""


async def version_of(dockerd: str, run: Run = output_of) -> str:
    """Return the version that a dockerd says it has. Raises HostError where it says none."""
    output = (await run((dockerd, "--version"), _TIMEOUT_S)).decode("utf-8", "replace")
    if found := _VERSION.search(output):
        return clean(found[1])
    raise HostError(f"`{clean(dockerd)} --version` gave a malformed reply.", MALFORMED_HINT)


async def find_dockerd(version: str, proc: Path = PROC, run: Run = output_of) -> DockerdProgram:
    """Return the program of the dockerd that runs on this host, else the one on PATH: the first of that version.

    Raises Declined, with the versions that were found, where none is.
    """
    versions: list[str] = []
    for candidate in await asyncio.to_thread(lambda: (*_running(proc), *_installed())):
        try:
            its = await version_of(candidate.program, run)
        except HostError:
            continue
        if its == version:
            return candidate
        versions.append(f"{candidate.program} is {its}")
    found = "; ".join(dict.fromkeys(versions)) or "no dockerd was found"
    raise Declined(
        f"A temporary manager needs a dockerd of version {clean(version)}, as the running one: {found}.",
        "dockerd was updated and not restarted: after a restart of it both are the same.",
    )


def _running(proc: Path) -> Iterator[DockerdProgram]:
    """Yield the programs of the dockerds that share this host's network, with the PATH that they were started with."""
    try:
        ours = (proc / "self" / "ns" / "net").readlink()
        folders = sorted(folder for folder in proc.iterdir() if folder.name.isdecimal())
    except OSError:
        return
    for folder in folders:
        try:
            program = str((folder / "exe").readlink()).removesuffix(_DELETED)
            if _NAME not in Path(program).name or (folder / "ns" / "net").readlink() != ours:
                continue
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        theirs = [
            value.removeprefix(b"PATH=").decode("utf-8", "surrogateescape")
            for value in environment
            if value.startswith(b"PATH=")
        ]
        # What the script needs besides is found where commands are always looked for.
        yield DockerdProgram(program, ":".join((*(path for path in theirs if path), PATH)))


def _installed() -> Iterator[DockerdProgram]:
    if program := which(_NAME, path=PATH):
        yield DockerdProgram(program, PATH)
