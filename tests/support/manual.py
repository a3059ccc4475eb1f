"""The manual page and the shells' completions, made from the parser of the command line. `make docs` writes them."""

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from console import __version__
from screens.cli.arguments import build_parser
from screens.cli.commands.completion import script
from screens.cli.run_arguments import COMMAND

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "vipconsole.1"
COMPLETIONS = {
    "bash": ROOT / "docs" / "completion" / "vipconsole.bash",
    "zsh": ROOT / "docs" / "completion" / "_vipconsole",
    "fish": ROOT / "docs" / "completion" / "vipconsole.fish",
}
FILES = """
.TP
.I /etc/vipconsole/config.toml
settings of the host; \\fI~/.config/vipconsole/config.toml\\fR those of the user. \\fBvipconsole config init\\fR writes one.
.TP
.I /etc/vipconsole/runbook.yaml
the runbook of the host, instead of the shipped one.
.TP
.I /var/lib/vipconsole
runs, censuses, history and record of root; \\fI~/.local/state/vipconsole\\fR those of another user.
"""
ENVIRONMENT = """
.TP
.B DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH
the engine that is asked where \\fB--host\\fR names none, and its certificates.
.TP
.B VIPCONSOLE_STATE_DIR
the state directory, as \\fB--state-dir\\fR.
.TP
.B NO_COLOR
nothing is coloured.
.TP
.B COLUMNS
how wide text is where the output is no terminal; else 80 columns.
"""


def page() -> str:
    """Return the manual page, in the macros of man(7)."""
    parser = build_parser()
    commands = next(action for action in parser._actions if action.dest == COMMAND)
    summaries = {action.dest: action.help or "" for action in commands._get_subactions()}  # type: ignore[attr-defined] # of subparsers
    choices = commands.choices
    assert isinstance(choices, Mapping)
    shared = {option for action in parser._actions for option in action.option_strings}
    parts = [
        f'.TH VIPCONSOLE 1 "" "vipconsole {__version__}" "User Commands"',
        ".SH NAME\nvipconsole \\- the console for the addresses of Docker Swarm overlays",
        ".SH SYNOPSIS\n.B vipconsole\n[\\fIOPTIONS\\fR] [\\fICOMMAND\\fR ...]",
        f".SH DESCRIPTION\n{_text(parser.description or '')}",
        ".SH OPTIONS\n" + "\n".join(_arguments(parser, set())),
        ".SH COMMANDS",
    ]
    for name, command in choices.items():
        parts += [
            f".SS vipconsole {_escaped(name)}",
            _text(command.description or summaries[name]),
            *_arguments(command, shared - {"--version"}),
        ]
        if command.epilog:
            parts.append(f".PP\n{_text(command.epilog)}")
    parts += [
        f".SH EXIT STATUS\n{_text((parser.epilog or '').removeprefix('Exit codes: '))}",
        f".SH FILES{FILES.rstrip()}",
        f".SH ENVIRONMENT{ENVIRONMENT.rstrip()}",
        ".SH SEE ALSO\n.BR docker (1),\n.BR dockerd (8),\n.BR journalctl (1)",
    ]
    return "\n".join(parts) + "\n"


def _arguments(parser: argparse.ArgumentParser, shared: set[str]) -> Iterator[str]:
    for action in parser._actions:
        if action.dest in (COMMAND, "help") or shared & set(action.option_strings):
            continue
        yield f".TP\n{_spelling(action)}\n{_text((action.help or '').replace('%%', '%'))}"


def _spelling(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else _escaped(str(action.metavar or "|".join(action.choices or ())))
    shown = f"\\fI{value}\\fR" if value else ""
    if action.option_strings:
        return f"\\fB{_escaped(action.option_strings[-1])}\\fR {shown}".rstrip()
    return {"*": f"[{shown} ...]", "+": f"{shown} ...", "?": f"[{shown}]"}.get(str(action.nargs), shown)


def _text(text: str) -> str:
    """Return a text with its commands in bold, no line of it taken for a request."""
    return re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _escaped(text))


def _escaped(text: str) -> str:
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{plain}" if plain.startswith((".", "\\(aq")) else plain


def written() -> Mapping[Path, str]:
    """Return every file and what is in it."""
    files: dict[Path, Any] = {PAGE: page()}
    return files | {path: script(shell) for shell, path in COMPLETIONS.items()}


def write() -> None:
    """Write all files."""
    for path, text in written().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    write()
