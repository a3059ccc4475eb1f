"""What censuses and removals of stacks found and did, as tables."""

from collections import Counter

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.durations import stamp
from console.operations.census_walk import CensusResult
from console.operations.stack_removal.removal import RemovalOutcome, RemovalState
from console.operations.stack_removal.steps import LeakCount, LeakVerdict, Proof
from console.text import duration, listed, plural
from screens.output.census import LEAKED, NOTHING, UNSURE, exit_code, headline, notes
from screens.output.stack_removal import MAYBE, NOT_FOUND, counted

STYLES = {
    RemovalState.REMOVED: "green",
    RemovalState.UNDER_WAY: "yellow",
    RemovalState.UNFINISHED: "bold red",
    RemovalState.UNKNOWN: "magenta",
}


PROOF_STYLES = {
    LeakVerdict.NO_LEAK: "green",
    LeakVerdict.LEAKED: "bold red",
    LeakVerdict.NOT_PROVEN: "magenta",
}


SHOWN = 8


def render_removal(
    outcomes: tuple[RemovalOutcome, ...], proof: Proof, again: str, absent: tuple[str, ...] = ()
) -> RenderableType:
    """Return the end of a removal as something to print; `again` is the command that finishes it, or nothing.

    `absent` are the named stacks that do not exist.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for outcome in outcomes:
        _add(table, outcome)
    for name in absent:
        table.add_row(Text(name), Text(NOT_FOUND, style="yellow"), Text(MAYBE))
    table.add_row(
        Text("proof"),
        Text(proof.verdict, style=PROOF_STYLES[proof.verdict]),
        Text("\n").join(_proof_lines(proof)),
    )
    parts: list[RenderableType] = [_headline(outcomes, absent), "", table]
    if again:
        parts += ["", Text.assemble(("to finish  ", "dim"), (again, "bold"))]
    return Padding(Group(*parts), (0, 1), expand=False)


def _headline(outcomes: tuple[RemovalOutcome, ...], absent: tuple[str, ...]) -> Text:
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
    removed = (
        f"{counts[RemovalState.REMOVED]} of {plural(len(outcomes) + len(absent), 'stack')} removed in {took}"
    )
    if absent:
        removed += f", {len(absent)} not found"
    kept = sum(len(outcome.retained_objects) for outcome in outcomes)
    said = f"{removed}, {plural(kept, 'object')} kept" if kept else removed
    return Text.assemble((worst.upper(), STYLES[worst]), "  ", (said, "bold"))


def _add(table: Table, outcome: RemovalOutcome) -> None:
    lines = [Text(counted(outcome.removed_objects) or "nothing", style="")]
    lines += [
        Text(f"kept {retained_object.object.kind} {retained_object.object.name}: {retained_object.reason}")
        for retained_object in outcome.retained_objects
    ]
    if outcome.state is not RemovalState.REMOVED:
        if outcome.waits_for:
            word = "not removed" if outcome.is_drained else "still there"
            lines.append(Text(f"{word}: {listed(outcome.waits_for, SHOWN)}"))
        if not outcome.is_drained:
            lines.append(Text("Its networks were kept: to remove them now would leak addresses."))
        lines += [Text(refusal) for refusal in outcome.refusals]
    state = Text(outcome.state, style=STYLES[outcome.state])
    table.add_row(Text(outcome.stack), state, Text("\n").join(lines))


def _proof_lines(proof: Proof) -> list[Text]:
    if not proof.before:
        return [Text("the stacks used no network that remains")]
    rows = [
        f"{one.network}: {_count(one)} leaked before, {_count(two)} after"
        for one, two in zip(proof.before, proof.after, strict=True)
    ]
    objections = dict.fromkeys(
        count.why_unknown for count in (*proof.before, *proof.after) if count.why_unknown
    )
    return [Text(row) for row in (*rows, *objections)]


def _count(count: LeakCount) -> str:
    return "?" if count.leaked is None else str(count.leaked)


def render_census(result: CensusResult, *, is_kept: bool) -> RenderableType:
    """Return what a census found as something to print: verdict, addresses, notes, and how it was found."""
    word, rest = headline(result)
    style = {NOTHING: "green", LEAKED: "yellow", UNSURE: "magenta"}[exit_code(result)]
    parts: list[RenderableType] = [Text.assemble((word, style), "  ", (rest, "bold"))]
    if result.unaccounted:
        addresses = Columns([Text(str(address)) for address in result.unaccounted], padding=(0, 2))
        parts += ["", Padding(addresses, (0, 2), expand=False)]
    parts += [
        "",
        *(Text(note) for note in notes(result, is_kept=is_kept)),
        Text(_footer(result), style="dim"),
    ]
    return Padding(Group(*parts), (0, 1), expand=False)


def _footer(result: CensusResult) -> str:
    steps = sum(walk.steps for walk in result.walks)
    walked = f"{plural(len(result.walks), 'walk')}, {plural(steps, 'step')}"
    return f"{walked}, took {result.took_s:.1f} s, as of {stamp(result.taken_at)}"
