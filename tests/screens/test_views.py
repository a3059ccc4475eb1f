"""What panes say about a network, a log, a service and a run, as text."""

from dataclasses import replace
from datetime import UTC
from ipaddress import IPv4Address

import pytest

from console.addresses.accounting import EarlierLeaks, NetworkAccount, account
from console.addresses.details import index_swarm_objects
from console.addresses.leaks import LeakEntry, LeakLog, MonitoringGap
from console.addresses.map import map_network
from console.diagnosis.attachments import find_attachments
from console.diagnosis.why.evidence import last_lines
from console.diagnosis.why.explain import explain
from console.errors import Unknown
from console.journal.matching import LogEvent
from console.runbook.language.values import Call, Effect, Runbook, SourcePosition, Step, Undo
from console.runbook.run.view import Live, StepState
from console.runbook.runner.creation import preview_run
from console.settings import Thresholds
from console.swarm.model import SwarmState
from screens.present import addresses, journal, network, run, why
from screens.present.run_step import step_paragraphs
from screens.present.text import ASCII, UNICODE, Paragraph, Row, text_of
from tests.support.logs import CHATTER, NO_ADDRESS, STRANGE, log
from tests.support.runs import ALICE, step, stored_run
from tests.support.swarms import NOW, ago, service, snapshot, subnet, swarm, task
from tests.support.swarms import network as a_network

PROXY = "id-proxy"
ENTRY = LeakEntry(
    PROXY, "proxy", (IPv4Address("10.0.1.9"),), "t1", "ghost-pr_app.1", "ghost-pr_app", "ghost-pr", "ghost-pr_internal",
    ago(3600),
)  # fmt: skip


def texts(paragraphs: tuple[Paragraph, ...] | list[Paragraph]) -> str:
    return "\n".join(text_of(each.parts) for each in paragraphs)


def of_rows(rows: list[Row]) -> list[str]:
    return [text_of(each.parts).rstrip() for each in rows]


def only(state: SwarmState, earlier: SwarmState | None = None) -> NetworkAccount:
    return account(state, earlier)[0]


def counted(in_use: int, available: int) -> SwarmState:
    proxy = a_network(
        "proxy", "10.0.1.0/28", load_balancer="10.0.1.4", peers=1, use={"10.0.1.0/28": (in_use, available)}
    )
    return swarm([proxy], [service("a", (PROXY, "10.0.1.2"))], api=(1, 52))


def test_the_figures_are_words_and_say_what_is_only_a_bound() -> None:
    state = swarm([a_network("proxy", "10.0.1.0/28", load_balancer="10.0.1.4", peers=1)])
    older = only(state)
    assert text_of(addresses.figures(older, UNICODE)) == "≤ 12 free, ? leaked, ≥ 1 of 13 in use"
    (watched,) = account(state, None, EarlierLeaks(entries=(ENTRY,)))
    assert text_of(addresses.figures(watched, ASCII)) == "<= 11 free, >= 1 leaked, >= 2 of 13 in use"
    exact = only(counted(8, 8), counted(8, 8))
    assert text_of(addresses.figures(exact, UNICODE)) == "8 free, 3 leaked, 5 of 13 in use"
    assert text_of(addresses.figures(only(swarm([a_network("proxy")])), UNICODE)) == "no subnet yet"


def test_the_legend_counts_every_letter_that_is_in_the_map() -> None:
    (found,) = map_network(only(counted(8, 8), counted(8, 8)), (ENTRY,))
    assert texts(addresses.legend(found, addresses.LETTERS)).splitlines() == [
        "V VIP 1", "t task 0", "c container 0", "L load balancer 1", "# leaked 1", "? unknown 10", "G gateway", "- reserved",
    ]  # fmt: skip
    # One of the three that leaked has its name.
    assert "these 10 addresses: 2 leaked, 8 free" in texts(addresses.map_notes(found, 0))
    assert "2 held addresses outside the subnets" in texts(addresses.map_notes(found, 2))


def test_a_cell_is_told_with_its_address_first() -> None:
    state = counted(8, 8)
    (found,) = map_network(only(state, state), (ENTRY,))
    index = index_swarm_objects(state, NOW, UTC)
    said = texts(addresses.cell_paragraphs(found, int(IPv4Address("10.0.1.9")), index))
    assert said.startswith("10.0.1.9  leaked\nwas ghost-pr_app.1 of stack ghost-pr\nsince 01:00, 60 min ago")


def test_a_block_is_one_row_of_figures() -> None:
    big = a_network("proxy", "10.10.0.0/16", load_balancer="10.10.0.2", peers=1)
    entry = replace(ENTRY, addresses=(IPv4Address("10.10.1.5"),))
    (found,) = map_network(only(swarm([big], [service("a", (PROXY, "10.10.1.4"))])), (entry,))
    first, second, third = (text_of(addresses.block_parts(found.block(each), ASCII)) for each in range(3))
    assert first == "  10.10.0.0      #........... 1/254       0    0   1    ? <=253"
    assert second == "! 10.10.1.0      #........... 2/256       1    0   0    1 <=254"
    assert third == "  10.10.2.0      ............ 0/256       0    0   0    ? <=256"
    assert len(addresses.BLOCK_HEADINGS) == len(first)


def test_what_is_on_a_network_has_its_addresses_and_what_it_lacks() -> None:
    state = swarm(
        [a_network("proxy", "10.0.1.0/24")],
        [service("ghost_app", (PROXY, "10.0.1.2")), service("waits", networks=[PROXY])],
        [task("ghost_app", (PROXY, "10.0.1.3")), task("", (PROXY, "10.0.1.4"), container="c" * 64)],
    )
    found = find_attachments(only(state), state)
    rows, empty = network.attachment_rows(found, "", "…", 80)
    assert [each.split() for each in of_rows(rows)] == [
        ["service", "ghost_app", "1", "of", "1", "running", ".2", ".3"],
        ["service", "waits", "0", "of", "1", "running", "no", "address"],
        ["container", "cccccccccccc", "on", "ci-host", "on", "ci-host", ".4"],
    ]
    assert empty == ""
    assert len(network.attachment_rows(found, "ghost", "…", 80)[0]) == 1
    assert network.attachment_rows(found, "nobody", "…", 80) == ([], "No name matches.")
    assert (
        network.attachment_rows(Unknown("no answer."), "", "…", 80)[1]
        == "What is on this network is unknown. no answer."
    )


def test_what_recreating_would_touch_is_named_and_refusals_come_first() -> None:
    state = swarm(
        [a_network("proxy", "10.0.1.0/24")],
        [
            service("ghost_app", (PROXY, "10.0.1.2")),
            replace(service("job", (PROXY, "10.0.1.5")), mode="global-job"),
        ],
        [task("ghost_app", (PROXY, "10.0.1.3"))],
    )
    said = texts(network.recreation(only(state), find_attachments(only(state), state)))
    assert said.startswith("1 object blocks recreating proxy:\n  service job. A job cannot")
    assert "1 would be stopped once and started once:\n  ghost_app" in said
    free = swarm([a_network("proxy", "10.0.1.0/24")])
    assert "It has no services or containers." in texts(
        network.recreation(only(free), find_attachments(only(free), free))
    )


def test_what_was_lost_names_address_task_stack_and_network() -> None:
    assert of_rows(network.leak_rows((ENTRY,), NOW, UTC)) == [
        "    01:00  10.0.1.9  ghost-pr_app.1  ghost-pr_internal"
    ]
    gaps = (
        MonitoringGap(ago(600), None, "The engine did not answer."),
        MonitoringGap(ago(1200), ago(900), "Paused."),
    )
    said = texts(network.leak_notes(LeakLog(ago(7200), (ENTRY,), gaps), NOW, UTC))
    assert "Not tracked from 01:50 to now: The engine did not answer." in said
    assert "Not tracked from 01:40 to 01:45: Paused." in said
    assert "has not started" in texts(network.leak_notes(LeakLog(), NOW, UTC))


def test_the_facts_of_a_network_tell_subnets_gateway_range_count_and_what_is_not_counted() -> None:
    odd = a_network("proxy", subnet("10.0.1.0/24", ip_range="10.0.1.128/25"), subnet("fd00::/64"), peers=3)
    state = swarm([odd])
    said = texts(network.facts(only(state), snapshot(state), UTC))
    for part in (
        "10.0.1.128/25: addresses are assigned from this range",
        "10.0.1.1",
        "fd00::/64, not counted",
        "3 nodes on it",
        "does not report",
    ):
        assert part in said
    bare = swarm([a_network("proxy", detail=Unknown("It did not answer."))])
    said = texts(network.facts(only(bare), snapshot(bare), UTC))
    assert "none yet" in said
    assert "no. It did not answer." in said


def test_findings_of_the_log_come_worst_first_and_each_is_explained() -> None:
    told = log([NO_ADDRESS, STRANGE, CHATTER, NO_ADDRESS])
    rows = journal.finding_rows(told.summary, UTC)
    first, second = of_rows(rows)
    assert first.startswith("critical \N{MULTIPLICATION SIGN}2    01:59  no address for a VIP  ghost_app")
    assert second.startswith("other    \N{MULTIPLICATION SIGN}1    01:59  something nobody knows: really")
    said = texts(journal.explain(rows[0].value, told.summary, UTC))
    assert "Confidence: certain" in said
    assert "do   See who holds the addresses" in said
    assert "last " in said
    wanted = journal.lines_of(rows[0].value)
    assert wanted is not None
    assert [each.number for each in told.lines if wanted(each)] == [0, 3]
    wanted = journal.lines_of(rows[1].value)
    assert wanted is not None
    assert [each.number for each in told.lines if wanted(each)] == [1]


def test_a_line_is_told_whole_with_its_meaning() -> None:
    lines = log([NO_ADDRESS, STRANGE, CHATTER]).lines
    said = [texts(journal.explain_line(each, UTC)) for each in lines]
    assert "A network of a new service is full." in said[0]
    assert 'error="could not find an available IP while allocating VIP"' in said[0]
    assert "An error, probably not about addresses" in said[1]
    assert "Not an error" in said[2]
    assert [journal.mark_of(each)[0] for each in lines] == ["!", "?", " "]
    assert [journal.is_trouble(each) for each in lines] == [True, True, False]


def test_past_findings_say_so() -> None:
    told = log([NO_ADDRESS, 'level=info msg="Starting up"'])
    rows = journal.finding_rows(told.summary, UTC)
    assert of_rows(rows)[0].startswith("past ")
    assert "Past: the allocator has been rebuilt" in texts(journal.explain(rows[0].value, told.summary, UTC))


def test_why_tells_the_verdict_the_evidence_and_a_command_for_the_engine_that_was_asked() -> None:
    state = swarm(
        [a_network("proxy", "10.0.1.0/30")],
        [service("ghost_app", networks=[PROXY], updated=ago(900)), service("fine", (PROXY, "10.0.1.2"))],
        [task("ghost_app", state="new", since=ago(800)), task("fine")],
    )
    events = (each.meaning for each in log([NO_ADDRESS]).lines)
    lines = last_lines(each for each in events if isinstance(each, LogEvent))
    answer = explain(snapshot(state), Thresholds(), (), lines)
    rows = why.service_rows(answer, "")
    assert of_rows(rows)[0].startswith("BLOCKED      0/1  ghost_app")
    assert of_rows(why.service_rows(answer, "fine"))[0].startswith("runs")
    said = texts(why.explanation(answer.services[0], ("DOCKER_HOST=tcp://far ", "")))
    assert "ghost_app: " in said
    assert "Cause: addresses exhausted." in said
    assert why.command_of(answer.services[0], ("X=1 ", "")) in said.replace("DOCKER_HOST=tcp://far ", "X=1 ")


RUNBOOK = Runbook(
    "proxy-16", "Recreate proxy", "Why.", (),
    (
        Step("look", "Look around", Call("checks.all")),
        Step(
            "recreate", "Remove and recreate", Call("network.recreate", {"network": "${vars.network}"}, SourcePosition(1, 1)),
            requires=(Call("swarm.quiescent"),), confirm="${vars.network}", verify=(Call("network.is"),), is_checkpoint=True,
            undo=Undo(Call("network.recreate")),
        ),
        Step("tell", "Tell the others", manual="Write to \x1b]0;t\x07 them", unverified_because="Nobody can look."),
    ),
    "d" * 64, "runbook.yaml",
)  # fmt: skip


def test_a_runbook_that_was_not_started_tells_what_each_step_would_do() -> None:
    planned = preview_run(RUNBOOK, NOW)
    _, recreate, tell = planned.view.steps
    assert text_of(run.headline(planned, NOW)) == "runbook proxy-16  3 steps, not started"
    assert run.next_advice(planned) == ""
    assert of_rows(run.step_rows(planned.view, ASCII))[0] == ". pending          Look around"
    said = texts(step_paragraphs(planned, recreate))
    assert said.startswith("Remove and recreate  OUTAGE\nnetwork.recreate (network ${vars.network})")
    for part in (
        "before: swarm.quiescent",
        "after: network.is",
        "asks for the word ${vars.network}",
        "way back network.recreate",
    ):
        assert part in said
    assert "by hand: Write to \\x1b]0;t\\x07 them" in texts(step_paragraphs(planned, tell))


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_state_of_a_step_has_a_glyph_of_its_own_and_its_word(glyphs: object) -> None:
    view = stored_run(*(step("a", "A step", each) for each in StepState)).view
    rows = of_rows(run.step_rows(view, glyphs))  # type: ignore[arg-type] # both are Glyphs
    assert len({each[0] for each in rows}) == len(StepState)
    assert [each.split()[1] for each in rows] == [str(each) for each in StepState]


def test_the_step_that_matters_is_the_one_asked_about_or_at_work() -> None:
    def current(*states: StepState) -> int:
        return run.current_place(stored_run(*(step("a", "A step", each) for each in states)).view)

    states = StepState
    assert current(states.DONE, states.WAITING, states.PENDING) == 1
    assert current(states.DONE, states.FAILED, states.PENDING) == 1
    assert current(states.DONE, states.DONE, states.PENDING) == 2
    assert current(states.DONE, states.DONE) == 1
    assert current() == 0


def test_a_run_says_how_far_it_is_and_whether_anybody_works_on_it() -> None:
    at_work = step("a", "A step", StepState.RUNNING, Effect.OUTAGE, took_s=221)
    shown = stored_run(at_work, began_at=ago(600), run_id="r1")
    shown = replace(shown, live=Live(is_alive=True, lines={"a": ("one", "two")}))
    assert text_of(run.headline(shown, NOW)) == "run r1  step 1 of 1  started 10 min ago by root  runner up"
    assert text_of(run.headline(replace(shown, live=Live()), NOW)).endswith("runner GONE")
    assert of_rows(run.step_rows(shown.view, ASCII)) == ["> running    3:41  A step"]
    assert texts(step_paragraphs(shown, at_work)).endswith("output\none\ntwo")


@pytest.mark.parametrize(
    ("width", "began"),
    [
        (200, "  started 10 min ago by root (login alice, from 192.0.2.7, pts/3)"),
        (90, "  started 10 min ago by root"),
        (78, "  started 10 min ago"),
        (60, ""),
    ],
)
def test_what_matters_least_of_a_run_gives_way_in_a_narrow_line(width: int, began: str) -> None:
    at_work = stored_run(step("a", "A step", StepState.RUNNING), began_at=ago(600))
    by_alice = replace(at_work, view=replace(at_work.view, who=ALICE))
    line = text_of(run.headline(by_alice, NOW, width))
    assert line == f"run 20260612-020000-proxy-16  step 1 of 1{began}  runner up"
    assert len(line) <= width
