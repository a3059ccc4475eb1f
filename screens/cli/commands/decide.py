"""`vipconsole decide` and `vipconsole abandon`: answers a run's question, or gives up the run as it is."""

import os
from argparse import Namespace

from console.clock import SystemClock
from console.errors import UsageError
from console.host.who import who_runs_this
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.events import Choice
from console.runbook.runner.starting import abandon, decide, unfinished_summary
from console.runbook.store.folders import folder_of
from console.runbook.store.viewer import read_stored_run
from console.storage.state import state_folder
from console.text import clean, nearest
from screens.cli.commands.changing import confirm, require_root
from screens.cli.commands.common import result_of
from screens.output.plain import progress


def abandon_command(asked: Namespace) -> int:
    """Say what it means, ask for the word, and give up the run."""
    require_root("abandon")
    folder = folder_of(state_folder(), asked.run)
    view = read_stored_run(folder).view
    outage = " Services may be down because of this run, and stay down." if view.is_in_outage else ""
    meaning = (
        f"The run {folder.name} is given up as it is. Nothing is undone, and it cannot be resumed. {unfinished_summary(view)}"
        f"{outage} Other commands may then change the swarm again."
    )
    confirm(asked, meaning, view.header.runbook_id)
    given_up = result_of(abandon(folder, who_runs_this(os.environ), SystemClock()))
    print(f"{folder.name} is abandoned. {given_up.abandonment}")
    return 0


def run(asked: Namespace) -> int:
    """Take the decision, let the run continue, and say so."""
    require_root("decide")
    folder = folder_of(state_folder(), asked.run)
    name, _, word = asked.choice.partition("=")
    if name not in list(Choice) or (word and name != Choice.CONFIRM):
        raise UsageError(
            f"Unknown decision {clean(asked.choice)}{nearest(name, list(Choice))}.",
            "Use confirm=WORD, skip, retry, undo or stop.",
        )
    request = DecisionRequest(asked.step, Choice(name), word, asked.reason, digest=asked.plan)
    result_of(decide(folder, request, who_runs_this(os.environ), SystemClock(), progress))
    print(f"{asked.step}: {name}. To see the run: vipconsole attach {folder.name}")
    return 0
