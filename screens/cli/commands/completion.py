"""`vipconsole completion`, and what a shell offers when TAB is pressed: commands, options, and the names of what is there."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import argcomplete
from argcomplete.shell_integration import shellcode

from console.errors import VipconsoleError
from console.storage.state import state_folder
from console.swarm.address import resolve_host
from console.swarm.names import overlay_names, service_names, stack_names
from screens.cli.arguments import build_parser
from screens.cli.run_arguments import COMMAND

WITHIN_S = 0.12
"""An engine that takes longer has no names to offer: with the rest, a key is answered within 0.3 s."""
Completer = Callable[..., Iterable[str]]
Names = Callable[[str, float], tuple[str, ...]]


def run(arguments: Namespace) -> int:
    """Print what a shell has to read to complete the words of this program."""
    sys.stdout.write(script(arguments.shell))
    return 0


def complete() -> None:
    """Answer the shell that asks through the environment, and end this process."""
    parser = build_parser()
    commands = next(action.choices for action in parser._actions if action.dest == COMMAND)  # noqa: SLF001 - argparse tells in no other way
    for name, command in dict(commands or {}).items():
        for action in command._actions:  # noqa: SLF001 - as above
            completer = COMPLETERS.get((name, action.dest)) or COMPLETERS.get(("", action.dest))
            if completer is not None:
                action.completer = completer
    argcomplete.autocomplete(parser)


def script(shell: str) -> str:
    """Return what a shell has to read, once, to complete the words of this program."""
    return str(shellcode(["vipconsole"], shell=shell))


def _of_engine(*sources: Names) -> Completer:
    def names(parsed_args: Namespace, **_: object) -> Iterable[str]:
        # A demo takes longer to begin than anybody waits for a key.
        if getattr(parsed_args, "demo", False):
            return ()
        try:
            host = resolve_host(getattr(parsed_args, "host", "") or "")
        except VipconsoleError:
            return ()
        # They share the time that there is.
        return [name for source in sources for name in source(host, WITHIN_S / len(sources))]

    return names


def _state(parsed_args: Namespace) -> Path:
    """Return the state directory that the line names, else the one of the user."""
    if getattr(parsed_args, "demo", False):
        from console.simulator.host.demo_host import demo_folder

        return demo_folder(os.environ) / "var/lib/vipconsole"
    return getattr(parsed_args, "state_dir", None) or state_folder()


def _runs(parsed_args: Namespace, **_: object) -> Iterable[str]:
    from console.runbook.store.names import run_names_or_none

    return run_names_or_none(_state(parsed_args))


def _steps(parsed_args: Namespace, **_: object) -> Iterable[str]:
    from console.runbook.store.names import step_names

    return step_names(_state(parsed_args), parsed_args.run or "")


def _faults(**_: object) -> Iterable[str]:
    from console.simulator.host.faults import FAULTS

    return FAULTS


def _alerts(parsed_args: Namespace, **_: object) -> Iterable[str]:
    from screens.cli.common import read_settings

    try:
        settings = read_settings(Namespace(config=getattr(parsed_args, "config", None)))
    except VipconsoleError:
        return ()
    return [alert.title for alert in settings.alert]


def _choices(**_: object) -> Iterable[str]:
    return ("confirm=", "skip", "retry", "undo", "stop")


COMPLETERS: Mapping[tuple[str, str], Completer] = {
    ("", "network"): _of_engine(overlay_names),
    ("why", "name"): _of_engine(service_names, stack_names),
    ("", "accept"): _of_engine(service_names),
    ("", "stack"): _of_engine(stack_names),
    ("", "run"): _runs,
    ("decide", "step"): _steps,
    ("decide", "choice"): _choices,
    ("alert", "name"): _alerts,
    ("run", "fail_at"): _faults,
}
"""Who offers names for an argument, by its command and what it is called; without a command for all that have it."""
