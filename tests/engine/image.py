"""The one image that tests need, made of this machine's busybox: no registry can be asked."""

import io
import subprocess
import tarfile
from functools import cache
from pathlib import Path
from shutil import which

from tests.engine.namespaces import LabError

IMAGE = "lab/box:1"


@cache
def box() -> bytes:
    """Return a tar of a root filesystem: busybox, and a link for each of its commands."""
    busybox = which("busybox")
    if busybox is None:
        raise LabError("there is no busybox; on Debian: apt-get install busybox-static")
    names = subprocess.run([busybox, "--list"], capture_output=True, check=True, text=True).stdout.split()
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        content = Path(busybox).read_bytes()
        program = tarfile.TarInfo("bin/busybox")
        program.size, program.mode = len(content), 0o755
        tar.addfile(program, io.BytesIO(content))
        for name in sorted(set(names) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return held.getvalue()
