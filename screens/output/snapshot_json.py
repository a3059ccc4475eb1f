"""A snapshot and what dockerd logged, as JSON. docs/json-and-metrics.md documents the shape; `schema` names it and its version."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from console.addresses.accounting import NetworkAccount, SubnetAccount
from console.addresses.holders import AddressHolders, HolderKind
from console.diagnosis.findings.sources import is_past
from console.diagnosis.values import Assessment, Finding, Snapshot
from console.durations import iso
from console.errors import Result, Unknown, known
from console.journal.matching import LogEvent, UnexplainedError
from console.journal.summary import LogFinding, Summary
from console.nodes.values import NetworkCopy, NodeStatus, OtherNodes
from console.swarm.model import Engine
from screens.output.plain import json_text

if TYPE_CHECKING:
    from console.monitor.values import Watching

SCHEMA = "vipconsole.glance/1"


def as_json(snapshot: Snapshot, assessment: Assessment, watching: "Watching | None" = None) -> str:
    """Return the snapshot as one JSON document, ASCII only, with a newline at its end.

    `watching` tells since when the swarm has been recorded; None where it never was.
    """
    document = {
        **document_head(SCHEMA, snapshot, assessment),
        "engine": _engine(snapshot),
        "recorded": _recorded(watching),
        "networks": [_network(account) for account in assessment.accounts],
        "journal": journal_json(snapshot.journal),
        "nodes": _nodes(snapshot.nodes),
        "findings": [finding_json(finding) for finding in assessment.findings],
    }
    return json_text(document)


def document_head(schema: str, snapshot: Snapshot, assessment: Assessment) -> Mapping[str, Any]:
    """Return what a document about a snapshot begins with: what it is, when and where it was taken, and the verdict."""
    return {
        "schema": schema,
        "taken_at": snapshot.taken_at.isoformat(),
        "took_s": round(snapshot.took_s, 3),
        "host": snapshot.host,
        "severity": assessment.severity,
        "exit_code": assessment.severity.exit_code,
        "headline": assessment.headline,
    }


def _engine(snapshot: Snapshot) -> Mapping[str, Any]:
    engine: Engine | Unknown = snapshot.swarm.engine
    if isinstance(engine, Unknown):
        return {"unknown": engine.reason, "hint": engine.hint}
    leader = next((node for node in known(snapshot.swarm.nodes, ()) if node.is_leader), None)
    return {
        "name": engine.name,
        "version": engine.version,
        "api_version": ".".join(map(str, engine.api_version)),
        "counts_addresses": engine.counts_addresses,
        "node_id": engine.node_id,
        "cluster_id": engine.cluster_id,
        "is_leader": None if leader is None else leader.id == engine.node_id,
        "managers": engine.managers,
        "nodes": engine.nodes,
    }


def _recorded(watching: "Watching | None") -> Mapping[str, Any] | None:
    if watching is None:
        return None
    return {
        "since": iso(watching.since) if watching.is_at_work else None,
        "until": None if watching.is_at_work else iso(watching.since),
    }


def _network(account: NetworkAccount) -> Mapping[str, Any]:
    network = account.network
    return {
        "name": network.name,
        "id": network.id,
        "created": iso(network.created),
        "ingress": network.ingress,
        "attachable": network.attachable,
        "capacity": account.capacity,
        "accounted": account.accounted,
        "leaked": account.leaked,
        "leaked_is_exact": account.leaked_is_exact,
        "free": account.free_at_most,
        "free_is_exact": account.free_is_exact,
        "subnets": [_subnet(subnet) for subnet in account.subnets],
        "ipv6_subnets": [str(subnet) for subnet in account.ipv6],
        "held_elsewhere": _holders(account.elsewhere),
        "unplaced_load_balancers": account.unplaced_load_balancers,
        "holders_unread": list(account.missing),
    }


def _subnet(account: SubnetAccount) -> Mapping[str, Any]:
    pool, leak = account.pool, account.leak
    return {
        "subnet": str(pool.subnet),
        "ip_range": None if pool.handed_out_from == pool.subnet else str(pool.handed_out_from),
        "reserved": [str(address) for address in sorted(pool.reserved)],
        "capacity": account.capacity,
        "accounted": account.accounted,
        "vips": account.count(HolderKind.VIP),
        "tasks": account.count(HolderKind.TASK),
        "containers": account.count(HolderKind.CONTAINER),
        "load_balancers": account.count(HolderKind.LOAD_BALANCER),
        "unnamed_load_balancers": account.unnamed_load_balancers,
        "leaked": {
            "count": leak.count,
            "certainty": leak.certainty,
            "evidence": leak.evidence,
            "addresses": [str(address) for address in leak.addresses],
            "why_unknown": leak.why_unknown or None,
            "as_of": iso(leak.as_of),
            "possibly_load_balancers": leak.possibly_load_balancers,
            "seen_leaking": leak.observed_count,
        },
        "free": account.free_at_most,
        "free_is_exact": account.free_is_exact,
        "held": _holders(account.address_holders),
    }


def _holders(holders_by_address: AddressHolders) -> list[Mapping[str, Any]]:
    return [
        {
            "address": str(address),
            "holders": [{"kind": holder.kind, "name": holder.name, "id": holder.id} for holder in holders],
        }
        for address, holders in holders_by_address.items()
    ]


def _nodes(nodes: OtherNodes) -> list[Mapping[str, Any]]:
    """Return the nodes that the settings name, each with the age of what is known of it."""
    return [_node(status) for status in nodes.statuses]


def _node(status: NodeStatus) -> Mapping[str, Any]:
    view, failure = status.view, status.failure
    return {
        "name": status.name,
        "where": status.where,
        "is_here": status.is_here,
        "answered_at": iso(status.answered_at),
        "unknown": None if failure is None else failure.reason,
        "hint": None if failure is None else failure.hint,
        "failing_since": iso(status.failing_since),
        "node_id": status.node_id or None,
        "address": status.address or None,
        "version": None if view is None else view.version,
        "state": None if view is None else view.state,
        "networks": None if view is None else [_copy(copy) for copy in view.copies if copy.peers is not None],
        "journal": journal_json(status.journal),
    }


def _copy(copy: NetworkCopy) -> Mapping[str, Any]:
    return {
        "name": copy.name,
        "id": copy.id,
        "subnets": [str(subnet) for subnet in copy.subnets],
        "peers": [{"id": peer.id, "address": peer.address} for peer in copy.peers or ()],
        "load_balancer": None if copy.load_balancer is None else str(copy.load_balancer),
        "containers": copy.containers,
    }


def finding_json(finding: Finding) -> Mapping[str, Any]:
    """Return a finding of a snapshot."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "subject": finding.subject,
        "sentence": finding.sentence,
        "hint": finding.hint,
        "names": list(finding.names),
    }


def journal_json(journal: Result[Summary]) -> Mapping[str, Any]:
    """Return the reading, or why there is none."""
    if isinstance(journal, Unknown):
        return {"unknown": journal.reason, "hint": journal.hint}
    return {
        "window_s": journal.window_s,
        "is_complete": journal.is_complete,
        "gaps": [gap.reason for gap in journal.gaps],
        "entries": journal.entries,
        "allocator_rebuilt_at": None if journal.rebuilt_at is None else journal.rebuilt_at.isoformat(),
        "addresses_lost": journal.lost_addresses,
        "findings": [_finding_json(finding, journal) for finding in journal.findings],
        "unmatched_count": journal.unexplained_count,
        "unmatched": [
            {
                "count": message.count,
                "first": message.first.isoformat(),
                "last": message.last.isoformat(),
                "text": message.text,
                "objects": {kind: list(names) for kind, names in message.objects.items()},
            }
            for message in journal.error_patterns
        ],
    }


def _finding_json(finding: LogFinding, summary: Summary) -> Mapping[str, Any]:
    signature = finding.signature
    return {
        "signature": signature.id,
        "severity": signature.severity,
        "certainty": signature.certainty,
        "is_leak_evidence": signature.is_leak_evidence,
        "is_past": is_past(finding, summary),
        "count": finding.count,
        "first": finding.first.isoformat(),
        "last": finding.last.isoformat(),
        "objects": {kind: list(names) for kind, names in finding.objects.items()},
        "addresses_lost": finding.lost_addresses,
        "dropped": finding.dropped,
        "meaning": signature.meaning,
        "advice": signature.advice,
        "text": finding.text,
    }


def event_json(event: LogEvent | UnexplainedError, names: Mapping[str, str]) -> Mapping[str, Any]:
    """Return one recognised line."""
    common = {"at": event.at.isoformat(), "text": event.text}
    objects = {kind: names.get(value, value) for kind, value in event.ids.items()}
    if isinstance(event, UnexplainedError):
        return {**common, "signature": None, "objects": objects}
    return {
        **common,
        "signature": event.signature.id,
        "severity": event.signature.severity,
        "objects": objects,
        "dropped": event.dropped,
    }
