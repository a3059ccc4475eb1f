"""The plan of a step: what must be known to confirm it, and its long lists counted and folded."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from console.durations import duration
from console.frozen import frozen
from console.runbook.language.values import ActionPlan, Effect, ExpectedDowntime
from console.runbook.run.view import Live, StepView
from console.text import plural

EFFECT_WORDS = {Effect.READ: "read-only", Effect.CHANGE: "CHANGES", Effect.OUTAGE: "OUTAGE"}
REHEARSED, FORMER, PLANNED = "rehearsed", "last time", "planned"
_MANY = "…"
"""Stands in a call for the ID where nobody knows beforehand how many there are."""
_FORMS = tuple(
    (verb, re.compile(pattern))
    for verb, pattern in (
        ("update", r"POST /(?P<kind>[a-z]+)s/(?P<id>[^/ ]+)/update"),
        ("create", r"POST /(?P<kind>[a-z]+)s/create"),
        ("remove", r"DELETE /(?P<kind>[a-z]+)s/(?P<id>[^/ ]+)"),
        ("disconnect", r"POST /networks/[^/ ]+/disconnect"),
        ("connect", r"POST /networks/[^/ ]+/connect"),
    )
)
_ALIKE = 6
"""So many lines that begin alike are folded."""
_HEAD, _TAIL = 3, 1


def group_calls(calls: Iterable[str]) -> tuple[str, ...]:
    """Return calls counted, in the order in which the first of each kind comes: `update 120 services, 4 times`."""
    groups: dict[tuple[str, str], list[str]] = {}
    for call in calls:
        verb, kind, object_id = _parse(call)
        groups.setdefault((verb, kind), []).append(object_id)
    uncounted = {kind for (verb, kind), ids in groups.items() if verb == "remove" and _MANY in ids}
    return tuple(
        _sentence(verb, kind, ids, uncounted)
        for (verb, kind), ids in groups.items()
        if not (verb == "remove" and kind in uncounted and ("create", kind) in groups)
    )


def _parse(call: str) -> tuple[str, str, str]:
    """Return what a call does, to which kind of object, and which one it is; a call without a known form stays whole."""
    for verb, pattern in _FORMS:
        match = pattern.fullmatch(call)
        if match is not None:
            parts = match.groupdict()
            return verb, parts.get("kind") or "container", parts.get("id") or ""
    return call, "", ""


def _sentence(verb: str, kind: str, ids: list[str], uncounted: set[str]) -> str:
    if not kind:
        return verb if len(ids) == 1 else f"{verb}, {len(ids)} times"
    if kind in uncounted and verb in ("create", "remove"):
        return f"create and remove {kind}s" if verb == "create" else f"remove {kind}s"
    if not all(ids):
        return f"{verb} {plural(len(ids), kind)}"
    times = Counter(ids)
    objects = f"{verb} {plural(len(times), kind)}"
    if len(set(times.values())) > 1:
        return f"{objects}, {len(ids)} calls in all"
    return objects if len(ids) == len(times) else f"{objects}, {plural(len(ids) // len(times), 'time')}"


def containers_disconnected(calls: Iterable[str]) -> int:
    """Return how many containers lose a network for a moment."""
    return sum(_parse(call)[0] == "disconnect" for call in calls)


def fold_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Return lines in which a long row of lines that begin alike is folded: its first ones, how many more, its last."""
    folded: list[str] = []
    for _, group in groupby(lines, lambda line: re.sub(r"\d+", "", line).split(" ")[:2]):
        row = list(group)
        if len(row) < _ALIKE:
            folded += row
        else:
            folded += [*row[:_HEAD], f"… {len(row) - _HEAD - _TAIL} more like these", *row[-_TAIL:]]
    return tuple(folded)


def downtime_sentence(downtimes: Sequence[ExpectedDowntime]) -> str:
    """Return how many services go down and for how long: `100 services, each for about 17 s to 37 s`."""
    shortest = duration(min(downtime.seconds for downtime in downtimes))
    longest = duration(max(downtime.seconds for downtime in downtimes))
    if len(downtimes) == 1:
        return f"{downtimes[0].service}, for about {longest}"
    span = longest if shortest == longest else f"{shortest} to {longest}"
    return f"{plural(len(downtimes), 'service')}, each for about {span}"


@frozen
class ExpectedSpan:
    """How long a step is expected to take, or its services to be down."""

    seconds: float
    basis: str
    """What says so: `REHEARSED`, `FORMER` or `PLANNED`."""

    @property
    def about(self) -> str:
        """It in a few words; they name what says so, unless that is the plan."""
        return f"about {duration(self.seconds)}" + ("" if self.basis == PLANNED else f" ({self.basis})")


def expected_span(
    plan: ActionPlan | None, rehearsed_s: float | None = None, former_s: float | None = None
) -> ExpectedSpan | None:
    """Return what is expected of a step: a rehearsal of it counts more than an earlier run, and that more than the plan."""
    planned_s = None
    if plan is not None:
        planned_s = max((downtime.seconds for downtime in plan.downtimes), default=plan.outage_s)
    spans_s = {REHEARSED: rehearsed_s, FORMER: former_s, PLANNED: planned_s}
    spans = (ExpectedSpan(span_s, basis) for basis, span_s in spans_s.items() if span_s is not None)
    return next(spans, None)


def expected_of(step: StepView, live: Live) -> ExpectedSpan | None:
    """Return what is expected of a step of a run."""
    plan = None if step.preparation is None else step.preparation.plan
    return expected_span(plan, live.rehearsed_s.get(step.id), live.former_s.get(step.id))


def expected_downtime(plan: ActionPlan, expected: ExpectedSpan) -> str:
    """Return who is expected to be down, and for how long: as measured, where it was, else service by service."""
    if expected.basis == PLANNED and plan.downtimes:
        return downtime_sentence(plan.downtimes)
    basis = "" if expected.basis == PLANNED else f" in all ({expected.basis})"
    services = plural(len(plan.downtimes), "service") if plan.downtimes else "services"
    return f"{services}, for about {duration(expected.seconds)}{basis}"


def plan_facts(plan: ActionPlan, expected: ExpectedSpan | None) -> tuple[tuple[str, str], ...]:
    """Return what must be known before one step begins, each as a label and a sentence."""
    down = []
    if expected is not None and plan.downtimes:
        down = [("down", expected_downtime(plan, expected))]
    elif expected is not None and plan.outage_s is not None:
        down = [("outage", expected.about)]
    return (
        *(("refused", reason) for reason in plan.refused),
        *((("no way back", plan.no_return),) if plan.no_return else ()),
        *down,
        *(("not checked", f"{part.what}: {part.why}") for part in plan.not_checked),
    )
