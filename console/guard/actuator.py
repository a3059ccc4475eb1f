"""Carries out the guard's decision, and judges the result."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from console.clock import Clock
from console.concurrency import until
from console.diagnosis.findings.waiting import needy_services
from console.diagnosis.quiescence.crash_loops import has_its_replicas, tasks_by_service
from console.errors import VipconsoleError, known
from console.guard.collector import Collector, keep_of, remember_restart
from console.guard.policy import decide
from console.guard.shortage import GuardDecision, GuardInputs, GuardOptions, GuardVerdict
from console.operations.prune import PruneResult, prune
from console.operations.reclaim import DaemonRestart
from console.swarm.changer import SwarmChanger
from console.text import duration, listed, plural

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class GuardOutcome:
    """The last decision, and what the guard changed before it."""

    decision: GuardDecision
    """The last one: what holds now."""
    has_restarted: bool = False
    pruning: PruneResult = field(default_factory=PruneResult)

    @property
    def verdict(self) -> GuardVerdict:
        """Whether the batch may start."""
        return self.decision.verdict


@dataclass(frozen=True, slots=True)
class Actuator:
    """The operations that the guard may use: prune, restart, report."""

    changer: SwarmChanger
    restart: Callable[[], Awaitable[None]]
    """Restarts the docker unit; raises HostError."""
    tell: Tell


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
    if not decision.restarts:
        return GuardOutcome(_add_pruning(decision, pruning), pruning=pruning)
    return await _restart(collector, options, actuator, inputs, decision)


async def _restart(
    collector: Collector,
    options: GuardOptions,
    actuator: Actuator,
    before: GuardInputs,
    decision: GuardDecision,
) -> GuardOutcome:
    settings, clock = collector.settings, collector.clock
    # On disk before it begins: a guard that is killed in the middle must not restart it again.
    await asyncio.to_thread(remember_restart, collector.state, clock.now())
    reader = collector.reader
    waiting_ids = frozenset(service.service_id for service in needy_services(before.snapshot))
    restart = await DaemonRestart(reader, clock, actuator.restart, actuator.tell).run(
        settings.guard.recovery_s
    )
    now = await _wait_until_settled(collector, options, clock, waiting_ids)
    after = decide(now, replace(options, may_restart=False), settings.thresholds)
    took_text = duration(restart.took_s)
    if after.shortage is not None:
        sentence = f"The docker unit was restarted ({took_text}), but it did not help. {after.sentence}"
        return GuardOutcome(replace(after, verdict=GuardVerdict.STOP, sentence=sentence), has_restarted=True)
    if restart.behind:
        behind = f"{plural(len(restart.behind), 'service')} not running yet: {listed(restart.behind)}."
        sentence = f"The docker unit was restarted ({took_text}). {behind}"
        return GuardOutcome(
            GuardDecision(GuardVerdict.STOP, sentence, "`vipconsole why SERVICE` shows why."),
            has_restarted=True,
        )
    first = decision.shortage.why if decision.shortage else "addresses were exhausted"
    sentence = f"The docker unit was restarted ({took_text}), because {first}. {after.sentence}"
    verdict = GuardVerdict.GO if after.verdict is GuardVerdict.NOTE else after.verdict
    return GuardOutcome(replace(after, verdict=verdict, sentence=sentence), has_restarted=True)


async def _wait_until_settled(
    collector: Collector, options: GuardOptions, clock: Clock, waiting_ids: frozenset[str]
) -> GuardInputs:
    """Return the inputs once what waited for its addresses runs, or the time for that is over."""
    inputs: list[GuardInputs] = []

    async def is_settled() -> bool:
        inputs.append(await collector.inputs(holds_lock=True))
        decision = decide(inputs[-1], replace(options, may_restart=False), collector.settings.thresholds)
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
