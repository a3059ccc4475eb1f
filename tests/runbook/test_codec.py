from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any, cast

import pytest

from console.errors import HostError
from console.runbook.run import events
from console.runbook.run.codec import from_json, kind_of, to_json
from console.settings import QuiescenceSettings, Settings, SnapshotSettings
from tests.support.runs import ALICE, header


def test_what_json_has_no_form_for_is_kept_as_text() -> None:
    odd: Any = {
        "address": IPv4Address("10.0.0.1"),
        "nan": float("nan"),
        "at": datetime(2026, 6, 1, tzinfo=UTC),
        1: {2},
    }
    event = events.Succeeded("only", 1, odd, 1.0)
    kept = cast("events.Succeeded", from_json(kind_of(event), to_json(event)))
    assert kept.outputs == {
        "address": "10.0.0.1",
        "nan": "nan",
        "at": "2026-06-01 00:00:00+00:00",
        "1": "{2}",
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Nothing", "{}"),
        ("Noted", "{"),
        ("Noted", "[]"),
        ("Noted", '{"sentence": 3}'),
        ("Noted", "{}"),
        ("Stopped", '{"why": "because", "sentence": "x"}'),
        ("Undone", '{"step": "x", "took_s": "long"}'),
        ("Noted", "[" * 30_000),
        (None, "{}"),
        (7, "{}"),
        (b"Noted", "{}"),
    ],
)
def test_what_is_no_event_is_said_to_be_none(kind: object, text: str) -> None:
    with pytest.raises(HostError, match=f"an event that cannot be read: {kind}"):
        from_json(kind, text)


def test_a_run_keeps_its_settings() -> None:
    settings = Settings(
        "web", snapshot=SnapshotSettings(settle_s=0), quiet=QuiescenceSettings(stacks=("warm-*",))
    )
    began = events.Began(
        header(settings=settings, variables={"deep": [{"text": "\ud800", "none": None}]}), (), ALICE
    )
    assert from_json(kind_of(began), to_json(began)) == began
    with pytest.raises(HostError, match="an event that cannot be read: Began"):
        from_json("Began", to_json(began).replace('"settle_s"', '"settled_s"'))


def test_an_undo_of_an_earlier_version_has_no_outputs() -> None:
    assert from_json("Undone", '{"step": "x", "took_s": 1.0}') == events.Undone("x", 1.0)


def test_what_a_later_version_added_is_passed_over() -> None:
    assert from_json("Noted", '{"sentence": "x", "since": "later"}') == events.Noted("x")
