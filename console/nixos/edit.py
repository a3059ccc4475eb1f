"""The edit that gives a network its subnet in a Nix file: looked at, proven, made, and taken back."""

import asyncio
import shlex
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

from console.errors import Declined, HostError
from console.nixos.file import Kept, NixFile, read_nix_file, unified_diff
from console.nixos.git import said_by_git
from console.nixos.proof import NotNix, Run, nix_agrees, parsed_by_nix, require_only_insertion
from console.nixos.swarm_nix import Reading, Verdict, edited, read
from console.parts import Part
from console.text import SENTENCE_LIMIT, clean


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be done to a file, if anything."""

    file: NixFile
    reading: Reading
    new: bytes
    """The file as it is to be; as it is where nothing is to be done, or nothing may be."""
    diff: tuple[str, ...]
    nix: Part[str]
    """What Nix itself says to the edit."""
    git: Part[str]
    """What git says of the file as it is; "" where it is committed."""

    @property
    def is_needed(self) -> bool:
        """Whether the file has to be changed."""
        return self.reading.verdict is Verdict.ABSENT

    @property
    def refusal(self) -> str:
        """Why neither can be: the subnet is not there, and it cannot be put there; nothing otherwise."""
        if self.reading.verdict in (Verdict.ABSENT, Verdict.PRESENT):
            return ""
        return f"{clean(str(self.file.path), SENTENCE_LIMIT)}: {self.reading.sentence} {self.reading.hint}".strip()

    def require(self) -> None:
        """Raise Declined where the file neither has the subnet nor can be given it."""
        if self.refusal:
            raise Declined(self.refusal)


async def look_at_edit(path: str, repository: Path, network: str, subnet: IPv4Network, run: Run) -> Edit:
    """Return what would have to be done to a file. Reads only.

    Raises Declined where the edit cannot be proven to change one command only, and HostError where there is no file.
    """
    file = await asyncio.to_thread(read_nix_file, Path(path), repository)
    reading = read(file.data, network, subnet)
    git = await said_by_git(file.path, run)
    if reading.verdict is Verdict.BROKEN:
        return Edit(
            file,
            await _asked_nix(file, reading, subnet, run),
            file.data,
            (),
            "Nothing is to be changed.",
            git,
        )
    if reading.insertion is None:
        return Edit(file, reading, file.data, (), "Nothing is to be changed.", git)
    new = edited(file.data, reading.insertion)
    require_only_insertion(file.data, new, reading.insertion)
    if read(new, network, subnet).verdict is not Verdict.PRESENT:
        raise Declined("The edited file would not create the network as it should, so the edit is not made.")
    nix = await nix_agrees(file.data, new, reading.insertion, run)
    return Edit(file, reading, new, unified_diff(file, new), nix, git)


async def _asked_nix(file: NixFile, reading: Reading, subnet: IPv4Network, run: Run) -> Reading:
    """Say of a file that this program cannot read whether Nix can."""
    try:
        await parsed_by_nix(file.data, run)
    except NotNix as error:
        return replace(
            reading, sentence=f"Nix cannot read it: {error.sentence}", hint="Mend it, then try again."
        )
    except HostError as error:
        return replace(reading, hint=f"Nix was not asked whether it can. {error.sentence}")
    return replace(
        reading,
        sentence=f"This program cannot read line {reading.lines[0]}, though Nix can.",
        hint=f"Add `--subnet {subnet}` by hand to the command that creates the network.",
    )


def kept_for(folder: Path, path: Path, network: str, subnet: IPv4Network) -> Kept:
    """Return where the original of a file is kept while one network of it has another subnet."""
    return Kept(folder, path, f"{network} {subnet}")


def commit_command(edit: Edit, network: str, subnet: IPv4Network) -> str:
    """Return the command that commits the change; nothing is ever committed for the operator."""
    message = f"Create {network} as {subnet}"
    folder, name = str(edit.file.path.parent), edit.file.path.name
    return clean(shlex.join(("git", "-C", folder, "commit", "-m", message, "--", name)), SENTENCE_LIMIT)
