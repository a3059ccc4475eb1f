"""`vipconsole config`: settings as they are in effect, a file to begin with, and their JSON Schema."""

import os
import sys
from argparse import Namespace
from pathlib import Path

from console.errors import HostError, UsageError
from console.settings import SYSTEM_FILE
from console.settings_file import as_json, in_effect, origins_of, template
from console.settings_schema import schema_text
from console.storage.state import make_private, write_atomically
from console.text import clean
from screens.cli.common import own_settings_file, read_settings, settings_files
from screens.output.plain import json_text, say

SCHEMA = "vipconsole.settings/1"


def run(arguments: Namespace) -> int:
    """Do what is asked for, and return the exit code."""
    match arguments.topic:
        case "init":
            _init(arguments)
        case "schema":
            sys.stdout.write(schema_text())
        case _:
            _show(arguments)
    return 0


def _show(arguments: Namespace) -> None:
    settings = read_settings(arguments)
    required = (arguments.config,) if arguments.config else ()
    origins = origins_of((*settings_files(), *required))
    if arguments.json:
        sys.stdout.write(json_text({"schema": SCHEMA, "settings": as_json(settings, origins)}))
        return
    # A program may read it: it is a settings file, but for what may be secret.
    say(in_effect(settings, origins).splitlines(), wraps=False)


def _make_folder(folder: Path, *, is_of_all: bool) -> None:
    """Make the folder of a settings file. That of the system is open to all: every user's commands read what is in it."""
    if folder.is_dir():
        return
    try:
        make_private(folder)
    except HostError as error:
        raise HostError(error.sentence, "Name a file elsewhere with --config.") from error
    if is_of_all:
        folder.chmod(0o755)


def _init(arguments: Namespace) -> None:
    path: Path = arguments.config or own_settings_file()
    if os.path.lexists(path):
        raise UsageError(
            f"{clean(str(path), 300)} is there already, and stays as it is.",
            "Name another file with --config, or move it away.",
        )
    _make_folder(path.parent, is_of_all=path == SYSTEM_FILE)
    # Others may read it: it holds nothing yet.
    write_atomically(path, template(), 0o644)
    say((f"{clean(str(path), 300)} was written. Every key in it is a comment: take the # away to set one.",))
