"""The edit that gives a network its subnet in a Nix file: checked, proven by two parsers, made, and taken back."""

import asyncio
import re
import shlex
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TypeVar

from console.errors import Declined, HostError, Result, Unknown, unknown_from
from console.frozen import frozen
from console.host.process import output_of
from console.nixos.file import FileBackup, NixFile, read_nix_file, unified_diff
from console.nixos.source import NixSource
from console.nixos.swarm_nix import Insertion, NetworkSetting, SubnetVerdict, insert, read
from console.text import SENTENCE_LIMIT, clean

PARSE_TIMEOUT_S = 30.0
GIT_TIMEOUT_S = 20.0

Run = Callable[[Sequence[str], float], Awaitable[bytes]]
"""Returns what a command printed, within so many seconds; raises HostError."""

T = TypeVar("T")

_BY_HAND = "Add the subnet by hand to the command that creates the network, then try the step again."
_DRESSING = str.maketrans("", "", ' "()')
_UNTRUSTED = re.compile(r"in repository at '([^']+)'")


def require_only_insertion(old: bytes, new: bytes, insertion: Insertion) -> None:
    """Raise Declined unless the trees of both differ by the insertion alone."""
    before, after = NixSource(old), NixSource(new)
    line = after.first_unreadable_line()
    if line is not None:
        raise Declined(f"The edit would break line {line}, so the file is not edited.", _BY_HAND)
    first, last = _difference(before.leaves(), after.leaves())
    plain = all(kind in ("string_fragment", '"', "''") for kind, _ in (*first, *last))
    if not plain or not is_insertion(_join(first), _join(last), insertion):
        raise Declined("The edit would change more than one command, so the file is not edited.", _BY_HAND)


class NotNix(Declined):
    """Nix cannot read it; the sentence is its complaint."""


async def parse_with_nix(data: bytes, run: Run = output_of) -> str:
    """Return the canonical form that Nix itself gives a file.

    Raises NotNix where Nix cannot read it, and HostError where there is no Nix to ask.
    """
    await run(("nix-instantiate", "--version"), PARSE_TIMEOUT_S)
    with tempfile.TemporaryDirectory(prefix="vipconsole-") as folder:
        path = Path(folder) / "file.nix"
        path.write_bytes(data)
        try:
            output = await run(("nix-instantiate", "--parse", str(path)), PARSE_TIMEOUT_S)
        except HostError as error:
            raise NotNix(_complaint(error)) from error
    # Relative paths are printed as absolute ones: without the folder they are alike from wherever they are read.
    return output.decode("utf-8", "replace").replace(folder, "")


async def nix_agrees(old: bytes, new: bytes, insertion: Insertion, run: Run = output_of) -> Result[str]:
    """Return what Nix itself says to the edit, or that it could not be asked. Raises Declined where it objects."""
    try:
        before = await parse_with_nix(old, run)
        after = await parse_with_nix(new, run)
    except HostError as error:
        return unknown_from(error)
    except NotNix as error:
        raise Declined(
            f"Nix cannot read the file, so it is not edited: {error.sentence}",
            "Fix the file, then try again.",
        ) from error
    if not is_insertion(before, after, insertion):
        raise Declined(
            "For Nix, the edit would change more than one string, so the file is not edited.", _BY_HAND
        )
    return "For Nix, the two versions differ in this one place only."


def is_insertion(before: str, after: str, insertion: Insertion) -> bool:
    """Whether a printed form differs from another by exactly the inserted words."""
    first, last = _difference(before, after)
    addition, expected = "".join(last), insertion.text
    if insertion.is_list:
        # How the elements of a list are separated is up to the printer.
        addition, expected = addition.translate(_DRESSING), expected.translate(_DRESSING)
    # What begins like its neighbour can be cut out in more than one place.
    return not first and len(addition) == len(expected) and addition in expected + expected


def _difference(before: Sequence[T], after: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return what is left of both without what they have in common at their beginnings and ends."""
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    end = next((at for at in range(shorter - start) if before[-1 - at] != after[-1 - at]), shorter - start)
    return before[start : len(before) - end], after[start : len(after) - end]


def _join(leaves: Sequence[tuple[str, bytes]]) -> str:
    return "".join(text.decode("utf-8", "replace") for _, text in leaves)


def _complaint(error: HostError) -> str:
    """Return what Nix complained about, in one line and without where the copy lay."""
    complaint = error.sentence.partition("error:")[2] or error.sentence
    return (
        re.sub(
            r" at [^ ]*/file\.nix:(\d+):\d+:.*",
            r" (line \1)",
            " ".join(complaint.replace("\\n", " ").split()),
        )
        + "."
    )


@frozen
class Edit:
    """What is to be done to a file, if anything."""

    file: NixFile
    reading: NetworkSetting
    new: bytes
    """The wanted content of the file; unchanged where nothing is to be done, or nothing may be."""
    diff: tuple[str, ...]
    nix: Result[str]
    """Nix's own check of the edit."""
    git: Result[str]
    """What git reports about the present file; "" where it is committed."""

    @property
    def is_needed(self) -> bool:
        """Whether the file has to be changed."""
        return self.reading.verdict is SubnetVerdict.ABSENT

    @property
    def refusal(self) -> str:
        """Why neither can be: the subnet is not there, and it cannot be put there; nothing otherwise."""
        if self.reading.verdict in (SubnetVerdict.ABSENT, SubnetVerdict.PRESENT):
            return ""
        return f"{clean(str(self.file.path), SENTENCE_LIMIT)}: {self.reading.sentence} {self.reading.hint}".strip()

    def require(self) -> None:
        """Raise Declined where the file neither has the subnet nor can be given it."""
        if self.refusal:
            raise Declined(self.refusal)


async def inspect_edit(path: str, repository: Path, network: str, subnet: IPv4Network, run: Run) -> Edit:
    """Return what would have to be done to a file. Reads only.

    Raises Declined where the edit cannot be proven to change one command only, and HostError where there is no file.
    """
    file = await asyncio.to_thread(read_nix_file, Path(path), repository)
    reading = read(file.data, network, subnet)
    git = await git_state(file.path, run)
    if reading.verdict is SubnetVerdict.BROKEN:
        return Edit(
            file,
            await _explain_with_nix(file, reading, subnet, run),
            file.data,
            (),
            "There is nothing to change.",
            git,
        )
    if reading.insertion is None:
        return Edit(file, reading, file.data, (), "There is nothing to change.", git)
    new = insert(file.data, reading.insertion)
    require_only_insertion(file.data, new, reading.insertion)
    if read(new, network, subnet).verdict is not SubnetVerdict.PRESENT:
        raise Declined(
            "The edited file would not create the network as wanted, so the file is not edited.", _BY_HAND
        )
    nix = await nix_agrees(file.data, new, reading.insertion, run)
    return Edit(file, reading, new, unified_diff(file, new), nix, git)


async def _explain_with_nix(
    file: NixFile, reading: NetworkSetting, subnet: IPv4Network, run: Run
) -> NetworkSetting:
    """Say of a file that this program cannot read whether Nix can."""
    try:
        await parse_with_nix(file.data, run)
    except NotNix as error:
        return replace(
            reading, sentence=f"Nix cannot read it: {error.sentence}", hint="Fix the file, then try again."
        )
    except HostError as error:
        return replace(reading, hint=f"Nix could not check it. {error.sentence}")
    return replace(
        reading,
        sentence=f"Nix can read line {reading.lines[0]}, but this program cannot.",
        hint=f"Add `--subnet {subnet}` by hand to the command that creates the network.",
    )


def backup_of(folder: Path, path: Path, network: str, subnet: IPv4Network) -> FileBackup:
    """Return where the original of a file is kept while one network of it has another subnet."""
    return FileBackup(folder, path, f"{network} {subnet}")


def commit_command(edit: Edit, network: str, subnet: IPv4Network) -> str:
    """Return the command that commits the change; nothing is ever committed for the operator."""
    message = f"Create {network} as {subnet}"
    folder, name = str(edit.file.path.parent), edit.file.path.name
    return clean(shlex.join(("git", "-C", folder, "commit", "-m", message, "--", name)), SENTENCE_LIMIT)


def _repository_in(complaint: str) -> str:
    """Return the repository that git names where it does not trust it: the top, whichever folder was asked about."""
    named = _UNTRUSTED.search(complaint)
    return named[1] if named else ""


async def git_state(path: Path, run: Run) -> Result[str]:
    """Return a sentence about a file in its repository, "" where it is committed as it is."""
    # Else git would write its index, as root, into a repository that may be another user's.
    where = ("git", "--no-optional-locks", "-C", str(path.parent))
    # What the repository's own settings would run during a status check is not wanted here.
    options = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
    try:
        output = await run(
            (*where, *options, "status", "--porcelain=v1", "-z", "--ignored", "--", path.name), GIT_TIMEOUT_S
        )
    except HostError as error:
        if "not a git repository" in error.sentence:
            return f"{clean(path.name)} is not in a git repository."
        if "dubious ownership" in error.sentence:
            return Unknown(
                f"git does not trust the repository of {clean(path.name)}, because another user owns it.",
                "Nix uses git too. If you trust the repository, run: git config --global --add "
                f"safe.directory {shlex.quote(_repository_in(error.sentence) or clean(str(path.parent), 300))}",
            )
        return Unknown(f"The git state of {clean(path.name)} is unknown. {error.sentence}", error.hint)
    match output[:2]:
        case b"":
            return ""
        case b"??" | b"!!":
            return f"git does not track {clean(path.name)}, so a flake does not see it."
        case _:
            return f"{clean(path.name)} has uncommitted changes."
