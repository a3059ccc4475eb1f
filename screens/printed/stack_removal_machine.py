"""The removal of stacks as JSON. `schema` names the shape and its version."""

import json
from collections.abc import Mapping
from typing import Any

from console.operations.stack_removal.proof import LeakCount, Proof
from console.operations.stack_removal.removal import Outcome
from console.swarm.stacks import StackObject
from screens.printed.stack_removal_talk import NOT_FOUND, exit_code

SCHEMA = "vipconsole.stack-rm/1"


def as_json(outcomes: tuple[Outcome, ...], proof: Proof, host: str, absent: tuple[str, ...] = ()) -> str:
    """Return the end of a removal as one JSON document, ASCII only, with a newline at its end.

    `absent` are the stacks that were asked for and do not exist.
    """
    document = {
        "schema": SCHEMA,
        "host": host,
        "exit_code": exit_code(outcomes, proof, absent),
        "stacks": [*map(_stack, outcomes), *map(_absent, absent)],
        "proof": {
            "verdict": proof.verdict,
            "networks": [
                {"name": one.network, "before": _count_json(one), "after": _count_json(two)}
                for one, two in zip(proof.before, proof.after, strict=True)
            ],
        },
    }
    return json.dumps(document, indent=1) + "\n"


def _stack(outcome: Outcome) -> Mapping[str, Any]:
    return {
        "name": outcome.stack,
        "state": outcome.state,
        "took_s": round(outcome.took_s, 3),
        "removed": [_object(each) for each in outcome.removed],
        "kept": [{**_object(each.object), "reason": each.reason} for each in outcome.kept],
        "waits_for": list(outcome.waits_for),
        "is_drained": outcome.is_drained,
        "refusals": list(outcome.refusals),
    }


def _absent(name: str) -> Mapping[str, Any]:
    return {
        "name": name,
        "state": NOT_FOUND,
        "took_s": 0.0,
        "removed": [],
        "kept": [],
        "waits_for": [],
        "is_drained": True,
        "refusals": [],
    }


def _object(item: StackObject) -> Mapping[str, str]:
    return {"kind": item.kind, "id": item.id, "name": item.name}


def _count_json(count: LeakCount) -> Mapping[str, Any]:
    return {"leaked": count.leaked, "why_unknown": count.why_unknown}
