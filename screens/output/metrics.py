"""A snapshot as metrics: a textfile for Prometheus' node exporter, or what a recorder serves.

What is unknown has no sample: it is never written as 0.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.registry import Collector

from console.diagnosis.findings.waiting import waiting_services
from console.diagnosis.values import Assessment, Finding, Severity, Snapshot
from console.errors import Unknown, known
from console.settings import Thresholds


def as_metrics(snapshot: Snapshot, assessment: Assessment, thresholds: Thresholds) -> str:
    """Return the snapshot in the text exposition format, without timestamps."""
    return exposition(_gauges(snapshot, assessment, thresholds))


def exposition(gauges: Iterable[Gauge]) -> str:
    """Return gauges in the text exposition format, without those that have no sample."""

    class GaugeCollector(Collector):
        def collect(self) -> Iterator[Gauge]:
            return (gauge for gauge in gauges if gauge.samples)

    return generate_latest(GaugeCollector()).decode()


def _gauges(snapshot: Snapshot, assessment: Assessment, thresholds: Thresholds) -> Iterator[Gauge]:
    swarm = snapshot.swarm
    is_unknown = isinstance(swarm.engine, Unknown)
    taken_at = snapshot.taken_at.timestamp()
    yield Gauge("vipconsole_up", "Whether the swarm could be read.", not is_unknown)
    yield Gauge("vipconsole_snapshot_timestamp_seconds", "When the snapshot was taken.", taken_at)
    yield Gauge("vipconsole_snapshot_duration_seconds", "How long the snapshot took.", snapshot.took_s)
    yield from verdict(assessment.findings)
    yield from of_journal(snapshot)
    if not is_unknown:
        yield from of_swarm(snapshot, assessment, thresholds)


def verdict(findings: Iterable[Finding]) -> Iterator[Gauge]:
    """Yield how bad it is, and how many findings there are of each severity."""
    counts = Counter(finding.severity for finding in findings)
    worst = max(counts, key=lambda severity: severity.rank, default=Severity.OK)
    yield Gauge("vipconsole_severity", "0 ok, 1 warning, 2 critical, 3 unknown.", worst.exit_code)
    gauge = Gauge("vipconsole_findings", "Findings by severity.", labels=["severity"])
    for severity in Severity:
        if severity is not Severity.OK:
            gauge.add_metric([severity.value], counts[severity])
    yield gauge


def of_swarm(snapshot: Snapshot, assessment: Assessment, thresholds: Thresholds) -> Iterator[Gauge]:
    """Yield what is known of a swarm that could be read."""
    swarm = snapshot.swarm
    yield from _networks(assessment)
    if not isinstance(swarm.tasks, Unknown):
        stuck = sum(
            task.state == "new" and (snapshot.now - task.since).total_seconds() >= thresholds.new_task_s
            for task in known(swarm.tasks, ())
        )
        yield Gauge("vipconsole_tasks_stuck_new", "Tasks in state New for too long.", stuck)
    if not isinstance(swarm.services, Unknown) and not isinstance(swarm.tasks, Unknown):
        waiting = len(waiting_services(snapshot, thresholds))
        yield Gauge("vipconsole_services_waiting", "Services that wait for an address.", waiting)


def of_journal(snapshot: Snapshot) -> Iterator[Gauge]:
    """Yield what dockerd logged."""
    journal = snapshot.journal
    readable = not isinstance(journal, Unknown)
    yield Gauge("vipconsole_journal_readable", "Whether dockerd's journal could be read.", readable)
    if isinstance(journal, Unknown):
        return
    meaning = "Lines of dockerd in the window, by signature."
    lines = Gauge("vipconsole_journal_lines", meaning, labels=["signature", "severity"])
    for finding in journal.findings:
        lines.add_metric([finding.signature.id, finding.signature.severity.value], finding.count)
    yield lines
    meaning = "Whether the window was read completely."
    yield Gauge("vipconsole_journal_complete", meaning, journal.is_complete)


def _networks(assessment: Assessment) -> Iterator[Gauge]:
    addresses = Gauge(
        "vipconsole_network_addresses",
        "Addresses of a subnet: capacity; expected = with a known holder; in_use and available as far as known.",
        labels=["network", "subnet", "kind"],
    )
    exact = Gauge(
        "vipconsole_network_addresses_exact",
        "Whether in_use and available are exact; if not, available may include leaked addresses.",
        labels=["network", "subnet"],
    )
    leak_counts = Gauge(
        "vipconsole_network_leaked_addresses",
        "Leaked addresses, a lower bound; no sample if unknown.",
        labels=["network", "subnet"],
    )
    for account in assessment.accounts:
        for subnet in account.subnets:
            labels = (account.network.name, str(subnet.pool.subnet))
            addresses.add_metric((*labels, "capacity"), subnet.capacity)
            addresses.add_metric((*labels, "expected"), subnet.accounted)
            addresses.add_metric((*labels, "in_use"), subnet.capacity - subnet.free_at_most)
            addresses.add_metric((*labels, "available"), subnet.free_at_most)
            exact.add_metric(labels, subnet.free_is_exact)
            if subnet.leak.count is not None:
                leak_counts.add_metric(labels, subnet.leak.count)
    yield from (addresses, exact, leak_counts)
