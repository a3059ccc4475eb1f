"""The program, which ends itself by SIGKILL at a change of a node: `mortal.py before|after NUMBER ARGUMENT…`."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from console.swarm.changer import EngineChanger
from screens.cli.main import main

change_node = EngineChanger.update_node
changes = 0


def end_at(when: str, number: int) -> None:
    """Let the process die right before the change of that number, or right after it."""

    async def update_node(
        self: EngineChanger, node_id: str, change: Callable[[dict[str, Any]], None]
    ) -> None:
        global changes  # noqa: PLW0603 - the process counts for itself
        changes += 1
        if (when, number) == ("before", changes):
            os.kill(os.getpid(), signal.SIGKILL)
        await change_node(self, node_id, change)
        if (when, number) == ("after", changes):
            os.kill(os.getpid(), signal.SIGKILL)

    EngineChanger.update_node = update_node  # type: ignore[method-assign]


if __name__ == "__main__":
    end_at(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["vipconsole", *sys.argv[3:]]
    sys.exit(main())
