"""`vipconsole report`: what a run did, with the evidence."""

import sys
from argparse import Namespace

from console.runbook.store.viewer import look_at
from screens.commands.attach import wanted_folder
from screens.printed.run_report import as_json, as_markdown


def run(asked: Namespace) -> int:
    """Print the report, and return the exit code of the run."""
    watched = look_at(wanted_folder(asked))
    sys.stdout.write(as_json(watched) if asked.form == "json" else as_markdown(watched))
    return watched.exit_code
