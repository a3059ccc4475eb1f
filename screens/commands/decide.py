"""`vipconsole decide`: answers what a run asks."""

import os
from argparse import Namespace

from console.clock import SystemClock
from console.errors import UsageError
from console.host.audit import who_runs_this
from console.runbook.run.decisions import Wish
from console.runbook.run.events import Choice
from console.runbook.runner.starting import decide
from console.runbook.store.folders import folder_of
from console.storage.state import state_folder
from console.text import clean, nearest
from screens.commands.changing import require_root
from screens.commands.common import result_of
from screens.printed.plain import progress


def run(asked: Namespace) -> int:
    """Take the decision, let the run go on, and say so."""
    require_root("decide")
    folder = folder_of(state_folder(), asked.run)
    name, _, word = asked.choice.partition("=")
    if name not in list(Choice) or (word and name != Choice.CONFIRM):
        raise UsageError(
            f"There is no decision {clean(asked.choice)}{nearest(name, list(Choice))}.",
            "It is confirm=WORD, skip, retry, undo or stop.",
        )
    wish = Wish(asked.step, Choice(name), word, asked.reason, digest=asked.plan)
    result_of(decide(folder, wish, who_runs_this(os.environ), SystemClock(), progress))
    print(f"{asked.step}: {name}. vipconsole attach {folder.name} shows what comes of it.")
    return 0
