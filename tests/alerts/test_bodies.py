"""What is sent, in the forms that others read."""

import json
from dataclasses import replace
from email.header import decode_header, make_header

import pytest

from console.alerts.bodies import as_json, body_of, text_of, title_of
from console.alerts.decision import decide, present_of, trial
from console.alerts.values import Notification, Occasion
from console.diagnosis.values import Severity
from console.errors import HostError
from tests.alerts.states import found, state_of
from tests.support.swarms import NOW

FORMS = ("json", "slack", "ntfy", "matrix")
HOSTILE = "\x1b[2J\r\nX-Evil: 1 <!channel> @here & <script>\u202e\ud800 \u00fc\u2603 " + "x" * 10_000


def rise(short: str = "", sentence: str = "proxy has no address left.", hint: str = "Look.") -> Notification:
    state = state_of(found(short=short, sentence=sentence, hint=hint))
    _, (notification,) = decide({}, present_of(state, NOW, "manager-1"), Severity.CRITICAL)
    return notification


def test_json_holds_everything() -> None:
    assert json.loads(as_json(rise(), "ops")) == {
        "schema": "vipconsole.alert/1",
        "id": rise().id,
        "occasion": "rise",
        "alert": "ops",
        "host": "manager-1",
        "at": "2026-06-12T02:00:00+00:00",
        "since": "2026-06-12T02:00:00+00:00",
        "severity": "critical",
        "code": "network-full",
        "subject": "proxy",
        "short": "proxy is full",
        "sentence": "proxy has no address left.",
        "hint": "Look.",
    }


def test_slack_gets_text_in_which_nothing_is_a_mention_or_a_link() -> None:
    body = body_of(rise(sentence="<!channel> a & b @here"), "slack", "ops")
    said = json.loads(body.content)
    assert body.content_type == "application/json"
    assert said["mrkdwn"] is False
    assert said["text"] == (
        "CRITICAL on manager-1: proxy is full\n&lt;!channel&gt; a &amp; b @\u200bhere\nLook."
    )


def test_matrix_gets_text_and_html_without_markup_of_others() -> None:
    said = json.loads(body_of(rise(sentence="<b>@room</b>"), "matrix", "ops").content)
    assert said["text"] == "CRITICAL on manager-1: proxy is full\n<b>@\u200broom</b>\nLook."
    assert said["html"] == (
        "<strong>CRITICAL on manager-1: proxy is full</strong><br>&lt;b&gt;@\u200broom&lt;/b&gt;<br>Look."
    )


def test_ntfy_gets_plain_text_and_headers() -> None:
    body = body_of(rise(), "ntfy", "ops")
    assert body.content == b"proxy has no address left.\nLook."
    assert body.headers == {
        "Title": "CRITICAL on manager-1: proxy is full",
        "Priority": "5",
        "Tags": "rotating_light",
    }
    end = body_of(replace(rise(), occasion=Occasion.END), "ntfy", "ops")
    assert (end.headers["Title"], end.headers["Priority"]) == ("OVER on manager-1: proxy is full", "3")


def test_a_title_of_other_letters_is_one_encoded_word() -> None:
    title = body_of(rise(short="\u00fcber\u00fcll \u2603"), "ntfy", "ops").headers["Title"]
    assert title.isascii()
    assert str(make_header(decode_header(title))).endswith("proxy: \u00fcber\u00fcll \u2603")


def test_a_headline_names_what_it_is_about_once() -> None:
    assert title_of(rise(short="it is full")) == "CRITICAL on manager-1: proxy: it is full"
    assert title_of(rise(short="proxy is full")) == "CRITICAL on manager-1: proxy is full"
    assert title_of(trial(NOW, "h")) == "TEST on h: a test of this alert"
    assert text_of(rise(hint="")) == "proxy has no address left."


@pytest.mark.parametrize("form", FORMS)
def test_hostile_text_breaks_no_form(form: str) -> None:
    notification = rise(short=HOSTILE, sentence=HOSTILE, hint=HOSTILE)
    body = body_of(notification, form, "ops")
    assert len(body.content) < 20_000
    assert b"\x1b" not in body.content
    for value in (body.content_type, *body.headers.values()):
        assert value.isascii()
        assert value.isprintable()
        assert len(value) < 1000
    if form == "ntfy":
        assert len(body.content) <= 4000
        body.content.decode()
    else:
        said = json.loads(body.content)
        assert "\x1b" not in json.dumps(said, ensure_ascii=False)
        assert said.get("html", "").count("<") == said.get("html", "").count("<br>") + 2 * (form == "matrix")


def test_a_form_that_does_not_exist_is_told() -> None:
    with pytest.raises(HostError):
        body_of(rise(), "smoke", "ops")
