"""The command line: what can be asked for, and what is wrong with what was asked."""

import argparse
from pathlib import Path

from console import __version__
from console.durations import seconds_of
from screens.cli.run_arguments import COMMAND, Parser, add_run_commands


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole program."""
    parser = Parser(
        prog="vipconsole",
        description="Who holds every address of a Docker Swarm overlay, which leaked, and whether deploys will hang. "
        "Without a command it opens the live console, which only looks.",
        parents=[_common(default=None)],
        epilog="Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown, 64 wrong usage, 70 a bug, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"vipconsole {__version__}")
    commands = parser.add_subparsers(dest=COMMAND, metavar="COMMAND", parser_class=Parser)
    parser.set_defaults(command="console", host="", demo=False)
    _add_glance(commands)
    _add_quiet(commands)
    _add_journal(commands)
    _add_why(commands)
    _add_census(commands)
    _add_stack_rm(commands)
    _add_reclaim(commands)
    _add_guard(commands)
    _add_validate(commands)
    _add_schema(commands)
    add_run_commands(commands, _common, _state_parser)
    return parser


def _state_parser(default: object = argparse.SUPPRESS) -> Parser:
    parser = Parser(add_help=False, argument_default=default)
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        help="where this program keeps what it must remember; default: VIPCONSOLE_STATE_DIR, then /var/lib/vipconsole for root",
    )
    return parser


def _common(default: object = argparse.SUPPRESS) -> Parser:
    # A command's own default would take the place of what was given in front of the command.
    common = _state_parser(default)
    group = common.add_argument_group("where")
    group.add_argument(
        "--host", metavar="URL", help="the engine; default: DOCKER_HOST, then the local socket"
    )
    group.add_argument(
        "--config", metavar="FILE", type=Path, help="settings over those of the system and the user"
    )
    group.add_argument("--demo", action="store_true", help="look at a simulated swarm; no Docker needed")
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
        help="one read-only look: how full every overlay is, what leaked, which deploys wait",
        description="One read-only look at a swarm. The exit code tells the worst finding.",
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
    glance.add_argument("--output", metavar="FILE", type=Path, help="write JSON or metrics there, atomically")
    glance.add_argument("--all", action="store_true", help="show the nearly empty overlays too")
    glance.add_argument(
        "--quick",
        action="store_true",
        help="do without the second look that a count of leaked addresses needs (engines that count, Docker 29)",
    )
    glance.add_argument(
        "--require",
        action="append",
        choices=("journal",),
        default=[],
        help="let the exit code be 3 when this cannot be read",
    )
    glance.set_defaults(form="text")


def _add_journal(commands: "argparse._SubParsersAction[Parser]") -> None:
    journal = commands.add_parser(
        "journal",
        parents=[_common()],
        help="what dockerd logged about addresses, explained",
        description="What dockerd logged, explained. Exit code: 0 nothing, 1 a warning, 2 a failure, 3 not readable.",
    )
    journal.add_argument(
        "--since", metavar="TIME", type=seconds, help="how far back: 90, 45s, 15m, 6h, 2d; default 1h"
    )
    journal.add_argument(
        "--follow", action="store_true", help="go on with what is logged from now on, until ctrl+c"
    )
    journal.add_argument(
        "--all", action="store_true", help="add every kind of other error, and the raw lines"
    )
    journal.add_argument(
        "--json", action="store_true", help="one JSON document; with --follow, one line for each event"
    )


def _add_why(commands: "argparse._SubParsersAction[Parser]") -> None:
    why = commands.add_parser(
        "why",
        parents=[_common()],
        help="why the tasks of a service do not run: addresses, nodes, image, or the application itself",
        description="Why the tasks of services do not run, how sure that is, and what to do next.",
        epilog="Exit codes: 0 all runs, 1 not converged yet, 2 something holds it up, 3 it cannot be known, "
        "64 no such service.",
    )
    why.add_argument(
        "name",
        nargs="*",
        metavar="NAME",
        help="services (name or ID) or stacks; default: all that do not run",
    )
    why.add_argument("--json", action="store_true", help="everything, as one JSON document")


def _add_quiet(commands: "argparse._SubParsersAction[Parser]") -> None:
    quiet = commands.add_parser(
        "quiet",
        parents=[_common()],
        help="wait until the swarm and this host are quiet, and name what blocks",
        description="Waits until nothing is deployed, updated, started or stopped, and names what blocks meanwhile. "
        "Changes nothing.",
        epilog="Exit codes: 0 quiet, 2 not quiet in time, 3 it cannot be known, 64 wrong usage, 130 interrupted.",
    )
    quiet.add_argument(
        "--for",
        dest="dwell_s",
        metavar="TIME",
        type=seconds,
        help="for how long quiet must last, as 90, 60s, 15m, 1h; 0 takes a single look (default: quiet.dwell_s, 60s)",
    )
    quiet.add_argument(
        "--timeout",
        dest="timeout_s",
        metavar="TIME",
        type=seconds,
        help="how long to wait for it (default: quiet.timeout_s, 15m)",
    )
    quiet.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="NAME",
        help="a service that may be stuck; can be given again",
    )
    quiet.add_argument("--json", action="store_true", help="everything, as one JSON document at the end")


def _add_census(commands: "argparse._SubParsersAction[Parser]") -> None:
    census = commands.add_parser(
        "census",
        parents=[_common()],
        help="name the leaked addresses of an overlay, by walking the ring of its free ones (changes the swarm)",
        description="Walks the ring of free addresses with one probe service at a time, which is removed again: what is "
        "neither free nor held has leaked. What it finds is kept, and shown by glance.",
        epilog="Exit codes: 0 nothing leaked, 1 addresses leaked, 3 it cannot be known, 64 wrong usage, 130 interrupted.",
    )
    census.add_argument("network", nargs=1, metavar="NETWORK", help="an overlay, by name or ID")
    census.add_argument("--yes", action="store_true", help="do not ask for a confirmation")
    census.add_argument(
        "--large", action="store_true", help="walk also where a walk takes more than 5,000 steps"
    )
    census.add_argument("--json", action="store_true", help="everything, as one JSON document at the end")
    census.set_defaults(time_passes=True)


def _add_stack_rm(commands: "argparse._SubParsersAction[Parser]") -> None:
    stack_rm = commands.add_parser(
        "stack-rm",
        parents=[_common()],
        help="remove stacks without losing addresses on the networks that they share (changes the swarm)",
        description="Removes stacks as `docker stack rm` does, but waits until their tasks have ended before it removes "
        "their networks: so nothing leaks. What others use is kept and named. Calling it again finishes what was "
        "interrupted.",
        epilog="Exit codes: 0 all removed, 1 something was kept or leaked, 2 not finished in time, 3 the engine no longer "
        "answers, 64 wrong usage, 130 interrupted.",
    )
    stack_rm.add_argument("stack", nargs="+", metavar="STACK", help="the stacks to remove, by name")
    stack_rm.add_argument("--yes", action="store_true", help="do not ask for a confirmation")
    stack_rm.add_argument(
        "--timeout",
        dest="timeout_s",
        metavar="TIME",
        type=seconds,
        help="how long to wait for tasks to end, as 90, 60s, 15m, 1h (default: the longest stop grace and 60s)",
    )
    stack_rm.add_argument("--json", action="store_true", help="everything, as one JSON document at the end")
    stack_rm.add_argument(
        "--explain",
        action="store_true",
        help="print the same as a shell script of plain docker commands, and change nothing",
    )
    stack_rm.add_argument(
        "--census",
        action="store_true",
        help="prove it by a census of the networks that stay, before and after (engines that cannot count)",
    )
    stack_rm.set_defaults(time_passes=True)


def _add_reclaim(commands: "argparse._SubParsersAction[Parser]") -> None:
    reclaim = commands.add_parser(
        "reclaim",
        parents=[_common()],
        help="give leaked addresses back, the cheapest way that this swarm allows (changes the swarm)",
        description="The allocator forgets its leaks when it is rebuilt: by a change of leader, which touches no container "
        "and needs three managers, or by a restart of the leader's dockerd, which stops every container of that host. A "
        "single manager has no cure without an outage yet.",
        epilog="Exit codes: 0 done, 1 done and something does not run again yet, 3 it cannot be done or known, 64 wrong "
        "usage, 130 interrupted.",
    )
    reclaim.add_argument(
        "--by", choices=("handover", "restart"), default="", help="the way; default: the cheaper"
    )
    reclaim.add_argument(
        "--via", metavar="URL", default="", help="the engine of a manager that does not lead, for a hand-over"
    )
    reclaim.add_argument("--yes", action="store_true", help="do not ask for a confirmation")
    reclaim.add_argument("--json", action="store_true", help="everything, as one JSON document at the end")
    reclaim.set_defaults(time_passes=True)


def _add_guard(commands: "argparse._SubParsersAction[Parser]") -> None:
    guard = commands.add_parser(
        "guard",
        parents=[_common()],
        help="the safety net before a batch of deploys: looks, decides, and repairs where it must and may",
        description="Tells whether a batch of deploys may start. Where addresses cannot be had and leaked ones would do, it "
        "restarts the docker unit, once, if that is allowed; overlays that nobody uses are removed.",
        epilog="Exit codes: 0 go, 1 go with a note, 2 do not start, 3 cannot know, 64 wrong usage, 130 interrupted.",
    )
    guard.add_argument(
        "--need",
        metavar="N",
        type=_count,
        help="how many addresses the batch takes (a service and its task: 2)",
    )
    guard.add_argument(
        "--dry-run", action="store_true", help="tell what would be done and why, and do nothing"
    )
    guard.add_argument(
        "--allow-restart",
        action="store_true",
        help="allow a restart of the docker unit (guard.allow_restart)",
    )
    guard.add_argument("--no-prune", action="store_true", help="remove no unused overlay this time")
    guard.add_argument("--json", action="store_true", help="everything, as one JSON document")
    guard.add_argument(
        "--prometheus",
        metavar="FILE",
        type=Path,
        help="write metrics for a textfile collector there, atomically",
    )
    guard.set_defaults(time_passes=True)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 2**24:
        raise argparse.ArgumentTypeError(f"{text!a} is no number of addresses")
    return int(text)


def _add_validate(commands: "argparse._SubParsersAction[Parser]") -> None:
    validate = commands.add_parser(
        "validate",
        help="tell everything that is wrong with runbooks, a line each",
        description="Reads runbooks and tells everything that is wrong with them, as FILE:LINE:COLUMN: MESSAGE. Asks no "
        "engine and changes nothing.",
        epilog="Exit codes: 0 all can be used, 64 not.",
    )
    validate.add_argument(
        "file",
        nargs="*",
        metavar="FILE",
        type=Path,
        help="default: /etc/vipconsole/runbook.yaml, else the shipped one",
    )


def _add_schema(commands: "argparse._SubParsersAction[Parser]") -> None:
    commands.add_parser(
        "schema",
        help="print the JSON Schema of runbooks, for editors",
        description="Prints the JSON Schema (draft 7) of runbooks: with it, editors complete and check them.",
    )


def seconds(text: str) -> float:
    """Return the seconds of a duration such as `90`, `60s`, `1.5m` or `1h`."""
    try:
        return seconds_of(f"{text}s" if text[-1:].isdecimal() else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!a} is no duration: it {error}") from None
