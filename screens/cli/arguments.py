"""The command line: its commands and options, and what is wrong with an argument."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from console import __version__
from console.durations import seconds_of
from screens.cli.host_arguments import host_commands
from screens.cli.run_arguments import COMMAND, Adder, Parser, run_commands
from screens.cli.service_arguments import service_commands

DEFAULTS = {COMMAND: "console", "host": "", "demo": False, "fresh": False, "fail_at": ""}
"""What holds without a command and without options."""


class _ConsoleParser(Parser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def console_arguments(words: Sequence[str]) -> argparse.Namespace | None:
    """Return the arguments of the live console; None for anything else, and for what is wrong.

    To make the parsers of all commands takes as long as to load a tenth of the console.
    """
    try:
        arguments, rest = _common(None, _ConsoleParser).parse_known_args(
            words, argparse.Namespace(**DEFAULTS)
        )
    except ValueError:
        return None
    return None if rest else arguments


def build_parser(first: str = "") -> argparse.ArgumentParser:
    """Return the parser of the whole program; where `first` is a command, with this one alone: all take some time to make."""
    parser = Parser(
        prog="vipconsole",
        description="Shows who holds every address of a Docker Swarm overlay, which addresses leaked, and whether deploys "
        "will hang. Without a command it opens the live console, which is read-only.",
        parents=[_common(default=None)],
        epilog="Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown, 64 wrong usage, 70 a bug, 130 interrupted, 141 the reader of the output has gone.",
    )
    parser.add_argument("--version", action="version", version=f"vipconsole {__version__}")
    commands = parser.add_subparsers(dest=COMMAND, metavar="COMMAND", parser_class=Parser)
    parser.set_defaults(**DEFAULTS)
    adders = {
        **_ADDERS,
        **host_commands(_common),
        **service_commands(_common),
        **run_commands(_common, _state_parser),
    }
    for name, add in adders.items():
        if first in (name, "") or first not in adders:
            add(commands)
    return parser


def _state_parser(default: object = argparse.SUPPRESS, kind: type[Parser] = Parser) -> Parser:
    parser = kind(add_help=False, argument_default=default)
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        help="where runs, censuses and history are stored; default: VIPCONSOLE_STATE_DIR, then /var/lib/vipconsole for root",
    )
    parser.add_argument(
        "--demo", action="store_true", help="use a simulated host and swarm; no Docker, no root needed"
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="with --demo: begin again with the evening before the maintenance",
    )
    return parser


def _common(default: object = argparse.SUPPRESS, kind: type[Parser] = Parser) -> Parser:
    # A command's own default would override an option that stands before the command.
    common = _state_parser(default, kind)
    group = common.add_argument_group("where")
    group.add_argument(
        "--host", metavar="URL", help="the engine; default: DOCKER_HOST, then the local socket"
    )
    group.add_argument(
        "--config", metavar="FILE", type=Path, help="settings that override the system's and the user's"
    )
    group.add_argument(
        "--journal",
        metavar="PATH",
        type=Path,
        help="read this recording (export format or JSON lines) or directory instead of this host's journal",
    )
    return common


def _add_glance(commands: "argparse._SubParsersAction[Parser]") -> None:
    glance = commands.add_parser(
        "glance",
        parents=[_common()],
        help="one read-only snapshot: how full every overlay is, what leaked, which deploys wait",
        description="Takes one read-only snapshot of a swarm. The exit code is the severity of the worst finding.",
    )
    glance.add_argument("network", nargs="*", metavar="NETWORK", help="only these overlays")
    form = glance.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_const", dest="form", const="json", help="everything, as one JSON document"
    )
    form.add_argument(
        "--prometheus",
        action="store_const",
        dest="form",
        const="prometheus",
        help="metrics for a textfile collector",
    )
    glance.add_argument(
        "--output", metavar="FILE", type=Path, help="write JSON or metrics to this file, atomically"
    )
    glance.add_argument(
        "--all", action="store_true", help="show all overlays and notes, also the nearly empty overlays"
    )
    glance.add_argument(
        "--holders",
        action="store_true",
        help="what can be removed: who holds the addresses of one overlay, by stack (text or --json)",
    )
    glance.add_argument(
        "--quick",
        action="store_true",
        help="skip the second sample that a count of leaked addresses needs (engines that count, Docker 29)",
    )
    glance.add_argument(
        "--require",
        action="append",
        choices=("journal",),
        default=[],
        help="exit with 3 (unknown) when this cannot be read",
    )
    glance.add_argument(
        "--watch",
        dest="watch_s",
        metavar="SECONDS",
        type=_interval,
        help="print a new snapshot every so many seconds until ctrl+c, one after the other; for logs and dumb terminals",
    )
    glance.set_defaults(form="text")


def _add_journal(commands: "argparse._SubParsersAction[Parser]") -> None:
    journal = commands.add_parser(
        "journal",
        parents=[_common()],
        help="what dockerd logged about addresses, explained",
        description="Explains what dockerd logged. Exit codes: 0 nothing, 1 a warning, 2 a failure, 3 not readable.",
    )
    journal.add_argument(
        "--since", metavar="TIME", type=seconds, help="how far back: 90, 45s, 15m, 6h, 2d; default 1h"
    )
    journal.add_argument("--follow", action="store_true", help="keep printing new lines until ctrl+c")
    journal.add_argument("--all", action="store_true", help="add all other errors and the raw lines")
    journal.add_argument(
        "--json", action="store_true", help="one JSON document; with --follow, one line for each event"
    )


def _add_why(commands: "argparse._SubParsersAction[Parser]") -> None:
    why = commands.add_parser(
        "why",
        parents=[_common()],
        help="why the tasks of a service do not run: addresses, nodes, image, or the application itself",
        description="Says why the tasks of services do not run, how certain that is, and what to do next.",
        epilog="Exit codes: 0 all services run, 1 not converged yet, 2 blocked, 3 unknown, 64 no such service.",
    )
    why.add_argument(
        "name",
        nargs="*",
        metavar="NAME",
        help="services (name or ID) or stacks; default: all services that do not run",
    )
    why.add_argument("--json", action="store_true", help="everything, as one JSON document")


def _add_history(commands: "argparse._SubParsersAction[Parser]") -> None:
    history = commands.add_parser(
        "history",
        parents=[_common()],
        help="how overlays were used over time, what leaked, and when they will be full",
        description="Draws how an overlay was used over time and when it will be full; without NETWORK a line for each "
        "overlay, worst first. A console that is open keeps the values, for 60 days. With --events, what happened while nobody "
        "looked, from the record that `vipconsole record` keeps. Changes nothing.",
        epilog="Exit codes: as glance; 3 also where no history is kept yet. With --events 0, and 3 where nothing is recorded.",
    )
    history.add_argument("network", nargs="?", metavar="NETWORK", default="", help="an overlay, by name")
    history.add_argument(
        "--since", metavar="TIME", type=seconds, help="how far back: 90m, 24h, 7d, 60d; default 24h"
    )
    history.add_argument(
        "--events",
        action="store_true",
        help="deploys, removals, leaks, failures, restarts and findings in one list, and when nobody watched",
    )
    history.add_argument(
        "--all",
        action="store_true",
        help="list all overlays, also the steady ones; of a network all leaks and stacks; with --events all lines",
    )
    form = history.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_const", dest="form", const="json", help="everything, as one JSON document"
    )
    form.add_argument(
        "--csv",
        action="store_const",
        dest="form",
        const="csv",
        help="a header and a line for each value; UTC",
    )
    history.set_defaults(form="text")


def _add_quiet(commands: "argparse._SubParsersAction[Parser]") -> None:
    quiet = commands.add_parser(
        "quiet",
        parents=[_common()],
        help="wait until the swarm and this host are quiet, and name what blocks",
        description="Waits until no deploy, update, start or stop is under way, and names what blocks. Changes nothing.",
        epilog="Exit codes: 0 quiet, 2 not quiet in time, 3 unknown, 64 wrong usage, 130 interrupted.",
    )
    quiet.add_argument(
        "--for",
        dest="dwell_s",
        metavar="TIME",
        type=seconds,
        help="how long quiet must last: 90, 60s, 15m, 1h; 0 checks once (default: quiet.dwell_s, 60s)",
    )
    quiet.add_argument(
        "--timeout",
        dest="timeout_s",
        metavar="TIME",
        type=seconds,
        help="how long to wait for quiet (default: quiet.timeout_s, 15m)",
    )
    quiet.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="NAME",
        help="a service that may be stuck; repeatable",
    )
    quiet.add_argument("--json", action="store_true", help="everything, as one JSON document at the end")


def _add_census(commands: "argparse._SubParsersAction[Parser]") -> None:
    census = commands.add_parser(
        "census",
        parents=[_common()],
        help="list the leaked addresses of an overlay, by walking all its free addresses (changes the swarm)",
        description="Walks all free addresses of an overlay: creates one probe service at a time and removes it again. An "
        "address that is neither free nor held has leaked. The result is stored, and glance shows it.",
        epilog="Exit codes: 0 nothing leaked, 1 addresses leaked, 3 unknown, 64 wrong usage, 130 interrupted.",
    )
    census.add_argument("network", nargs=1, metavar="NETWORK", help="an overlay, by name or ID")
    census.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    census.add_argument(
        "--large", action="store_true", help="walk even if a walk takes more than 5,000 steps"
    )
    census.add_argument("--json", action="store_true", help="everything, as one JSON document at the end")
    census.set_defaults(time_passes=True)


def _add_stack_rm(commands: "argparse._SubParsersAction[Parser]") -> None:
    stack_rm = commands.add_parser(
        "stack-rm",
        parents=[_common()],
        help="remove stacks without leaking addresses on the networks that they share (changes the swarm)",
        description="Removes stacks as `docker stack rm` does, but waits until their tasks have ended before it removes "
        "their networks, so nothing leaks. Objects that others use are kept and listed. Run it again to finish an "
        "interrupted removal.",
        epilog="Exit codes: 0 all removed, 1 something was kept or leaked, 2 not finished in time, 3 the engine does not "
        "answer, 64 wrong usage, 130 interrupted.",
    )
    stack_rm.add_argument("stack", nargs="+", metavar="STACK", help="the stacks to remove, by name")
    stack_rm.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    stack_rm.add_argument(
        "--timeout",
        dest="timeout_s",
        metavar="TIME",
        type=seconds,
        help="how long to wait for tasks to end: 90, 60s, 15m, 1h (default: the longest stop grace plus 60s)",
    )
    stack_rm.add_argument("--json", action="store_true", help="everything, as one JSON document at the end")
    stack_rm.add_argument(
        "--explain",
        action="store_true",
        help="print a shell script of plain docker commands that does the same; change nothing",
    )
    stack_rm.add_argument(
        "--census",
        action="store_true",
        help="prove it with a census of the remaining networks, before and after (for engines that cannot count)",
    )
    stack_rm.set_defaults(time_passes=True)


def _add_reclaim(commands: "argparse._SubParsersAction[Parser]") -> None:
    reclaim = commands.add_parser(
        "reclaim",
        parents=[_common()],
        help="give leaked addresses back in the cheapest way that this swarm allows (changes the swarm)",
        description="The allocator forgets its leaks when it is rebuilt. A change of leader rebuilds it: this stops no "
        "container, but needs three managers. On a swarm with one, a second one is borrowed for some seconds: a private dockerd "
        "on this host. A restart of the leader's dockerd rebuilds it too: this stops every container on that host.",
        epilog="Exit codes: 0 done, 1 done but something is not running yet, 3 not possible or unknown, 64 wrong usage, "
        "130 interrupted.",
    )
    reclaim.add_argument(
        "--by", choices=("handover", "borrow", "restart"), default="", help="how; default: the cheapest way"
    )
    reclaim.add_argument(
        "--via",
        metavar="URL",
        default="",
        help="for a hand-over: the engine of a manager that is not the leader",
    )
    reclaim.add_argument(
        "--accept",
        metavar="NAME",
        action="append",
        default=[],
        help="for a borrowed manager: go on although this is not quiet; may be repeated",
    )
    reclaim.add_argument(
        "--unlock-key-file",
        metavar="FILE",
        type=Path,
        help="for a borrowed manager: the unlock key of a swarm that locks its managers",
    )
    reclaim.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    reclaim.add_argument("--json", action="store_true", help="everything, as one JSON document at the end")
    reclaim.set_defaults(time_passes=True)


def _interval(text: str) -> float:
    interval_s = seconds(text)
    if not interval_s:
        raise argparse.ArgumentTypeError("snapshots need some seconds between them")
    return interval_s


_ADDERS: Mapping[str, Adder] = {
    "glance": _add_glance,
    "quiet": _add_quiet,
    "journal": _add_journal,
    "why": _add_why,
    "history": _add_history,
    "census": _add_census,
    "stack-rm": _add_stack_rm,
    "reclaim": _add_reclaim,
}


def seconds(text: str) -> float:
    """Return the seconds of a duration such as `90`, `60s`, `1.5m` or `1h`."""
    try:
        return seconds_of(f"{text}s" if text[-1:].isdecimal() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!a} is not a duration: it {error}") from None
