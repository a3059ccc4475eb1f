"""When the guard restarted the docker unit last: on disk, because the cool-down must outlive every process."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from console.errors import HostError
from console.files import write_atomically
from console.parts import Part, Unknown
from console.state import make_private
from console.text import clean

FILE = "guard.json"
SCHEMA = "vipconsole.guard-memory/1"


def last_restart(state: Path) -> Part[datetime | None]:
    """Return when the last restart was begun; None where there never was one."""
    path = state / FILE
    try:
        return _moment(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return Unknown(
            f"{clean(str(path))} cannot be used ({type(error).__name__}).",
            "Remove it if the last restart is long ago.",
        )


def remember_restart(state: Path, at: datetime) -> None:
    """Write down that a restart begins. Raises HostError when it cannot be; then nothing must be restarted."""
    make_private(state)
    try:
        text = json.dumps({"schema": SCHEMA, "restarted_at": at.isoformat()})
        write_atomically(state / FILE, f"{text}\n", 0o600)
    except OSError as error:
        raise HostError(f"The restart cannot be written down: {error.strerror}.") from error


def _moment(data: Mapping[str, Any]) -> datetime:
    at = datetime.fromisoformat(data["restarted_at"])
    if data["schema"] != SCHEMA or at.tzinfo is None:
        raise ValueError("another version wrote it")
    return at
