"""A second manager for some seconds, on a swarm with one: leaked addresses come back, and no container stops.

A private dockerd joins the swarm as a drained manager. The real manager is paused, demoted, promoted and made active, as in
`console.operations.handover`: meanwhile the temporary one leads, and its allocator starts without the leaks. Then the
temporary one is demoted, leaves, and its node is removed. For some seconds it is the swarm's only manager. Each step is on
disk before it begins, and whatever dies, the next call finishes it, forward or back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from console.clock import Clock
from console.errors import Declined, EngineError, EngineTimeout, EngineUnreachable, VipconsoleError, known
from console.frozen import frozen
from console.operations.borrow.members import LOCKED, AnswerWatch, HandoverOfTwo, Member, QuorumLost
from console.operations.borrow.progress import ANSWERED_WITHIN_S, BorrowDependencies, BorrowProgress
from console.operations.borrow.quorum import PORT, QuorumRescue
from console.operations.handover import Ending, read_roles
from console.storage.borrow import BorrowPhase, BorrowRecord
from console.swarm.managers import demote_borrowed, mark_borrowed, mark_rebuilt
from console.swarm.membership import Addresses, Membership, MemberState
from console.swarm.model import Node

JOINED_WITHIN_S = 180.0
"""A new manager is sent the swarm's log since its last snapshot, 450 entries a second: 20 s for 6,000 entries, of which there are
10,000 at most (measured on 20.10.24)."""
DEMOTED_WITHIN_S = 120.0
ENOUGH_WITHIN_S = 60.0
"""An engine takes some seconds to start, longer where it has many containers, and to lead."""
REMOVED_WITHIN_S = 60.0
ALIVE_EVERY_S = 1.0


@frozen
class BorrowResult:
    """What came of a borrowed manager."""

    gave_back: bool
    """Whether the temporary manager led the swarm, so that every leaked address is free."""
    took_s: float
    unanswered_s: float
    """The longest time in which no manager answered for the swarm."""
    leader: str
    because: str = ""
    """Why nothing was given back."""


class ManagerBorrow:
    """One borrowed manager: `run` from the beginning, `finish` what was cut short."""

    def __init__(self, dependencies: BorrowDependencies, record: BorrowRecord) -> None:
        self._needs = dependencies
        self._progress = BorrowProgress(dependencies, record)
        self._clock: Clock = dependencies.clock
        self._real = dependencies.real
        self._temporary = dependencies.temporary
        self._tell = dependencies.tell
        self._watch = AnswerWatch(self._clock, self._real)
        self._rescue = QuorumRescue(dependencies, self._progress, self._watch)
        self._began_s = self._clock.monotonic()
        # Whether the temporary manager was started again: then it may join once more, although it was demoted.
        self._was_restarted = False

    async def run(self) -> BorrowResult:
        """Borrow a manager and give it back; where that fails, everything is made what it was, if it can be.

        Raises Declined, HostError, or an EngineError.
        """
        self._progress.begin()
        async with self._watch.running():
            try:
                await self._hand_over_and_back()
            except VipconsoleError as error:
                because = self._reason(error)
                self._tell(f"{because} Everything is made what it was before")
                await self._settle()
                return await self._result(because)
            except asyncio.CancelledError:
                # Ctrl+c. It must not stay half done; a second one ends the program at once, and the next call finishes it.
                self._tell("interrupted: everything is made what it was before")
                await self._settle()
                raise
        return await self._result()

    def _reason(self, error: VipconsoleError) -> str:
        # The hint would be about this host's own dockerd.
        if isinstance(error, EngineUnreachable) and self._needs.engine.host in error.sentence:
            return "The temporary manager died, or did not answer."
        return f"{error.sentence} {error.hint}".strip()

    async def finish(self) -> BorrowResult:
        """Bring one that was cut short to its end, forward or back."""
        self._tell(f"finishing a borrowed manager that was interrupted ({self._now.step})")
        async with self._watch.running():
            await self._settle()
        return await self._result("It was interrupted before the temporary manager led the swarm.")

    # Forward.

    async def _hand_over_and_back(self) -> None:
        record = self._now
        async with self._progress.step("copy the state of the swarm"):
            await self._needs.back_up(record)
        async with self._progress.step("start the temporary manager", BorrowPhase.PREPARING):
            await self._needs.engine.start(record.cable)
        async with self._kept_alive():
            async with self._progress.step("join the swarm", BorrowPhase.JOINING):
                await self._join(record)
                member = await self._wait_for_member("the temporary manager is a manager")
            self._progress.write(temporary_id=member.node_id)
            async with self._progress.step("label its node"):
                await self._progress.change_node(
                    self._real,
                    member.node_id,
                    mark_borrowed(self._needs.owner),
                    lambda node: bool(node.borrowed_by),
                )
            await self._progress.wait(self._both_vote, "both managers vote", JOINED_WITHIN_S)
            self._watch.member = self._temporary
            async with self._progress.step("hand the lead over and back", BorrowPhase.HANDING_OVER):
                await self._handover(self._temporary).run()
                self._progress.write(has_led=True)
            await self._release()
        await self._remove_host_part()

    async def _join(self, record: BorrowRecord) -> None:
        try:
            own = record.cable.address
            await self._temporary.membership.join(
                self._real.membership, record.manager_address, Addresses(f"{own}:{PORT}", own, own)
            )
        except EngineError:
            # An engine that has not joined within 20 s says so, and goes on joining.
            member = await self._temporary.membership.read()
            if member.state not in (MemberState.PENDING, MemberState.ACTIVE):
                raise

    # To the end, from whatever there is.

    async def _settle(self) -> None:
        """Make the real manager what it was before, and remove the temporary one."""
        if self._now.phase is BorrowPhase.PREPARING:
            # It has not joined, and nothing in the swarm was changed.
            await self._remove_host_part()
            return
        if self._now.phase is BorrowPhase.RELEASING and await self._real_is_enough():
            # One that died before it knew that it was demoted would join once more as it starts.
            async with self._progress.step("end the temporary manager"):
                await self._needs.engine.remove()
            await self._release()
            await self._remove_host_part()
            return
        async with self._progress.step("start the temporary manager again"):
            # Its vote may be what the swarm lacks; and only it knows whether it has joined.
            self._was_restarted = True
            with self._watch.starting():
                await self._needs.engine.start(self._now.cable)
        self._watch.member = self._temporary
        async with self._kept_alive():
            await self._put_back(await self._find_leader())
            await self._release()
        await self._remove_host_part()

    async def _put_back(self, through: Member) -> None:
        """Make the real manager what it was before, through one that answers for the swarm."""
        roles = await read_roles(through.reader)
        if roles.leader is not None and roles.leader.id == self._now.temporary_id:
            self._progress.write(has_led=True)
        async with self._progress.step("make the real manager what it was"):
            result = await self._handover(through).put_back()
        if result is not None and result.ending is Ending.FINISHED:
            self._progress.write(has_led=True)

    async def _note_rebuilt(self) -> None:
        """Note on the real manager that its allocator is a new one: it leads as before, and nothing else tells it."""
        at = self._clock.now().isoformat(timespec="seconds")
        async with self._progress.step("note that the allocator was rebuilt"):
            await self._progress.change_node(
                self._real, self._now.node_id, mark_rebuilt(at), lambda node: node.allocator_rebuilt == at
            )

    async def _release(self) -> None:
        """Take the temporary manager out of the swarm. The real one is a manager and what it was before."""
        node_id = self._now.temporary_id
        # Where both died in the middle it is not known who led in between. What was known of leaks is not believed then.
        was_handing_over = self._now.phase is BorrowPhase.HANDING_OVER
        if node_id:
            async with self._progress.step("demote the temporary manager", BorrowPhase.RELEASING):
                await self._progress.wait(
                    self._real_votes, f"{self._now.node_name} is a manager", ANSWERED_WITHIN_S
                )
                self._watch.member = self._real
                await self._progress.change_node(
                    self._real, node_id, demote_borrowed, lambda node: node.desired_role == "worker"
                )
                if self._was_restarted:
                    await self._progress.wait(
                        self._temporary_knows, "the temporary manager is a worker", DEMOTED_WITHIN_S
                    )
                await self._progress.wait(
                    self._real_leads_alone, f"{self._now.node_name} leads alone", DEMOTED_WITHIN_S
                )
                await self._handover(self._real).restore_settings()
            if self._now.has_led or was_handing_over:
                await self._note_rebuilt()
            async with self._progress.step("take it out of the swarm"):
                # It takes 10 s to leave (measured on 20.10.24). Its node is removed meanwhile, and then it is ended.
                leaving = asyncio.ensure_future(self._temporary.membership.leave())
                try:
                    await self._progress.wait(self._node_removed, "its node is removed", REMOVED_WITHIN_S)
                finally:
                    leaving.cancel()
                    await asyncio.gather(leaving, return_exceptions=True)

    async def _remove_host_part(self) -> None:
        async with self._progress.step("remove the temporary manager from this host"):
            await self._needs.engine.remove()
        if self._needs.rotates_tokens and self._now.temporary_id:
            async with self._progress.step("rotate the join tokens"):
                await self._real.membership.rotate_tokens()
        self._needs.store.remove()

    @property
    def _now(self) -> BorrowRecord:
        return self._progress.record

    async def _result(self, because: str = "") -> BorrowResult:
        leader: Node | None = None
        with suppress(VipconsoleError):
            leader = (await read_roles(self._real.reader)).leader
        gave_back = self._now.has_led
        return BorrowResult(
            gave_back,
            self._clock.monotonic() - self._began_s,
            self._watch.longest_s,
            "?" if leader is None else leader.hostname,
            "" if gave_back else because,
        )

    # What is waited for.

    async def _wait_for_member(self, what: str) -> Membership:
        async def attempt() -> Membership | None:
            member = await self._temporary.membership.read()
            return member if member.state is MemberState.ACTIVE and member.is_manager else None

        return await self._progress.wait(attempt, what, JOINED_WITHIN_S)

    async def _wait_for_known_member(self) -> Membership:
        """Return how the temporary manager is in the swarm, once that has been decided; unlock it where it is locked."""

        async def attempt() -> Membership | None:
            member = await self._unlock_if_locked()
            if await self._rescue.is_lost():
                raise QuorumLost
            return None if member.state in (MemberState.LOCKED, MemberState.PENDING) else member

        return await self._progress.wait(attempt, "the temporary manager knows its place", JOINED_WITHIN_S)

    async def _unlock_if_locked(self) -> Membership:
        member = await self._temporary.membership.read()
        if member.state is MemberState.LOCKED:
            if not self._needs.unlock_key:
                raise Declined(*LOCKED)
            await self._temporary.membership.unlock(self._needs.unlock_key)
        return member

    async def _find_leader(self) -> Member:
        """Return who answers for the swarm, and bring a leader back where there can be none without help."""
        if self._rescue.is_under_way:
            return await self._rescue.rejoin()
        try:
            member = await self._wait_for_known_member()
            if member.state is MemberState.ACTIVE:
                self._progress.write(temporary_id=member.node_id)
            return await self._wait_for_a_leader(member)
        except (EngineTimeout, QuorumLost) as error:
            if leader := await self._rescue.regain():
                return leader
            raise Declined(
                "The swarm has no leader: neither the real manager nor the temporary one can lead it alone.",
                f"See `docker node ls` on both sockets ({self._needs.engine.host}). The last way, which restarts every "
                f"task, is in {self._needs.store.folder / 'way-back.sh'}.",
            ) from error

    async def _wait_for_a_leader(self, member: Membership) -> Member:
        """Return who answers for the swarm: the temporary manager where it is one.

        A demoted engine says for some seconds that it is a manager still. So what counts is that it answers. Raises
        EngineTimeout where nobody does, and QuorumLost where nobody ever will.
        """
        members = (self._temporary, self._real) if member.is_manager else (self._real,)

        async def attempt() -> Member | None:
            for asked in members:
                with suppress(VipconsoleError):
                    if (await read_roles(asked.reader)).leader is not None:
                        return asked
            if await self._rescue.is_lost():
                raise QuorumLost
            return None

        return await self._progress.wait(attempt, "the swarm has a leader", ANSWERED_WITHIN_S)

    async def _real_is_enough(self) -> bool:
        """Whether the real manager leads without the temporary one's vote."""
        try:
            return await self._progress.wait(self._real_leads_alone, "it leads alone", ENOUGH_WITHIN_S)
        except EngineTimeout:
            return False

    async def _both_vote(self) -> bool:
        reachable = {node.id for node in (await read_roles(self._real.reader)).reachable}
        return {self._now.node_id, self._now.temporary_id} <= reachable

    async def _real_votes(self) -> bool:
        roles = await read_roles(self._real.reader)
        return self._now.node_id in {node.id for node in roles.reachable}

    async def _temporary_knows(self) -> bool:
        """Whether the temporary manager knows that it was demoted, or is in no swarm.

        One that died before it knew it starts as a manager, and joins once more. If it left in that moment, the real one would
        count it and have no quorum (seen on 20.10.24).
        """
        member = await self._temporary.membership.read()
        return member.state is MemberState.INACTIVE or (
            member.state is MemberState.ACTIVE and not member.is_manager
        )

    async def _real_leads_alone(self) -> bool:
        # What a node is by its role comes a moment before what votes.
        roles = await read_roles(self._real.reader)
        leads = roles.leader is not None and roles.leader.id == self._now.node_id
        votes = self._now.temporary_id in {node.id for node in roles.managers}
        return leads and not votes and self._now.temporary_id not in await self._real.reader.manager_ids()

    async def _node_removed(self) -> bool:
        nodes = known(await self._real.reader.nodes(10), ())
        if not nodes:
            return False
        temporary_nodes = [node for node in nodes if node.id == self._now.temporary_id]
        for node in temporary_nodes:
            await self._real.membership.remove_node(node.id)
        return not temporary_nodes

    def _handover(self, through: Member) -> "HandoverOfTwo":
        return HandoverOfTwo(through, self._clock, self._needs.owner, self._tell, self._rescue.is_lost)

    @asynccontextmanager
    async def _kept_alive(self) -> AsyncIterator[None]:
        """Start the temporary manager again whenever it dies, and unlock it, until it is not needed any more."""

        async def watch() -> None:
            while True:
                await self._clock.sleep(ALIVE_EVERY_S)
                # What fails now is tried again; what waits for it tells when it gives up.
                with suppress(VipconsoleError):
                    if not await self._needs.engine.is_running():
                        self._tell("the temporary manager died: starting it again")
                        self._was_restarted = True
                        with self._watch.starting():
                            await self._needs.engine.start(self._now.cable)
                    # systemd may have started it again. Once it is demoted it must not be asked (`AnswerWatch`).
                    if self._needs.unlock_key and self._now.phase is not BorrowPhase.RELEASING:
                        await self._unlock_if_locked()

        watcher = asyncio.ensure_future(watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
