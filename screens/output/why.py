"""Why services do not run, as text and as JSON: the verdict first, then the evidence, then what to do."""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.diagnosis.values import Snapshot
from console.diagnosis.why.evidence import Evidence, ServiceStatus
from console.diagnosis.why.explain import ServiceExplanation, WhyAnswer
from console.journal.signatures import Confidence
from console.text import plural
from screens.output.plain import json_text
from screens.present.text import STYLES
from screens.present.why import Where, runnable

SCHEMA = "vipconsole.why/1"
NAME_LIMIT = 12


def render_why(answer: WhyAnswer, where: Where, *, everything: bool) -> RenderableType:
    """Return the answer as something to print; `everything` explains services that run, too."""
    word = answer.standing.upper()
    headline = Text.assemble((word, STYLES[answer.standing.severity]), "  ", (answer.headline, "bold"))
    is_one = everything and len(answer.services) == 1
    explanations = [
        explained_service
        for explained_service in answer.services
        if explained_service.explanation.standing is not ServiceStatus.RUNS or is_one
    ]
    parts: list[RenderableType] = [headline]
    for explained_service in explanations:
        parts += ["", *_explanation(explained_service, where, is_named=is_one)]
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


def _explanation(
    explained_service: ServiceExplanation, where: Where, *, is_named: bool
) -> list[RenderableType]:
    own = explained_service.explanation
    parts: list[RenderableType] = []
    if not is_named:
        sure = "" if own.certainty is Confidence.CERTAIN else f" (confidence: {own.certainty})"
        style = STYLES[own.standing.severity]
        parts.append(
            Text.assemble(
                (f"{own.standing.upper()} ", style), f"{explained_service.service.name}: {own.verdict}{sure}"
            )
        )
    parts += [Text(own.meaning), _evidence(own.evidence)]
    if own.advice:
        parts.append(_label_row("do", own.advice))
    if own.command:
        parts.append(_label_row("next", runnable(own.command, where), "bold"))
    return parts


def _evidence(rows: tuple[Evidence, ...]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold", max_width=26)
    grid.add_column(overflow="fold", max_width=26)
    grid.add_column(overflow="fold")
    subject = ""
    for row in rows:
        # A subject stands once, before its first field.
        grid.add_row(Text("" if row.subject == subject else row.subject), Text(row.field), Text(row.value))
        subject = row.subject
    return Padding(grid, (1, 0, 1, 2), expand=False)


def _label_row(label: str, text: str, style: str = "") -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=4)
    grid.add_column(overflow="fold")
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
