"""A look as JSON. The shape is documented in the README; `schema` names it and its version."""

import json
from collections.abc import Mapping
from typing import Any

from console.addresses.accounting import NetworkAccount, SubnetAccount
from console.addresses.holders import Held, Kind
from console.diagnosis.values import Assessment, Finding, Observation
from console.durations import iso
from console.errors import Unknown, known
from console.swarm.values import Engine
from screens.printed.logged import journal_json

SCHEMA = "vipconsole.glance/1"


def as_json(observation: Observation, assessment: Assessment) -> str:
    """Return the look as one JSON document, ASCII only, with a newline at its end."""
    document = {
        "schema": SCHEMA,
        "taken_at": observation.taken_at.isoformat(),
        "took_s": round(observation.took_s, 3),
        "host": observation.host,
        "severity": assessment.severity,
        "exit_code": assessment.severity.exit_code,
        "headline": assessment.headline,
        "engine": _engine(observation),
        "networks": [_network(each) for each in assessment.accounts],
        "journal": journal_json(observation.journal),
        "findings": [_finding(each) for each in assessment.findings],
    }
    return json.dumps(document, indent=1) + "\n"


def _engine(observation: Observation) -> Mapping[str, Any]:
    engine: Engine | Unknown = observation.swarm.engine
    if isinstance(engine, Unknown):
        return {"unknown": engine.reason, "hint": engine.hint}
    leader = next((each for each in known(observation.swarm.nodes, ()) if each.is_leader), None)
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
        "subnets": [_subnet(each) for each in account.subnets],
        "ipv6_subnets": [str(each) for each in account.ipv6],
        "held_elsewhere": _held(account.elsewhere),
        "unplaced_load_balancers": account.unplaced_load_balancers,
        "holders_unread": list(account.missing),
    }


def _subnet(account: SubnetAccount) -> Mapping[str, Any]:
    pool, leak = account.pool, account.leak
    return {
        "subnet": str(pool.subnet),
        "ip_range": None if pool.handed_out_from == pool.subnet else str(pool.handed_out_from),
        "reserved": [str(each) for each in sorted(pool.reserved)],
        "capacity": account.capacity,
        "accounted": account.accounted,
        "vips": account.count(Kind.VIP),
        "tasks": account.count(Kind.TASK),
        "containers": account.count(Kind.CONTAINER),
        "load_balancers": account.count(Kind.LOAD_BALANCER),
        "unnamed_load_balancers": account.unnamed_load_balancers,
        "leaked": {
            "count": leak.count,
            "certainty": leak.certainty,
            "evidence": leak.evidence,
            "addresses": [str(each) for each in leak.addresses],
            "why_unknown": leak.why_unknown or None,
            "as_of": iso(leak.as_of),
            "possibly_load_balancers": leak.possibly_load_balancers,
            "watched": leak.watched,
        },
        "free": account.free_at_most,
        "free_is_exact": account.free_is_exact,
        "held": _held(account.held),
    }


def _held(held: Held) -> list[Mapping[str, Any]]:
    return [
        {
            "address": str(address),
            "holders": [{"kind": each.kind, "name": each.name, "id": each.id} for each in holders],
        }
        for address, holders in held.items()
    ]


def _finding(finding: Finding) -> Mapping[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "subject": finding.subject,
        "sentence": finding.sentence,
        "hint": finding.hint,
        "names": list(finding.names),
    }
