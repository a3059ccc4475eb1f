"""What an action is given for one attempt of one step."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.errors import HostError
from console.operations.changes import Touches
from console.runbook.actions.base import Blocking, Touched
from console.runbook.run import events as e
from console.runbook.runner.waits import Waits
from console.runbook.runner.world import RunWorld
from console.runbook.store.log import RunLog
from console.runbook.store.output import Output
from console.storage.state import write_atomically
from console.text import clean


@dataclass(frozen=True, slots=True)
class StepContext:
    """A step's attempt, as its action sees it."""

    world: RunWorld
    run_id: str
    step: str
    timeout_s: float
    folder: Path
    output: Output
    touches: Touches
    waits: Waits
    touched: Sequence[Touched] = field(default_factory=tuple)

    async def waits_for(self, blocking: Sequence[Blocking], note: str = "") -> None:
        """Tell what is waited for at this moment."""
        await self.waits.look(self.step, blocking, note)

    async def say(self, line: str) -> None:
        """Tell a line of progress to whoever watches."""
        await asyncio.to_thread(self.output.put, self.step, line)

    async def keep(self, name: str, text: str) -> str:
        """Write a file into the run's folder and return its path. Raises HostError."""
        if "/" in name or name.startswith(".") or not name.isprintable() or not name:
            raise HostError(f"{clean(name)} is no name for a file of a run.")
        path = self.folder / name
        await asyncio.to_thread(write_atomically, path, text, 0o600)
        return str(path)


class LogTouches:
    """Records in the log of the run what a step touches."""

    def __init__(self, log: RunLog, step: str) -> None:
        self._log = log
        self._step = step

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        """Record that an object is about to be changed, and return the number of this touch."""
        touch = e.TouchBegan(self._step, clean(kind), clean(object_id), clean(what), state)
        return (await self._log.append(touch)).number

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        """Record that a change was made."""
        await self._log.append(e.TouchEnded(self._step, number, result))


class NoTouches:
    """For looking: whoever only looks touches nothing."""

    async def before(
        self,
        kind: str,
        object_id: str,
        what: str,
        state: Mapping[str, Any],  # noqa: ARG002 - what the protocol gives
    ) -> int:
        """Refuse."""
        raise RuntimeError(f"an action that only looks was about to {what} the {kind} {object_id}")

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        """Refuse."""
        raise RuntimeError(f"an action that only looks says that it touched {number}: {sorted(result)}")
