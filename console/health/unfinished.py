"""Findings about maintenance runs that were begun and are not over."""

from collections.abc import Iterator
from datetime import datetime

from console.health.values import Finding, Severity, UnfinishedRun
from console.parts import Part, Unknown
from console.text import duration


def find_unfinished(runs: Part[tuple[UnfinishedRun, ...]], now: datetime) -> Iterator[Finding]:
    """Yield a critical finding for each run that keeps everybody else from changing the swarm."""
    if isinstance(runs, Unknown):
        yield Finding(
            "runs-unread",
            Severity.UNKNOWN,
            "run",
            "maintenance runs cannot be read",
            f"Whether a maintenance run is unfinished is not known: {runs.reason}",
            runs.hint,
        )
        return
    for each in runs:
        outage = " Services may be down because of it." if each.is_in_outage else ""
        age = duration((now - each.began_at).total_seconds())
        yield Finding(
            "run-unfinished",
            Severity.CRITICAL,
            each.run_id,
            f"the run {each.run_id} {each.state}",
            f"The maintenance run {each.run_id} ({each.title}) {each.state} at step {each.step}; it began {age} ago."
            f"{outage} Nothing else may change the swarm until it is over.",
            each.hint,
            (each.run_id,),
        )
