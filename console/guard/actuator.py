"""Carries out the guard's decision, and judges the result."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import field, replace

from console.clock import Clock
from console.concurrency import until
from console.diagnosis.findings.waiting import needy_services
from console.diagnosis.quiescence.crash_loops import has_its_replicas, tasks_by_service
from console.durations import duration
from console.errors import VipconsoleError, known
from console.frozen import frozen
from console.guard.collector import Collector, keep_of, remember_restart
from console.guard.policy import RESTART_PERMISSION, decide
from console.guard.values import GuardDecision, GuardInputs, GuardOptions, GuardVerdict
from console.operations.borrow.session import BorrowOutcome
from console.operations.prune import PruneResult, prune
from console.operations.reclaim import DaemonRestart, ReclaimMethod
from console.swarm.changer import SwarmChanger
from console.text import listed, plural

Tell = Callable[[str], object]


@frozen
class GuardOutcome:
    """The last decision, and what the guard changed before it."""

    decision: GuardDecision
    """The last one: what holds now."""
    reclaim_method: ReclaimMethod | None = None
    """How leaked addresses were given back, or were to be; None where nothing was tried."""
    pruning: PruneResult = field(default_factory=PruneResult)

    @property
    def has_restarted(self) -> bool:
        """Whether the docker unit was restarted."""
        return self.reclaim_method is ReclaimMethod.RESTART

    @property
    def has_borrowed(self) -> bool:
        """Whether a second manager was borrowed."""
        return self.reclaim_method is ReclaimMethod.BORROW

    @property
    def verdict(self) -> GuardVerdict:
        """Whether the batch may start."""
        return self.decision.verdict


@frozen
class Actuator:
    """The operations that the guard may use: prune, borrow a manager, restart, report."""

    changer: SwarmChanger
    restart: Callable[[], Awaitable[None]]
    """Restarts the docker unit; raises HostError."""
    tell: Tell
    borrow: Callable[[], Awaitable[BorrowOutcome]] | None = None
    """Borrows a second manager and gives it back; raises Declined, HostError or an EngineError. None where it may not."""


async def act(collector: Collector, options: GuardOptions, actuator: Actuator) -> GuardOutcome:
    """Decide again, under the maintenance lock and after quiet was watched for a while, and do what was decided.

    The caller holds the lock. Raises a `VipconsoleError` where something failed that leaves nothing to say.
    """
    thresholds, settings = collector.settings.thresholds, collector.settings
    inputs = await collector.inputs(holds_lock=True, dwell_s=settings.quiet.dwell_s)
    decision = decide(inputs, options, thresholds)
    pruning = PruneResult()
    if decision.prunes:
        pruning = await prune(
            collector.reader, actuator.changer, keep_of(settings), decision.prunes, actuator.tell
        )
    if decision.reclaim_method is None:
        return GuardOutcome(_add_pruning(decision, pruning), pruning=pruning)
    # On disk before it begins: a guard that is killed in the middle must not do it again.
    await asyncio.to_thread(remember_restart, collector.state, collector.clock.now())
    if decision.borrows and actuator.borrow is not None:
        return await _borrow(collector, options, actuator.borrow, inputs, decision)
    return await _restart(collector, options, actuator, inputs, decision)


async def _borrow(
    collector: Collector,
    options: GuardOptions,
    borrow: Callable[[], Awaitable[BorrowOutcome]],
    before: GuardInputs,
    decision: GuardDecision,
) -> GuardOutcome:
    outcome = await borrow()
    result = outcome.result
    took_text = duration(result.took_s)
    if not result.gave_back:
        sentence = (
            f"A manager was borrowed ({took_text}), but no address was given back: {result.because} The swarm is as it was, "
            f"and {result.leader} leads."
        )
        return GuardOutcome(
            GuardDecision(GuardVerdict.STOP, sentence, RESTART_PERMISSION, decision.shortage),
            ReclaimMethod.BORROW,
        )
    did = f"A manager was borrowed for some seconds ({took_text})"
    lost = ""
    if outcome.lost:
        containers = f"{plural(len(outcome.lost), 'container')} of {outcome.containers}"
        lost = f"{containers} stopped or restarted meanwhile: {listed([name[:12] for name in outcome.lost])}."
    return await _judge(collector, options, before, decision, _Reclaim(ReclaimMethod.BORROW, did, lost))


async def _restart(
    collector: Collector,
    options: GuardOptions,
    actuator: Actuator,
    before: GuardInputs,
    decision: GuardDecision,
) -> GuardOutcome:
    settings, clock = collector.settings, collector.clock
    restart = await DaemonRestart(collector.reader, clock, actuator.restart, actuator.tell).run(
        settings.guard.recovery_s
    )
    did = f"The docker unit was restarted ({duration(restart.took_s)})"
    behind = ""
    if restart.behind:
        behind = f"{plural(len(restart.behind), 'service')} not running yet: {listed(restart.behind)}."
    return await _judge(collector, options, before, decision, _Reclaim(ReclaimMethod.RESTART, did, behind))


@frozen
class _Reclaim:
    """What was done to get addresses back, and what it did to what ran."""

    method: ReclaimMethod
    did: str
    """A clause that begins a sentence."""
    harm: str
    """A sentence; nothing where all that ran before runs."""


async def _judge(
    collector: Collector,
    options: GuardOptions,
    before: GuardInputs,
    decision: GuardDecision,
    reclaim: _Reclaim,
) -> GuardOutcome:
    """Return whether what was wanted is met now."""
    waiting_ids = frozenset(service.service_id for service in needy_services(before.snapshot))
    now = await _wait_until_settled(collector, options, collector.clock, waiting_ids)
    after = decide(now, _after_reclaim(options), collector.settings.thresholds)
    if after.shortage is not None:
        sentence = f"{reclaim.did}, but it did not help. {after.sentence}"
        return GuardOutcome(replace(after, verdict=GuardVerdict.STOP, sentence=sentence), reclaim.method)
    if reclaim.harm:
        return GuardOutcome(
            GuardDecision(
                GuardVerdict.STOP, f"{reclaim.did}. {reclaim.harm}", "`vipconsole why SERVICE` shows why."
            ),
            reclaim.method,
        )
    first = decision.shortage.why if decision.shortage else "addresses were exhausted"
    sentence = f"{reclaim.did}, because {first}. {after.sentence}"
    verdict = GuardVerdict.GO if after.verdict is GuardVerdict.NOTE else after.verdict
    return GuardOutcome(replace(after, verdict=verdict, sentence=sentence), reclaim.method)


def _after_reclaim(options: GuardOptions) -> GuardOptions:
    return replace(options, may_restart=False, may_borrow=False, allocator_is_new=True)


async def _wait_until_settled(
    collector: Collector, options: GuardOptions, clock: Clock, waiting_ids: frozenset[str]
) -> GuardInputs:
    """Return the inputs once what waited for its addresses runs, or the time for that is over."""
    inputs: list[GuardInputs] = []

    async def is_settled() -> bool:
        inputs.append(await collector.inputs(holds_lock=True))
        decision = decide(inputs[-1], _after_reclaim(options), collector.settings.thresholds)
        return decision.verdict in (GuardVerdict.GO, GuardVerdict.NOTE) and not _is_waiting(
            inputs[-1], waiting_ids
        )

    await until(is_settled, clock, collector.settings.guard.recovery_s, 2.0, despite=(VipconsoleError,))
    return inputs[-1]


def _is_waiting(inputs: GuardInputs, waiting_ids: frozenset[str]) -> bool:
    swarm = inputs.snapshot.swarm
    tasks = tasks_by_service(known(swarm.tasks, ()))
    return bool(needy_services(inputs.snapshot)) or not all(
        has_its_replicas(service, tasks.get(service.id, ()))
        for service in known(swarm.services, ())
        if service.id in waiting_ids
    )


def _add_pruning(decision: GuardDecision, pruning: PruneResult) -> GuardDecision:
    if not pruning.removed_names:
        return decision
    removal_text = (
        f"{plural(len(pruning.removed_names), 'unused overlay')} removed: {listed(pruning.removed_names)}."
    )
    return replace(decision, sentence=f"{decision.sentence} {removal_text}")
