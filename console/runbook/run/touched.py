"""What each step touched, with what it was before, taken in entry by entry."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.runbook.run import events as e


@dataclass(frozen=True, slots=True)
class Touched:
    """An object that an attempt of this step recorded before it changed it."""

    number: int
    kind: str
    object_id: str
    what: str
    state: Mapping[str, Any]
    """What the object was before."""
    result: Mapping[str, Any] | None
    """What came of the change; None where that is not known: it may have been made or not."""


class TouchedObjects:
    """The objects that steps touched since each was undone last. Only entries that change it cost anything."""

    def __init__(self) -> None:
        self._by_step: dict[str, dict[int, Touched]] = {}

    def take(self, entry: e.Entry) -> None:
        """Take in the next entry of the log."""
        match entry.event:
            case e.TouchBegan(step, kind, object_id, what, state):
                touched = Touched(entry.number, kind, object_id, what, state, None)
                self._by_step.setdefault(step, {})[entry.number] = touched
            case e.TouchEnded(step, number, result):
                of_step = self._by_step.get(step, {})
                if number in of_step:
                    of_step[number] = replace(of_step[number], result=result)
            case e.Undone(step):
                self._by_step.pop(step, None)

    def of(self, step: str) -> tuple[Touched, ...]:
        """Return what a step touched, in order."""
        return tuple(self._by_step.get(step, {}).values())
