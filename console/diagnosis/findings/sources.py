"""Findings about the snapshot itself: what could not be read, and what dockerd logged."""

from collections.abc import Iterator

from console.diagnosis.values import Finding, Severity, Snapshot
from console.errors import Result, Unknown, known
from console.journal import signatures
from console.journal.summary import LogFinding, Summary, describe
from console.text import duration, ending, plural

JOURNAL = "journal"
LINE_LIMIT = 300
SUBJECTS = ("service", "network", "removed")
"""Kinds of objects that a failure is about; it also names the node and the task that it happened on."""


_SEVERITIES = {
    signatures.LogSeverity.CRITICAL: Severity.CRITICAL,
    signatures.LogSeverity.WARNING: Severity.WARNING,
    signatures.LogSeverity.NOTE: Severity.OK,
}


def find_log_failures(journal: Result[Summary], *, required: bool) -> Iterator[Finding]:
    """Yield recent failures that dockerd logged. An unread journal is unknown where it is `required`."""
    if isinstance(journal, Unknown):
        if required:
            yield Finding(
                "journal-unread",
                Severity.UNKNOWN,
                JOURNAL,
                "dockerd's journal cannot be read",
                f"dockerd's journal was not read. {journal.reason}",
                journal.hint,
            )
        return
    for logged in journal.findings:
        severity = _SEVERITIES[logged.signature.severity]
        if severity is not Severity.OK and not is_past(logged, journal):
            yield Finding(
                f"logged-{logged.signature.id}",
                severity,
                JOURNAL,
                f"dockerd logged {plural(logged.count, 'failure')}",
                f"{logged.signature.meaning} dockerd's log: {describe(logged, journal.window_s)}.{_last_line_text(logged)}",
                logged.signature.advice,
                tuple(name for kind in SUBJECTS for name in logged.objects.get(kind, ())),
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


def _last_line_text(logged: LogFinding) -> str:
    return f" Its last line ends: {ending(logged.text, LINE_LIMIT)}" if logged.signature.shows_line else ""


def _window_text(journal: Summary) -> str:
    return "" if journal.window_s is None else f" of the last {duration(journal.window_s)}"


def is_past(logged: LogFinding, summary: Summary) -> bool:
    """Whether a failure is stale: the allocator was rebuilt after the last such line."""
    return summary.rebuilt_at is not None and logged.last < summary.rebuilt_at


SWARM = "swarm"


def find_read_failures(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield what could not be read. Without the engine's answer nothing else is reported: it is all one cause."""
    swarm = snapshot.swarm
    if isinstance(swarm.engine, Unknown):
        yield _read_failure("swarm-unread", SWARM, "the swarm cannot be read", swarm.engine)
        return
    for what, part in (("networks", swarm.networks), ("services", swarm.services), ("tasks", swarm.tasks)):
        if isinstance(part, Unknown):
            yield _read_failure("part-unread", what, f"{what} cannot be read", part)
    if isinstance(swarm.nodes, Unknown):
        yield _note(
            "nodes-unread", "nodes", f"The nodes cannot be read. {swarm.nodes.reason}", swarm.nodes.hint
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
    unread = {
        "routes-unread": ("This host's routes were", snapshot.routes),
        "journal-unread": ("dockerd's journal was", snapshot.journal),
    }
    parts = {code: part for code, (_, part) in unread.items() if isinstance(part, Unknown)}
    if len(parts) > 1 and len({unknown.reason for unknown in parts.values()}) == 1:
        part = next(iter(parts.values()))
        sentence = f"This host's routes and dockerd's journal were not read. {part.reason}"
        yield _note("host-unread", SWARM, sentence, part.hint)
        return
    for code, part in parts.items():
        yield _note(code, SWARM, f"{unread[code][0]} not read. {part.reason}", part.hint)


def _read_failure(code: str, subject: str, short: str, part: Unknown) -> Finding:
    return Finding(code, Severity.UNKNOWN, subject, short, part.reason, part.hint)


def _note(code: str, subject: str, sentence: str, hint: str) -> Finding:
    return Finding(code, Severity.OK, subject, "", sentence, hint)
