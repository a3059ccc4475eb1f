"""What goes wrong in the demo when it is asked to: armed by the command line, met by the engine and the stand-ins."""

import json
from collections.abc import Mapping
from pathlib import Path

from console.errors import UsageError
from console.storage.state import write_atomically
from console.text import clean, nearest

FAULTS: Mapping[str, tuple[str, ...]] = {
    "build": ("builder",),
    "network-remove": ("timeout",),
    "recreate": ("image",),
    "engine-hangs": ("after-removal",),
    "runner-killed": ("after-removal",),
    "switch": ("units", "refused"),
}
"""The faults, and the reasons that each can have; the first is the usual one."""
_FILE = "run/faults.json"


def parse_fault(text: str) -> tuple[str, str]:
    """Return the fault and the reason that `STEP[=REASON]` names. Raises UsageError."""
    name, _, reason = text.partition("=")
    if name not in FAULTS:
        raise UsageError(
            f"The demo has no fault {clean(name)}{nearest(name, FAULTS)}.", f"It has: {', '.join(FAULTS)}."
        )
    reasons = FAULTS[name]
    if reason and reason not in reasons:
        raise UsageError(
            f"The fault {name} has no reason {clean(reason)}{nearest(reason, reasons)}.",
            f"It has: {', '.join(reasons)}.",
        )
    return name, reason or reasons[0]


def arm_fault(root: Path, name: str, reason: str) -> None:
    """Let a fault happen the next time that its step is reached."""
    _write(root, {**_armed(root), name: reason})


def disarm_faults(root: Path) -> None:
    """Let no fault happen that has not happened yet."""
    (root / _FILE).unlink(missing_ok=True)


def take_fault(root: Path, name: str) -> str:
    """Return the reason of a fault that is to happen now, or nothing. It happens once."""
    armed = _armed(root)
    reason = armed.pop(name, "")
    if reason:
        _write(root, armed)
    return reason


def _armed(root: Path) -> dict[str, str]:
    try:
        armed: dict[str, str] = json.loads((root / _FILE).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return armed


def _write(root: Path, armed: Mapping[str, str]) -> None:
    write_atomically(root / _FILE, json.dumps(armed), 0o600)
