"""`vipconsole abandon`: gives a run up as it is."""

import os
from argparse import Namespace

from console.clock import SystemClock
from console.host.audit import who_runs_this
from console.runbook.runner.starting import abandon, what_is_left
from console.runbook.store.folders import folder_of
from console.runbook.store.viewer import look_at
from console.storage.state import state_folder
from screens.commands.changing import confirm, require_root
from screens.commands.common import result_of


def run(asked: Namespace) -> int:
    """Say what it means, ask for the word, and give the run up."""
    require_root("abandon")
    folder = folder_of(state_folder(), asked.run)
    view = look_at(folder).view
    outage = " Services may be down because of it, and stay so." if view.is_in_outage else ""
    meaning = (
        f"The run {folder.name} is given up as it is: nothing is undone, and it can never go on. {what_is_left(view)}"
        f"{outage} From then on other commands may change the swarm again."
    )
    confirm(asked, meaning, view.header.runbook_id)
    given_up = result_of(abandon(folder, who_runs_this(os.environ), SystemClock()))
    print(f"{folder.name} is abandoned. {given_up.abandoned}")
    return 0
