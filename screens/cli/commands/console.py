"""`vipconsole` without a command: the live console."""

import gc
import os
import sys
from argparse import Namespace

from console.errors import UsageError
from screens.tui.first_frame import first_frame


def run(arguments: Namespace) -> int:
    """Show the console until the operator quits, and return its exit code."""
    if not can_show():
        raise UsageError(
            "The live console needs a terminal that can move its cursor.",
            "`vipconsole glance` works on any terminal.",
        )
    # All that is loaded stays. The collector would look through it again and again, a tenth of the time that loading takes;
    # the console lets it work once everything is there.
    gc.disable()
    with first_frame() as hand_over:
        # What it is made of takes most of a second to load.
        from screens.cli.live_console import run_console

        return run_console(arguments, hand_over)


def can_show() -> bool:
    """Return whether this is a terminal on which the console can be shown."""
    # Textual draws on standard error, reads standard input, and asks standard output for the terminal's size.
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    has_terminal = all(stream is not None and stream.isatty() for stream in streams)
    return has_terminal and os.environ.get("TERM", "dumb") not in ("", "dumb")
