"""Why services do not run, for a pane: one row for each, and the explanation of one."""

from console.diagnosis.values import Severity
from console.diagnosis.why.evidence import Evidence, ServiceStatus
from console.diagnosis.why.explain import ServiceExplanation, WhyAnswer
from console.journal.signatures import Confidence
from screens.present.sorting import Order, Sorting
from screens.present.text import BAD, DIM, EMPTY, PLAIN, STRONG, UNKNOWN, WARN, Paragraph, Row, paragraph

Where = tuple[str, str]
"""What a command needs before and after it to reach the same engine."""
STANDING_TONES = {
    ServiceStatus.RUNS: DIM,
    ServiceStatus.CONVERGING: WARN,
    ServiceStatus.UNKNOWN: UNKNOWN,
    ServiceStatus.BLOCKED: BAD,
}
STANDING_WORDS = {
    ServiceStatus.RUNS: "runs",
    ServiceStatus.CONVERGING: "converging",
    ServiceStatus.UNKNOWN: "unknown",
    ServiceStatus.BLOCKED: "BLOCKED",
}
STANDING_SEVERITIES = {
    ServiceStatus.RUNS: Severity.OK,
    ServiceStatus.CONVERGING: Severity.WARNING,
    ServiceStatus.UNKNOWN: Severity.UNKNOWN,
    ServiceStatus.BLOCKED: Severity.CRITICAL,
}
FIELD_WIDTH = 26
_WHOSE = {
    True: "Cause: addresses exhausted.",
    False: "Addresses are not the cause.",
    None: "Unknown whether addresses are the cause.",
}


SERVICE_HEADINGS = f"{'STATE':10} {'TASKS':>5}  SERVICE"


def _missing_tasks(explained_service: ServiceExplanation) -> int | None:
    desired = explained_service.desired_tasks
    return None if desired is None else desired - explained_service.running


ORDERS: tuple[Order[ServiceExplanation], ...] = (
    Order("name", "SERVICE", lambda explained: explained.service.name.lower()),
    Order("missing tasks", "TASKS", _missing_tasks, is_largest_first=True),
)
STUCK_FIRST = Sorting(ORDERS)


def service_rows(
    answer: WhyAnswer, filter_text: str, sorting: Sorting[ServiceExplanation] = STUCK_FIRST
) -> list[Row]:
    """Return a row for each service whose name or stack contains the filter, those that do not run first."""
    return [
        _row(explained_service)
        for explained_service in sorting.sort(answer.services)
        if filter_text in f"{explained_service.service.stack} {explained_service.service.name}".lower()
    ]


def _row(explained_service: ServiceExplanation) -> Row:
    own = explained_service.explanation
    tone = STANDING_TONES[own.standing]
    tasks = f"{explained_service.running}/{'?' if explained_service.desired_tasks is None else explained_service.desired_tasks}"
    return Row(
        explained_service.service.id,
        (
            (f"{STANDING_WORDS[own.standing]:10} ", tone),
            (f"{tasks:>5}  ", DIM if own.standing is ServiceStatus.RUNS else PLAIN),
            (explained_service.service.name, DIM if own.standing is ServiceStatus.RUNS else STRONG),
            (f"  {own.verdict}", DIM if own.standing is ServiceStatus.RUNS else PLAIN),
        ),
        explained_service,
        STANDING_SEVERITIES[own.standing],
    )


def explanation(explained_service: ServiceExplanation, where: Where) -> tuple[Paragraph, ...]:
    """Return why a service does not run: the verdict, how sure it is, what to do, and the evidence."""
    own = explained_service.explanation
    sure = "" if own.certainty is Confidence.CERTAIN else f" (confidence: {own.certainty})"
    paragraphs = [
        Paragraph(
            (
                (f"{STANDING_WORDS[own.standing]}  ", STANDING_TONES[own.standing]),
                (f"{explained_service.service.name}: {own.verdict}{sure}", STRONG),
            )
        ),
        paragraph(own.meaning),
    ]
    if own.standing is not ServiceStatus.RUNS:
        paragraphs.append(paragraph(_WHOSE[own.is_address_problem], DIM))
    if own.advice or own.command:
        paragraphs.append(EMPTY)
    if own.advice:
        paragraphs.append(paragraph(own.advice, label="do  "))
    if own.command:
        paragraphs.append(paragraph(runnable(own.command, where), STRONG, label="next"))
    if own.evidence:
        paragraphs += [EMPTY, *_evidence(own.evidence)]
    return tuple(paragraphs)


def _evidence(rows: tuple[Evidence, ...]) -> list[Paragraph]:
    paragraphs: list[Paragraph] = []
    subject = ""
    for row in rows:
        # A subject stands once, before its first field.
        if row.subject != subject:
            paragraphs.append(paragraph(row.subject, STRONG, label=" "))
            subject = row.subject
        paragraphs.append(paragraph(row.value, label=f"   {row.field:{FIELD_WIDTH}}"))
    return paragraphs


def command_of(explained_service: ServiceExplanation, where: Where) -> str:
    """Return the next command, ready to be pasted into a shell; nothing where there is none."""
    return runnable(explained_service.explanation.command, where)


def runnable(command: str, where: Where) -> str:
    """Return a command that reaches the same engine, even if that is not the shell's default."""
    before, options = where
    name = "vipconsole "
    if command.startswith(name):
        command = f"vipconsole{options} {command.removeprefix(name)}"
    return f"{before}{command}" if command else ""
