"""A swarm of two managers of which one has lost what it needs to vote: the other one forms the swarm alone.

A manager that dies in the moment in which it becomes one is a member that knows nothing of the log: it cannot vote, and alone the
other one has no quorum. Neither finds out of that by itself (seen on 20.10.24: the real manager was killed some milliseconds
after its promotion); or its dockerd ends each time it is started. `docker swarm init --force-new-cluster` is Docker's own remedy;
the one that lost its log joins again.
"""

import asyncio
from contextlib import suppress

from console.errors import EngineError, EngineUnreachable, NotManager, known
from console.frozen import frozen
from console.operations.borrow.backup import read_addresses
from console.operations.borrow.members import AnswerWatch, Member
from console.operations.borrow.progress import ANSWERED_WITHIN_S, BorrowDependencies, BorrowProgress
from console.operations.handover import read_roles
from console.storage.borrow import BorrowPhase
from console.swarm.managers import give_labels
from console.swarm.membership import Membership, MemberState

LOST_AFTER_S = 20.0
"""So long nobody answers before a manager without any log is taken for lost. One that joins has it after some milliseconds, and
an election takes some seconds."""
PORT = 2377


@frozen
class QuorumRescue:
    """What brings a leader back to a swarm that has none, and cannot get one."""

    needs: BorrowDependencies
    progress: BorrowProgress
    watch: AnswerWatch

    async def is_lost(self) -> bool:
        """Whether the real manager died as it became one again, so that it never votes."""
        if self.progress.record.phase is not BorrowPhase.HANDING_OVER:
            return False
        return self.watch.unanswered_s >= LOST_AFTER_S and not await self.needs.has_log()

    @property
    def is_under_way(self) -> bool:
        """Whether the real manager was made to leave, and is not in its place again."""
        return self.progress.record.rejoins

    async def regain(self) -> Member | None:
        """Bring a leader back, and return it; None where nothing of this kind helps.

        Raises EngineTimeout where an engine does not do what it is told.
        """
        phase = self.progress.record.phase
        if phase is BorrowPhase.HANDING_OVER and not await self.needs.has_log():
            return await self.rejoin()
        if phase is BorrowPhase.JOINING or await self._temporary_never_votes():
            # An engine that was demoted says for some seconds that it is a manager still.
            with suppress(NotManager):
                return await self._without_temporary()
        return None

    async def _temporary_never_votes(self) -> bool:
        """Whether the temporary manager is in no swarm or a worker, or gone while it was released; and the real one a manager.

        One that died before it knew that it was demoted joins once more as it starts, and may be stopped before it is taken out
        again (seen on 20.10.24).
        """
        is_releasing = self.progress.record.phase is BorrowPhase.RELEASING
        with suppress(EngineError):
            if not (await self.needs.real.membership.read()).is_manager:
                return False
            try:
                temporary = await self.needs.temporary.membership.read()
            except EngineError:
                return is_releasing
            is_worker = temporary.state is MemberState.ACTIVE and not temporary.is_manager
            return temporary.state is MemberState.INACTIVE or (is_releasing and is_worker)
        return False

    async def _without_temporary(self) -> Member:
        """Let the real manager form the swarm alone: the temporary one died as it joined, or has left while it was counted."""
        address = self.progress.record.manager_address
        async with self.progress.step("form the swarm with the real manager alone"):
            self.needs.tell(
                "the temporary manager is lost, and without it there is no quorum: tasks may restart"
            )
            await self._form(self.needs.real, address)
        return self.needs.real

    async def rejoin(self) -> Member:
        """Let the temporary manager form the swarm alone, and the real one join it again: as another node, with the same labels."""
        temporary, record = self.needs.temporary, self.progress.record
        self.needs.tell(
            f"{record.node_name} died as it became a manager again, and lost its part of the swarm: it joins once more"
        )
        async with self.progress.step("form the swarm with the temporary manager alone"):
            await self._form(temporary, record.cable.address)
            self.progress.write(has_led=True)
        async with self.progress.step("let the real manager join it again"):
            # From here on it may have another node ID than the record says.
            self.progress.write(rejoins=True)
            member = await self.progress.wait(
                self._joined_again, f"{record.node_name} is a manager of it", ANSWERED_WITHIN_S
            )
        async with self.progress.step("give it the labels and the availability that it had"):
            await self._take_the_place(record.node_id, member.node_id)
            self.progress.write(node_id=member.node_id, rejoins=False)
        if member.node_id != record.node_id:
            self.needs.tell(f"{record.node_name} is the node {member.node_id} now")
        return temporary

    async def _form(self, member: Member, address: str) -> None:
        async def attempt() -> bool:
            with suppress(EngineError):
                if (await read_roles(member.reader)).leader is not None:
                    return True
            await member.membership.form_alone(address)
            return False

        await self.progress.wait(attempt, "it leads the swarm alone", ANSWERED_WITHIN_S)

    async def _joined_again(self) -> Membership | None:
        """Let the real manager join once more, by whichever step is still to be done; return it once it votes."""
        needs, record, real = self.needs, self.progress.record, self.needs.real.membership
        try:
            member = await real.read()
        except EngineUnreachable:
            if not await needs.has_log():
                # Its dockerd ends each time it is started. Without its log it asks for another one, and stays the node it was.
                await needs.start_without_log()
            return None
        if member.node_id and member.node_id in await self._voters():
            return member
        if member.state is MemberState.INACTIVE:
            addresses = await asyncio.to_thread(read_addresses, needs.store.folder, record.manager_address)
            await real.join(needs.temporary.membership, f"{record.cable.address}:{PORT}", addresses)
        elif member.node_id == record.node_id and not await needs.has_log():
            # It takes no part in the swarm, and none of its containers runs: dockerd ended them when it was started.
            await real.leave()
        return None

    async def _voters(self) -> set[str]:
        return {node.id for node in (await read_roles(self.needs.temporary.reader)).reachable}

    async def _take_the_place(self, old_id: str, new_id: str) -> None:
        temporary = self.needs.temporary

        if old_id == new_id:
            return

        async def attempt() -> bool:
            nodes = {node.id: node for node in known(await temporary.reader.nodes(10), ())}
            old = nodes.get(old_id)
            if old is None:
                return new_id in nodes
            await temporary.changer.update_node(new_id, give_labels(old))
            await temporary.membership.remove_node(old_id)
            return False

        await self.progress.wait(attempt, "the new node is in the place of the old one", ANSWERED_WITHIN_S)
