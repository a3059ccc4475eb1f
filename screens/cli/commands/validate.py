"""`vipconsole validate` and `vipconsole schema`: all errors in runbooks, and their JSON Schema."""

import os
import sys
from argparse import Namespace
from pathlib import Path

from console.errors import ExitCode, RunbookError
from console.runbook.language.file import parse_runbook
from console.runbook.language.schema import schema_text
from console.runbook.language.source import default_runbook, distrust, read_bytes
from console.text import clean, plural


def schema_command(_arguments: Namespace) -> int:
    """Print the schema."""
    sys.stdout.write(schema_text())
    return 0


def run(arguments: Namespace) -> int:
    """Print every error in every file, and return 0 if there is none."""
    files: list[Path] = arguments.file or [default_runbook()]
    return ExitCode.USAGE if [file for file in files if not _is_valid(file)] else 0


def _is_valid(path: Path) -> bool:
    try:
        runbook = parse_runbook(read_bytes(path), str(path))
    except RunbookError as error:
        # A problem of the whole file has no line number.
        whole = f"{clean(str(path), 300)}:1:1: {error.sentence}"
        print(*(error.problems or (whole,)), sep="\n")
        return False
    print(f"{runbook.source}: {runbook.id}, {plural(len(runbook.steps), 'step')}, valid")
    why = distrust(path) if os.geteuid() == 0 else ""
    if why:
        print(f"vipconsole: root would not run it: {why}", file=sys.stderr)
    return True
