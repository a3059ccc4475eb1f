"""Assesses one swarm state after the other; what did not change stays the identical object."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Trend
from console.addresses.leaks import (
    AllocatorGeneration,
    Census,
    EngineLeakCount,
    LeakCertainty,
    LeakEvidence,
    LeakLog,
)
from console.clock import Clock
from console.diagnosis.assess import assess
from console.diagnosis.values import Assessment, FailingAlert, Snapshot, UnfinishedRun
from console.errors import Result, Unknown, known
from console.frozen import frozen
from console.host.activity import Route
from console.host.identity import machine_id
from console.monitor.snapshot import join_nodes
from console.monitor.values import AssessedSnapshot
from console.nodes.values import NO_NODES, OtherNodes
from console.settings import Thresholds
from console.swarm.model import SwarmState

if TYPE_CHECKING:
    from console.journal.summary import Summary

AGE_S = 10.0
"""An unchanged state is assessed again after this time: findings say how long something has lasted."""


@frozen
class AssessmentInputs:
    """Everything that one assessment rests on."""

    swarm: SwarmState
    settled_networks: frozenset[str]
    """Networks (IDs) that have been the same for the settling time."""
    took_s: float
    routes: Result[tuple[Route, ...]]
    journal: "Result[Summary]"
    censuses: Result[tuple[Census, ...]]
    leak_log: LeakLog
    allocator: AllocatorGeneration | None
    runs: Result[tuple[UnfinishedRun, ...]] = ()
    failing_alerts: Result[tuple[FailingAlert, ...]] = ()
    trends: Mapping[str, Trend] = field(default_factory=dict)
    """Until the snapshot before. They alone are no reason to assess again."""
    nodes: OtherNodes = NO_NODES


class Assessor:
    """Assesses snapshots of one swarm, and remembers the last one."""

    def __init__(self, host: str, thresholds: Thresholds, clock: Clock) -> None:
        self._host = host
        self._thresholds = thresholds
        self._clock = clock
        self._machine = machine_id()
        self._last: tuple[AssessmentInputs, AssessedSnapshot] | None = None
        self._last_assessment_s = 0.0
        self._counts: dict[tuple[str, IPv4Network], EngineLeakCount] = {}

    async def assess(self, inputs: AssessmentInputs) -> AssessedSnapshot:
        """Return a snapshot and its assessment: the last one where nothing changed."""
        now_s = self._clock.monotonic()
        is_same = self._last is not None and _is_same(self._last[0], inputs)
        if self._last is not None and is_same and now_s - self._last_assessment_s < AGE_S:
            self._last = (inputs, self._last[1])
            return self._last[1]
        self._remember(inputs)
        snapshot = self._snapshot(inputs)
        # It takes tens of milliseconds where there are hundreds of networks: not on the loop.
        assessment = await asyncio.to_thread(assess, snapshot, self._thresholds)
        self._last_assessment_s = now_s
        if self._last is not None:
            assessment = _as_before(assessment, self._last[1].assessment)
            if is_same and assessment is self._last[1].assessment:
                self._last = (inputs, self._last[1])
                return self._last[1]
        assessed_snapshot = AssessedSnapshot(snapshot, assessment)
        self._last = (inputs, assessed_snapshot)
        return assessed_snapshot

    def find_disproved_leaks(self) -> Iterator[tuple[str, tuple[IPv4Address, ...]]]:
        """Yield networks (IDs) and addresses of which the leak log says that they leaked and the engine that they did not.

        An engine that does not leak where others do (moby/moby#53563) counts fewer than were entered.
        """
        if self._last is None:
            return
        inputs, assessed_snapshot = self._last
        for account in assessed_snapshot.assessment.accounts:
            entered_addresses = [
                leaked_address
                for entry in inputs.leak_log.on(account.network.id)
                for leaked_address in entry.addresses
            ]
            for subnet in account.subnets if entered_addresses else ():
                subnet_addresses = tuple(address for address in entered_addresses if address in subnet.pool)
                leak = subnet.leak
                is_counted = leak.evidence is LeakEvidence.ENGINE_COUNT and leak.as_of is None
                if is_counted and leak.count is not None and leak.count < len(set(subnet_addresses)):
                    yield account.network.id, subnet_addresses

    def _remember(self, inputs: AssessmentInputs) -> None:
        """Keep what the engine counted in the last snapshot, for as long as its allocator lives."""
        if self._last is None:
            return
        before, assessed_snapshot = self._last
        if before.allocator != inputs.allocator or _rebuilt_at(before.journal) != _rebuilt_at(inputs.journal):
            self._counts.clear()
            return
        # It was the same until the last snapshot, which need not have been assessed.
        at = None if isinstance(before.swarm.engine, Unknown) else before.swarm.engine.time
        there = set[tuple[str, IPv4Network]]()
        for account in assessed_snapshot.assessment.accounts:
            for subnet in account.subnets:
                key, leak = (account.network.id, subnet.pool.subnet), subnet.leak
                there.add(key)
                is_counted = (
                    leak.evidence is LeakEvidence.ENGINE_COUNT and leak.certainty is LeakCertainty.EXACT
                )
                if is_counted and leak.count is not None and leak.as_of is None and at is not None:
                    self._counts[key] = EngineLeakCount(leak.count, at)
        self._counts = {key: count for key, count in self._counts.items() if key in there}

    def _snapshot(self, inputs: AssessmentInputs) -> Snapshot:
        swarm = inputs.swarm
        same = tuple(
            network for network in known(swarm.networks, ()) if network.id in inputs.settled_networks
        )
        snapshot = Snapshot(
            self._host,
            self._clock.now(),
            inputs.took_s,
            swarm,
            # What was seen some seconds before, as far as it was the same: nothing else is ever asked of it.
            replace(swarm, networks=same) if same else None,
            inputs.routes,
            inputs.journal,
            inputs.censuses,
            inputs.leak_log,
            dict(self._counts),
            runs=inputs.runs,
            failing_alerts=inputs.failing_alerts,
            trends=inputs.trends,
            machine=self._machine,
        )
        return join_nodes(snapshot, inputs.nodes)


def _is_same(before: AssessmentInputs, now: AssessmentInputs) -> bool:
    old, new = before.swarm, now.swarm
    if isinstance(old.engine, Unknown) or isinstance(new.engine, Unknown):
        return old == new
    return (
        old.networks is new.networks
        and old.services is new.services
        and old.tasks is new.tasks
        and old.nodes is new.nodes
        and replace(old.engine, time=new.engine.time) == new.engine
        and before.leak_log is now.leak_log
        and (before.settled_networks, before.routes, before.censuses)
        == (now.settled_networks, now.routes, now.censuses)
        and before.nodes is now.nodes
        and (before.runs, before.failing_alerts) == (now.runs, now.failing_alerts)
        and _says_the_same(before.journal, now.journal)
    )


def _says_the_same(before: "Result[Summary]", now: "Result[Summary]") -> bool:
    if isinstance(before, Unknown) or isinstance(now, Unknown):
        return before == now
    # How many lines were read is no matter for an assessment.
    return replace(before, entries=0) == replace(now, entries=0)


def _rebuilt_at(journal: "Result[Summary]") -> datetime | None:
    return None if isinstance(journal, Unknown) else journal.rebuilt_at


def _as_before(now: Assessment, before: Assessment) -> Assessment:
    """Return an assessment in which what is equal to what was before is the very same."""
    if now == before:
        return before
    old: dict[str, NetworkAccount] = {account.network.id: account for account in before.accounts}
    accounts = tuple(
        old[account.network.id] if old.get(account.network.id) == account else account
        for account in now.accounts
    )
    findings = before.findings if now.findings == before.findings else now.findings
    is_same = len(accounts) == len(before.accounts) and all(
        a is b for a, b in zip(accounts, before.accounts, strict=True)
    )
    return replace(now, findings=findings, accounts=before.accounts if is_same else accounts)
