"""A runbook's file as values."""

import hashlib
from pathlib import Path

import pytest

from console.errors import RunbookError
from console.runbook.actions.registry import MANUAL, action_of
from console.runbook.language.file import parse_runbook, read_runbook
from console.runbook.language.source import shipped_runbook
from console.runbook.language.values import Call, OnFailure, Runbook, SourcePosition, Step, Undo, Variable

WHOLE = """\
schema: vipconsole.runbook/1
id: whole
title: Everything that can be written
about: |
  Two lines,
  of text.
vars:
  network: {type: network, default: proxy, about: the overlay}
  stack: {type: string}
defaults: {timeout: 2m, retries: {max: 2, every: 1s}, on_failure: ask}
steps:
  - id: look
    uses: checks.all
    with: {findings: {network: "${vars.network}"}}
  - id: remove
    title: Remove ${vars.stack}
    uses: stack.remove
    with:
      stacks: ["${vars.stack}"]
    requires: [look, swarm.no_stuck_new, network.unique: "${vars.network}"]
    probe: {services.converged: {stack: "${vars.stack}"}}
    confirm: ${vars.stack}
    verify:
      - network.is: {name: "${vars.network}"}
        network.unique: proxy
      - units.ok:
    undo: {none: it is deployed again by hand}
    timeout: 1.5h
    retries: 1
    on_failure: stop
    checkpoint: true
  - id: by-hand
    manual: Deploy ${vars.stack} again.
    verify: {none: nobody can tell}
    undo:
      uses: exec
      with: {argv: [/bin/true]}
"""


def parsed(text: str) -> Runbook:
    return parse_runbook(text.encode(), "whole.yaml")


def one_step(body: str) -> Step:
    (step,) = parsed(
        f"schema: vipconsole.runbook/1\nid: a\ntitle: A\nsteps:\n  - {{id: one, {body}}}\n"
    ).steps
    return step


def test_everything_that_can_be_written_is_there() -> None:
    runbook = parsed(WHOLE)
    assert (runbook.id, runbook.title) == ("whole", "Everything that can be written")
    assert runbook.about == "Two lines,\nof text.\n"
    assert runbook.source == "whole.yaml"
    assert runbook.digest == hashlib.sha256(WHOLE.encode()).hexdigest()
    assert runbook.variables == (
        Variable("network", "network", "proxy", "the overlay"),
        Variable("stack", "string", None),
    )
    snapshot, remove, by_hand = runbook.steps
    assert snapshot == Step(
        id="look",
        title="look",
        action=Call("checks.all", {"findings": {"network": "${vars.network}"}}),
        timeout_s=120.0,
        retries=2,
        retry_every_s=1.0,
        on_failure=OnFailure.ASK,
    )
    assert remove == Step(
        id="remove",
        title="Remove ${vars.stack}",
        action=Call("stack.remove", {"stacks": ["${vars.stack}"]}),
        requires=(Call("swarm.no_stuck_new"), Call("network.unique", {"name": "${vars.network}"})),
        requires_steps=("look",),
        probe=(Call("services.converged", {"stack": "${vars.stack}"}),),
        confirm="${vars.stack}",
        verify=(
            Call("network.is", {"name": "${vars.network}"}),
            Call("network.unique", {"name": "proxy"}),
            Call("units.ok"),
        ),
        undo=Undo(none_because="it is deployed again by hand"),
        timeout_s=5400.0,
        retries=1,
        on_failure=OnFailure.STOP,
        is_checkpoint=True,
    )
    assert by_hand == Step(
        id="by-hand",
        title="by-hand",
        manual="Deploy ${vars.stack} again.",
        confirm="done",
        unverified_because="nobody can tell",
        undo=Undo(Call("exec", {"argv": ["/bin/true"]})),
        timeout_s=120.0,
        on_failure=OnFailure.ASK,
    )


def test_calls_and_steps_know_where_they_stand() -> None:
    _, remove, by_hand = parsed(WHOLE).steps
    assert remove.place == SourcePosition(15, 5)
    assert remove.action is not None
    assert remove.action.place == SourcePosition(17, 11)
    assert [each.place for each in remove.verify] == [
        SourcePosition(24, 9),
        SourcePosition(25, 9),
        SourcePosition(26, 9),
    ]
    assert by_hand.undo.call is not None
    assert by_hand.undo.call.place == SourcePosition(36, 13)


def test_a_mark_and_other_line_ends_change_nothing_but_the_digest() -> None:
    plain = parsed(WHOLE)
    for data in (b"\xef\xbb\xbf" + WHOLE.encode(), WHOLE.replace("\n", "\r\n").encode()):
        other = parse_runbook(data, "whole.yaml")
        assert other.steps == plain.steps
        assert [each.place for each in other.steps] == [each.place for each in plain.steps]
        assert other.digest == hashlib.sha256(data).hexdigest() != plain.digest


def test_a_default_of_retries_is_for_what_may_be_tried_again() -> None:
    runbook = parsed(
        "schema: vipconsole.runbook/1\nid: a\ntitle: A\ndefaults: {retries: 3}\nsteps:\n"
        "  - {id: one, uses: exec, with: {argv: [/bin/true]}}\n  - {id: two, uses: checks.all}\n"
        "  - {id: three, manual: x, verify: [units.ok]}\n"
    )
    assert [each.retries for each in runbook.steps] == [0, 3, 0]


def test_what_is_only_known_in_the_run_is_left_to_the_run() -> None:
    text = (
        "schema: vipconsole.runbook/1\nid: a\ntitle: A\nvars: {mib: {type: integer}}\nsteps:\n"
        "  - {id: before, uses: evidence.capture}\n"
        '  - {id: a, uses: checks.all, with: {disk_free_mb: "${vars.mib}", subnet_free: "${run.id}"}}\n'
        "  - id: b\n    uses: checks.all\n"
        '    verify: [{network.attached_as_before: {network: proxy, before: "${steps.before.outputs.attached}"}}]\n'
        "  - id: c\n    uses: exec\n    with: {argv: [/bin/true]}\n"
        '    verify: [{network.headroom_min: {network: proxy, addresses: "${steps.c.outputs.exit_code}"}}]\n'
    )
    assert [each.id for each in parsed(text).steps] == ["before", "a", "b", "c"]


def test_a_word_to_confirm_can_be_written_in_two_ways() -> None:
    assert one_step("uses: checks.all, confirm: go").confirm == "go"
    assert one_step("uses: checks.all, confirm: {type: go}").confirm == "go"
    assert one_step("uses: checks.all").confirm == ""


def test_a_manual_step_is_an_action_too() -> None:
    action, call = action_of(one_step("manual: Do it, verify: [units.ok]"))
    assert action is MANUAL
    assert call == Call("manual", {"what": "Do it"})
    action, call = action_of(one_step("uses: checks.all"))
    assert (action.name, call) == ("checks.all", Call("checks.all"))


def test_the_shipped_runbook_can_be_used() -> None:
    assert read_runbook(shipped_runbook()).steps


def test_a_file_that_is_wrong_is_told_of_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a\x1bb.yaml"
    path.write_text("schema: 5\n")
    with pytest.raises(RunbookError) as raised:
        read_runbook(path)
    assert raised.value.sentence == f"The runbook {tmp_path}/a\\x1bb.yaml has errors: 4 problems."
    assert raised.value.problems[0].startswith(f"{tmp_path}/a\\x1bb.yaml:1:1: ")
