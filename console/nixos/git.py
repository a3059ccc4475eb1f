"""What git says about one file: whether a flake sees it, and whether somebody has changes in it that are not committed."""

from pathlib import Path

from console.errors import HostError
from console.nixos.proof import Run
from console.parts import Part, Unknown
from console.text import clean

TIMEOUT_S = 20.0


async def said_by_git(path: Path, run: Run) -> Part[str]:
    """Return a sentence about a file in its repository, "" where it is committed as it is."""
    # Else git would write its index, as root, into a repository that may be another user's.
    where = ("git", "--no-optional-locks", "-C", str(path.parent))
    # What the repository's own settings would run on a look is not wanted here.
    options = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
    try:
        said = await run(
            (*where, *options, "status", "--porcelain=v1", "-z", "--ignored", "--", path.name), TIMEOUT_S
        )
    except HostError as error:
        if "not a git repository" in error.sentence:
            return f"{clean(path.name)} is in no git repository."
        if "dubious ownership" in error.sentence:
            return Unknown(
                f"git does not trust the repository of {clean(path.name)}, which belongs to another user.",
                f"Nix asks git too. If it may be trusted: git config --global --add safe.directory {clean(str(path.parent), 300)}",
            )
        return Unknown(f"What git knows of {clean(path.name)} is not known. {error.sentence}", error.hint)
    match said[:2]:
        case b"":
            return ""
        case b"??" | b"!!":
            return f"{clean(path.name)} is not tracked by git, so a flake does not see it."
        case _:
            return f"{clean(path.name)} has changes that are not committed."
