"""What a recorder serves as metrics: the newest state, as far as it is fresh, and how the recorder itself goes."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from math import isfinite
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import InfoMetricFamily as Info

from console import __version__
from console.addresses.outlook import network_outlook
from console.alerts.decision import findings_of
from console.alerts.values import AlertState
from console.frozen import frozen
from console.monitor.values import MonitorState
from console.settings import Thresholds
from screens.output.metrics import of_journal, of_swarm, verdict

Family: TypeAlias = Gauge | Counter | Info
STALE_S = 300.0
"""A state that is older is not shown, even if nothing says that the engine is away."""
STALE_PAUSES = 5
"""Or than so many pauses between two snapshots, where these are long."""


@frozen
class Recording:
    """What a recorder knows at a moment, as far as metrics tell it."""

    now: datetime
    """By this machine's clock."""
    now_s: float
    """The same moment by the monotonic clock."""
    started_at: datetime
    """When the recorder was started."""
    state: MonitorState | None = None
    """The newest one; None before the first."""
    watching_since: datetime | None = None
    """Since when it has watched without a break; None while it does not."""
    events: int | None = None
    """Events in the record; None where that is not known."""
    alerts: Mapping[str, AlertState] = field(default_factory=dict)
    """By what they are called."""


def recording_families(recording: Recording, thresholds: Thresholds) -> Iterator[Family]:
    """Yield what is served. Of an engine that is away only that, how old the last snapshot is, and what is known."""
    state = recording.state or MonitorState()
    feed = state.snapshot
    is_fresh = feed.value is not None and feed.failure is None and not _is_stale(recording)
    yield Gauge("vipconsole_up", "Whether the swarm could be read.", is_fresh)
    if feed.value is not None:
        # The snapshot itself is as old as the last change.
        age_s = max(0.0, recording.now_s - feed.at_s)
        read_at = (recording.now - timedelta(seconds=age_s)).timestamp()
        yield Gauge("vipconsole_snapshot_timestamp_seconds", "When the snapshot was taken.", read_at)
        yield Gauge("vipconsole_snapshot_age_seconds", "How old the last snapshot is.", age_s)
    if feed.value is not None and is_fresh:
        snapshot, assessment = feed.value.snapshot, feed.value.assessment
        yield Gauge("vipconsole_snapshot_duration_seconds", "How long the snapshot took.", snapshot.took_s)
        yield from verdict(findings_of(state).values())
        yield from of_journal(snapshot)
        yield from of_swarm(snapshot, assessment, thresholds)
        yield _forecast(state)
    elif feed.failure is not None:
        yield from verdict(findings_of(state).values())
    yield from _recorder(recording)
    yield from _alerts(recording)


def _is_stale(recording: Recording) -> bool:
    if recording.state is None:
        return True
    longest_s = max(STALE_S, STALE_PAUSES * recording.state.poll_s)
    return recording.now_s - recording.state.snapshot.at_s > longest_s


def _forecast(state: MonitorState) -> Gauge:
    gauge = Gauge(
        "vipconsole_network_full_in_seconds",
        "When the network will be full at the present rate; no sample where nothing says that it will be.",
        labels=["network"],
    )
    if state.snapshot.value is not None:
        for account in state.snapshot.value.assessment.accounts:
            outlook = network_outlook(account, state.trends.get(account.network.id))
            if isfinite(outlook.full_in_hours):
                gauge.add_metric([account.network.name], outlook.full_in_hours * 3600)
    return gauge


def _recorder(recording: Recording) -> Iterator[Family]:
    yield Info("vipconsole_build", "The program.", {"version": __version__})
    started_at = recording.started_at.timestamp()
    yield Gauge("vipconsole_recorder_start_timestamp_seconds", "When the recorder was started.", started_at)
    if recording.watching_since is not None:
        since = recording.watching_since.timestamp()
        meaning = "Since when it has watched without a break."
        yield Gauge("vipconsole_recorder_watching_since_timestamp_seconds", meaning, since)
    if recording.events is not None:
        yield Gauge("vipconsole_recorder_events", "Events in the record.", recording.events)


def _alerts(recording: Recording) -> Iterator[Family]:
    failing = Gauge("vipconsole_alert_failing", "1 while the alert does not get through.", labels=["alert"])
    waiting = Gauge("vipconsole_alert_waiting", "Notifications not delivered yet.", labels=["alert"])
    delivered = Counter("vipconsole_alert_delivered", "Notifications delivered.", labels=["alert"])
    failures = Counter("vipconsole_alert_failures", "Attempts that failed.", labels=["alert"])
    lost = Counter("vipconsole_alert_lost", "Notifications given up.", labels=["alert"])
    for name, alert in recording.alerts.items():
        failing.add_metric([name], alert.is_in_trouble(recording.now))
        waiting.add_metric([name], len(alert.pending))
        delivered.add_metric([name], alert.delivered)
        failures.add_metric([name], alert.failures)
        lost.add_metric([name], alert.lost)
    yield from (failing, waiting, delivered, failures, lost)
