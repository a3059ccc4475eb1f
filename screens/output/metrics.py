"""A look as metrics for a Prometheus textfile collector. What is unknown has no sample: it is never written as 0."""

from collections.abc import Iterator

from console.diagnosis.findings.waiting import waiting_services
from console.diagnosis.values import Assessment, Observation, Severity
from console.errors import Unknown, known
from console.settings import Thresholds

_Sample = tuple[dict[str, str], float]


def as_metrics(observation: Observation, assessment: Assessment, thresholds: Thresholds) -> str:
    """Return the look in the text exposition format, without timestamps."""
    return "".join(
        f"# HELP {name} {meaning}\n# TYPE {name} gauge\n"
        + "".join(f"{name}{_labels(labels)} {value:.15g}\n" for labels, value in samples)
        for name, meaning, samples in _families(observation, assessment, thresholds)
        if samples
    )


def _families(
    observation: Observation, assessment: Assessment, thresholds: Thresholds
) -> Iterator[tuple[str, str, list[_Sample]]]:
    swarm = observation.swarm
    unread = isinstance(swarm.engine, Unknown)
    yield "vipconsole_up", "Whether the swarm could be read.", [({}, float(not unread))]
    taken: list[_Sample] = [({}, observation.taken_at.timestamp())]
    yield "vipconsole_look_timestamp_seconds", "When the swarm was looked at.", taken
    yield "vipconsole_look_duration_seconds", "How long the look took.", [({}, observation.took_s)]
    severity: list[_Sample] = [({}, float(assessment.severity.exit_code))]
    yield "vipconsole_severity", "0 ok, 1 warning, 2 critical, 3 unknown.", severity
    findings: list[_Sample] = [
        ({"severity": each.value}, float(sum(one.severity is each for one in assessment.findings)))
        for each in Severity
        if each is not Severity.OK
    ]
    yield "vipconsole_findings", "Findings by severity.", findings
    yield from _journal(observation)
    if unread:
        return
    yield from _networks(assessment)
    if not isinstance(swarm.tasks, Unknown):
        stuck = sum(
            each.state == "new" and (observation.now - each.since).total_seconds() >= thresholds.new_task_s
            for each in known(swarm.tasks, ())
        )
        yield "vipconsole_tasks_stuck_new", "Tasks in state New for too long.", [({}, float(stuck))]
    if not isinstance(swarm.services, Unknown) and not isinstance(swarm.tasks, Unknown):
        waiting = len(waiting_services(observation, thresholds))
        yield "vipconsole_services_waiting", "Services that wait for an address.", [({}, float(waiting))]


def _journal(observation: Observation) -> Iterator[tuple[str, str, list[_Sample]]]:
    journal = observation.journal
    readable: list[_Sample] = [({}, float(not isinstance(journal, Unknown)))]
    yield "vipconsole_journal_readable", "Whether dockerd's journal could be read.", readable
    if isinstance(journal, Unknown):
        return
    lines: list[_Sample] = [
        ({"signature": each.signature.id, "severity": each.signature.severity.value}, float(each.count))
        for each in journal.findings
    ]
    yield "vipconsole_journal_lines", "Lines of dockerd in the window read, by what they mean.", lines
    complete: list[_Sample] = [({}, float(journal.is_complete))]
    yield "vipconsole_journal_complete", "Whether no line of the window may be missing.", complete


def _networks(assessment: Assessment) -> Iterator[tuple[str, str, list[_Sample]]]:
    addresses: list[_Sample] = []
    leaked: list[_Sample] = []
    exact: list[_Sample] = []
    for account in assessment.accounts:
        for subnet in account.subnets:
            labels = {"network": account.network.name, "subnet": str(subnet.pool.subnet)}
            for kind, count in (
                ("capacity", subnet.capacity),
                ("expected", subnet.accounted),
                ("in_use", subnet.capacity - subnet.free_at_most),
                ("available", subnet.free_at_most),
            ):
                addresses.append(({**labels, "kind": kind}, float(count)))
            exact.append((labels, float(subnet.free_is_exact)))
            if subnet.leak.count is not None:
                leaked.append((labels, float(subnet.leak.count)))
    yield (
        "vipconsole_network_addresses",
        "Addresses of a subnet: capacity; expected = with a known holder; in_use and available as far as known.",
        addresses,
    )
    yield (
        "vipconsole_network_addresses_exact",
        "Whether in_use and available are exact; if not, leaked addresses hide among the available ones.",
        exact,
    )
    yield (
        "vipconsole_network_leaked_addresses",
        "Leaked addresses, at least; no sample where unknown.",
        leaked,
    )


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
