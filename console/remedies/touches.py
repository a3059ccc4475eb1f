"""How a remedy that touches many objects records each of them, before and after."""

from collections.abc import Mapping
from typing import Any, Protocol


class Touches(Protocol):
    """A durable record of what is being changed. Whoever calls a remedy keeps it: a run in its store, a test in a list.

    When `before` returns, the record is on disk: only then may the change be made. A touch without its `after` may have
    been made or not; whoever goes on looks first.
    """

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        """Record that an object is about to be changed, and return the number of this touch.

        `kind` is `service`, `network`, `container` …; `what` is a phrase such as `park`; `state` is what the object was
        before, as JSON, enough to bring it back. It may hold secrets and never leaves the store.
        """
        ...

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        """Record that a change was made; `result` is what came of it, such as the ID of what was created."""
        ...
