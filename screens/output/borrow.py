"""What came of a borrowed manager, as text and as JSON."""

from collections.abc import Iterator

from console.durations import duration
from console.frozen import frozen
from console.operations.borrow.session import BorrowOutcome
from console.operations.stack_removal.steps import LeakCount
from console.text import plural


@frozen
class BorrowReport:
    """What the operator is told afterwards."""

    outcome: BorrowOutcome
    before: tuple[LeakCount, ...]
    after: tuple[LeakCount, ...]

    @property
    def is_whole(self) -> bool:
        """Whether addresses came back and no container was touched."""
        return self.outcome.result.gave_back and not self.outcome.lost


def report_lines(report: BorrowReport) -> Iterator[str]:
    """Yield what came of it: whether addresses came back, what leaked before and after, the containers."""
    outcome = report.outcome
    result = outcome.result
    took = duration(result.took_s)
    if result.gave_back:
        yield (
            f"All leaked addresses are free: the temporary manager led the swarm. {result.leader} leads again, and the "
            f"temporary manager is gone ({took}). No manager answered for {result.unanswered_s:.1f} s."
        )
    else:
        yield (
            f"No address was given back. {result.because} The swarm is as it was: {result.leader} leads, and the temporary "
            f"manager is gone ({took})."
        )
    for before, after in zip(report.before, report.after, strict=True):
        yield f"{before.network}: {_leaked(after)} now, {_leaked(before)} before."
    if outcome.lost:
        yield (
            f"{plural(len(outcome.lost), 'container')} of {outcome.containers} stopped or restarted meanwhile: "
            f"{', '.join(container[:12] for container in outcome.lost)}. `vipconsole glance` shows what does not run."
        )
    else:
        yield f"All {plural(outcome.containers, 'container')} of this host ran on (same IDs, same start times)."


def _leaked(count: LeakCount) -> str:
    return f"{count.leaked} leaked" if count.leaked is not None else f"leaked unknown ({count.why_unknown})"


def as_json(report: BorrowReport) -> dict[str, object]:
    """Return the same for programs."""
    outcome = report.outcome
    result = outcome.result
    return {
        "gave_back": result.gave_back,
        "because": result.because,
        "leader": result.leader,
        "took_s": round(result.took_s, 1),
        "unanswered_s": round(result.unanswered_s, 2),
        "containers": outcome.containers,
        "containers_lost": list(outcome.lost),
        "leaked": {
            before.network: {"before": before.leaked, "after": after.leaked}
            for before, after in zip(report.before, report.after, strict=True)
        },
    }
