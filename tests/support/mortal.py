"""The program, which ends itself by SIGKILL at a change of a node: `mortal.py before|after CHANGE ARGUMENT…`.

A change is named after the function that makes it. It may take several attempts: the first one counts as its beginning, the
one that the engine takes as its end, and so does the beginning of the next change, where an answer was lost.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from console.swarm import managers
from console.swarm.changer import EngineChanger
from screens.cli.main import main

CHANGES = [each.__name__ for each in (managers.pause, managers.demote, managers.promote, managers.restore)]
"""The changes of a node that a hand-over makes, in order."""
change_node = EngineChanger.update_node


def end_at(when: str, name: str) -> None:
    """Let the process die right before the change of that name, or right after it."""
    point = CHANGES.index(name)

    async def update_node(
        self: EngineChanger, node_id: str, change: Callable[[dict[str, Any]], None]
    ) -> None:
        here = CHANGES.index(change.__qualname__.partition(".")[0])
        if here > point or (when, here) == ("before", point):
            os.kill(os.getpid(), signal.SIGKILL)
        await change_node(self, node_id, change)
        if here == point:
            os.kill(os.getpid(), signal.SIGKILL)

    EngineChanger.update_node = update_node  # type: ignore[method-assign]


if __name__ == "__main__":
    end_at(sys.argv[1], sys.argv[2])
    sys.argv = ["vipconsole", *sys.argv[3:]]
    sys.exit(main())
