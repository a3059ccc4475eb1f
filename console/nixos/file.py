"""A Nix file on disk, and where a NixOS host keeps its system, its configuration and its store."""

import difflib
import hashlib
import json
import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path

from console.errors import Declined, HostError
from console.frozen import frozen
from console.host.process import PATH, output_of
from console.host.reader import BOOTED, has_systemd
from console.host.root import under_root
from console.storage.state import write_atomically
from console.text import SENTENCE_LIMIT, clean

STORE_PATH = r"^/[^\s'\"$\\]*/[a-z0-9]{32}-[A-Za-z0-9+._?=-]+$"
"""A path right below a store, wherever that is."""
NOT_NIXOS = "This host is not NixOS."
MARKER = under_root("/etc/NIXOS")
RUNNING_SYSTEM = under_root("/run/current-system")
SYSTEM_PROFILE = under_root("/nix/var/nix/profiles/system")
SWITCH_LOCK = under_root("/run/nixos/switch-to-configuration.lock")
LIMIT_BYTES = 1024 * 1024
"""Nobody writes a larger Nix file by hand."""
_MODE = "`ls -ld` shows whose it is, and who may read it."
_SOMEBODY = "Check `git diff`, and decide by hand."


def short(system: str) -> str:
    """Return how a system is called in a sentence: `nixos-system-host-25.11 (abcl0z20)`; two often share the name."""
    digest, dash, name = system.rpartition("/")[2].partition("-")
    return f"{name} ({digest[:8]})" if dash else system


@frozen
class NixosPaths:
    """The places of one host."""

    marker: Path = MARKER
    """It exists on every NixOS, and nowhere else."""
    running: Path = RUNNING_SYSTEM
    """Leads to the system that runs."""
    profile: Path = SYSTEM_PROFILE
    """Leads to the system that the next boot starts."""
    switch_lock: Path = SWITCH_LOCK
    booted: Path = BOOTED
    path: str = PATH
    """Where commands are searched."""

    @property
    def is_nixos(self) -> bool:
        """Whether there is a nixos-rebuild to run."""
        return self.marker.exists()

    @property
    def has_systemd(self) -> bool:
        """Whether systemd runs this machine."""
        return has_systemd(self.booted)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands: git and Nix want a home."""
        return {"PATH": self.path, "HOME": _home()}

    async def run(self, argv: Sequence[str], timeout_s: float) -> bytes:
        """Return what a command printed. Raises HostError."""
        return await output_of(argv, timeout_s, self.environment)

    def running_system(self) -> str:
        """Return the store path of the system that runs. Raises HostError."""
        return _resolve(self.running)

    def next_system(self) -> str:
        """Return the store path of the system that the next boot starts. Raises HostError."""
        return _resolve(self.profile)


PLACES = NixosPaths()


def _resolve(link: Path) -> str:
    try:
        return clean(str(link.resolve(strict=True)), SENTENCE_LIMIT)
    except (OSError, RuntimeError) as error:
        raise HostError(
            f"{link} leads nowhere, so the system of this host is unknown.",
            "`readlink -f` shows where it should lead.",
        ) from error


def _home() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"


@frozen
class NixFile:
    """A file as it was read."""

    path: Path
    """Its real path, behind every symbolic link."""
    data: bytes
    mode: int
    owner: tuple[int, int]

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes, in hexadecimal."""
        return digest_of(self.data)


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_nix_file(path: Path, repository: Path) -> NixFile:
    """Return a file of a repository; a relative path is taken from there.

    Raises Declined for one that lies, or leads, elsewhere, and HostError for one that cannot be read.
    """
    path_text = _display(path)
    try:
        real, root = (repository / path).resolve(strict=True), repository.resolve(strict=True)
        if not real.is_relative_to(root):
            raise Declined(
                f"{path_text} leads to {_display(real)}, outside the repository {_display(root)}.",
                "Name the file itself, or another repository in the settings (nixos.repository).",
            )
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise Declined(f"{path_text} is not a file.", "Name the file in the settings (nixos.file).")
            data = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError as error:
        raise HostError(
            f"{_display(Path(error.filename or path))} not found.",
            "Relative paths start at the folder in the setting nixos.repository.",
        ) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        reason = error.strerror if isinstance(error, OSError) else "its links form a circle"
        raise HostError(f"{path_text} cannot be read: {reason}.", _MODE) from error
    if len(data) > LIMIT_BYTES:
        raise Declined(f"{path_text} is larger than {LIMIT_BYTES // 1024} KiB.", "Edit it by hand.")
    return NixFile(real, data, stat.S_IMODE(about.st_mode), (about.st_uid, about.st_gid))


def unified_diff(file: NixFile, new: bytes) -> tuple[str, ...]:
    """Return what a change of a file would be, each line clean."""
    lines = difflib.unified_diff(
        _lines(file.data), _lines(new), str(file.path), str(file.path), "", "", 2, ""
    )
    return tuple(clean(line.rstrip().expandtabs(), SENTENCE_LIMIT) for line in lines)


class FileBackup:
    """The original of a file, kept in a folder of this program for as long as the change may be taken back."""

    def __init__(self, folder: Path, path: Path, purpose: str) -> None:
        """`path` is where the file really lies; `purpose` keeps several changes of one file apart. The folder exists."""
        name = f"{path.name}.{digest_of(os.fsencode(path) + purpose.encode())[:12]}"
        self.original = folder / f"{name}.original"
        self._note = folder / f"{name}.json"
        self._path = path

    def change(self, file: NixFile, new: bytes) -> None:
        """Write new content into the file, its original kept before.

        Raises Declined when the file is no longer what was read, and HostError when something cannot be written.
        """
        self._require(file.digest)
        note = {
            "path": os.fsdecode(file.path),
            "original": file.digest,
            "edited": digest_of(new),
            "mode": file.mode,
            "owner": list(file.owner),
        }
        write_atomically(self.original, file.data, 0o600)
        write_atomically(self._note, json.dumps(note, indent=2) + "\n", 0o600)
        self._require(file.digest)
        write_atomically(file.path, new, file.mode, file.owner)

    def restore(self) -> bool:
        """Bring the original back, and return whether anything had to be done.

        Raises Declined when somebody has changed the file since, and HostError when something cannot be read or written.
        """
        try:
            note = json.loads(self._note.read_text("utf-8"))
            data = self.original.read_bytes()
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            raise HostError(
                f"The stored original of {_display(self._path)} cannot be read: {clean(str(error))}.",
                _SOMEBODY,
            ) from error
        if digest_of(data) != note["original"]:
            raise HostError(f"{_display(self.original)} is not the original that was stored.", _SOMEBODY)
        if self._present() == note["original"]:
            return False
        self._require(note["edited"], f"Its original is stored as {_display(self.original)}. {_SOMEBODY}")
        write_atomically(self._path, data, note["mode"], tuple(note["owner"]))
        return True

    def _require(self, digest: str, hint: str = _SOMEBODY) -> None:
        if self._present() != digest:
            raise Declined(f"Somebody else has changed {_display(self._path)} in the meantime.", hint)

    def _present(self) -> str:
        try:
            return digest_of(self._path.read_bytes())
        except OSError as error:
            raise HostError(f"{_display(self._path)} cannot be read: {error.strerror}.", _MODE) from error


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").splitlines()


def _display(path: Path) -> str:
    return clean(str(path), SENTENCE_LIMIT)
