"""Snapshots, and the findings that they lead to."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Trend
from console.addresses.leaks import Census, Counts, LeakLog
from console.errors import Result, Unknown
from console.frozen import frozen
from console.host.activity import Route
from console.nodes.values import NO_NODES, OtherNodes
from console.swarm.model import SwarmState

if TYPE_CHECKING:
    from console.journal.summary import Summary

NO_REQUEST = Unknown("It was not requested.")
EMPTY_LEAK_LOG = LeakLog()


class Severity(StrEnum):
    """How bad a finding is. A note is a finding that is ok."""

    OK = "ok"
    WARNING = "warning"
    UNKNOWN = "unknown"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place in the order critical > unknown > warning > ok, as a number that grows with badness."""
        return _RANKS[self]

    @property
    def exit_code(self) -> int:
        """The exit code by the convention of monitoring plugins: 0 ok, 1 warning, 2 critical, 3 unknown."""
        return _EXIT_CODES[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
_EXIT_CODES = {Severity.OK: 0, Severity.WARNING: 1, Severity.CRITICAL: 2, Severity.UNKNOWN: 3}


@frozen
class Finding:
    """One result of an assessment: what is wrong or worth noting, and what to do."""

    code: str
    """Stable name of this kind of finding in JSON and metrics."""
    severity: Severity
    subject: str
    """What it is about: a network's name, or `swarm`."""
    short: str
    """The headline, a few words."""
    sentence: str
    hint: str = ""
    """What to do next, or why it matters."""
    names: tuple[str, ...] = ()
    """The objects it is about, all of them, where the sentence names only the first few."""


@frozen
class UnfinishedRun:
    """A run, or another operation with a record on disk, that has changed something and is not over.

    A run is over once it is done, undone or abandoned.
    """

    run_id: str
    title: str
    step: str
    """The step that it is at."""
    state: str
    """How far it is, in a few words: `waits for a decision`, `has stopped` …"""
    began_at: datetime
    hint: str
    """The command that continues it, or ends it."""
    is_in_outage: bool = False
    """Whether services may be down because of it."""
    is_alive: bool = False
    """Whether a runner is at work on it."""
    kind: str = "maintenance run"
    """What it is, in words."""

    @property
    def name(self) -> str:
        """It, as the subject of a sentence."""
        return f"The {self.kind} {self.run_id}".rstrip()


@frozen
class FailingAlert:
    """An alert of the recorder that does not get through."""

    name: str
    since: datetime | None
    """Since when every attempt failed; None where only earlier notifications were lost."""
    reason: str
    """Why the last attempt failed."""
    waiting: int
    """Notifications that are not delivered yet."""
    lost: int
    """Notifications that never were."""


@frozen
class Snapshot:
    """One dated snapshot of a swarm, and of this host where the engine is its own."""

    host: str
    """Address of the engine that was asked."""
    taken_at: datetime
    """By this machine's clock, when the last answer was there."""
    took_s: float
    swarm: SwarmState
    earlier: SwarmState | None
    """A snapshot some seconds earlier, where one was taken."""
    routes: Result[tuple[Route, ...]]
    journal: "Result[Summary]" = NO_REQUEST
    """What dockerd logged lately."""
    censuses: Result[tuple[Census, ...]] = ()
    """The stored censuses; `assess` decides whether they are still valid."""
    leak_log: Result[LeakLog] = EMPTY_LEAK_LOG
    """The leak log, as far as it is still valid; empty where nothing is monitored."""
    counts: Counts = field(default_factory=lambda: MappingProxyType({}))
    """What the engine counted as leaked in earlier snapshots, under the present allocator."""
    trends: Mapping[str, Trend] = field(default_factory=lambda: MappingProxyType({}))
    """How the use of networks went on until now, by network ID, as far as consoles kept that."""
    runs: Result[tuple[UnfinishedRun, ...]] = ()
    """Maintenance runs of this host that keep everybody else from changing the swarm."""
    nodes: OtherNodes = NO_NODES
    """Other nodes that the settings name, as they themselves tell."""
    failing_alerts: Result[tuple[FailingAlert, ...]] = ()
    """Alerts of this host's recorder that do not get through."""
    machine: str = ""
    """The machine that took the snapshot, by the ID that its runs record; empty where it was not read."""

    @property
    def now(self) -> datetime:
        """The time that ages are counted from: the engine's own, where it told it."""
        engine = self.swarm.engine
        return self.taken_at if isinstance(engine, Unknown) else engine.time


@frozen
class Assessment:
    """What a snapshot means: findings, the accounts of the overlays, and a verdict over all."""

    severity: Severity
    headline: str
    findings: tuple[Finding, ...]
    """Worst first; notes (severity ok) last."""
    accounts: tuple[NetworkAccount, ...]
    """The overlays asked for, fullest first."""


def worst_of(findings: Iterable[Finding]) -> Severity:
    """Return ok where there are no findings, else the severity that ranks highest."""
    return max(
        (finding.severity for finding in findings), key=lambda severity: severity.rank, default=Severity.OK
    )
