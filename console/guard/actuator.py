"""Does what the guard decided, and judges the result."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from console.clock import Clock
from console.concurrency import until
from console.diagnosis.findings.waiting import needy_services
from console.diagnosis.quiescence.crash_loops import has_its_replicas, tasks_by_service
from console.errors import VipconsoleError, known
from console.guard.collector import Scout, keep_of, remember_restart
from console.guard.policy import decide
from console.guard.shortage import Decision, Situation, Verdict, Wishes
from console.operations.prune import Pruned, prune
from console.operations.reclaim.restart import DaemonRestart
from console.swarm.changer import SwarmChanger
from console.text import duration, listed, plural

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The guard's result."""

    decision: Decision
    """The last one: what holds now."""
    restarted: bool = False
    pruned: Pruned = field(default_factory=Pruned)

    @property
    def verdict(self) -> Verdict:
        """Whether the batch may start."""
        return self.decision.verdict


@dataclass(frozen=True, slots=True)
class Hands:
    """What the guard acts with."""

    changer: SwarmChanger
    restart: Callable[[], Awaitable[None]]
    """Restarts the docker unit; raises HostError."""
    tell: Tell


async def act(scout: Scout, wishes: Wishes, hands: Hands) -> Outcome:
    """Decide again, under the maintenance lock and after quiet was watched for a while, and do what was decided.

    The caller holds the lock. Raises a `VipconsoleError` where something failed that leaves nothing to say.
    """
    thresholds, settings = scout.settings.thresholds, scout.settings
    situation = await scout.situation(holds_lock=True, dwell_s=settings.quiet.dwell_s)
    decision = decide(situation, wishes, thresholds)
    pruned = Pruned()
    if decision.prunes:
        pruned = await prune(scout.reader, hands.changer, keep_of(settings), decision.prunes, hands.tell)
    if not decision.restarts:
        return Outcome(_with_pruned(decision, pruned), pruned=pruned)
    return await _restart(scout, wishes, hands, situation, decision)


async def _restart(
    scout: Scout, wishes: Wishes, hands: Hands, before: Situation, decision: Decision
) -> Outcome:
    settings, clock = scout.settings, scout.clock
    # On disk before it begins: a guard that is killed in the middle must not restart it again.
    await asyncio.to_thread(remember_restart, scout.state, clock.now())
    reader = scout.reader
    waited = frozenset(each.service_id for each in needy_services(before.observation))
    done = await DaemonRestart(reader, clock, hands.restart, hands.tell).run(settings.guard.recovery_s)
    now = await _settled(scout, wishes, clock, waited)
    after = decide(now, replace(wishes, may_restart=False), settings.thresholds)
    took = duration(done.took_s)
    if after.shortage is not None:
        sentence = f"The docker unit was restarted ({took}), but it did not help. {after.sentence}"
        return Outcome(replace(after, verdict=Verdict.STOP, sentence=sentence), restarted=True)
    if done.behind:
        behind = f"{plural(len(done.behind), 'service')} not running yet: {listed(done.behind)}."
        sentence = f"The docker unit was restarted ({took}). {behind}"
        return Outcome(
            Decision(Verdict.STOP, sentence, "`vipconsole why SERVICE` shows why."), restarted=True
        )
    first = decision.shortage.why if decision.shortage else "addresses were exhausted"
    sentence = f"The docker unit was restarted ({took}), because {first}. {after.sentence}"
    verdict = Verdict.GO if after.verdict is Verdict.NOTE else after.verdict
    return Outcome(replace(after, verdict=verdict, sentence=sentence), restarted=True)


async def _settled(scout: Scout, wishes: Wishes, clock: Clock, waited: frozenset[str]) -> Situation:
    """Return the situation once what waited for its addresses runs, or the time for that is over."""
    seen: list[Situation] = []

    async def is_settled() -> bool:
        seen.append(await scout.situation(holds_lock=True))
        found = decide(seen[-1], replace(wishes, may_restart=False), scout.settings.thresholds)
        return found.verdict in (Verdict.GO, Verdict.NOTE) and not _is_waiting(seen[-1], waited)

    await until(is_settled, clock, scout.settings.guard.recovery_s, 2.0, despite=(VipconsoleError,))
    return seen[-1]


def _is_waiting(situation: Situation, waited: frozenset[str]) -> bool:
    swarm = situation.observation.swarm
    tasks = tasks_by_service(known(swarm.tasks, ()))
    return bool(needy_services(situation.observation)) or not all(
        has_its_replicas(each, tasks.get(each.id, ()))
        for each in known(swarm.services, ())
        if each.id in waited
    )


def _with_pruned(decision: Decision, pruned: Pruned) -> Decision:
    if not pruned.removed:
        return decision
    removed = f"{plural(len(pruned.removed), 'unused overlay')} removed: {listed(pruned.removed)}."
    return replace(decision, sentence=f"{decision.sentence} {removed}")
