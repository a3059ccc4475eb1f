"""What an operator has to know to answer a run, and how a run has ended: a few facts, the most important first."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from console.durations import duration
from console.frozen import frozen
from console.runbook.language.values import Effect
from console.runbook.run.comparison import comparisons
from console.runbook.run.decisions import QuestionView
from console.runbook.run.downtime import Downtime, downtime_of
from console.runbook.run.events import Choice, QuestionKind, Why
from console.runbook.run.replay_steps import undo_scope
from console.runbook.run.view import Live, RunState, RunView, StepState, StepView, StoredRun
from console.text import clean, listed, plural
from screens.present.run_progress import down_text, stopwatch
from screens.present.step_plan import expected_downtime, expected_of
from screens.present.text import BAD, DIM, PLAIN, STRONG, WARN, Paragraph, typed_here

LABEL = 12
NAMED = 6
MOST_LINES = 2
"""No fact takes more lines: the whole text stands with the step."""


@frozen
class Fact:
    """A word and what it tells."""

    label: str
    text: str
    tone: str = PLAIN
    is_answer: bool = False
    """Whether the word can be typed: it stands out among those that only name what is told."""


def fact_paragraphs(facts: Iterable[Fact], width: int) -> tuple[Paragraph, ...]:
    """Return facts for a screen, each in `MOST_LINES` at most."""
    most = max(20, MOST_LINES * (width - LABEL) - 8)
    return tuple(
        Paragraph(
            (
                (f"{fact.label:<{LABEL - 1}} ", STRONG if fact.is_answer else DIM),
                (clean(typed_here(fact.text), most), fact.tone),
            ),
            LABEL,
        )
        for fact in facts
    )


def fact_lines(facts: Iterable[Fact]) -> Iterator[str]:
    """Yield facts, each in a line of its own, whole."""
    yield from (f"  {fact.label:<{LABEL - 1}} {fact.text}" for fact in facts)


def down_fact(view: RunView, now: datetime) -> Fact:
    """Return what is down now because of the run."""
    outages = [step.outage for step in view.steps if step.outage is not None]
    worst = next((outage for outage in outages if outage.down), None)
    if worst is not None:
        names = listed([service.name for service in worst.down], 3)
        text = down_text(worst, now)
        return Fact("now", text if text.endswith(names) else f"{text}: {names}", BAD)
    if view.is_in_outage and not outages:
        return Fact("now", "services may be DOWN: what is down is unknown", BAD)
    return Fact("now", down_text(outages[-1], now) if outages else "nothing is down", STRONG)


def situation(run: StoredRun, question: QuestionView, now: datetime) -> tuple[Fact, ...]:
    """Return what is down, what was done, what comes next, and what each answer does."""
    view = run.view
    step = view.step(question.step)
    facts = [down_fact(view, now)]
    if question.choices == (Choice.STOP,):
        return (
            *facts,
            _answer("stop", question.sentence or _stop_text(view, step, is_go_ahead=False, down=False)),
        )
    downtime = downtime_of(view.steps)
    if view.question is None and downtime.spans:
        facts.append(Fact("downtime", downtime_text(downtime)))
    if question.expires_at is not None:
        remaining_s = max(0.0, (question.expires_at - now).total_seconds())
        facts.append(Fact("deadline", f"without an answer, undone in {stopwatch(remaining_s)}", WARN))
    facts.append(Fact("done", _done(view)))
    failure = _failure(view, step)
    facts.append(Fact("failed", failure, BAD) if failure else Fact("next", _next(step, run.live)))
    return (*facts, *_answers(view, step, question))


def _done(view: RunView) -> str:
    texts = [step.id for step in view.steps if step.head.changes and step.state is StepState.DONE]
    for step in view.steps:
        outage = step.outage
        if outage is not None and outage.phase and step.has_left_something:
            over = outage.phases[: outage.phases.index(outage.phase)]
            last = f", the last: {over[-1]}" if over else ""
            texts.append(f"{step.id} ({len(over)} of {len(outage.phases)} phases{last})")
        elif step.has_left_something:
            texts.append(f"{step.id} in part, or wholly")
    changed = ", ".join(texts)
    passed = sum(step.is_settled for step in view.steps)
    steps = f"{passed} of {plural(len(view.steps), 'step')}"
    return f"{steps}; changed: {changed}" if changed else f"{steps}; nothing is changed yet"


def _failure(view: RunView, step: StepView) -> str:
    if view.question is not None and view.question.event.kind is QuestionKind.GO_AHEAD:
        return ""
    title = step.head.title or step.id
    if step.failure is not None:
        return f"{title}: {step.failure.sentence}"
    if view.question is None and view.stop_reason is not None:
        return f"{title}: the run has stopped. {view.stop_reason.sentence}"
    return f"{title} was interrupted. Its result is unknown."


def _is_down(step: StepView) -> bool:
    return step.outage is not None and bool(step.outage.down)


def _next(step: StepView, live: Live) -> str:
    plan = None if step.preparation is None else step.preparation.plan
    title = step.head.title or step.id
    if step.outage is not None and step.outage.down:
        return f"{title} goes on where it was interrupted, and brings back {plural(len(step.outage.down), 'service')}"
    if plan is None:
        return title
    expected = expected_of(step, live)
    if plan.downtimes and expected is not None:
        return f"{title}: takes down {expected_downtime(plan, expected)}"
    if step.head.effect is Effect.OUTAGE and expected is not None:
        return f"{title}: services are down for {expected.about}"
    return f"{title}. {plan.summary}".removesuffix(" ")


def _answer(word: str, text: str) -> Fact:
    return Fact(word, text, is_answer=True)


def _answers(view: RunView, step: StepView, question: QuestionView) -> Iterator[Fact]:
    is_go_ahead = Choice.CONFIRM in question.choices
    down = _is_down(step)
    for choice in question.choices:
        match choice:
            case Choice.CONFIRM:
                yield _answer(question.word or str(choice), _confirmed(step))
            case Choice.SKIP:
                left = f"leave {step.id} as it is" if step.has_begun else f"leave {step.id} out"
                yield _answer("skip REASON", f"{left} and go on; exit code 1 at the end")
            case Choice.RETRY:
                yield _answer(str(choice), _retry_text(step))
            case Choice.UNDO:
                yield _answer(str(choice), _undo_text(view, step))
            case Choice.STOP:
                yield _answer(str(choice), _stop_text(view, step, is_go_ahead=is_go_ahead, down=down))


def _confirmed(step: StepView) -> str:
    if step.head.is_manual:
        return "you have done it: go on"
    if step.head.effect is Effect.OUTAGE:
        return _retry_text(step) if _is_down(step) else "begin the OUTAGE"
    return f"begin {step.id}" + (": it changes this host or the swarm" if step.head.changes else "")


def _retry_text(step: StepView) -> str:
    outage = step.outage
    if outage is None or not outage.down:
        return f"try {step.id} again"
    if outage.phase == outage.phases[-1]:
        return "wait for what is still down, and check again"
    return "continue where it is: bring back what is down"


def _undo_text(view: RunView, step: StepView) -> str:
    scope = undo_scope(view, step.id)
    undo = f"undo {', '.join(scope)}"
    # Also of a step that is done and is undone with this one: what is up again goes down once more.
    outages = ((each, each.outage) for each in map(view.step, scope) if each.outage is not None)
    again = next(
        ((each, outage) for each, outage in outages if len(outage.down) < len(outage.services)), None
    )
    if again is None:
        return f"{undo}: back to what it was"
    taken, outage = again
    plan = None if taken.preparation is None else taken.preparation.plan
    for_long = f" for about {duration(plan.outage_s)}" if plan is not None and plan.outage_s else ""
    return f"{undo}: all {plural(len(outage.services), 'service')} go down again{for_long}"


def _stop_text(view: RunView, step: StepView, *, is_go_ahead: bool, down: bool) -> str:
    again = "`vipconsole resume` continues"
    if down:
        return f"leave it as it is, services stay DOWN; {again}"
    if is_go_ahead or view.question is not None:
        return f"leave it as it is; {again}"
    return f"stop as soon as {step.id} allows it; {again}"


def outcome(run: StoredRun, now: datetime) -> tuple[Fact, ...]:
    """Return how a run has ended or stopped: state of the swarm, downtime, what remains, and the next commands."""
    view = run.view
    if not (view.is_over or view.state is RunState.STOPPED):
        return ()
    facts = [Fact(_RESULTS.get(view.state, "STOPPED"), _result(view), _tone(view))]
    facts += _swarm(view, now)
    downtime = downtime_of(view.steps)
    if downtime.spans:
        facts.append(Fact("downtime", downtime_text(downtime)))
    remains = _remains(view)
    if remains:
        facts.append(Fact("remains", remains, WARN))
    facts += (Fact("next" if number == 0 else "", text, DIM) for number, text in enumerate(_commands(view)))
    return tuple(facts)


_RESULTS = {RunState.DONE: "DONE", RunState.UNDONE: "UNDONE", RunState.ABANDONED: "ABANDONED"}


def _result(view: RunView) -> str:
    if view.stop_reason is not None and not view.is_over:
        return view.stop_reason.sentence
    if view.state is RunState.DONE:
        skipped = sum(step.state is StepState.SKIPPED and bool(step.decisions) for step in view.steps)
        return f"every step is done{f', {skipped} skipped by decision' if skipped else ''}"
    if view.state is RunState.UNDONE:
        return "everything that the run changed is undone"
    return view.abandonment


def _tone(view: RunView) -> str:
    return STRONG if view.is_over and not view.left_behind else BAD


def _swarm(view: RunView, now: datetime) -> Iterator[Fact]:
    """Yield the state of the networks that the run took down, and what is down still."""
    down = down_fact(view, now)
    states = [comparison for comparison in comparisons(view.steps) if comparison.after is not None]
    if down.tone == BAD or not states:
        yield down
    for comparison in states[:1] if down.tone != BAD else ():
        yield Fact("network", f"{comparison.network}: {comparison.subnets}")
        yield Fact("services", f"UP: {comparison.services}")


def downtime_text(downtime: Downtime) -> str:
    """Return how long services were down, in a line."""
    if not downtime.intervals:
        return "not measured: the outage was interrupted" if downtime.unmeasured_spans else "none"
    services = downtime.by_service
    worst = ""
    if services:
        name, took_s = services[0]
        worst = f"; longest: {name}, {downtime.bound_of(name)}{duration(took_s)}"
    down = [interval.name for interval in downtime.still_down]
    still = f"; not seen UP again: {listed(down, 3)}" if down else ""
    return f"{downtime.bound}{duration(downtime.whole_s)} in all{worst}{still}"


def _remains(view: RunView) -> str:
    left = [step.id for step in view.left_behind]
    pending = [step.id for step in view.steps if step.state is StepState.PENDING]
    skipped = [step.id for step in view.steps if step.state is StepState.SKIPPED and step.decisions]
    texts = [f"neither verified nor undone: {listed(left, NAMED)}"] if left else []
    texts += (
        [f"not reached: {listed(pending, NAMED)}"] if pending and view.state is not RunState.UNDONE else []
    )
    texts += [f"skipped: {listed(skipped, NAMED)}"] if skipped else []
    return "; ".join(texts)


def _commands(view: RunView) -> Sequence[str]:
    run_id = view.header.run_id
    report = f"`vipconsole report {run_id}` shows what was done"
    if view.is_over:
        return (report,)
    if view.stop_reason is not None and view.stop_reason.why is Why.UNDONE:
        resume, abandon = f"`vipconsole resume {run_id}`", f"`vipconsole abandon {run_id}`"
        return (f"{resume} does the undone steps again", f"{abandon} leaves it as it is", report)
    step = view.current
    commands = [f"`vipconsole resume {run_id}` continues"]
    if step is not None and undo_scope(view, step.id):
        commands.append(f"`vipconsole decide {run_id} {step.id} undo` undoes it")
    return (*commands, report)
