"""The removal of stacks in lines, before, during and after, and as JSON. Needs nothing to draw with."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, TextIO

from console.operations.stack_removal.plan import RemovalPlan, StackPlan
from console.operations.stack_removal.removal import RemovalOutcome, RemovalState
from console.operations.stack_removal.steps import LeakCount, LeakVerdict, Proof
from console.swarm.model import ObjectKind, StackObject
from console.text import duration, listed, plural

SCHEMA = "vipconsole.stack-rm/1"


def as_json(
    outcomes: tuple[RemovalOutcome, ...], proof: Proof, host: str, absent: tuple[str, ...] = ()
) -> str:
    """Return the end of a removal as one JSON document, ASCII only, with a newline at its end.

    `absent` are the named stacks that do not exist.
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


def _stack(outcome: RemovalOutcome) -> Mapping[str, Any]:
    return {
        "name": outcome.stack,
        "state": outcome.state,
        "took_s": round(outcome.took_s, 3),
        "removed": [_object(stack_object) for stack_object in outcome.removed_objects],
        "kept": [
            {**_object(retained_object.object), "reason": retained_object.reason}
            for retained_object in outcome.retained_objects
        ],
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


REMIND_S = 10.0
"""How often the progress repeats what a stack still waits for."""
NAMES_SHOWN = 8
NOT_FOUND = "not found"
"""The state of a stack that does not exist."""
MAYBE = "already removed or misspelled"


def plan_lines(plan: RemovalPlan) -> Iterator[str]:
    """Yield what will be removed and kept of each stack, and how long it may take."""
    for name, suggestion in zip_longest(plan.absent, plan.suggestions, fillvalue=""):
        yield f"{name}: {NOT_FOUND} ({MAYBE}). {suggestion}".rstrip(". ")
    for stack in plan.stacks:
        yield f"{stack.name}: {_alive(stack)}"
        for kind in ObjectKind:
            names = [stack_object.name for stack_object in stack.of(kind)]
            if names:
                yield f"  remove  {plural(len(names), kind)}: {listed(names, NAMES_SHOWN)}"
        for kept in stack.retained_objects:
            yield f"  keep    {kept.object.kind} {kept.object.name}: {kept.reason}"
    yield (
        f"Services are removed first, everything else after their tasks have ended "
        f"(waits {duration(plan.limit_s)} at most)."
    )


def question(plan: RemovalPlan) -> tuple[str, str]:
    """Return the question to the operator, and the word that confirms it."""
    if len(plan.stacks) == 1:
        (stack,) = plan.stacks
        return f"The stack {stack.name} will be removed.", stack.name
    return f"These {len(plan.stacks)} stacks will be removed.", "all"


def counted(objects: Iterable[StackObject]) -> str:
    """Return how many objects of each kind there are: `2 services, 1 network`."""
    counts = Counter(stack_object.kind for stack_object in objects)
    return ", ".join(plural(counts[kind], kind) for kind in ObjectKind if counts[kind])


def interrupted_lines(outcomes: tuple[RemovalOutcome, ...], again: str) -> Iterator[str]:
    """Yield what was done when it was interrupted, and how to finish."""
    yield "vipconsole: interrupted; nothing more was started."
    for outcome in outcomes:
        done = counted(outcome.removed_objects) or "nothing"
        yield f"  {outcome.stack}: {'all removed' if outcome.state is RemovalState.REMOVED else f'{done} removed so far'}"
    if again:
        yield f"  To finish: {again}"


def exit_code(outcomes: tuple[RemovalOutcome, ...], proof: Proof, absent: tuple[str, ...] = ()) -> int:
    """Return 0 where all was removed, 1 something kept, leaked or absent, 2 unfinished, 3 unknown."""
    states = {outcome.state for outcome in outcomes}
    if RemovalState.UNKNOWN in states:
        return 3
    if RemovalState.UNFINISHED in states:
        return 2
    return int(
        bool(absent)
        or proof.verdict is LeakVerdict.LEAKED
        or any(outcome.retained_objects for outcome in outcomes)
    )


class RemovalProgress:
    """Says on a stream how far each stack is, when that changes, and now and then what it waits for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: dict[str, tuple[str, float]] = {}

    def tell(self, outcome: RemovalOutcome) -> None:
        """Say how far a stack is, unless that was said already."""
        phase = _phase(outcome)
        said, at_s = self._said.get(outcome.stack, ("", 0.0))
        if not phase or (phase == said and outcome.took_s < at_s + REMIND_S):
            return
        self._said[outcome.stack] = (phase, outcome.took_s)
        waits = f": {listed(outcome.waits_for)}" if outcome.state is RemovalState.UNDER_WAY else ""
        line = f"{outcome.stack}: {phase}{waits}"
        encoding = self._stream.encoding or "ascii"
        self._stream.write(f"{line.encode(encoding, 'backslashreplace').decode(encoding)}\n")
        self._stream.flush()


def _alive(stack: StackPlan) -> str:
    if not stack.of(ObjectKind.SERVICE):
        remains = "its services are already gone"
        left = plural(stack.live_tasks, "task still runs", "tasks still run")
        return f"{remains}; {left}" if stack.live_tasks else remains
    return f"{plural(stack.live_tasks, 'live task')}, stop grace up to {duration(stack.grace_s)}"


def _phase(outcome: RemovalOutcome) -> str:
    if outcome.state is RemovalState.REMOVED:
        return f"removed in {duration(outcome.took_s)}"
    if outcome.state is not RemovalState.UNDER_WAY:
        return f"not finished after {duration(outcome.took_s)}"
    if outcome.is_drained:
        return "all tasks have ended, removing the rest"
    return "waiting for its tasks to end"
