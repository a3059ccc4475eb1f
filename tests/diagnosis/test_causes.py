"""The table of causes as a whole: its entries are fit to be told, and nothing that a user chose passes for one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.causes.registry import CAUSES, LONGEST, cause_of
from console.causes.values import Cause, ErrorSource, fill_command, fill_sentence

NAMED = {
    "reason": "the reason", "reasons": "the reasons", "service": "app", "node": "worker-2", "network": "proxy",
    "netname": "proxy", "port": "80", "image": "lab/x:1", "path": "/srv/a", "address": "10.0.0.1", "subnet": "10.0.0.0/24",
}  # fmt: skip


def test_every_cause_has_an_identifier_of_its_own() -> None:
    assert not [key for key, count in Counter(each.id for each in CAUSES).items() if count > 1]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda each: each.id)
@pytest.mark.parametrize("named", [{}, NAMED], ids=["nothing named", "all named"])
def test_every_text_is_filled_and_ends_as_a_sentence(cause: Cause, named: dict[str, str]) -> None:
    verdict, advice, command = (
        fill_sentence(cause.verdict, named),
        fill_command(cause.advice, named),
        fill_command(cause.command, named),
    )
    assert verdict
    assert "  " not in verdict
    assert cause.meaning.endswith(".")
    # What to do about a task that no node takes depends on the scheduler's reasons.
    assert advice.endswith(".") or cause.id == "no-suitable-node"
    assert "{" not in verdict + advice + command.replace("{{", "")
    assert cause.patterns


@pytest.mark.parametrize(
    "quoted",
    [
        "Address already in use", "port is already allocated", "assigned node no longer meets constraints",
        "Pool overlaps with other one on this address space", "network proxy not found", "no space left on device",
        "node is missing network attachments, ip addresses may be exhausted", "no suitable node",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "around",
    [
        'exec: "{}": executable file not found in $PATH: unknown', 'exec: "x: {}": not found', 'open "a: {}": denied x',
        'exec: "x \\": {}": not found', 'an unclosed quote " and then: {}', "{} and more", "x{}",
    ],
)  # fmt: skip
def test_text_that_somebody_chose_is_no_cause(quoted: str, around: str) -> None:
    assert cause_of(around.format(quoted)) is None


@pytest.mark.parametrize(
    "around", ["No such image: {}", "No such image: x: {}", "bind source path does not exist: /a: {}"]
)
def test_a_name_behind_a_sentence_of_dockerds_belongs_to_that_sentence(around: str) -> None:
    found = cause_of(around.format("Address already in use"))
    assert found is not None
    assert found.cause.id in ("image-missing", "bind-source-missing")


@pytest.mark.parametrize(
    "quoted",
    [
        "No such image: y", "toomanyrequests: y", "x509: y", "failed to set up container networking: y",
        "attaching to network failed, make sure your network options are correct and check manager logs: y",
        "bind source path does not exist: y",
    ],
)  # fmt: skip
def test_a_quoted_sentence_that_goes_on_is_no_cause(quoted: str) -> None:
    assert cause_of(quoted) is not None
    assert cause_of(f"behind: {quoted}") is not None
    assert cause_of(f'exec: "x: {quoted}": not found') is None


@given(st.text(), st.sampled_from(ErrorSource))
def test_anything_at_all_has_an_answer(error: str, place: ErrorSource) -> None:
    found = cause_of(error, place)
    assert found is None or found.cause.place is place


def test_what_is_endless_is_not_looked_into() -> None:
    assert cause_of("x: " * LONGEST + "Address already in use") is None
    assert cause_of("x: " * 20 + "Address already in use") is not None
    assert cause_of('"' * 3000 + ": " * 2000) is None
