"""What is sent, in the forms that others read: plain JSON, Slack-compatible, ntfy, Matrix (hookshot). Pure."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import field
from html import escape

from console.alerts.values import Notification, Occasion
from console.diagnosis.values import Severity
from console.errors import HostError
from console.frozen import frozen

SCHEMA = "vipconsole.alert/1"
NTFY_LIMIT_BYTES = 4000
"""ntfy makes a file of a message of more than 4096."""
TITLE_LIMIT = 150
_NTFY_PRIORITIES = {Severity.CRITICAL: "5", Severity.UNKNOWN: "4", Severity.WARNING: "4", Severity.OK: "3"}
_NTFY_TAGS = {Occasion.RISE: "rotating_light", Occasion.END: "white_check_mark", Occasion.TEST: "wave"}
_WIDE = "\u200b"
"""Takes no room: a name after @ that holds it calls nobody."""


@frozen
class Body:
    """A body, and the headers that belong to it."""

    content: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """ASCII only."""


def body_of(notification: Notification, form: str, alert: str) -> Body:
    """Return the body of a notification in one of the forms of the settings; `alert` is what the alert is called."""
    match form:
        case "json":
            return Body(as_json(notification, alert), "application/json")
        case "slack":
            text = _slack(f"{title_of(notification)}\n{text_of(notification)}")
            return _json({"text": text, "mrkdwn": False})
        case "matrix":
            title, text = _silent(title_of(notification)), _silent(text_of(notification))
            shown = escape(text).replace("\n", "<br>")
            return _json(
                {
                    "text": f"{title}\n{text}",
                    "html": f"<strong>{escape(title)}</strong><br>{shown}",
                    "username": "vipconsole",
                }
            )
        case "ntfy":
            severity = Severity.OK if notification.occasion is Occasion.END else notification.severity
            headers = {
                "Title": _encoded(title_of(notification)),
                "Priority": _NTFY_PRIORITIES[severity],
                "Tags": _NTFY_TAGS[notification.occasion],
            }
            return Body(_cut(text_of(notification), NTFY_LIMIT_BYTES), "text/plain; charset=utf-8", headers)
        case _:
            raise HostError(f"There is no body of the form {form!a}.")


def as_json(notification: Notification, alert: str) -> bytes:
    """Return the one JSON document that a command reads and a plain webhook gets."""
    document = {
        "schema": SCHEMA,
        "id": notification.id,
        "occasion": notification.occasion.value,
        "alert": alert,
        "host": notification.host,
        "at": notification.at.isoformat(),
        "since": notification.since.isoformat(),
        "severity": notification.severity.value,
        "code": notification.code,
        "subject": notification.subject,
        "short": notification.short,
        "sentence": notification.sentence,
        "hint": notification.hint,
    }
    return json.dumps(document).encode() + b"\n"


def title_of(notification: Notification) -> str:
    """Return one line that says it all on the screen of a telephone."""
    words = {
        Occasion.RISE: notification.severity.value.upper(),
        Occasion.END: "OVER",
        Occasion.TEST: "TEST",
    }
    # A headline need not name what it is about.
    about = "" if notification.subject in notification.short else f"{notification.subject}: "
    title = f"{words[notification.occasion]} on {notification.host}: {about}{notification.short}"
    return title if len(title) <= TITLE_LIMIT else title[: TITLE_LIMIT - 1] + "…"


def text_of(notification: Notification) -> str:
    """Return what there is to say besides, and what to do next."""
    return f"{notification.sentence}\n{notification.hint}".rstrip()


def _json(document: Mapping[str, object]) -> Body:
    return Body(json.dumps(document).encode() + b"\n", "application/json")


def _slack(text: str) -> str:
    """Return text in which nothing is a link or calls people."""
    return _silent(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _silent(text: str) -> str:
    return text.replace("@", f"@{_WIDE}")


def _encoded(text: str) -> str:
    """Return text as the value of a header (RFC 2047): one word, whatever is in it."""
    return (
        text if text.isascii() and text.isprintable() else f"=?UTF-8?B?{b64encode(text.encode()).decode()}?="
    )


def _cut(text: str, limit: int) -> bytes:
    raw = text.encode("utf-8", "replace")
    return raw if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore").encode() + "…".encode()
