"""The two doors through which a notification goes: a program of this host, and a web address."""

from console.alerts.alert import Alert
from console.alerts.bodies import as_json, body_of
from console.alerts.values import Delivery, Notification
from console.errors import HostError
from console.host.streaming import Program, run_streaming
from console.host.web import HttpOptions, Posting, post
from console.text import SENTENCE_LIMIT, clean

COMMAND_S = 30.0
"""Time limit of a command; then its whole process group is ended."""
WEBHOOK_S = 15.0
"""Time limit of a webhook, from the name of its host to the answer."""
DETAIL_LIMIT = 300
LINES = 20
"""Of what a command says, its last lines are kept."""


async def send(alert: Alert, notification: Notification) -> Delivery:
    """Try once to tell somebody, and return what came of it; nothing is raised."""
    if alert.command:
        return await _run(alert, notification, COMMAND_S)
    return await _post(alert, notification, WEBHOOK_S)


async def _run(alert: Alert, notification: Notification, timeout_s: float) -> Delivery:
    lines: list[str] = []

    async def listen(line: bytes) -> None:
        if line.strip():
            lines.append(clean(line, DETAIL_LIMIT))
            del lines[:-LINES]

    program = Program(alert.command, text=as_json(notification, alert.title))
    try:
        code = await run_streaming(program, timeout_s, listen)
    except HostError as error:
        return Delivery(is_delivered=False, summary=clean(error.sentence, SENTENCE_LIMIT))
    said = f": {lines[-1]}" if code and lines else ""
    return Delivery(code == 0, f"exit code {code}{said}", clean(" ".join(lines), DETAIL_LIMIT))


async def _post(alert: Alert, notification: Notification, timeout_s: float) -> Delivery:
    body = body_of(notification, alert.format, alert.title)
    posting = Posting(body.content, body.content_type, body.headers)
    reply = await post(alert.webhook, posting, HttpOptions(timeout_s))
    if reply.status is None:
        return Delivery(is_delivered=False, summary=reply.summary)
    summary = f"HTTP {reply.status}"
    if 300 <= reply.status < 400:
        summary += ": a redirect, which is not followed"
    return Delivery(
        200 <= reply.status < 300, summary, clean(reply.beginning, DETAIL_LIMIT), reply.retry_after_s
    )
