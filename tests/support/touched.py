"""Records of touches for tests: kept in a list, and able to end everything, or to fail, at a chosen one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.errors import HostError


class Killed(BaseException):
    """The process is gone: nothing of it may act any more."""


@dataclass
class Touch:
    kind: str
    object_id: str
    what: str
    state: Mapping[str, Any]
    result: Mapping[str, Any] | None = None


@dataclass
class TouchList:
    """Keeps touches. With `kill_at`, everything ends when so many records were written: before acting, or after."""

    kill_at: int = 0
    fail_at: int = 0
    """From this record on none can be written any more."""
    made: list[Touch] = field(default_factory=list)
    records: int = 0

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        self.made.append(Touch(kind, object_id, what, dict(state)))
        self._count()
        return len(self.made) - 1

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        self.made[number].result = dict(result)
        self._count()

    def _count(self) -> None:
        if 0 < self.kill_at <= self.records:
            raise Killed
        if 0 < self.fail_at <= self.records + 1:
            raise HostError("The store cannot be written: No space left on device.")
        self.records += 1
        if self.records == self.kill_at:
            raise Killed

    def told(self) -> list[tuple[str, str]]:
        return [(each.kind, each.what) for each in self.made]
