"""Borrows a manager through the engine behind a connection, and proves what came of it. The caller holds the lock."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from console.clock import Clock
from console.errors import Declined, EngineError, Unknown
from console.frozen import frozen
from console.operations.borrow.backup import WAY_BACK, Places, way_back
from console.operations.borrow.borrow import BorrowResult, ManagerBorrow
from console.operations.borrow.host import BorrowHost
from console.operations.borrow.members import Member
from console.operations.borrow.options import BorrowCaller, BorrowOptions
from console.operations.borrow.plan import BorrowFacts
from console.operations.borrow.progress import BorrowDependencies
from console.storage.borrow import BorrowRecord, BorrowStore
from console.storage.state import make_private, write_atomically
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.membership import EngineMembership
from console.swarm.model import Node
from console.swarm.reader import EngineReader

JOIN_WITHIN_S = 60.0
"""One call to the temporary manager, which joins within it (measured: 1 to 2 s)."""


@frozen
class BorrowOutcome:
    """What came of it, and what became of the containers that ran before."""

    result: BorrowResult
    containers: int
    """How many ran before."""
    lost: tuple[str, ...]
    """The IDs of those that do not run now, or were started again."""


class BorrowSession:
    """One borrowed manager on this host."""

    def __init__(
        self,
        connection: EngineConnection,
        host: BorrowHost,
        clock: Clock,
        caller: BorrowCaller,
        options: BorrowOptions,
    ) -> None:
        self._connection = connection
        self._host = host
        self._clock = clock
        self._caller = caller
        self._announce = caller.announce
        self._options = options
        self._store = BorrowStore(options.state)

    async def run(self, facts: BorrowFacts, leader: Node) -> BorrowOutcome:
        """Borrow a manager and give it back. Raises Declined, HostError, or an EngineError."""
        if isinstance(facts.cable, Unknown):
            raise Declined(facts.cable.reason, facts.cable.hint)
        membership = EngineMembership(self._connection, self._announce)
        member = await membership.read()
        record = BorrowRecord(
            owner=self._caller.owner,
            began_at=self._clock.now(),
            cluster_id=member.cluster_id,
            node_id=leader.id,
            node_name=leader.hostname,
            manager_address=facts.manager_address,
            cable=facts.cable,
            containers=await membership.container_starts(),
            version=member.version,
            root_dir=member.root_dir,
        )
        return await self._with(record, is_new=True)

    async def finish(self, record: BorrowRecord) -> BorrowOutcome:
        """Bring one that was cut short to its end, forward or back."""
        record = await self._checked(record)
        return await self._with(record, is_new=False)

    async def _checked(self, record: BorrowRecord) -> BorrowRecord:
        """Return the record for the engine as it is now. Raises Declined where it belongs to another swarm."""
        try:
            member = await EngineMembership(self._connection, self._announce).read()
        except EngineError:
            # It may be starting, or have died in a way that only this ends. The record tells enough.
            if not record.root_dir:
                raise
            return record
        # One that lost its part of the swarm joins it as another node.
        if member.node_id and member.node_id != record.node_id and not record.rejoins:
            raise Declined(
                f"The borrowed manager belongs to another swarm: {record.node_name} was the node {record.node_id}, and is "
                f"{member.node_id} now.",
                f"Remove it by hand: `systemctl stop vipconsole-temporary-manager`, then remove {self._store.folder}.",
            )
        return replace(record, version=member.version, root_dir=member.root_dir)

    async def _with(self, record: BorrowRecord, *, is_new: bool) -> BorrowOutcome:
        engine = await self._host.temporary_engine(record.version, self._store.engine_folder)
        temporary = EngineConnection(engine.host, JOIN_WITHIN_S)
        try:
            real = self._member(self._connection)
            borrow = ManagerBorrow(
                BorrowDependencies(
                    real=real,
                    temporary=self._member(temporary),
                    engine=engine,
                    store=self._store,
                    clock=self._clock,
                    owner=self._caller.owner,
                    tell=self._caller.tell,
                    back_up=lambda record: self._back_up(record, engine.host),
                    has_log=lambda: asyncio.to_thread(self._host.has_log, record.root_dir),
                    start_without_log=lambda: self._host.start_without_log(
                        record.root_dir, self._options.unit
                    ),
                    unlock_key=self._options.unlock_key,
                    rotates_tokens=self._options.rotates_tokens,
                ),
                record,
            )
            result = await (borrow.run() if is_new else borrow.finish())
            after = await real.membership.container_starts()
        finally:
            temporary.close()
        return BorrowOutcome(result, len(record.containers), _lost(record.containers, after))

    def _member(self, connection: EngineConnection) -> Member:
        return Member(
            EngineReader(connection),
            EngineChanger(connection, self._announce),
            EngineMembership(connection, self._announce),
        )

    async def _back_up(self, record: BorrowRecord, temporary_host: str) -> None:
        folder = self._store.folder

        def write() -> None:
            make_private(folder)
            self._host.copy_state(record.root_dir, folder)
            places = Places(
                folder, self._connection.host, temporary_host, record.root_dir, self._options.unit
            )
            script = way_back(record, places)
            write_atomically(folder / WAY_BACK, script, 0o700)

        await asyncio.to_thread(write)


def _lost(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(container for container, start in before.items() if after.get(container) != start))
