"""Writes files so that a reader sees the old one or the new one, and never half of one."""

import os
from contextlib import suppress
from pathlib import Path

from console.errors import HostError
from console.text import clean


def write_atomically(
    path: Path, content: str | bytes, mode: int, owner: tuple[int, int] | None = None
) -> None:
    """Write a whole file in one step that survives a crash: a sibling is written, synced and renamed over it.

    It gets its mode, and the user and group where they are given, before it gets its name. Raises HostError when it
    cannot be written; then the old file is as it was.
    """
    if not path.name:
        raise HostError(f"{clean(str(path))} is no file that could be written.", "Name a file.")
    # The leading dot and the ending keep collectors of `*.prom` away from the unfinished file.
    sibling = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(sibling, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if owner is not None:
                    os.fchown(file.fileno(), *owner)
                os.fchmod(file.fileno(), mode)
                file.write(content if isinstance(content, bytes) else content.encode())
                file.flush()
                os.fsync(file.fileno())
            sibling.replace(path)
        except BaseException:
            with suppress(OSError):
                sibling.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise HostError(
            f"{clean(str(path))} cannot be written: {error.strerror}.",
            "Check the directory, its rights and its space.",
        ) from error
