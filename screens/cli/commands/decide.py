"""`vipconsole decide` and `vipconsole abandon`: answers a run's question, or gives up the run as it is."""

import os
from argparse import Namespace

from console.clock import SystemClock
from console.errors import UsageError
from console.host.who import who_runs_this
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.events import Choice
from console.runbook.runner.deciding import abandon, decide, unfinished_summary
from console.runbook.store.folders import folder_of
from console.runbook.store.viewer import read_stored_run
from console.storage.state import state_folder
from console.text import clean, nearest
from screens.cli.common import result_of
from screens.cli.preconditions import confirm, require_root
from screens.output.plain import progress, say


def abandon_command(arguments: Namespace) -> int:
    """Print what giving up the run means, ask for its word, and abandon it."""
    require_root("abandon")
    folder = folder_of(state_folder(), arguments.run)
    view = read_stored_run(folder).view
    outage = " Services may be down because of this run, and stay down." if view.is_in_outage else ""
    meaning = (
        f"The run {folder.name} is given up as it is. Nothing is undone, and it cannot be resumed. {unfinished_summary(view)}"
        f"{outage} Other commands may then change the swarm again."
    )
    confirm(arguments, meaning, view.header.runbook_id)
    final_view = result_of(abandon(folder, who_runs_this(os.environ), SystemClock()))
    print(f"{folder.name} is abandoned. {final_view.abandonment}")
    return 0


def run(arguments: Namespace) -> int:
    """Store the decision, let the run continue, and print how to see it."""
    require_root("decide")
    folder = folder_of(state_folder(), arguments.run)
    name, _, word = arguments.choice.partition("=")
    if name not in list(Choice) or (word and name != Choice.CONFIRM):
        raise UsageError(
            f"Unknown decision {clean(arguments.choice)}{nearest(name, list(Choice))}.",
            "Use confirm=WORD, skip, retry, undo or stop.",
        )
    request = DecisionRequest(arguments.step, Choice(name), word, arguments.reason, digest=arguments.plan)
    result_of(decide(folder, request, who_runs_this(os.environ), SystemClock(), progress))
    say((f"{arguments.step}: {name}. To see the run: vipconsole attach {folder.name}",))
    return 0
