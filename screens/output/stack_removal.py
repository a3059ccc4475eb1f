"""The removal of stacks: its plan, its progress, and its result as text and as JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, TextIO

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from console.durations import duration
from console.operations.stack_removal.plan import RemovalPlan, StackPlan
from console.operations.stack_removal.removal import RemovalOutcome, RemovalState
from console.operations.stack_removal.steps import LeakComparison, LeakCount, LeakVerdict
from console.swarm.model import ObjectKind, StackObject
from console.text import listed, plural
from screens.output.plain import json_text, say
from screens.output.rows import STYLES, LabelRows
from screens.present.text import BAD, PLAIN, STRONG, UNKNOWN, WARN

SCHEMA = "vipconsole.stack-rm/1"
REMIND_S = 10.0
"""How often the progress repeats what a stack still waits for."""
NAME_LIMIT = 8
NOT_FOUND = "not found"
"""The state of a stack that does not exist."""
NOT_FOUND_REASON = "already removed or misspelled"
TONES = {
    RemovalState.REMOVED: PLAIN,
    RemovalState.UNDER_WAY: WARN,
    RemovalState.UNFINISHED: BAD,
    RemovalState.UNKNOWN: UNKNOWN,
}
PROOF_TONES = {
    LeakVerdict.NO_LEAK: PLAIN,
    LeakVerdict.LEAKED: BAD,
    LeakVerdict.NOT_PROVEN: UNKNOWN,
}


def plan_lines(plan: RemovalPlan) -> Iterator[str]:
    """Yield what will be removed and kept of each stack, and how long it may take."""
    for name, suggestion in zip_longest(plan.absent, plan.suggestions, fillvalue=""):
        yield f"{name}: {NOT_FOUND} ({NOT_FOUND_REASON}). {suggestion}".rstrip(". ")
    for stack in plan.stacks:
        yield f"{stack.name}: {_alive(stack)}"
        for kind in ObjectKind:
            names = [stack_object.name for stack_object in stack.of(kind)]
            if names:
                yield f"  remove  {plural(len(names), kind)}: {listed(names, NAME_LIMIT)}"
        for retained_object in stack.retained_objects:
            yield f"  keep    {retained_object.object.kind} {retained_object.object.name}: {retained_object.reason}"
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


def count_objects(objects: Iterable[StackObject]) -> str:
    """Return how many objects of each kind there are: `2 services, 1 network`."""
    counts = Counter(stack_object.kind for stack_object in objects)
    return ", ".join(plural(counts[kind], kind) for kind in ObjectKind if counts[kind])


def interrupted_lines(outcomes: tuple[RemovalOutcome, ...], command: str) -> Iterator[str]:
    """Yield what was done when it was interrupted, and how to finish."""
    yield "vipconsole: interrupted; nothing more was started."
    for outcome in outcomes:
        count = count_objects(outcome.removed_objects) or "nothing"
        yield f"  {outcome.stack}: {'all removed' if outcome.state is RemovalState.REMOVED else f'{count} removed so far'}"
    if command:
        yield f"  To finish: {command}"


def exit_code(
    outcomes: tuple[RemovalOutcome, ...], proof: LeakComparison, absent: tuple[str, ...] = ()
) -> int:
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


def render_removal(
    outcomes: tuple[RemovalOutcome, ...], proof: LeakComparison, again: str, absent: tuple[str, ...] = ()
) -> RenderableType:
    """Return the end of a removal as something to print; `again` is the command that finishes it, or nothing.

    `absent` are the stacks of the command line that do not exist.
    """
    rows = [_row(outcome) for outcome in outcomes]
    rows += [((Text(name), Text(NOT_FOUND, style=STYLES[WARN])), Text(NOT_FOUND_REASON)) for name in absent]
    verdict = Text(proof.verdict, style=STYLES[PROOF_TONES[proof.verdict]])
    rows.append(((Text("proof"), verdict), Text("\n").join(_proof_lines(proof))))
    parts: list[RenderableType] = [removal_verdict(outcomes, absent), "", LabelRows(rows)]
    if again:
        parts += ["", Text.assemble(("to finish  ", "dim"), (again, "bold"))]
    return Padding(Group(*parts), (0, 1), expand=False)


def removal_verdict(outcomes: tuple[RemovalOutcome, ...], absent: tuple[str, ...]) -> Text:
    """Return the verdict: its word, and how many stacks were removed."""
    counts = Counter(outcome.state for outcome in outcomes)
    worst = next(
        removal_state
        for removal_state in (
            RemovalState.UNKNOWN,
            RemovalState.UNFINISHED,
            RemovalState.UNDER_WAY,
            RemovalState.REMOVED,
        )
        if counts[removal_state]
    )
    took = duration(max(outcome.took_s for outcome in outcomes))
    summary = (
        f"{counts[RemovalState.REMOVED]} of {plural(len(outcomes) + len(absent), 'stack')} removed in {took}"
    )
    if absent:
        summary += f", {len(absent)} not found"
    kept_count = sum(len(outcome.retained_objects) for outcome in outcomes)
    sentence = f"{summary}, {plural(kept_count, 'object')} kept" if kept_count else summary
    return Text.assemble((worst.upper(), STYLES[TONES[worst] or STRONG]), "  ", (sentence, "bold"))


def _row(outcome: RemovalOutcome) -> tuple[tuple[Text, ...], Text]:
    lines = [Text(count_objects(outcome.removed_objects) or "nothing", style="")]
    lines += [
        Text(f"kept {retained_object.object.kind} {retained_object.object.name}: {retained_object.reason}")
        for retained_object in outcome.retained_objects
    ]
    if outcome.state is not RemovalState.REMOVED:
        if outcome.waits_for:
            word = "not removed" if outcome.is_drained else "still there"
            lines.append(Text(f"{word}: {listed(outcome.waits_for, NAME_LIMIT)}"))
        if not outcome.is_drained:
            lines.append(Text("Its networks were kept: to remove them now would leak addresses."))
        lines += [Text(refusal) for refusal in outcome.refusals]
    state = Text(outcome.state, style=STYLES[TONES[outcome.state]])
    return (Text(outcome.stack), state), Text("\n").join(lines)


def _proof_lines(proof: LeakComparison) -> list[Text]:
    if not proof.before:
        return [Text("the stacks used no network that remains")]
    rows = [
        f"{before.network}: {_count(before)} leaked before, {_count(after)} after"
        for before, after in zip(proof.before, proof.after, strict=True)
    ]
    objections = dict.fromkeys(
        count.why_unknown for count in (*proof.before, *proof.after) if count.why_unknown
    )
    return [Text(row) for row in (*rows, *objections)]


def _count(count: LeakCount) -> str:
    return "?" if count.leaked is None else str(count.leaked)


def as_json(
    outcomes: tuple[RemovalOutcome, ...], proof: LeakComparison, host: str, absent: tuple[str, ...] = ()
) -> str:
    """Return the end of a removal as one JSON document, ASCII only, with a newline at its end.

    `absent` are the stacks of the command line that do not exist.
    """
    document = {
        "schema": SCHEMA,
        "host": host,
        "exit_code": exit_code(outcomes, proof, absent),
        "stacks": [*map(_stack, outcomes), *map(_absent, absent)],
        "proof": {
            "verdict": proof.verdict,
            "networks": [
                {"name": before.network, "before": _count_json(before), "after": _count_json(after)}
                for before, after in zip(proof.before, proof.after, strict=True)
            ],
        },
    }
    return json_text(document)


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


class RemovalProgress:
    """Prints how far each stack is, when that changes, and now and then what it waits for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last_lines: dict[str, tuple[str, float]] = {}

    def update(self, outcome: RemovalOutcome) -> None:
        """Print how far a stack is, unless its last line is the same."""
        phase = _phase(outcome)
        last_phase, at_s = self._last_lines.get(outcome.stack, ("", 0.0))
        if not phase or (phase == last_phase and outcome.took_s < at_s + REMIND_S):
            return
        self._last_lines[outcome.stack] = (phase, outcome.took_s)
        waits = f": {listed(outcome.waits_for)}" if outcome.state is RemovalState.UNDER_WAY else ""
        say((f"{outcome.stack}: {phase}{waits}",), self._stream)


def _alive(stack: StackPlan) -> str:
    if not stack.of(ObjectKind.SERVICE):
        remains = "its services are already gone"
        still_running = plural(stack.live_tasks, "task still runs", "tasks still run")
        return f"{remains}; {still_running}" if stack.live_tasks else remains
    return f"{plural(stack.live_tasks, 'live task')}, stop grace up to {duration(stack.grace_s)}"


def _phase(outcome: RemovalOutcome) -> str:
    if outcome.state is RemovalState.REMOVED:
        return f"removed in {duration(outcome.took_s)}"
    if outcome.state is not RemovalState.UNDER_WAY:
        return f"not finished after {duration(outcome.took_s)}"
    if outcome.is_drained:
        return "all tasks have ended, removing the rest"
    return "waiting for its tasks to end"
