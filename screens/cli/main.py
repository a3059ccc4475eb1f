"""The front door: parses the command line, composes what it needs, and turns the outcome into an exit code.

A command's imports wait until it is used: `--help` and a mistyped option wait for none of them.
"""

import errno
import gc
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from datetime import UTC, datetime
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

from console import __version__
from console.errors import ExitCode, RunbookError, SettingsError, UsageError, VipconsoleError
from console.storage.state import state_failure, state_folder
from screens.cli.arguments import build_parser, console_arguments

COMMANDS: Mapping[str, str] = {
    "console": "console:run",
    "glance": "glance:run",
    "quiet": "quiet:run",
    "journal": "journal:run",
    "why": "why:run",
    "history": "history:run",
    "doctor": "doctor:run",
    "config": "config:run",
    "completion": "completion:run",
    "census": "census:run",
    "stack-rm": "stack_rm:run",
    "reclaim": "reclaim:run",
    "guard": "guard:run",
    "record": "record:run",
    "run": "run:run",
    "rehearse": "rehearse:run",
    "attach": "runs:attach_command",
    "resume": "run:resume_command",
    "decide": "decide:run",
    "abandon": "decide:abandon_command",
    "runs": "runs:run",
    "report": "runs:report_command",
    "alert": "alert:run",
    "validate": "validate:run",
    "schema": "validate:schema_command",
}
"""Every command: its module, imported only when the command is used, and the function there."""

COMPLETING = "_ARGCOMPLETE"
"""What a shell sets that asks for completions."""
BRIEF = frozenset(("glance", "why", "quiet", "history", "census"))
"""Commands that make many values, of everything that the engine tells, and soon end."""
RARE_COLLECTIONS = (50_000, 20, 100)
"""Python looks for cycles after every 700 new objects otherwise, and again and again among all there are. Values have no cycles:
that search took a third of a glance at 5,000 services, and freed nothing."""

OUTPUT_LOST = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)
"""The errors of writing to a full disk or to a terminal that has closed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `vipconsole` and return its exit code."""
    # What is chosen for one command, such as the demo, holds for no other one of this process.
    return copy_context().run(_main, argv)


def _main(argv: Sequence[str] | None) -> int:
    _prepare_output()
    try:
        arguments = _arguments(sys.argv[1:] if argv is None else argv)
        if getattr(arguments, "state_dir", None) is not None:
            # Processes that this one starts must use the same directory.
            os.environ["VIPCONSOLE_STATE_DIR"] = str(arguments.state_dir.absolute())
        if arguments.demo or arguments.fresh or arguments.fail_at:
            # Before the command is loaded: many modules take their paths then.
            from screens.cli.demo import enter_demo

            enter_demo(arguments)
        # It is off while the program is loaded (`screens.cli.program`).
        gc.enable()
        if arguments.command in BRIEF:
            gc.set_threshold(*RARE_COLLECTIONS)
        module, _, function = COMMANDS[arguments.command].partition(":")
        code: int = getattr(import_module(f"screens.cli.commands.{module}"), function)(arguments)
        sys.stdout.flush()
    except VipconsoleError as error:
        return _print_error(error)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        return ExitCode.PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the last net: a report instead of a traceback
        return _handle_unexpected(error)
    return code


def _prepare_output() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Python has no stream where the caller closed it (`>&-`).
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif isinstance(stream, TextIOWrapper):
            # A name may have what the locale has not: an escape is better than an end in the middle.
            stream.reconfigure(errors="backslashreplace")


def _arguments(words: Sequence[str]) -> Namespace:
    if COMPLETING in os.environ:
        # A shell asks what could be typed next.
        from screens.cli.commands.completion import complete

        complete()
    first = words[0] if words else ""
    console = None if first in COMMANDS else console_arguments(words)
    return console or build_parser(first).parse_args(words)


def _print_error(error: VipconsoleError) -> int:
    from screens.output.plain import progress, say

    progress(error.sentence)
    if isinstance(error, RunbookError):
        say((f"  {problem}" for problem in error.problems), sys.stderr, wraps=False)
    if error.hint:
        say((f"  {error.hint}",), sys.stderr)
    is_usage = isinstance(error, UsageError | SettingsError | RunbookError)
    return ExitCode.USAGE if is_usage else ExitCode.UNKNOWN


def _handle_unexpected(error: Exception) -> int:
    failure = state_failure(error) if isinstance(error, OSError) else None
    if failure is not None:
        return _print_error(failure)
    if isinstance(error, OSError) and error.errno in OUTPUT_LOST:
        # The doors of all other files raise their own errors; what remains is the output itself.
        print(f"vipconsole: the output cannot be written: {error.strerror}.", file=sys.stderr)
        _give_up_output()
        return ExitCode.UNKNOWN
    print(f"vipconsole: this is a bug. Please report it with {write_report(error)}", file=sys.stderr)
    return ExitCode.BUG


def write_report(error: BaseException) -> str:
    """Write what failed to a file that only this user can read, and return where it is.

    It holds versions, the command and the traceback without any values of variables: these may be secrets.
    Where no file can be written, the report itself is returned.
    """
    import platform
    import tempfile
    import traceback

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
        descriptor, name = tempfile.mkstemp(prefix="report-", suffix=".txt", dir=_report_folder())
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(report)
    except OSError:
        return report
    return name


def _system() -> str:
    # Not `platform.platform()`: it starts a process, and this is written when something is broken already.
    system = os.uname()
    return f"{system.sysname} {system.release} {system.machine}"


def _report_folder() -> Path:
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _give_up_output() -> None:
    # Python would complain once more when it flushes at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
