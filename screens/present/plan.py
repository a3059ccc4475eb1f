"""The plan of a whole run on one screen: what an operator needs to know to confirm it, then its steps."""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from console.durations import duration
from console.frozen import frozen
from console.runbook.language.values import Answer, Effect, NotChecked, Runbook
from console.runbook.runner.creation import StepPlan, refusals
from console.text import clean, plural
from screens.present.step_plan import (
    EFFECT_WORDS,
    containers_disconnected,
    expected_downtime,
    expected_span,
    group_calls,
)
from screens.present.text import names_that_fit

LABEL = 13
"""The width of the column of labels."""
SPARE = 2
"""Steps have two lines each if so many lines are left for details."""
NARROWEST = 40
PROMPT = 2
"""Lines for what follows a plan: the question, or the shell's prompt."""
TEXT_LIMIT = 400


@frozen
class PlanOverview:
    """What a plan comes down to, each a sentence."""

    goes_down: tuple[str, ...]
    services_down: tuple[str, ...]
    """By name, in the order in which they come back."""
    asks: tuple[str, ...]
    """Before which steps the run asks, and for which word."""
    can_be_undone: tuple[str, ...]
    """The steps."""
    cannot_be_undone: tuple[str, ...]
    not_checked: tuple[str, ...]
    not_met: tuple[str, ...]
    """Checks that do not hold now."""
    skipped: tuple[str, ...]
    refused: tuple[str, ...]


@frozen
class PlanSection:
    """What a plan says under one label."""

    label: str
    items: tuple[str, ...]
    names_things: bool = False
    """Whether each item begins with the name of a thing and a colon, so that the names alone tell something."""

    def lines(self, width: int, most: int | None = None) -> list[str]:
        """Return its lines, whole or at most so many: then reasons are cut first, and names last."""
        whole = [wrap(clean(item, TEXT_LIMIT), width) for item in self.items]
        if most is None or sum(map(len, whole)) <= most:
            return [line for lines in whole for line in lines]
        if len(whole) <= most:
            short, spare = [], most - len(whole)
            for lines in whole:
                taken = min(len(lines), 1 + spare)
                spare -= taken - 1
                short += _first(lines, taken, width)
            return short
        if self.names_things:
            names = "; ".join(item.partition(": ")[0] for item in self.items)
            return _first(wrap(clean(names, TEXT_LIMIT), width), most, width)
        rest = f" (+{len(whole) - most} more)"
        firsts = [lines[0] if len(lines) == 1 else f"{lines[0]}…" for lines in whole[:most]]
        return [*firsts[:-1], _cut(firsts[-1], width - len(rest)) + rest]


def _first(lines: list[str], count: int, width: int) -> list[str]:
    return lines if len(lines) <= count else [*lines[: count - 1], _cut(" ".join(lines[count - 1 :]), width)]


def overview(plans: Sequence[StepPlan]) -> PlanOverview:
    """Return what the plans of all steps come down to."""
    applicable = [plan for plan in plans if not plan.is_skipped]
    changing = [plan for plan in applicable if plan.head.changes and _acts(plan)]
    return PlanOverview(
        goes_down=tuple(sentence for plan in applicable for sentence in _goes_down(plan)),
        services_down=tuple(
            downtime.service for plan in applicable if plan.plan for downtime in plan.plan.downtimes
        ),
        asks=tuple(f"{plan.step.id} (type {plan.word})" for plan in applicable if plan.word),
        can_be_undone=tuple(plan.step.id for plan in changing if not plan.head.no_undo_because),
        cannot_be_undone=tuple(
            f"{plan.step.id}: {plan.head.no_undo_because}" for plan in changing if plan.head.no_undo_because
        ),
        not_checked=_by_reason(part for plan in applicable for part in _not_checked(plan)),
        not_met=_by_steps((plan.step.id, sentence) for plan in applicable for sentence in _not_met(plan)),
        skipped=_by_steps(
            (plan.step.id, plan.plan.not_applicable) for plan in plans if plan.is_skipped and plan.plan
        ),
        refused=tuple(f"{step}: {reason}" for step, reason in refusals(tuple(plans))),
    )


def title(runbook: Runbook, host: str) -> str:
    """Return which runbook would run where."""
    return f"{runbook.id} (sha256 {runbook.digest[:12]}) at {host}: {runbook.title}"


def plan_screen(
    runbook: Runbook, plans: Sequence[StepPlan], host: str, width: int, height: int
) -> tuple[str, ...]:
    """Return the plan of a run in lines that fit on a terminal of this size; details are cut before anything is left out."""
    width, lines_left = max(width, NARROWEST), height - PROMPT - 2
    text_width = width - LABEL
    sections = _sections(overview(plans), text_width)
    per_step = 2 if 2 * len(plans) + len(sections) + SPARE <= lines_left else 1
    wanted = [len(section.lines(text_width)) for section in sections]
    shares = _shares(wanted, lines_left - per_step * len(plans))
    changing = sum(plan.head.changes and not plan.is_skipped and _acts(plan) for plan in plans)
    lines = [_cut(title(runbook, host), width)]
    for section, share in zip(sections, shares, strict=True):
        lines += [
            f"{section.label if number == 0 else '':<{LABEL}}{line}"
            for number, line in enumerate(section.lines(text_width, share))
        ]
    id_width = max((len(plan.step.id) for plan in plans), default=0)
    for number, plan in enumerate(plans, 1):
        lines += _step_lines(number, plan, per_step, id_width, width)
    lines.append(
        _cut(
            f"{plural(len(plans), 'step')}, {changing} with changes. Every call: --check --calls or --json",
            width,
        )
    )
    return tuple(lines)


def _sections(plan: PlanOverview, width: int) -> list[PlanSection]:
    """Return every section of a plan that says something, the ones that matter most first."""
    down = list(plan.goes_down) or ["nothing"]
    if len(plan.services_down) > 1:
        down.append(f"first back: {names_that_fit(plan.services_down, width - 12)}")
    asks = ", ".join(plan.asks) or "nothing: it runs to its end"
    sections = (
        PlanSection("REFUSED", plan.refused),
        PlanSection("GOES DOWN", tuple(down)),
        PlanSection("ASKS BEFORE", (asks,)),
        PlanSection("CAN UNDO", (", ".join(plan.can_be_undone),)),
        PlanSection("CANNOT UNDO", plan.cannot_be_undone, names_things=True),
        PlanSection("NOT CHECKED", plan.not_checked, names_things=True),
        PlanSection("NOT MET NOW", plan.not_met),
        PlanSection("SKIPPED", plan.skipped, names_things=True),
    )
    return [section for section in sections if any(section.items)]


def _shares(wanted: list[int], lines: int) -> list[int]:
    """Return how many lines each section gets: one at least, then one more each in turn while any are left."""
    shares = [1] * len(wanted)
    while sum(shares) < lines:
        short = [index for index, share in enumerate(shares) if share < wanted[index]]
        if not short:
            break
        for index in short[: lines - sum(shares)]:
            shares[index] += 1
    return shares


def _step_lines(number: int, plan: StepPlan, per_step: int, id_width: int, width: int) -> list[str]:
    head = f"{number:>2}. {plan.step.id:<{id_width}}  {EFFECT_WORDS[plan.head.effect]:<9}  "
    if per_step == 1:
        return [_cut(head + (does(plan, width - len(head)) if plan.head.changes else plan.step.title), width)]
    limits = f"limit {duration(plan.step.timeout_s)}, on failure: {plan.step.on_failure}"
    word = f"; type {plan.word}" if plan.word and not plan.is_skipped else ""
    return [
        _cut(f"{head}{plan.step.title}{word}; {limits}", width),
        _cut(f"    {does(plan, width - 4)}", width),
    ]


def does(step_plan: StepPlan, width: int) -> str:
    """Return what a step does, or why it does not: its calls counted, and a sentence where that fits too."""
    plan = step_plan.plan
    if plan is None:
        return step_plan.waits_for
    if plan.not_applicable:
        return f"skipped: {plan.not_applicable}"
    if plan.refused:
        return f"REFUSED: {plan.refused[0]}"
    calls = "; ".join(group_calls(plan.calls))
    both = f"{plan.summary} {calls}".rstrip()
    return both if len(both) <= width or not calls else calls


def _goes_down(plan: StepPlan) -> Iterable[str]:
    if plan.head.effect is not Effect.OUTAGE or not _acts(plan):
        return
    expected = expected_span(plan.plan, plan.rehearsed_s, plan.former_s)
    if plan.plan is None:
        yield f"{plan.step.id}: not known yet. {plan.waits_for}"
    elif expected is not None:
        yield f"{plan.step.id}: {expected_downtime(plan.plan, expected)}"
    else:
        yield f"{plan.step.id}: for an unknown time. {plan.plan.summary}"
    containers = containers_disconnected(plan.plan.calls) if plan.plan is not None else 0
    if containers:
        yield f"{plan.step.id}: {plural(containers, 'container')} attached by hand, off the network meanwhile"


def _acts(plan: StepPlan) -> bool:
    return plan.plan is None or bool(plan.plan.changes or plan.plan.calls or plan.plan.refused)


def _not_checked(plan: StepPlan) -> Iterable[NotChecked]:
    if plan.plan is None:
        yield NotChecked(plan.step.id, plan.waits_for)
        return
    yield from plan.plan.not_checked
    for result in plan.plan.checked:
        if result.answer is Answer.CANNOT_TELL:
            yield NotChecked(plan.step.id, result.sentence)


def _by_reason(parts: Iterable[NotChecked]) -> tuple[str, ...]:
    """Return each reason once, after all that was not checked because of it."""
    reasons: dict[str, list[str]] = {}
    for part in parts:
        reasons.setdefault(part.why, []).append(part.what)
    return tuple(f"{', '.join(dict.fromkeys(names))}: {why}" for why, names in reasons.items())


def _not_met(plan: StepPlan) -> Iterable[str]:
    checked = plan.plan.checked if plan.plan is not None else ()
    return (result.sentence for result in checked if result.answer is Answer.NO)


def _by_steps(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return every sentence once, after the steps that it is about."""
    steps: dict[str, list[str]] = {}
    for step, sentence in pairs:
        steps.setdefault(sentence, []).append(step)
    return tuple(f"{', '.join(dict.fromkeys(ids))}: {sentence}" for sentence, ids in steps.items())


def _cut(text: str, width: int) -> str:
    text = clean(text, TEXT_LIMIT)
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"
