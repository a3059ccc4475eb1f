"""The report that is written when the program itself fails."""

import os
import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from console import __version__
from console.storage.state import state_folder


def write_report(error: BaseException) -> str:
    """Write what failed to a file that only this user can read, and return where it is.

    It holds versions, the command and the traceback without any values of variables: these may be secrets.
    Where no file can be written, the report itself is returned.
    """
    report = "\n".join(
        (
            f"vipconsole {__version__}, Python {platform.python_version()}, {_system()}",
            f"at {datetime.now(UTC).isoformat()}",
            f"command: {sys.argv[1:]!a}",
            "",
            *(line.rstrip("\n") for line in traceback.format_exception(error)),
            "",
        )
    )
    try:
        descriptor, name = tempfile.mkstemp(prefix="report-", suffix=".txt", dir=_folder())
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(report)
    except OSError:
        return report
    return name


def _system() -> str:
    # Not `platform.platform()`: it starts a process, and this is written when something is broken already.
    system = os.uname()
    return f"{system.sysname} {system.release} {system.machine}"


def _folder() -> Path:
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
