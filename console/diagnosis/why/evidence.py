"""An explanation of a service, and its evidence row by row, as every cause writes it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from console.addresses.accounting import NetworkAccount
from console.addresses.holders import HolderKind
from console.diagnosis.findings.networks import leak_count_text
from console.diagnosis.values import Severity
from console.diagnosis.why.case import ServiceContext, Slot
from console.durations import duration, stamp
from console.frozen import frozen
from console.journal.matching import LogEvent, LogMatcher
from console.journal.signatures import Confidence, LogSeverity
from console.journal.values import Batch
from console.swarm.model import Task
from console.text import plural

MAX_HOLDERS = 3


class ServiceStatus(StrEnum):
    """Whether a service runs, will soon, or is blocked."""

    RUNS = "runs"
    CONVERGING = "converging"
    """Not there yet, and not long enough for that to mean anything."""
    UNKNOWN = "unknown"
    BLOCKED = "blocked"

    @property
    def severity(self) -> Severity:
        """The severity that decides the exit code: ok, warning, unknown, critical in the order above."""
        return _SEVERITIES[self]


_SEVERITIES = {
    ServiceStatus.RUNS: Severity.OK,
    ServiceStatus.CONVERGING: Severity.WARNING,
    ServiceStatus.UNKNOWN: Severity.UNKNOWN,
    ServiceStatus.BLOCKED: Severity.CRITICAL,
}


@frozen
class Evidence:
    """One fact that an explanation rests on: what it was read from, which field of it, and its value."""

    subject: str
    """`service ghost_app`, `task ghost_app.1`, `network proxy`, `node ci-host` or `dockerd`."""
    field: str
    """As the engine's API calls it, or in plain words for what was counted."""
    value: str


@frozen
class Explanation:
    """One cause, and what to do about it."""

    cause: str
    """Stable name of the cause, for machines."""
    standing: ServiceStatus
    certainty: Confidence
    verdict: str
    """The cause in a few words, without the service's name."""
    meaning: str
    """What that means, in sentences."""
    evidence: tuple[Evidence, ...] = ()
    is_address_problem: bool | None = None
    """None where it cannot be told."""
    advice: str = ""
    command: str = ""
    """The next command to run, ready for a shell on the engine's host; empty where there is none."""


def lines_of(batch: Batch) -> Mapping[str, LogEvent]:
    """Return the last lines of a reading of dockerd's journal; see `last_lines`."""
    recogniser = LogMatcher()
    events = (recogniser.recognise(entry) for entry in batch.entries)
    return last_lines(event for event in events if isinstance(event, LogEvent))


def last_lines(events: Iterable[LogEvent]) -> Mapping[str, LogEvent]:
    """Return the last line that matters about each service, task, network and node, by their IDs.

    Lines that block nothing are left out (noise, and signs of a leak), and those from before the allocator was
    rebuilt: it has tried again since. A line that names a cause is not replaced by one that only reports its
    consequence.
    """
    lines: dict[str, LogEvent] = {}
    for event in events:
        if event.signature.is_rebuild:
            lines.clear()
        if event.signature.severity is LogSeverity.NOTE or event.signature.is_leak_evidence:
            continue
        if event.signature.is_about_node:
            # The task's own error tells the same, and what the manager said is wanted beside it.
            continue
        is_cause = _is_cause(event)
        for kind, id_ in event.ids.items():
            # Every line names the manager that wrote it; only some are about a node.
            if kind == "removed" or (kind == "node" and "<node>" not in event.signature.message):
                continue
            before = lines.get(id_)
            if is_cause or before is None or not _is_cause(before):
                lines[id_] = event
    return lines


def _is_cause(event: LogEvent) -> bool:
    """Whether a line tells why, if only in dockerd's words, and not merely that something waits."""
    signature = event.signature
    return signature.certainty is Confidence.CERTAIN or (
        signature.shows_line and signature.id != "allocation-pending"
    )


def task_name(case: ServiceContext, task: Task) -> str:
    """Return the name by which `docker service ps` shows a task."""
    node = case.swarm.nodes.get(task.node_id)
    return f"{case.service.name}.{task.slot or (node.hostname if node else task.node_id[:12])}"


def node_name(case: ServiceContext, task: Task) -> str:
    """Return the name of the node of a task, or the beginning of its ID where it is not listed."""
    node = case.swarm.nodes.get(task.node_id)
    return node.hostname if node else task.node_id[:12]


def failure_count_text(case: ServiceContext, slot: Slot) -> str:
    """Return how often tasks of a slot failed, as `, 3 times in 32 s`; nothing for a single time."""
    failures = slot.failures(case.now)
    if len(failures) < 2:
        return ""
    first = min(failure.created or failure.since for failure in failures)
    return f", {plural(len(failures), 'time')} in {duration(case.age_s(first))}"


def count_rows(case: ServiceContext, slot: Slot) -> tuple[Evidence, ...]:
    """Return how many failed tasks of a slot are listed, where there are several."""
    count = len(slot.failures(case.now))
    if count < 2:
        return ()
    subject = f"task {task_name(case, slot.newest)}"
    value = (
        f"{count} listed{failure_count_text(case, slot).partition('times')[2]}; Swarm lists only the last few"
    )
    return (Evidence(subject, "failures", value),)


def network_name(case: ServiceContext, network_id: str) -> str:
    """Return a network's name, or the beginning of its ID where it is not listed."""
    network = case.swarm.networks.get(network_id)
    return network.name if network else network_id[:12]


def task_row(case: ServiceContext, task: Task, field: str, value: str) -> Evidence:
    """Return a fact about a task of the case."""
    return Evidence(f"task {task_name(case, task)}", field, value)


def service_row(case: ServiceContext, field: str, value: str) -> Evidence:
    """Return a fact about the service of the case."""
    return Evidence(f"service {case.service.name}", field, value)


def state_row(case: ServiceContext, task: Task) -> Evidence:
    """Return the state of a task, and since when."""
    return task_row(case, task, "Status.State", f"{task.state} for {duration(case.age_s(task.since))}")


def error_rows(case: ServiceContext, task: Task) -> tuple[Evidence, ...]:
    """Return what a task ended with: its error, and its container's exit code where there was a container."""
    rows = [task_row(case, task, "Status.State", task.state)]
    if task.error:
        rows.append(task_row(case, task, "Status.Err", f'"{task.error}"'))
    if task.exit_code is not None:
        rows.append(task_row(case, task, "ContainerStatus.ExitCode", str(task.exit_code)))
    return tuple(rows)


def address_rows(case: ServiceContext, task: Task) -> tuple[Evidence, ...]:
    """Return the addresses that a task was given."""
    addresses = [
        f"{attachment.addresses[0]} on {network_name(case, attachment.network_id)}"
        for attachment in task.attachments
        if attachment.addresses
    ]
    return (task_row(case, task, "NetworksAttachments", ", ".join(addresses) or "none"),)


def vip_rows(case: ServiceContext) -> tuple[Evidence, ...]:
    """Return which virtual IPs the service has, and which networks it needs one on."""
    has = [
        f"{virtual_ip.address} on {network_name(case, virtual_ip.network_id)}"
        for virtual_ip in case.service.virtual_ips
    ]
    needs = [network_name(case, network_id) for network_id in (*case.needs, *case.missing_networks)]
    return (
        service_row(case, "Endpoint.VirtualIPs", ", ".join(has) or "none"),
        service_row(case, "Spec.TaskTemplate.Networks", ", ".join(needs) or "none"),
    )


def network_rows(case: ServiceContext, account: NetworkAccount) -> tuple[Evidence, ...]:
    """Return how a network's addresses are used, as far as known, and by whom."""
    subject = f"network {account.network.name}"
    qualifier = "at least " if account.missing else ""
    leak_count = account.leaked
    reasons = [subnet.leak.why_unknown for subnet in account.subnets if subnet.leak.why_unknown]
    why = reasons[0].rstrip(".") if reasons else "no reason given"
    return (
        Evidence(subject, "accounted", f"{qualifier}{account.accounted} of {account.capacity}"),
        Evidence(
            subject, "leaked", f"unknown: {why}" if leak_count is None else leak_count_text(account) or "0"
        ),
        Evidence(subject, "free", f"{'' if account.free_is_exact else 'at most '}{account.free_at_most}"),
        Evidence(subject, "held by", _holders(case, account)),
    )


def _holders(case: ServiceContext, account: NetworkAccount) -> str:
    counts: Counter[str] = Counter()
    for _, holders in account.holders():
        for owner in dict.fromkeys(
            "node load balancers"
            if holder.kind is HolderKind.LOAD_BALANCER
            else case.swarm.owners.get(holder.id) or "removed services"
            for holder in holders
        ):
            counts[owner] += 1
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    largest = ", ".join(f"{name} {count}" for name, count in most[:MAX_HOLDERS])
    rest = most[MAX_HOLDERS:]
    if not rest:
        return largest or "nobody"
    return f"{largest}, and {plural(len(rest), 'other')} {sum(count for _, count in rest)}"


def line_rows(lines: Iterable[LogEvent | None]) -> tuple[Evidence, ...]:
    """Return what dockerd wrote, with the time of the line."""
    return tuple(Evidence("dockerd", stamp(line.at), line.text) for line in lines if line is not None)
