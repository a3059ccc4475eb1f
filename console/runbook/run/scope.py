"""Which steps an undo is about."""

from console.runbook.run.view import RunView, StepView


def undo_scope(view: RunView, step_id: str) -> tuple[str, ...]:
    """Return the steps that undoing at a step undoes, the last one first.

    At the step that the run is at, it goes back to the last checkpoint that was passed and no further, for what lies
    before it was found good by an operator. At an earlier step, it goes back to that one and includes it.
    """
    current = view.current
    last = len(view.steps) - 1 if current is None else view.steps.index(current)
    place = next(number for number, each in enumerate(view.steps) if each.id == step_id)
    first = place if place < last else _after_checkpoint(view.steps, last)
    return tuple(each.id for each in reversed(view.steps[first:]) if each.head.changes and each.has_begun)


def _after_checkpoint(steps: tuple[StepView, ...], last: int) -> int:
    for number in range(last, 0, -1):
        if steps[number].head.is_checkpoint:
            return number
    return 0
