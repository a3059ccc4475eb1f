"""What the recorder compares the next state of a swarm with; kept on disk, so that a recorder that was killed goes on.

Values and their JSON. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, TypeVar

from console.addresses.leaks import AllocatorGeneration
from console.addresses.tracked_tasks import TrackedTask
from console.diagnosis.values import Severity
from console.durations import parse_time
from console.frozen import frozen
from console.swarm.model import SwarmState, Task, TaskAttachment
from console.text import NAME_LIMIT, clean

T = TypeVar("T")
NOTHING: Mapping[Any, Any] = MappingProxyType({})


@frozen
class ServiceMark:
    """What of a service tells whether it was updated, and how."""

    name: str
    stack: str
    version: int
    digest: str
    """Of its specification: its version changes also where Swarm itself writes to it."""
    image: str
    replicas: int | None
    update_state: str
    network_ids: tuple[str, ...]


@frozen
class OpenFinding:
    """A finding that began and has not ended."""

    severity: Severity
    short: str
    network: str
    absent_since: datetime | None = None
    """Since when it is not there, by the engine's clock; it may come back."""


@frozen
class Baseline:
    """The last state of a swarm, as far as what happens next is told by it. Empty before the first one."""

    seen_at: datetime | None = field(default=None, compare=False)
    """By the engine's clock; not in the JSON."""
    services: Mapping[str, ServiceMark] = field(default_factory=lambda: NOTHING)
    """By ID."""
    networks: Mapping[str, tuple[str, str]] = field(default_factory=lambda: NOTHING)
    """Name and stack of each overlay, by ID."""
    allocator: AllocatorGeneration | None = None
    rebuilt_at: datetime | None = None
    """When the allocator was rebuilt last, by dockerd's log."""
    findings: Mapping[tuple[str, str], OpenFinding] = field(default_factory=lambda: NOTHING)
    """By code and subject."""
    failing: Mapping[str, datetime] = field(default_factory=lambda: NOTHING)
    """Services whose tasks fail, by ID, and when about one did last."""
    leaks: frozenset[tuple[str, str]] = frozenset()
    """Network and task (IDs) of the entries of the leak log."""
    outlived_tasks: tuple[TrackedTask, ...] = ()
    """Live tasks whose network was removed: they leak when they end."""
    live_tasks: tuple[TrackedTask, ...] = ()
    """Other live tasks that may leak: of those that end unwatched the engine's events may tell whether they did."""
    allocator_key: str = ""
    """The allocator generation in which they live, by a key that tells it without monitoring."""
    logged_at: datetime | None = None
    """Of the newest line of dockerd's log that was counted."""
    logged_hours: Mapping[str, datetime] = field(default_factory=lambda: NOTHING)
    """In which hour a signature (by ID) was last an event."""
    swarm: SwarmState | None = field(default=None, compare=False)
    """The state itself, to tell by identity what changed; not in the JSON."""
    line_number: int = field(default=0, compare=False)
    """Of the newest line that was counted in this session; not in the JSON."""


def to_json(baseline: Baseline) -> str:
    """Return the text that `from_json` reads."""
    allocator = baseline.allocator
    return json.dumps(
        {
            "services": {
                key: [
                    mark.name,
                    mark.stack,
                    mark.version,
                    mark.digest,
                    mark.image,
                    mark.replicas,
                    mark.update_state,
                    mark.network_ids,
                ]
                for key, mark in baseline.services.items()
            },
            "networks": dict(baseline.networks),
            "allocator": None
            if allocator is None
            else [
                allocator.cluster_id,
                allocator.leader_id,
                allocator.node_id,
                _text(allocator.daemon_began),
                allocator.rebuilt,
            ],
            "rebuilt_at": _text(baseline.rebuilt_at),
            "findings": [
                [code, subject, finding.severity, finding.short, finding.network, _text(finding.absent_since)]
                for (code, subject), finding in baseline.findings.items()
            ],
            "failing": {key: at.isoformat() for key, at in baseline.failing.items()},
            "leaks": sorted(baseline.leaks),
            "outlived": [_task_rows(task) for task in baseline.outlived_tasks],
            "live": [_task_rows(task) for task in baseline.live_tasks],
            "allocator_key": baseline.allocator_key,
            "logged_at": _text(baseline.logged_at),
            "logged_hours": {key: at.isoformat() for key, at in baseline.logged_hours.items()},
        },
        separators=(",", ":"),
    )


def from_json(text: str) -> Baseline:
    """Return a baseline from its text. Raises what `DAMAGE` names where it is damaged."""
    data = json.loads(text)
    allocator = data["allocator"]
    return Baseline(
        services={
            clean(key): ServiceMark(
                clean(name),
                clean(stack),
                int(version),
                clean(digest),
                clean(image, 2 * NAME_LIMIT),
                None if replicas is None else int(replicas),
                clean(state),
                tuple(clean(network_id) for network_id in network_ids),
            )
            for key, (
                name,
                stack,
                version,
                digest,
                image,
                replicas,
                state,
                network_ids,
            ) in data["services"].items()
        },
        networks={clean(key): (clean(name), clean(stack)) for key, (name, stack) in data["networks"].items()},
        allocator=None
        if allocator is None
        else AllocatorGeneration(
            clean(allocator[0]),
            clean(allocator[1]),
            clean(allocator[2]),
            _moment(allocator[3]),
            clean(allocator[4]),
        ),
        rebuilt_at=_moment(data["rebuilt_at"]),
        findings={
            (clean(code), clean(subject)): OpenFinding(
                Severity(severity), clean(short, 300), clean(network), _moment(absent_since)
            )
            for code, subject, severity, short, network, absent_since in data["findings"]
        },
        failing=_moments(data["failing"]),
        leaks=frozenset((clean(network_id), clean(task_id)) for network_id, task_id in data["leaks"]),
        outlived_tasks=tuple(_task(row) for row in data["outlived"]),
        # A record of before these were kept lacks them.
        live_tasks=tuple(_task(row) for row in data.get("live", ())),
        allocator_key=clean(data["allocator_key"], 3 * NAME_LIMIT),
        logged_at=_moment(data["logged_at"]),
        logged_hours=_moments(data["logged_hours"]),
    )


def _task_rows(tracked_task: TrackedTask) -> dict[str, object]:
    return {
        "id": tracked_task.task.id,
        "since": tracked_task.task.since.isoformat(),
        "name": tracked_task.name,
        "service": tracked_task.service_name,
        "service_id": tracked_task.task.service_id,
        "desired": tracked_task.task.desired_state,
        "wanted_at": _text(tracked_task.wanted_at),
        "stack": tracked_task.stack,
        "removed": tracked_task.removed_network,
        "on": [
            [
                attachment.network_id,
                attachment.network_name,
                [str(address) for address in attachment.addresses],
            ]
            for attachment in tracked_task.attachments
        ],
    }


def _task(row: Mapping[str, Any]) -> TrackedTask:
    attachments = tuple(
        TaskAttachment(
            clean(network_id), clean(name), tuple(ip_address(str(address)) for address in addresses)
        )
        for network_id, name, addresses in row["on"]
    )
    since = _moment(row["since"])
    if since is None:
        raise ValueError("a task without its time")
    # Of the task itself nothing else is asked once it has ended; while it lives the next snapshot brings it anyway.
    task = Task(
        id=clean(row["id"]),
        service_id=clean(row.get("service_id", "")),
        slot=0,
        node_id="",
        state="running",
        desired_state=clean(row.get("desired", "shutdown")),
        since=since,
        message="",
        error="",
        container_id="",
        is_standalone=False,
        attachments=attachments,
    )
    return TrackedTask(
        task,
        clean(row["name"]),
        clean(row["service"]),
        clean(row["stack"]),
        None,
        _moment(row.get("wanted_at")),
        clean(row["removed"]),
    )


def _moments(data: Mapping[str, str]) -> Mapping[str, datetime]:
    moments = {clean(key): _moment(text) for key, text in data.items()}
    return {key: at for key, at in moments.items() if at is not None}


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)
