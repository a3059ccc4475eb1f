"""`vipconsole stack-rm` as a process and as what it prints, on simulated swarms."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import docker
import pytest

from console.operations.stack_removal.plan import RetainedObject, plan_removal
from console.operations.stack_removal.removal import RemovalOutcome, RemovalState
from console.operations.stack_removal.steps import LeakComparison, LeakCount
from console.simulator.stacks import Part, deploy
from console.swarm.model import ObjectKind
from screens.cli.demo import SIMULATED
from screens.cli.main import main
from screens.output.plain import print_plainly
from screens.output.stack_removal import (
    RemovalProgress,
    as_json,
    exit_code,
    interrupted_lines,
    plan_lines,
    question,
    render_removal,
)
from tests.simulator.swarms import a_network, a_swarm
from tests.support.changes import operator
from tests.support.engines import Simulation, simulation
from tests.support.program import vipconsole
from tests.support.stacks import item, service, stack_snapshot, task

OWN = item(ObjectKind.NETWORK, "web_internal")
APP = service("web_app", OWN)
APP_OBJECT = item(ObjectKind.SERVICE, "web_app")
OTHER = service("other_app", OWN, stack="other")
NOTHING_PROVEN = LeakComparison((LeakCount("proxy", None, "Nobody counted."),), (LeakCount("proxy", 3),))
REMOVED = RemovalOutcome("web", RemovalState.REMOVED, (APP_OBJECT, OWN), took_s=12, is_drained=True)
KEPT = replace(
    REMOVED,
    removed_objects=(APP_OBJECT,),
    retained_objects=(RetainedObject(OWN, "service other_app uses it"),),
)
UNFINISHED = RemovalOutcome(
    "api", RemovalState.UNFINISHED, (), (), ("api_app.1 (running on ci-host)",), took_s=70
)
UNKNOWN = replace(UNFINISHED, state=RemovalState.UNKNOWN, refusals=("The engine did not answer.",))


@pytest.fixture
def running() -> Iterator[Simulation]:
    model = a_swarm("1.41")
    a_network(model)
    deploy(model, "web", (Part("app", ("proxy",)),))
    model.advance(20)
    with simulation(model) as listening:
        yield listening


def printed(capsys: pytest.CaptureFixture[str], *outcomes: RemovalOutcome, again: str = "") -> str:
    print_plainly(render_removal(outcomes, NOTHING_PROVEN, again))
    return capsys.readouterr().out


def test_a_demo_shows_the_plan_the_wait_and_the_proof() -> None:
    said = vipconsole("stack-rm", "--demo", "--yes", "collabora-pr445", "discourse-pr490")
    assert said.code == 0
    assert "collabora-pr445: 2 live tasks, stop grace up to" in said.err
    assert "remove  1 network: collabora-pr445_internal" in said.err
    assert "collabora-pr445: waiting for its tasks to end: collabora-pr445_app.1" in said.err
    assert said.out.startswith(f"{SIMULATED}\n REMOVED  2 of 2 stacks removed in")
    assert "no leak  proxy: 12 leaked before, 12 after" in said.out


def test_json_holds_everything() -> None:
    said = vipconsole("stack-rm", "--demo", "--yes", "--json", "collabora-pr445")
    (stack,) = said.json["stacks"]
    assert (said.code, said.json["exit_code"], stack["state"]) == (0, 0, "removed")
    assert [each["kind"] for each in stack["removed"]] == ["service", "service", "network"]
    assert said.json["proof"]["verdict"] == "no leak", said.json["proof"]
    assert said.json["proof"]["networks"][0]["before"] == {"leaked": 12, "why_unknown": ""}


def test_a_stack_that_does_not_exist_is_wrong_usage_with_near_names(running: Simulation) -> None:
    said = vipconsole("stack-rm", "--host", running.host, "--yes", "wbe")
    assert (said.code, said.out) == (64, "")
    assert said.err.startswith(
        "vipconsole: Stack wbe not found, so nothing was changed.\n  Did you mean web?"
    )
    assert len(running.model.store.services) == 1


def test_among_others_a_stack_that_is_gone_is_skipped_and_named_at_the_beginning_and_the_end() -> None:
    said = vipconsole("stack-rm", "--demo", "--yes", "drone", "gone-pr1")
    assert said.code == 1
    assert "gone-pr1: not found (already removed or misspelled)" in said.err
    assert "1 of 2 stacks removed in" in said.out
    assert re.search(r"gone-pr1 +not found +already removed or misspelled\n", said.out)


def test_json_names_a_stack_that_is_gone_beside_the_others() -> None:
    document = json.loads(as_json((REMOVED,), NOTHING_PROVEN, "unix:///engine", ("gone-pr1",)))
    assert document["exit_code"] == 1
    assert [(each["name"], each["state"]) for each in document["stacks"]] == [
        ("web", "removed"), ("gone-pr1", "not found"),
    ]  # fmt: skip
    assert document["stacks"][0].keys() == document["stacks"][1].keys()


def test_a_census_proves_it_where_the_engine_cannot_count() -> None:
    with_census = vipconsole("stack-rm", "--demo", "--yes", "--census", "--json", "collabora-pr445")
    proof = with_census.json["proof"]
    assert proof["networks"][0]["name"] == "proxy"
    # The demo's proxy is full, so nothing is walked: what nobody holds has leaked.
    assert proof["networks"][0]["before"]["leaked"] == 12


def test_a_stack_that_changed_while_the_word_was_typed_is_not_removed(running: Simulation) -> None:
    client: Any = docker.APIClient(base_url=running.host, version="1.41", timeout=30)

    def deploy_more() -> None:
        labels = {"com.docker.stack.namespace": "web"}
        client.create_network("web_more", driver="overlay", labels=labels)

    try:
        with operator() as someone:
            arguments = ("stack-rm", "--host", running.host, "web")
            code, out, printer = someone.on_a_terminal("web", *arguments, meanwhile=deploy_more)
    finally:
        client.close()
    assert (code, out) == (3, "")
    assert "The stacks changed since the plan was shown. Nothing was removed." in printer
    assert len(running.model.store.services) == 1


def test_without_a_terminal_it_must_be_told_yes(running: Simulation) -> None:
    said = vipconsole("stack-rm", "--host", running.host, "web")
    assert said.code == 64
    assert "The stack web will be removed. This needs confirmation.\n  Give --yes" in said.err
    assert len(running.model.store.services) == 1


def test_without_root_it_is_one_sentence_and_explaining_needs_none(
    running: Simulation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["stack-rm", "--host", running.host, "--yes", "web"]) == 3
    assert capsys.readouterr().err == (
        "vipconsole: `vipconsole stack-rm` changes the swarm and must run as root.\n  Run it with sudo.\n"
    )
    assert len(running.model.store.services) == 1
    assert main(["stack-rm", "--explain", "--host", "unix:///nonexistent", "web"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("#!/bin/sh\n")


def test_the_script_names_the_stacks_safely_and_is_a_script() -> None:
    said = vipconsole("stack-rm", "--explain", "--timeout", "2m", "web", "a'b; rm -rf /")
    assert said.code == 0
    assert "set -- web 'a'\"'\"'b; rm -rf /'\n" in said.out
    assert "limit_s=${LIMIT_S:-120}" in said.out
    assert "@" not in said.out.replace('"$@"', "")
    subprocess.run(["sh", "-n"], input=said.out, check=True, text=True, timeout=20)


@pytest.mark.parametrize("name", ["\x1b[2J", "web\nrm -rf /", "\u202egnp"])
def test_no_script_speaks_to_the_terminal(name: str) -> None:
    said = vipconsole("stack-rm", "--explain", "web", name)
    assert (said.code, said.out) == (64, "")
    assert "it holds a character that cannot be printed" in said.err
    assert name not in said.err


@pytest.mark.parametrize("arguments", [("stack-rm",), ("stack-rm", "web", "--timeout", "soon")])
def test_wrong_usage_is_64(arguments: tuple[str, ...]) -> None:
    assert vipconsole(*arguments).code == 64


def test_a_plan_tells_what_goes_what_stays_and_how_long_it_may_take() -> None:
    whole = stack_snapshot(services=[APP, OTHER], objects=[OWN], tasks=[task("web_app", OWN)])
    plan = plan_removal(["web"], whole)
    assert list(plan_lines(plan)) == [
        "web: 1 live task, stop grace up to 10 s",
        "  remove  1 service: web_app",
        "  remove  1 network: web_internal",
        "  keep    network web_internal: service other_app uses it",
        "Services are removed first, everything else after their tasks have ended (waits 70 s at most).",
    ]
    assert question(plan) == ("The stack web will be removed.", "web")
    assert question(plan_removal(["web", "other"], whole))[1] == "all"
    remains = plan_removal(["web"], stack_snapshot(objects=[OWN], tasks=[task("web_app", desired="remove")]))
    assert next(iter(plan_lines(remains))) == "web: its services are already gone; 1 task still runs"


def test_the_worst_comes_first_and_what_is_left_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    done = printed(capsys, REMOVED)
    assert done.startswith(" REMOVED  1 of 1 stack removed in 12 s\n")
    assert "not proven  proxy: ? leaked before, 3 after\n" in done
    assert "Nobody counted." in done
    kept = printed(capsys, KEPT)
    assert "1 object kept" in kept
    assert "kept network web_internal: service other_app uses it" in kept
    late = printed(capsys, REMOVED, UNFINISHED, again="vipconsole stack-rm api")
    assert late.startswith(" UNFINISHED  1 of 2 stacks removed in 70 s\n")
    assert "still there: api_app.1 (running on ci-host)" in late
    assert "Its networks were kept" in late
    assert "to finish  vipconsole stack-rm api" in late
    assert "The engine did not answer." in printed(capsys, UNKNOWN)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [((REMOVED,), 0), ((REMOVED, KEPT), 1), ((KEPT, UNFINISHED), 2), ((UNFINISHED, UNKNOWN), 3)],
)
def test_the_exit_code_is_that_of_the_worst(outcomes: tuple[RemovalOutcome, ...], code: int) -> None:
    assert exit_code(outcomes, NOTHING_PROVEN) == code
    assert json.loads(as_json(outcomes, NOTHING_PROVEN, "unix:///x"))["exit_code"] == code


def test_a_leak_is_not_all_well() -> None:
    assert exit_code((REMOVED,), LeakComparison((LeakCount("proxy", 1),), (LeakCount("proxy", 2),))) == 1


def test_an_interruption_tells_what_is_done_and_how_to_finish() -> None:
    lines = list(interrupted_lines((REMOVED, UNFINISHED), "vipconsole stack-rm api"))
    assert lines == [
        "vipconsole: interrupted; nothing more was started.",
        "  web: all removed",
        "  api: nothing removed so far",
        "  To finish: vipconsole stack-rm api",
    ]


def test_talk_says_what_changes_and_reminds_of_what_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    printer = RemovalProgress(sys.stdout)
    waiting = RemovalOutcome("api", waits_for=("api_app.1 (running on ci-host)",))
    for took_s in (0.0, 0.3, 0.6, 10.4, 10.7):
        printer.update(replace(waiting, took_s=took_s))
    printer.update(replace(waiting, state=RemovalState.UNFINISHED, took_s=11))
    assert capsys.readouterr().out.splitlines() == [
        "api: waiting for its tasks to end: api_app.1 (running on ci-host)",
        "api: waiting for its tasks to end: api_app.1 (running on ci-host)",
        "api: not finished after 11 s",
    ]
