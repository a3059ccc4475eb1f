"""How a command line is parsed, and what is said where it cannot be."""

import argparse
import sys
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
