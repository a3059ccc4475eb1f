"""Why services do not run, as text and as JSON: the verdict first, then the evidence, then what to do."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.diagnosis.values import Snapshot
from console.diagnosis.why.evidence import Evidence, Explanation, ServiceStatus
from console.diagnosis.why.explain import ServiceExplanation, WhyAnswer
from console.journal.signatures import Confidence
from console.text import listed, plural
from screens.output.plain import json_text
from screens.output.rows import SEVERITY_STYLES, LabelRows
from screens.present.text import typed_here
from screens.present.why import Where, runnable

SCHEMA = "vipconsole.why/1"
NAME_LIMIT = 12


def render_why(answer: WhyAnswer, where: Where, *, everything: bool) -> RenderableType:
    """Return the answer as something to print; `everything` explains services that run, too."""
    is_one = everything and len(answer.services) == 1
    explanations = [
        explained_service
        for explained_service in answer.services
        if explained_service.explanation.standing is not ServiceStatus.RUNS or is_one
    ]
    parts: list[RenderableType] = [render_verdict(answer)]
    for group in _groups(explanations):
        parts += [
            "",
            *(_explanation(group[0], where, is_named=is_one) if len(group) == 1 else _group(group, where)),
        ]
    well = [
        explained_service.service.name
        for explained_service in answer.services
        if explained_service not in explanations
    ]
    if well and everything:
        more = f" and {len(well) - NAME_LIMIT} more" if len(well) > NAME_LIMIT else ""
        verb = "runs" if len(well) == 1 else "run"
        parts += ["", Text(f"{plural(len(well), 'service')} {verb}: {', '.join(well[:NAME_LIMIT])}{more}")]
    notes = [note for note in answer.notes if note]
    if notes:
        parts += ["", *(_label_row("note", note, "dim") for note in notes)]
    return Padding(Group(*parts), (0, 1), expand=False)


def render_verdict(answer: WhyAnswer) -> Text:
    """Return the first line as something to print: the worst standing, and how many services do not run."""
    style = SEVERITY_STYLES[answer.standing.severity]
    return Text.assemble((answer.standing.upper(), style), "  ", (answer.headline, "bold"))


def _groups(explanations: Iterable[ServiceExplanation]) -> Iterable[list[ServiceExplanation]]:
    """Return services together about which the same is said."""
    groups: dict[Hashable, list[ServiceExplanation]] = {}
    for explained_service in explanations:
        own = explained_service.explanation
        key = (own.standing, own.cause, own.certainty, own.verdict, own.meaning, own.advice)
        groups.setdefault(key, []).append(explained_service)
    return groups.values()


def _group(group: Sequence[ServiceExplanation], where: Where) -> list[RenderableType]:
    """Return what is said of several services, with the evidence that they share."""
    own, names = group[0].explanation, [explained_service.service.name for explained_service in group]
    shared = tuple(
        row
        for row in own.evidence
        if all(row in explained_service.explanation.evidence for explained_service in group)
    )
    one = runnable("vipconsole why NAME", where)
    is_same_command = len({explained_service.explanation.command for explained_service in group}) == 1
    parts: list[RenderableType] = [
        _title(own, plural(len(group), "service")),
        Text(listed(names), "bold"),
        Text(own.meaning),
    ]
    parts.append(_evidence(shared) if shared else Text())
    if own.advice:
        parts.append(_label_row("do", typed_here(own.advice)))
    if own.command and is_same_command:
        parts.append(_label_row("next", runnable(own.command, where), "bold", is_command=True))
    return [*parts, _label_row("more", f"`{one}` shows the tasks and the evidence of one service.", "dim")]


def _title(own: Explanation, name: str) -> Text:
    sure = "" if own.certainty is Confidence.CERTAIN else f" (confidence: {own.certainty})"
    return Text.assemble(
        (f"{own.standing.upper()} ", SEVERITY_STYLES[own.standing.severity]), f"{name}: {own.verdict}{sure}"
    )


def _explanation(
    explained_service: ServiceExplanation, where: Where, *, is_named: bool
) -> list[RenderableType]:
    own = explained_service.explanation
    parts: list[RenderableType] = []
    if not is_named:
        parts.append(_title(own, explained_service.service.name))
    parts += [Text(own.meaning), _evidence(own.evidence)]
    if own.advice:
        parts.append(_label_row("do", typed_here(own.advice)))
    if own.command:
        parts.append(_label_row("next", runnable(own.command, where), "bold", is_command=True))
    return parts


def _evidence(rows: tuple[Evidence, ...]) -> RenderableType:
    label_rows: list[tuple[tuple[Text, ...], Text]] = []
    subject = ""
    for row in rows:
        # A subject stands once, before its first field.
        label_rows.append(
            ((Text("" if row.subject == subject else row.subject), Text(row.field)), Text(row.value))
        )
        subject = row.subject
    return Padding(LabelRows(label_rows), (1, 0, 1, 2), expand=False)


def _label_row(label: str, text: str, style: str = "", *, is_command: bool = False) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=4)
    # A command must stay whole, even where one of its words is too long.
    grid.add_column(overflow="fold" if is_command else "ellipsis")
    grid.add_row(Text(label, style="dim"), Text(text, style=style))
    return grid


def as_json(snapshot: Snapshot, answer: WhyAnswer, where: Where) -> str:
    """Return the answer as one JSON document, ASCII only, with a newline at its end."""
    document = {
        "schema": SCHEMA,
        "taken_at": snapshot.taken_at.isoformat(),
        "host": snapshot.host,
        "standing": answer.standing,
        "severity": answer.standing.severity,
        "exit_code": answer.standing.severity.exit_code,
        "headline": answer.headline,
        "services": [_service(explained_service, where) for explained_service in answer.services],
        "notes": [note for note in answer.notes if note],
    }
    return json_text(document)


def _service(explained_service: ServiceExplanation, where: Where) -> Mapping[str, Any]:
    own = explained_service.explanation
    return {
        "name": explained_service.service.name,
        "id": explained_service.service.id,
        "stack": explained_service.service.stack,
        "running": explained_service.running,
        "wanted": explained_service.desired_tasks,
        "standing": own.standing,
        "cause": own.cause,
        "certainty": own.certainty,
        "is_address_problem": own.is_address_problem,
        "verdict": own.verdict,
        "meaning": own.meaning,
        "evidence": [{"object": row.subject, "field": row.field, "value": row.value} for row in own.evidence],
        "advice": own.advice,
        "command": runnable(own.command, where),
    }
