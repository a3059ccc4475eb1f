"""What a borrowed manager is made with, how far it is, and how something in the swarm is waited for meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from console.clock import Clock
from console.concurrency import until
from console.errors import EngineError, EngineTimeout, known
from console.frozen import frozen
from console.host.temporary.values import TemporaryEngine
from console.operations.borrow.members import Member
from console.storage.borrow import BorrowPhase, BorrowRecord, BorrowStore
from console.swarm.model import Node

T = TypeVar("T")

POLL_S = 0.25
ANSWERED_WITHIN_S = 120.0


@frozen
class BorrowDependencies:
    """What a manager is borrowed with."""

    real: Member
    temporary: Member
    engine: TemporaryEngine
    store: BorrowStore
    clock: Clock
    owner: str
    """Who borrows, as `MACHINE/PROCESS`."""
    tell: Callable[[str], object]
    back_up: Callable[[BorrowRecord], Awaitable[None]]
    """Copies the state of the swarm, and writes the way back by hand."""
    has_log: Callable[[], Awaitable[bool]]
    """Whether the real manager has anything on disk of the swarm's log."""
    start_without_log: Callable[[], Awaitable[None]]
    """Removes the real manager's log, in which nothing is, and starts its dockerd."""
    unlock_key: str = ""
    rotates_tokens: bool = False


class BorrowProgress:
    """How far a borrowed manager is, on disk before each step begins and after it has ended."""

    def __init__(self, dependencies: BorrowDependencies, record: BorrowRecord) -> None:
        self._needs = dependencies
        self.record = record

    def begin(self) -> None:
        """Write the record for the first time."""
        self._needs.store.write(self.record)

    def write(self, **changes: object) -> None:
        """Change the record."""
        self._replace(replace(self.record, **changes))  # type: ignore[arg-type] # fields of the record by their names

    @asynccontextmanager
    async def step(self, name: str, phase: BorrowPhase | None = None) -> AsyncIterator[None]:
        """Record a step before it begins and when it has ended."""
        self._needs.tell(name)
        now = self._needs.clock.now
        self._replace(replace(self.record.with_step(name, now()), phase=phase or self.record.phase))
        yield
        self._replace(self.record.with_step_done(now()))

    def _replace(self, record: BorrowRecord) -> None:
        if record != self.record:
            self._needs.store.write(record)
            self.record = record

    # What is waited for.

    async def wait(self, attempt: Callable[[], Awaitable[T | None]], what: str, within_s: float) -> T:
        """Return what an attempt gives. Raises EngineTimeout where it gives nothing for so long."""

        async def patiently() -> T | None:
            # Between two leaders nobody answers, and an engine may be starting.
            with suppress(EngineError):
                return await attempt()
            return None

        result = await until(patiently, self._needs.clock, within_s, POLL_S)
        if not result:
            raise EngineTimeout(
                f"Timed out after {within_s:g} s waiting until {what}.",
                "Run the command again: it continues where it stopped.",
            )
        return result

    async def change_node(
        self,
        through: Member,
        node_id: str,
        change: Callable[[dict[str, object]], None],
        is_done: Callable[[Node], bool],
    ) -> None:
        """Change a node, again and again while the swarm is between two leaders, until it shows the change."""

        async def attempt() -> bool:
            nodes = known(await through.reader.nodes(10), ())
            node = next((node for node in nodes if node.id == node_id), None)
            if node is None:
                # An empty list is no answer; one without the node is: it has been removed.
                return bool(nodes)
            if is_done(node):
                return True
            await through.changer.update_node(node_id, change)
            return False

        await self.wait(attempt, "the node shows the change", ANSWERED_WITHIN_S)
