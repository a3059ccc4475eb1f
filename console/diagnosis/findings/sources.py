"""Findings about the snapshot itself: what could not be read, and what dockerd logged."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from console.diagnosis.values import FailingAlert, Finding, Severity, Snapshot
from console.durations import duration
from console.errors import Result, Unknown, known
from console.text import ending, plural

if TYPE_CHECKING:
    from console.journal.summary import LogFinding, Summary

JOURNAL = "journal"
LINE_LIMIT = 300
SUBJECTS = ("service", "network", "removed")
"""Kinds of objects that a failure is about; it also names the node and the task that it happened on."""


SEVERITIES: Mapping[str, Severity] = {
    "critical": Severity.CRITICAL,
    "warning": Severity.WARNING,
    "note": Severity.OK,
}
"""By the severity of a signature."""
SWARM = "swarm"
DOCTOR = "`vipconsole doctor` tells what works on this host."


def find_log_failures(journal: "Result[Summary]", *, is_required: bool) -> Iterator[Finding]:
    """Yield recent failures that dockerd logged. An unread journal is unknown where it is `is_required`."""
    if isinstance(journal, Unknown):
        if is_required:
            yield Finding(
                "journal-unread",
                Severity.UNKNOWN,
                JOURNAL,
                "dockerd's journal cannot be read",
                f"dockerd's journal was not read. {journal.reason}",
                journal.hint,
            )
        return
    from console.journal.summary import describe  # noqa: PLC0415 - it is loaded where a journal is read

    for log_finding in journal.findings:
        severity = SEVERITIES[log_finding.signature.severity]
        if severity is not Severity.OK and not is_past(log_finding, journal):
            yield Finding(
                f"logged-{log_finding.signature.id}",
                severity,
                JOURNAL,
                f"dockerd logged {plural(log_finding.count, 'failure')}",
                f"{log_finding.signature.meaning} dockerd's log: {describe(log_finding, journal.window_s)}.{_last_line_text(log_finding)}",
                log_finding.signature.advice,
                tuple(name for kind in SUBJECTS for name in log_finding.objects.get(kind, ())),
            )
    if not journal.is_complete:
        reasons = (
            " ".join(dict.fromkeys(gap.reason for gap in journal.gaps)) or "Lines were skipped or malformed."
        )
        yield Finding(
            "journal-incomplete",
            Severity.OK,
            JOURNAL,
            "",
            f"dockerd's journal{_window_text(journal)} is incomplete. {reasons}",
            "The missing lines may hold failures that are not shown here.",
        )


def _last_line_text(log_finding: "LogFinding") -> str:
    return (
        f" Its last line ends: {ending(log_finding.text, LINE_LIMIT)}"
        if log_finding.signature.shows_line
        else ""
    )


def _window_text(journal: "Summary") -> str:
    return "" if journal.window_s is None else f" of the last {duration(journal.window_s)}"


def is_past(log_finding: "LogFinding", summary: "Summary") -> bool:
    """Whether a failure is stale: the allocator was rebuilt after the last such line."""
    return summary.rebuilt_at is not None and log_finding.last < summary.rebuilt_at


def find_read_failures(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield what could not be read. Without the engine's answer nothing else is reported: it is all one cause."""
    swarm = snapshot.swarm
    if isinstance(swarm.engine, Unknown):
        yield _read_failure("swarm-unread", SWARM, "the swarm cannot be read", swarm.engine)
        return
    for name, result in (("networks", swarm.networks), ("services", swarm.services), ("tasks", swarm.tasks)):
        if isinstance(result, Unknown):
            yield _read_failure("part-unread", name, f"{name} cannot be read", result)
    if isinstance(swarm.nodes, Unknown):
        yield _note(
            "nodes-unread",
            "nodes",
            f"The nodes cannot be read. {swarm.nodes.reason}",
            f"{swarm.nodes.hint} {DOCTOR}".lstrip(),
        )
    for network in known(swarm.networks, ()):
        if network.is_overlay and isinstance(network.detail, Unknown):
            yield _read_failure(
                "network-unread", network.name, f"{network.name} cannot be inspected", network.detail
            )


def find_viewpoint(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield notes on what cannot be seen from here although nothing failed."""
    swarm = snapshot.swarm
    if isinstance(swarm.engine, Unknown):
        return
    if not swarm.engine.counts_addresses:
        yield _note(
            "leaks-uncounted",
            SWARM,
            f"Leaked addresses cannot be counted: engine {swarm.engine.version} does not report its allocator's count.",
            "Docker 29 does. Until then `free` is an upper bound that includes leaked addresses. `vipconsole census "
            "NETWORK` names them.",
        )
    nodes = known(swarm.nodes, ())
    leader = next((node for node in nodes if node.is_leader), None)
    if nodes and leader is None:
        yield Finding(
            "no-leader",
            Severity.CRITICAL,
            SWARM,
            "the swarm has no leader",
            "The swarm has no leader: nothing is allocated or scheduled.",
            "Run `docker node ls` on the managers. If the quorum is lost, follow Docker's guide to recovering it.",
        )
    elif leader is not None and leader.id != swarm.engine.node_id:
        yield _note(
            "not-leader",
            SWARM,
            f"This node is not the leader: allocation failures are logged on {leader.hostname}.",
            f"Read dockerd's journal on {leader.hostname}.",
        )
    yield from _host_read_failures(snapshot)


def _host_read_failures(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield what could not be read on this host; one note where it is all for the same reason."""
    sources = {
        "routes-unread": ("This host's routes were", snapshot.routes),
        "journal-unread": ("dockerd's journal was", snapshot.journal),
    }
    failures = {code: failure for code, (_, failure) in sources.items() if isinstance(failure, Unknown)}
    if len(failures) > 1 and len({result.reason for result in failures.values()}) == 1:
        failure = next(iter(failures.values()))
        sentence = f"This host's routes and dockerd's journal were not read. {failure.reason}"
        yield _note("host-unread", SWARM, sentence, f"{failure.hint} {DOCTOR}".lstrip())
        return
    for code, failure in failures.items():
        hint = f"{failure.hint} {DOCTOR}".lstrip()
        yield _note(code, SWARM, f"{sources[code][0]} not read. {failure.reason}", hint)


def find_failing_alerts(alerts: Result[tuple[FailingAlert, ...]], now: datetime) -> Iterator[Finding]:
    """Yield a warning for each alert that does not get through: nobody hears what it was to tell."""
    if isinstance(alerts, Unknown):
        yield Finding(
            "alerts-unread",
            Severity.UNKNOWN,
            "alerts",
            "whether alerts get through is not known",
            alerts.reason,
            alerts.hint,
        )
        return
    for alert in alerts:
        told = []
        if alert.since is not None:
            reason = alert.reason.removesuffix(".")
            told.append(f"it has failed for {duration((now - alert.since).total_seconds())}: {reason}")
        if alert.waiting:
            told.append(f"{plural(alert.waiting, 'notification')} not delivered yet")
        if alert.lost:
            told.append(f"{plural(alert.lost, 'notification')} given up")
        yield Finding(
            "alert-failing",
            Severity.WARNING,
            alert.name,
            f"the alert {alert.name} does not get through",
            f"The alert {alert.name} does not get through; {'; '.join(told)}.",
            f"`vipconsole alert --test {alert.name}` sends one and shows what comes back.",
            (alert.name,),
        )


def _read_failure(code: str, subject: str, short: str, failure: Unknown) -> Finding:
    return Finding(code, Severity.UNKNOWN, subject, short, failure.reason, failure.hint)


def _note(code: str, subject: str, sentence: str, hint: str) -> Finding:
    return Finding(code, Severity.OK, subject, "", sentence, hint)
