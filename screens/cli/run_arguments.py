"""The arguments of maintenance runs, and how a command line is parsed."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from console.text import SENTENCE_LIMIT, clean, nearest
from screens.cli.exit_codes import USAGE

COMMAND = "command"
"""Where the parser of the whole program puts the name of the command."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are a sentence, the nearest word that it knows, and where all of them are told."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with the exit code of wrong usage."""
        # Not the usage of the whole program: what is wrong is one word. argparse's own 2 would say `critical` to what
        # watches the exit code.
        line = f"{self.prog}: {clean(message, SENTENCE_LIMIT)}\n  `{self.prog} --help` tells what can be given.\n"
        encoding = sys.stderr.encoding or "ascii"
        self.exit(USAGE, line.encode(encoding, "backslashreplace").decode(encoding))

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return what was asked for. What a command does not know is that command's error, not the whole program's."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            commands: Any = next(each.choices for each in self._actions if each.dest == COMMAND) or {}
            commands.get(found.command, self).refuse(unknown[0])
        return found

    def refuse(self, word: str) -> NoReturn:
        """Refuse an argument that is not known, with the one that it was probably meant to be."""
        option = word.partition("=")[0]
        if not option.startswith("-"):
            self.error(f"there is nothing to give here, but {word} was given")
        names = [each for action in self._actions for each in action.option_strings if each.startswith("--")]
        self.error(f"there is no option {option}{nearest(option, names)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        names = [str(each) for each in action.choices]
        if action.dest == COMMAND:
            self.error(f"there is no command {value}{nearest(str(value), names)}")
        known = ", ".join(names)
        raise argparse.ArgumentError(action, f"{value} is none of {known}{nearest(str(value), names)}")


RUN = "a run's name, its beginning or its end; `vipconsole runs` lists them"
CODES = "Exit codes: 0 done, 1 undone or with skipped steps, 2 failed, 3 unknown, 4 waiting, 64 wrong usage."


Make = Callable[[], argparse.ArgumentParser]
"""Makes a parser of options that several commands share."""


def add_run_commands(commands: Any, common: Make, state: Make) -> None:
    """Add everything that begins, shows and steers runs. Where a run is once it has begun, it knows itself."""
    _add_run(commands, common)
    _add_watching(commands, state)
    _add_deciding(commands, state)


def _add_run(commands: Any, common: Make) -> None:
    run = commands.add_parser(
        "run",
        parents=[common()],
        help="do what a runbook says, step by step, confirmed, resumable (changes the swarm)",
        description="Shows what a runbook would do, and does it in a process of its own: it goes on when this terminal "
        "is gone, and `vipconsole attach` shows it again.",
        epilog=CODES,
    )
    run.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="the runbook; default: this host's, then the shipped one",
    )
    run.add_argument("--check", action="store_true", help="show the plan, and touch nothing")
    run.add_argument(
        "--set",
        dest="variables",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable of the runbook; can be given again",
    )
    _add_headless(run)


def _add_headless(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--headless", action="store_true", help="ask nothing: a line for each event, and an exit code"
    )
    parser.add_argument(
        "--confirm",
        dest="words",
        action="append",
        default=[],
        metavar="STEP=WORD",
        help="with --headless: the word of a step that asks for one, typed beforehand; can be given again",
    )
    parser.add_argument(
        "--hold", action="store_true", help="with --headless: wait at checkpoints, however well it looks"
    )


def _add_watching(commands: Any, state: Make) -> None:
    attach = commands.add_parser(
        "attach",
        parents=[state()],
        help="show a run that is under way, and answer what it asks",
        description="Shows a run and answers what it asks. Losing it loses nothing.",
        epilog=CODES,
    )
    attach.add_argument(
        "run", nargs="?", default="", metavar="RUN", help=f"{RUN}; default: the unfinished one"
    )
    _add_headless(attach)
    runs = commands.add_parser(
        "runs", parents=[state()], help="list all runs", description="Lists all runs, the newest first."
    )
    runs.add_argument("--json", action="store_true", help="as one JSON document")
    report = commands.add_parser(
        "report",
        parents=[state()],
        help="what a run did: the evidence, step by step",
        description="What a run did, with the evidence: before, after, durations, decisions, what dockerd logged.",
        epilog=CODES,
    )
    report.add_argument(
        "run", nargs="?", default="", metavar="RUN", help=f"{RUN}; default: the unfinished one"
    )
    form = report.add_mutually_exclusive_group()
    form.add_argument(
        "--markdown", action="store_const", dest="form", const="markdown", help="as Markdown (default)"
    )
    form.add_argument("--json", action="store_const", dest="form", const="json", help="as one JSON document")
    report.set_defaults(form="markdown")


def _add_deciding(commands: Any, state: Make) -> None:
    resume = commands.add_parser(
        "resume",
        parents=[state()],
        help="let a run go on that has stopped, waits or was cut short (changes the swarm)",
        description="Lets a run go on. What was begun and has no result is looked into before anything else is done.",
        epilog=CODES,
    )
    resume.add_argument(
        "run", nargs="?", default="", metavar="RUN", help=f"{RUN}; default: the unfinished one"
    )
    resume.add_argument(
        "--accept-changed",
        action="store_true",
        help="go on by the runbook as it is now, though it was changed since it was planned",
    )
    _add_headless(resume)
    decide = commands.add_parser(
        "decide",
        parents=[state()],
        help="answer what a run asks about a step (changes the swarm)",
        description="Answers what a run asks: confirm=WORD lets the step begin; retry, skip and undo say what becomes of "
        "one that failed; stop stops the run. The first answer counts. In a run that is done, undo goes back to before the step.",
        epilog="Exit codes: 0 taken, 3 not taken, with the reason; 64 wrong usage.",
    )
    decide.add_argument("run", metavar="RUN", help=RUN)
    decide.add_argument("step", metavar="STEP", help="the step")
    decide.add_argument("choice", metavar="CHOICE", help="confirm=WORD, skip, retry, undo or stop")
    decide.add_argument(
        "--reason", default="", metavar="TEXT", help="why; a step is skipped with a reason only"
    )
    decide.add_argument(
        "--plan",
        default="",
        metavar="DIGEST",
        help="only if the plan is still the one of this digest, as it was shown",
    )
    abandon = commands.add_parser(
        "abandon",
        parents=[state()],
        help="give a run up as it is, so that others may change the swarm again",
        description="Gives a run up. Nothing is undone: whoever does it answers for what the run leaves behind.",
    )
    abandon.add_argument("run", metavar="RUN", help=RUN)
    abandon.add_argument("--yes", action="store_true", help="do not ask for a confirmation")
