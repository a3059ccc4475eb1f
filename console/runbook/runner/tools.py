"""What everything that works on a run has at hand."""

from dataclasses import dataclass
from pathlib import Path

from console.operations.changes import Touches
from console.runbook.run import events as e
from console.runbook.run.view import RunView
from console.runbook.runner.context import LogTouches, NoTouches, StepContext
from console.runbook.runner.waits import Waits
from console.runbook.runner.world import RunWorld
from console.runbook.store.log import RunLog
from console.runbook.store.output import Output
from console.runbook.values import Runbook, Step
from console.swarm.changer import Tell


@dataclass(frozen=True, slots=True)
class Tools:
    """A run's folder, its log, its runbook, and the world."""

    folder: Path
    log: RunLog
    runbook: Runbook
    world: RunWorld
    output: Output
    waits: Waits

    @property
    def view(self) -> RunView:
        """The run as it was read last."""
        return self.log.view

    def step(self, step_id: str) -> Step:
        """Return a step as the runbook has it."""
        return next(each for each in self.runbook.steps if each.id == step_id)

    async def looking(self, step_id: str) -> StepContext:
        """Return what an action is given that only looks."""
        return await self._context(step_id, self.world, NoTouches())

    async def changing(self, step_id: str, tell: Tell) -> StepContext:
        """Return what an action is given that may change something."""
        return await self._context(step_id, self.world.changeable(tell), LogTouches(self.log, step_id))

    async def _context(self, step_id: str, world: RunWorld, touches: Touches) -> StepContext:
        touched = await self.log.touched(step_id)
        return StepContext(
            world,
            self.view.header.run_id,
            step_id,
            self.step(step_id).timeout_s,
            self.folder,
            self.output,
            touches,
            self.waits,
            touched,
        )

    async def keep_waits(self, step_id: str) -> None:
        """Put into the log how long what kept a step waiting, and show no wait any more. Raises StoreFailed."""
        rows = self.waits.rows(step_id)
        if rows:
            await self.log.append(e.Waited(step_id, rows))
        await self.waits.end()
