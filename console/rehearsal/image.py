"""The one image of a rehearsal: this host's shell and `sleep` with their libraries. No registry is asked, nothing is built."""

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from shutil import which

from console.errors import HostError
from console.host.root import search_path

REPOSITORY, TAG = "vipconsole/rehearsal", "1"
IMAGE = f"{REPOSITORY}:{TAG}"
PROGRAMS = ("sh", "sleep")
_WAITS = "while :; do sleep 86400 & wait; done"
STOPS_AT_ONCE = ("/bin/sh", "-c", f"trap 'exit 0' TERM; {_WAITS}")
"""What ends with SIGTERM, in about no time."""
IGNORES_STOP = ("/bin/sh", "-c", f"trap '' TERM; {_WAITS}")
"""What is killed when its grace is over."""
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def image_tar() -> bytes:
    """Return a tar of the root filesystem. Raises HostError."""
    files: set[Path] = set()
    links: dict[str, Path] = {}
    for name in PROGRAMS:
        path = which(name, path=search_path())
        if path is None:
            raise HostError(
                f"The command `{name}` is not on this host.", "The rehearsal's containers run it."
            )
        program = Path(path).resolve()
        links[f"bin/{name}"] = program
        files |= {program, *_libraries(program)}
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for file in sorted(files):
            _add(tar, file)
        for name, program in links.items():
            if str(program) != f"/{name}":
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, str(program)
                tar.addfile(link)
    return held.getvalue()


def _libraries(program: Path) -> Iterator[Path]:
    """Yield what the dynamic linker loads for a program: it lists that instead of running it; a static one needs nothing."""
    listing = subprocess.run(  # noqa: S603 - this host's shell and sleep
        (str(program), "0"),
        env={"LD_TRACE_LOADED_OBJECTS": "1", "PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=10,
    )
    yield from map(Path, _LIBRARY.findall(listing.stdout))


def _add(tar: tarfile.TarFile, file: Path) -> None:
    content = file.read_bytes()
    member = tarfile.TarInfo(str(file).lstrip("/"))
    member.size, member.mode = len(content), 0o755
    tar.addfile(member, io.BytesIO(content))
