"""The arguments of maintenance runs, and how a command line is parsed."""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from console.errors import ExitCode
from console.text import SENTENCE_LIMIT, clean, nearest
from screens.output.plain import size_of

COMMAND = "command"
"""Where the parser of the whole program puts the name of the command."""
RUN = "a run's name, or the start or end of its name; `vipconsole runs` lists all"
CODES = "Exit codes: 0 done, 1 undone or with skipped steps, 2 failed, 3 unknown, 4 waiting, 64 wrong usage."
ParserFactory = Callable[[], argparse.ArgumentParser]
"""Makes a parser of options that several commands share."""
Adder = Callable[[Any], None]
"""Adds one command to those of a parser."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are a sentence, the nearest known word, and a pointer to `--help`."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with the exit code of wrong usage."""
        # Not the usage of the whole program: one word is wrong. argparse's own code 2 would mean `critical` to a monitor.
        sentence = f"{self.prog}: {clean(message, SENTENCE_LIMIT)}"
        self.exit(ExitCode.USAGE, f"{sentence}\n  `{self.prog} --help` lists what it accepts.\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the parsed arguments. An unknown argument is an error of its command, not of the whole program."""
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            commands: Any = next(action.choices for action in self._actions if action.dest == COMMAND) or {}
            commands.get(arguments.command, self).refuse(unknown[0])
        return arguments

    def refuse(self, word: str) -> NoReturn:
        """Refuse an unknown argument and name the nearest known one."""
        option = word.partition("=")[0]
        if not option.startswith("-"):
            self.error(f"unexpected argument {word}")
        names = [
            string for action in self._actions for string in action.option_strings if string.startswith("--")
        ]
        self.error(f"unknown option {option}{nearest(option, names)}")

    def _get_formatter(self) -> argparse.HelpFormatter:
        # Every argument that is added is tried with one. Without a width it loads `shutil` for it, and so bz2 and lzma.
        return argparse.HelpFormatter(self.prog, width=size_of(sys.stdout)[0] - 2)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # The words after a command are its own parser's.
        words = arg_strings[:1] if action.dest == COMMAND else arg_strings
        if "" in words and not action.option_strings:
            # Such as "$NETWORK" where nothing was set.
            raise argparse.ArgumentError(action, "it is empty")
        return super()._get_values(action, arg_strings)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        names = [str(choice) for choice in action.choices]
        if action.dest == COMMAND:
            self.error(f"unknown command {value}{nearest(str(value), names)}")
        choices = ", ".join(names)
        raise argparse.ArgumentError(action, f"{value} is not one of {choices}{nearest(str(value), names)}")


def run_commands(common: ParserFactory, state: ParserFactory) -> Mapping[str, Adder]:
    """Return what adds the commands that check runbooks, and start, show and steer runs. A started run stores its own engine."""
    return {
        "validate": _add_validate,
        "schema": _add_schema,
        "run": partial(_add_run, common),
        "rehearse": partial(_add_rehearse, common),
        "attach": partial(_add_attach, state),
        "runs": partial(_add_runs, state),
        "report": partial(_add_report, state),
        "resume": partial(_add_resume, state),
        "decide": partial(_add_decide, state),
        "abandon": partial(_add_abandon, state),
    }


def _add_validate(commands: Any) -> None:
    validate = commands.add_parser(
        "validate",
        help="list all errors in runbooks, one per line",
        description="Reads runbooks and lists all errors in them as FILE:LINE:COLUMN: MESSAGE. Contacts no engine and "
        "changes nothing.",
        epilog="Exit codes: 0 all valid, 64 errors found.",
    )
    validate.add_argument(
        "file",
        nargs="*",
        metavar="FILE",
        type=Path,
        help="default: /etc/vipconsole/runbook.yaml, else the shipped one",
    )


def _add_schema(commands: Any) -> None:
    commands.add_parser(
        "schema",
        help="print the JSON Schema of runbooks, for editors",
        description="Prints the JSON Schema (draft 7) of runbooks, so that editors can complete and check them.",
    )


def _add_run(common: ParserFactory, commands: Any) -> None:
    run = commands.add_parser(
        "run",
        parents=[common()],
        help="carry out a runbook step by step, confirmed and resumable (changes the swarm)",
        description="Shows what a runbook would do, then does it in a process of its own. The run continues if this "
        "terminal closes; `vipconsole attach` shows it again.",
        epilog=CODES,
    )
    run.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="the runbook; default: this host's, then the shipped one",
    )
    run.add_argument("--check", action="store_true", help="show the plan on one screen; change nothing")
    whole = run.add_mutually_exclusive_group()
    whole.add_argument("--calls", action="store_true", help="with --check: every step whole, with every call")
    whole.add_argument(
        "--json", action="store_true", help="with --check: the whole plan as one JSON document"
    )
    _add_variables(run)
    run.add_argument(
        "--fail-at",
        metavar="STEP[=REASON]",
        help="with --demo: let build, network-remove, recreate, engine-hangs, runner-killed or switch go wrong",
    )
    _add_headless(run)


def _add_variables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="variables",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable of the runbook; repeatable",
    )


def _add_rehearse(common: ParserFactory, commands: Any) -> None:
    rehearse = commands.add_parser(
        "rehearse",
        parents=[common()],
        help="run a runbook on a private engine with the shape of this swarm; foretells the downtime of each service",
        description="Reads the shape of the swarm, builds it on a private dockerd of this host, and runs the runbook there. "
        "The swarm itself is only read. Needs root.",
        epilog="Exit codes: 0 the runbook goes through, 2 something would be refused or fails, 3 unknown, 64 wrong usage.",
    )
    rehearse.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="the runbook; default: this host's, then the shipped one",
    )
    _add_variables(rehearse)
    rehearse.add_argument("--json", action="store_true", help="as one JSON document")
    rehearse.add_argument(
        "--save-shape", type=Path, metavar="FILE", help="write the shape that was read to this file, as JSON"
    )


def _add_headless(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--headless", action="store_true", help="ask nothing; print a line for each event")
    parser.add_argument(
        "--confirm",
        dest="words",
        action="append",
        default=[],
        metavar="STEP=WORD",
        help="with --headless: confirm this step in advance with its word; repeatable",
    )
    parser.add_argument("--hold", action="store_true", help="with --headless: wait at every checkpoint")


def _add_attach(state: ParserFactory, commands: Any) -> None:
    attach = commands.add_parser(
        "attach",
        parents=[state()],
        help="show a run and answer its questions",
        description="Shows a run and takes your answers to its questions. Closing it does not stop the run.",
        epilog=CODES,
    )
    attach.add_argument(
        "run", nargs="?", default="", metavar="RUN", help=f"{RUN}; default: the unfinished one"
    )
    _add_headless(attach)


def _add_runs(state: ParserFactory, commands: Any) -> None:
    runs = commands.add_parser(
        "runs", parents=[state()], help="list all runs", description="Lists all runs, newest first."
    )
    runs.add_argument("--json", action="store_true", help="as one JSON document")


def _add_report(state: ParserFactory, commands: Any) -> None:
    report = commands.add_parser(
        "report",
        parents=[state()],
        help="what a run did: outcome, downtime, before and after; the evidence with --full",
        description="Prints what a run did: its outcome, the downtime of each service, network and services before and "
        "after, decisions, and what was skipped or not checked.",
        epilog=CODES,
    )
    report.add_argument(
        "run", nargs="?", default="", metavar="RUN", help=f"{RUN}; default: the unfinished one"
    )
    form = report.add_mutually_exclusive_group()
    form.add_argument(
        "--full",
        action="store_const",
        dest="form",
        const="full",
        help="with the evidence of each step, as Markdown",
    )
    form.add_argument(
        "--markdown", action="store_const", dest="form", const="full", help="the same as --full"
    )
    form.add_argument("--json", action="store_const", dest="form", const="json", help="as one JSON document")
    form.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write one HTML file, with a timeline of the steps and of the downtime of each service",
    )
    report.set_defaults(form="summary")


def _add_resume(state: ParserFactory, commands: Any) -> None:
    resume = commands.add_parser(
        "resume",
        parents=[state()],
        help="continue a run that has stopped, waits or was interrupted (changes the swarm)",
        description="Continues a run. A step that began and has no result is probed before anything else is done.",
        epilog=CODES,
    )
    resume.add_argument(
        "run", nargs="?", default="", metavar="RUN", help=f"{RUN}; default: the unfinished one"
    )
    resume.add_argument(
        "--accept-changed",
        action="store_true",
        help="continue with the runbook as it is now, although it changed after the run was planned",
    )
    _add_headless(resume)


def _add_decide(state: ParserFactory, commands: Any) -> None:
    decide = commands.add_parser(
        "decide",
        parents=[state()],
        help="answer a run's question about a step (changes the swarm)",
        description="Answers a run's question. confirm=WORD lets the step begin. retry, skip and undo are for a step that "
        "failed. stop stops the run. The first answer counts. In a run that is done, undo goes back to before the step.",
        epilog="Exit codes: 0 accepted, 3 not accepted (with the reason), 64 wrong usage.",
    )
    decide.add_argument("run", metavar="RUN", help=RUN)
    decide.add_argument("step", metavar="STEP", help="the step")
    decide.add_argument("choice", metavar="CHOICE", help="`confirm=WORD`, `skip`, `retry`, `undo` or `stop`")
    decide.add_argument("--reason", default="", metavar="TEXT", help="why; skip needs a reason")
    decide.add_argument(
        "--plan",
        default="",
        metavar="DIGEST",
        help="accept the answer only if the plan still has this digest",
    )


def _add_abandon(state: ParserFactory, commands: Any) -> None:
    abandon = commands.add_parser(
        "abandon",
        parents=[state()],
        help="give up a run as it is, so that other commands may change the swarm again",
        description="Gives up a run. Nothing is undone: what the run leaves behind is yours to clean up.",
    )
    abandon.add_argument("run", metavar="RUN", help=RUN)
    abandon.add_argument("--yes", action="store_true", help="do not ask for a confirmation")
