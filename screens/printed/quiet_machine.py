"""A wait for quiet as JSON. The shape is documented in the README; `schema` names it and its version."""

import json
from collections.abc import Mapping
from typing import Any

from console.diagnosis.quiescence.values import Blocker, Check, Verdict
from console.diagnosis.quiescence.waiter import Progress
from console.durations import iso

SCHEMA = "vipconsole.quiet/1"
EXIT_CODES = {Verdict.QUIET: 0, Verdict.BUSY: 2, Verdict.UNKNOWN: 3}


def as_json(progress: Progress, host: str) -> str:
    """Return the state of a wait as one JSON document, ASCII only, with a newline at its end."""
    outcome = progress.outcome or progress.report.verdict
    document = {
        "schema": SCHEMA,
        "taken_at": progress.report.taken_at.isoformat(),
        "host": host,
        "outcome": outcome,
        "exit_code": EXIT_CODES[outcome],
        "dwell_s": progress.dwell_s,
        "waited_s": round(progress.waited_s, 3),
        "quiet_for_s": round(progress.quiet_for_s, 3),
        "checks": [_check(each) for each in progress.report.checks],
    }
    return json.dumps(document, indent=1) + "\n"


def _check(check: Check) -> Mapping[str, Any]:
    return {
        "code": check.code,
        "title": check.title,
        "state": check.state,
        "blocks": check.state.blocks,
        "blockers": [_blocker_json(each) for each in check.blockers],
        "note": check.note,
        "hint": check.hint,
    }


def _blocker_json(blocker: Blocker) -> Mapping[str, Any]:
    return {
        "name": blocker.name,
        "what": blocker.what,
        "since": iso(blocker.since),
        "accepted": blocker.is_accepted,
    }
