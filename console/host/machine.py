"""Which machine this is."""

import socket
from pathlib import Path

from console.text import clean

MACHINE_ID = Path("/etc/machine-id")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def machine_id(path: Path = MACHINE_ID) -> str:
    """Return the ID that systemd gave this machine (machine-id(5)), or its host name where there is none."""
    try:
        told = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        told = ""
    return clean(told) or clean(socket.gethostname())


def boot_id(path: Path = BOOT_ID) -> str:
    """Return the ID that the kernel gave this boot (random(4)); nothing where it does not tell."""
    try:
        return clean(path.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError):
        return ""
