"""Collects everything that the guard's decision rests on. Changes nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from console.clock import Clock
from console.concurrency import together
from console.diagnosis.assess import assess
from console.diagnosis.findings.unfinished import find_unfinished_runs
from console.diagnosis.findings.waiting import needy_services
from console.diagnosis.quiescence.values import QuiescenceRules, Report
from console.diagnosis.quiescence.waiter import WaitDependencies, wait_for_quiet
from console.diagnosis.values import Snapshot
from console.durations import parse_time
from console.errors import HostError, Result, Unknown, VipconsoleError, unknown_from
from console.frozen import frozen
from console.guard.values import Daemon, GuardInputs
from console.host.lock_probe import LOCK, holder_of_lock
from console.host.reader import HostReader
from console.host.unit_chain import read_daemon_unit
from console.journal.reader import DaemonLog, whose_host
from console.monitor.snapshot import take_snapshot
from console.operations.prune import PruneExclusions, prunable
from console.runbook.store.viewer import REVIVED_WITHIN_S, unfinished_runs
from console.settings import Settings, SnapshotSettings
from console.storage.census import read_censuses
from console.storage.state import make_private, write_atomically
from console.swarm.client import EngineConnection
from console.swarm.events import EventSource
from console.swarm.reader import EngineReader, SwarmReader
from console.text import clean

LONGEST_JOURNAL_S = 14 * 86_400.0
"""So far back the journal is read at most: to the start of dockerd, for its allocator began then."""
MEMORY_FILE = "guard.json"
SCHEMA = "vipconsole.guard-memory/1"


@frozen
class Collector:
    """Reads a swarm and its host for the guard."""

    connection: EngineConnection
    log: DaemonLog
    clock: Clock
    settings: Settings
    state: Path
    is_demo: bool = False
    """Whether nothing on this host has anything to do with the swarm."""
    lock: Path = LOCK
    """The maintenance lock of this host."""
    unit: Callable[[], Awaitable[Result[Daemon]]] | None = None
    """Inspects the docker unit instead of systemd; for engines that no unit runs."""
    why_no_borrow: Callable[[], Awaitable[Unknown | None]] | None = None
    """Tells why no manager can be borrowed on this host; None where that is not allowed, and then nobody asks."""

    @property
    def reader(self) -> SwarmReader:
        """A reader over the guard's connection; it cannot change anything."""
        return EngineReader(self.connection)

    async def inputs(self, *, holds_lock: bool = False, dwell_s: float = 0.0) -> GuardInputs:
        """Return what there is now. With `dwell_s`, quiet is watched for so long; what is stuck does not count."""
        reader, settings = self.reader, self.settings
        unit = await (self.unit or self._unit)()
        snapshot = await take_snapshot(reader, self.log, self.clock, self._snapshot(unit))
        if not self.is_demo:
            snapshot = replace(
                snapshot,
                censuses=await asyncio.to_thread(read_censuses, self.state),
                runs=await asyncio.to_thread(unfinished_runs, self.state, revived_within_s=REVIVED_WITHIN_S),
            )
        quiet, stays_down, prunable_names, holder, last, why_no_borrow = await together(
            self._quiet(snapshot, dwell_s, holds_lock=holds_lock),
            self._stays_down(),
            self._prunable(),
            self._holder(holds_lock=holds_lock),
            asyncio.to_thread(last_restart, self.state),
            self._why_no_borrow(),
        )
        daemon: Result[Daemon]
        if isinstance(unit, Unknown):
            daemon = unit
        elif isinstance(stays_down, Unknown):
            daemon = stays_down
        else:
            daemon = replace(unit, stays_down=stays_down)
        return GuardInputs(
            snapshot,
            assess(snapshot, settings.thresholds),
            quiet,
            _describe_unfinished_runs(snapshot),
            holder,
            daemon,
            last,
            prunable_names,
            why_no_borrow,
        )

    def _snapshot(self, unit: Result[Daemon]) -> SnapshotSettings:
        snapshot = self.settings.snapshot
        if isinstance(unit, Unknown) or unit.started_at is None:
            return snapshot
        # The first failure is logged at level error and later ones are not: one of last week may still be the reason.
        age_s = (self.clock.now() - unit.started_at).total_seconds() + 60
        return replace(snapshot, journal_s=min(max(snapshot.journal_s, age_s), LONGEST_JOURNAL_S))

    async def _unit(self) -> Result[Daemon]:
        swarm = await self.reader.lists(self.settings.snapshot.deadline_s)
        refusal = await whose_host(self.connection.host, swarm.engine)
        if refusal is not None:
            return refusal
        try:
            unit = await read_daemon_unit(self.settings.docker_unit, self.settings.snapshot.call_timeout_s)
        except HostError as error:
            return unknown_from(error)
        return Daemon(unit.started_at, unit.start_limit_s, ())

    async def _stays_down(self) -> Result[tuple[str, ...]]:
        try:
            return await self.reader.containers_that_stay_down()
        except VipconsoleError as error:
            return unknown_from(error)

    async def _quiet(self, snapshot: Snapshot, dwell_s: float, *, holds_lock: bool) -> Report:
        settings = self.settings
        accepted_names = (
            frozenset(service.name for service in needy_services(snapshot)) if dwell_s else frozenset()
        )
        rules = QuiescenceRules(settings.quiet, settings.thresholds, dwell_s, accepted_names)
        dependencies = WaitDependencies(
            self.reader,
            HostReader(settings.quiet, settings.snapshot.call_timeout_s, holds_lock=holds_lock),
            EventSource(self.connection, self.clock),
        )
        report: Report | None = None
        # Three times as long as it must last: a longer deploy is not waited for here.
        async with aclosing(
            wait_for_quiet(dependencies, self.clock, rules, settings.snapshot, 3 * dwell_s)
        ) as states:
            async for state in states:
                report = state.report
        if report is None:
            raise AssertionError("a wait ended without a state")
        return report

    async def _why_no_borrow(self) -> Unknown | None:
        return None if self.why_no_borrow is None else await self.why_no_borrow()

    async def _prunable(self) -> tuple[str, ...]:
        try:
            snapshot = await self.reader.snapshot()
        except VipconsoleError:
            # What else is looked at fails for the same reason, and tells it; nothing is removed blindly.
            return ()
        return tuple(network.name for network in prunable(snapshot, keep_of(self.settings)))

    async def _holder(self, *, holds_lock: bool) -> Result[str]:
        if holds_lock or self.is_demo:
            return ""
        try:
            return await asyncio.to_thread(holder_of_lock, self.lock)
        except HostError as error:
            return unknown_from(error)


def keep_of(settings: Settings) -> PruneExclusions:
    """Return the overlays that pruning must leave alone: by name, and while they are young."""
    return PruneExclusions((*settings.guard.keep, settings.network), settings.guard.prune_age_s)


def _describe_unfinished_runs(snapshot: Snapshot) -> Result[str]:
    """Return what every command and screen says about unfinished runs; nothing where there is none."""
    if isinstance(snapshot.runs, Unknown):
        return snapshot.runs
    findings = find_unfinished_runs(snapshot.runs, snapshot.taken_at)
    return " ".join(f"{finding.sentence} {finding.hint}" for finding in findings)


def last_restart(state: Path) -> Result[datetime | None]:
    """Return when the guard last began to give addresses back; None where it never did."""
    path = state / MEMORY_FILE
    try:
        return _moment(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return Unknown(
            f"{clean(str(path))} cannot be used ({type(error).__name__}).",
            "Remove it if the last restart, or borrowed manager, is long ago.",
        )


def remember_restart(state: Path, at: datetime) -> None:
    """Write down that a restart, or a borrowed manager, begins. Raises HostError when it cannot be; then it must not."""
    make_private(state)
    try:
        text = json.dumps({"schema": SCHEMA, "restarted_at": at.isoformat()})
        write_atomically(state / MEMORY_FILE, f"{text}\n", 0o600)
    except OSError as error:
        raise HostError(
            f"The restart cannot be recorded: {error.strerror}.",
            "Free some room in the state directory: without the record no restart is begun.",
        ) from error


def _moment(data: Mapping[str, Any]) -> datetime:
    if data["schema"] != SCHEMA:
        raise ValueError("another version wrote it")
    return parse_time(data["restarted_at"])
