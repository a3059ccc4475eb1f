"""Whether a removal lost addresses: what had leaked before it, and what after it, on the networks that stay."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from console.addresses import leaks
from console.addresses.accounting import NetworkAccount, account
from console.clock import Clock
from console.errors import Unknown
from console.operations.stack_removal.plan import RemovalPlan, tasks_of
from console.settings import Look
from console.swarm.reader import SwarmReader
from console.swarm.stacks import Kind, StackLook, StackObject
from console.swarm.values import SwarmState

ATTEMPTS = 3
"""How often two looks are compared until nothing changes hands between them."""
NOT_ASKED = "This engine does not tell its allocator's count (Docker 29 does), and no census was asked for."


@dataclass(frozen=True, slots=True)
class LeakCount:
    """How many addresses of a network had leaked at one moment."""

    network: str
    leaked: int | None
    """None where it is not known; never 0 for that."""
    why_unknown: str = ""
    """A sentence, where the count is None."""


Prove = Callable[[tuple[StackObject, ...]], Awaitable[tuple[LeakCount, ...]]]
"""Counts what has leaked on some networks, in their order. Called once before and once after the removal."""


class Verdict(StrEnum):
    """What the two counts say of a removal."""

    NO_LEAK = "no leak"
    LEAKED = "leaked"
    NOT_PROVEN = "not proven"


@dataclass(frozen=True, slots=True)
class Proof:
    """Both counts; networks that stay, in the same order."""

    before: tuple[LeakCount, ...]
    after: tuple[LeakCount, ...]

    @property
    def verdict(self) -> Verdict:
        """What they say: a single network that leaked is a leak, a single unknown one leaves the rest unproven.

        Fewer than before are no contradiction: a restart of the leader gives back what had leaked.
        """
        pairs = [(one.leaked, two.leaked) for one, two in zip(self.before, self.after, strict=True)]
        if any(one is not None and two is not None and two > one for one, two in pairs):
            return Verdict.LEAKED
        if any(one is None or two is None for one, two in pairs):
            return Verdict.NOT_PROVEN
        return Verdict.NO_LEAK


def networks_to_watch(plan: RemovalPlan, look: StackLook) -> tuple[StackObject, ...]:
    """Return the networks on which a removal could lose addresses: the stacks are on them, and they stay."""
    used: set[str] = set()
    for stack in plan.stacks:
        services = {each.id for each in stack.of(Kind.SERVICE)}
        for service in look.services:
            if service.object.id in services:
                used |= service.uses
        for task in tasks_of(stack.name, services, look):
            used |= task.network_ids
    return tuple(
        sorted(
            (
                each
                for each in look.objects
                if each.kind is Kind.NETWORK and each.id in used - plan.object_ids
            ),
            key=lambda each: each.name,
        )
    )


def engine_count(reader: SwarmReader, clock: Clock, settings: Look) -> Prove:
    """Return what counts by the engine's own allocator (API 1.52 and later), with two looks that must agree."""

    async def count(networks: tuple[StackObject, ...]) -> tuple[LeakCount, ...]:
        swarm = await reader.look(settings.deadline_s)
        counts: tuple[LeakCount, ...] = ()
        for _ in range(ATTEMPTS):
            earlier = swarm
            await clock.sleep(settings.settle_s)
            swarm = await reader.look(settings.deadline_s)
            counts = _counts(networks, swarm, earlier)
            if not any(each.why_unknown == leaks.CHANGED_HANDS for each in counts):
                break
        return counts

    return count


async def count_nothing(networks: tuple[StackObject, ...]) -> tuple[LeakCount, ...]:
    """Count nothing: of every network it is unknown."""
    return tuple(LeakCount(each.name, None, NOT_ASKED) for each in networks)


def _counts(
    networks: tuple[StackObject, ...], swarm: SwarmState, earlier: SwarmState
) -> tuple[LeakCount, ...]:
    accounts = {each.network.id: each for each in account(swarm, earlier)}
    return tuple(_count(each, accounts.get(each.id), swarm) for each in networks)


def _count(network: StackObject, found: NetworkAccount | None, swarm: SwarmState) -> LeakCount:
    if found is None:
        why = swarm.networks.reason if isinstance(swarm.networks, Unknown) else "It is no longer there."
        return LeakCount(network.name, None, why)
    doubts = [each.leak.why_unknown for each in found.subnets if each.leak.count is None]
    return LeakCount(
        network.name, found.leaked, (*doubts, "It has no IPv4 subnet.")[0] if found.leaked is None else ""
    )
