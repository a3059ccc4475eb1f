"""The command line of `vipconsole alert`."""

import argparse
from collections.abc import Callable

from screens.cli.run_arguments import Parser


def add_alert(commands: "argparse._SubParsersAction[Parser]", common: Callable[[], Parser]) -> None:
    """Add the command that lists and tries alerts."""
    alert = commands.add_parser(
        "alert",
        parents=[common()],
        help="who is told what `vipconsole record` finds, how that goes, and a test of it",
        description="Lists the alerts of the settings and whether they get through; with --test it sends a test through "
        "them and shows what came back.",
        epilog="Exit codes: 0 all get through, 1 at least one does not, 64 no such alert.",
    )
    alert.add_argument("name", nargs="*", metavar="NAME", help="only these alerts")
    alert.add_argument("--test", action="store_true", help="send a test now, once, and show what came back")
