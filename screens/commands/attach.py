"""`vipconsole attach`: shows a run that is under way, and answers what it asks."""

import os
import sys
from argparse import Namespace
from pathlib import Path

from console.host.audit import who_runs_this
from console.runbook.store.folders import folder_of
from console.runbook.store.viewer import newest
from console.storage.state import state_folder
from screens.commands.changing import require_root
from screens.commands.showing import refuse_unheard, show_run


def run(asked: Namespace) -> int:
    """Follow a run until it is over or nobody here can answer."""
    refuse_unheard(asked)
    require_root("attach")
    folder = wanted_folder(asked)
    print(f"vipconsole: run {folder.name}", file=sys.stderr)
    return show_run(folder, asked, who_runs_this(os.environ))


def wanted_folder(asked: Namespace) -> Path:
    """Return the folder of the run that was asked for, else of the one that is most likely meant."""
    state = state_folder()
    return folder_of(state, asked.run) if asked.run else newest(state)
