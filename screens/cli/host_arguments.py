"""The arguments of what is about this host: doctor, settings, and what a shell completes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from screens.cli.run_arguments import Adder, ParserFactory

SHELLS = ("bash", "zsh", "fish")


def host_commands(common: ParserFactory) -> Mapping[str, Adder]:
    """Return what adds the commands; `common` makes the parser of the options that they share with others."""
    return {
        "doctor": partial(_add_doctor, common),
        "config": partial(_add_config, common),
        "completion": _add_completion,
    }


def _add_doctor(common: ParserFactory, commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        parents=[common()],
        help="what works on this host and what does not, with the command that mends it",
        description="Examines the engine, dockerd's log, this host, its NixOS configuration, recorder, guard, alerts, settings "
        "and the terminal. Changes nothing.",
        epilog="Exit codes: 0 all works, 1 something works less well than it could, 2 something does not work, 3 unknown.",
    )
    doctor.add_argument("--all", action="store_true", help="of what works too: what more there could be")
    doctor.add_argument("--json", action="store_true", help="everything, as one JSON document")


def _add_config(common: ParserFactory, commands: Any) -> None:
    config = commands.add_parser(
        "config",
        parents=[common()],
        help="settings: what is in effect and where it comes from, a file to begin with, a schema for editors",
        description="`show` prints the settings in effect as a file, each with the file that sets it. `init` writes a file in "
        "which every key is a comment: /etc/vipconsole/config.toml for root, the user's own otherwise, or that of --config. "
        "`schema` prints the JSON Schema (draft 7) of settings files.",
    )
    config.add_argument(
        "topic",
        nargs="?",
        choices=("show", "init", "schema"),
        default="show",
        metavar="TOPIC",
        help="`show`, `init` or `schema`; default: `show`",
    )
    config.add_argument("--json", action="store_true", help="with show: as one JSON document")


def _add_completion(commands: Any) -> None:
    completion = commands.add_parser(
        "completion",
        help="what a shell has to read so that TAB completes commands, options and names",
        description="Prints what a shell has to read, once, so that TAB completes commands, options, and the names of networks, "
        "services, stacks, runs and steps. Packages install it already.",
        epilog="bash: vipconsole completion bash > /etc/bash_completion.d/vipconsole. zsh: to a file _vipconsole in a folder of "
        "$fpath. fish: to ~/.config/fish/completions/vipconsole.fish.",
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help="`bash`, `zsh` or `fish`")
