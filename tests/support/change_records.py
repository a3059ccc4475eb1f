"""Change records for tests: a list that can end everything, or fail, at a chosen record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.errors import HostError


class Killed(BaseException):
    """The process is gone: nothing of it may act any more."""


@dataclass
class ChangeEntry:
    kind: str
    object_id: str
    what: str
    state: Mapping[str, Any]
    result: Mapping[str, Any] | None = None


@dataclass
class ChangeRecordList:
    """Stores change records. With `kill_at`, everything ends when so many records were written: before acting, or after."""

    kill_at: int = 0
    fail_at: int = 0
    """From this record on none can be written any more."""
    changes: list[ChangeEntry] = field(default_factory=list)
    records: int = 0

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        self.changes.append(ChangeEntry(kind, object_id, what, dict(state)))
        self._count()
        return len(self.changes) - 1

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        self.changes[number].result = dict(result)
        self._count()

    def _count(self) -> None:
        if 0 < self.kill_at <= self.records:
            raise Killed
        if 0 < self.fail_at <= self.records + 1:
            raise HostError("The store cannot be written: No space left on device.")
        self.records += 1
        if self.records == self.kill_at:
            raise Killed

    def entries(self) -> list[tuple[str, str]]:
        return [(change.kind, change.what) for change in self.changes]
