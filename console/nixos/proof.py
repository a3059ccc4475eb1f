"""Proves that an edit of a Nix file changed one string and nothing else, by what two parsers make of both versions."""

import re
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from console.errors import Declined, HostError
from console.host.process import output_of
from console.nixos.source import NixSource
from console.nixos.swarm_nix import Insertion
from console.parts import Part, unknown_from

PARSE_TIMEOUT_S = 30.0

Run = Callable[[Sequence[str], float], Awaitable[bytes]]
"""Returns what a command printed, within so many seconds; raises HostError."""

T = TypeVar("T")

_DRESSING = str.maketrans("", "", ' "()')


def require_only_insertion(old: bytes, new: bytes, insertion: Insertion) -> None:
    """Raise Declined unless the trees of both differ by the insertion alone."""
    before, after = NixSource(old), NixSource(new)
    broken = after.broken_line()
    if broken is not None:
        raise Declined(f"The edit would break line {broken}, so it is not made.")
    first, last = _difference(before.leaves(), after.leaves())
    plain = all(kind in ("string_fragment", '"', "''") for kind, _ in (*first, *last))
    if not plain or not is_insertion(_joined(first), _joined(last), insertion):
        raise Declined("The edit would change more than one command, so it is not made.")


class NotNix(Declined):
    """Nix cannot read it; the sentence is its complaint."""


async def parsed_by_nix(data: bytes, run: Run = output_of) -> str:
    """Return the canonical form that Nix itself gives a file.

    Raises NotNix where Nix cannot read it, and HostError where there is no Nix to ask.
    """
    await run(("nix-instantiate", "--version"), PARSE_TIMEOUT_S)
    with tempfile.TemporaryDirectory(prefix="vipconsole-") as folder:
        path = Path(folder) / "file.nix"
        path.write_bytes(data)
        try:
            said = await run(("nix-instantiate", "--parse", str(path)), PARSE_TIMEOUT_S)
        except HostError as error:
            raise NotNix(_complaint(error)) from error
    # Relative paths are printed as absolute ones: without the folder they are alike from wherever they are read.
    return said.decode("utf-8", "replace").replace(folder, "")


async def nix_agrees(old: bytes, new: bytes, insertion: Insertion, run: Run = output_of) -> Part[str]:
    """Return what Nix itself says to the edit, or that it could not be asked. Raises Declined where it objects."""
    try:
        before = await parsed_by_nix(old, run)
        after = await parsed_by_nix(new, run)
    except HostError as error:
        return unknown_from(error)
    except NotNix as error:
        raise Declined(
            f"Nix cannot read the file, so it is not edited: {error.sentence}", "Mend it, then try again."
        ) from error
    if not is_insertion(before, after, insertion):
        raise Declined("To Nix the edit would change more than one string, so it is not made.")
    return "To Nix the two versions differ in this one place only."


def is_insertion(before: str, after: str, insertion: Insertion) -> bool:
    """Whether a printed form differs from another by exactly the inserted words."""
    first, last = _difference(before, after)
    said, meant = "".join(last), insertion.text
    if insertion.is_list:
        # How the elements of a list are set apart is up to whoever prints it.
        said, meant = said.translate(_DRESSING), meant.translate(_DRESSING)
    # What begins like its neighbour can be cut out in more than one place.
    return not first and len(said) == len(meant) and said in meant + meant


def _difference(before: Sequence[T], after: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return what is left of both without what they have in common at their beginnings and ends."""
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    end = next((at for at in range(shorter - start) if before[-1 - at] != after[-1 - at]), shorter - start)
    return before[start : len(before) - end], after[start : len(after) - end]


def _joined(leaves: Sequence[tuple[str, bytes]]) -> str:
    return "".join(text.decode("utf-8", "replace") for _, text in leaves)


def _complaint(error: HostError) -> str:
    """Return what Nix complained about, in one line and without where the copy lay."""
    said = error.sentence.partition("error:")[2] or error.sentence
    return (
        re.sub(r" at [^ ]*/file\.nix:(\d+):\d+:.*", r" (line \1)", " ".join(said.replace("\\n", " ").split()))
        + "."
    )
