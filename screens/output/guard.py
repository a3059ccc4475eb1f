"""The guard's result: one line by the convention of monitoring plugins, JSON, and metrics."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.guard.actuator import GuardOutcome
from console.guard.values import GuardDecision, GuardVerdict
from screens.output.plain import json_text
from screens.present.text import typed_here

SCHEMA = "vipconsole.guard/1"
EXIT_CODES = {GuardVerdict.GO: 0, GuardVerdict.NOTE: 1, GuardVerdict.STOP: 2, GuardVerdict.UNKNOWN: 3}
WORDS = {
    GuardVerdict.GO: "OK",
    GuardVerdict.NOTE: "WARNING",
    GuardVerdict.STOP: "CRITICAL",
    GuardVerdict.UNKNOWN: "UNKNOWN",
}


def one_line(outcome: GuardOutcome, room: tuple[int, int] | None) -> str:
    """Return the line that a scheduler logs: status, sentence, and what is free of what there is."""
    decision = outcome.decision
    # A bar divides the sentence from the figures; no sentence of this program has one, but names may.
    line = f"GUARD {WORDS[decision.verdict]} - {decision.sentence}".replace("|", "/")
    return line if room is None else f"{line} | 'free'={room[0]};;;0;{room[1]}"


def more_lines(decision: GuardDecision) -> tuple[str, ...]:
    """Return what to do about it, and the other reasons."""
    return tuple(typed_here(line) for line in (decision.hint, *decision.because[1:]) if line)


def as_json(
    outcome: GuardOutcome, room: tuple[int, int] | None, host: str, at: datetime, *, dry: bool
) -> str:
    """Return everything as one JSON document, ASCII only."""
    decision = outcome.decision
    shortage = decision.shortage
    document: Mapping[str, Any] = {
        "schema": SCHEMA,
        "at": at.isoformat(),
        "host": host,
        "dry_run": dry,
        "verdict": decision.verdict,
        "exit_code": EXIT_CODES[decision.verdict],
        "sentence": decision.sentence,
        "hint": decision.hint,
        "because": list(decision.because),
        "free": None if room is None else room[0],
        "capacity": None if room is None else room[1],
        "shortage": None
        if shortage is None
        else {
            "network": shortage.network,
            "why": shortage.why,
            "wanted": shortage.demand,
            "free_at_most": shortage.free,
            "within_reach": shortage.within_reach,
        },
        "would_restart": decision.restarts,
        "would_borrow": decision.borrows,
        "would_prune": list(decision.prunes),
        "restarted": outcome.has_restarted,
        "borrowed": outcome.has_borrowed,
        "healed": int(outcome.reclaim_method is not None and decision.verdict is GuardVerdict.GO),
        "pruned": list(outcome.pruning.removed_names),
        "kept": [{"name": name, "reason": reason} for name, reason in outcome.pruning.kept_networks],
    }
    return json_text(document)


def as_metrics(outcome: GuardOutcome, at: datetime) -> str:
    """Return the outcome in the text exposition format, for a textfile collector."""
    # A guard without metrics does not wait for Prometheus's library.
    from prometheus_client.core import GaugeMetricFamily as Gauge  # noqa: PLC0415 - see above

    from screens.output.metrics import exposition  # noqa: PLC0415 - see above

    rows = (
        ("last_run_timestamp_seconds", "When the guard last ran.", at.timestamp()),
        ("last_exit_code", "0 go, 1 go with a note, 2 do not start, 3 unknown.", EXIT_CODES[outcome.verdict]),
        ("last_restarted", "Whether the last run restarted the docker unit.", outcome.has_restarted),
        ("last_borrowed", "Whether the last run borrowed a second manager.", outcome.has_borrowed),
        ("last_pruned_networks", "Overlays that the last run removed.", len(outcome.pruning.removed_names)),
    )  # fmt: skip
    return exposition(Gauge(f"vipconsole_guard_{name}", meaning, value) for name, meaning, value in rows)
