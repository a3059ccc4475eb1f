"""Takes what an operator decided on a screen to the run's log."""

from dataclasses import dataclass
from pathlib import Path

from console.clock import Clock
from console.host.audit import Who
from console.runbook.run.decisions import Wish
from console.runbook.runner.starting import Progress, decide, silent


@dataclass
class Decider:
    """Decides about one run, in the name of whoever looks at it."""

    folder: Path
    who: Who
    clock: Clock
    is_cut_short: bool = False
    """Whether a decision was under way and nobody knows how far it came."""

    async def __call__(self, wish: Wish, tell: Progress = silent) -> None:
        """Decide what was asked, for the question, the attempt and the plan that were shown. Raises Declined and HostError.

        RunnerNotStarted is one of these: then it is decided, and nothing has come of it yet.
        """
        self.is_cut_short = True
        try:
            await decide(self.folder, wish, self.who, self.clock, tell)
        except Exception:
            self.is_cut_short = False
            raise
        self.is_cut_short = False
