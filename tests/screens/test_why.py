"""`vipconsole why`, as an operator types it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from console.diagnosis.why.explain import WhyAnswer, explain
from console.errors import known
from console.settings import Thresholds
from console.text import SENTENCE_LIMIT, clean
from screens.cli.demo import SIMULATED
from screens.output.why import as_json, render_why
from tests.journal.journals import daemon, record, write_journal
from tests.journal.lines import line
from tests.support.engines import Simulation, simulation
from tests.support.program import vipconsole
from tests.support.swarms import ago, network, service, snapshot, swarm, task
from tests.swarm.test_parse import swarm_of

PROXY = "id-proxy"
HOSTILE = ("[/x]", "[bold red]", "\x1b[2J\x1b]0;t\x07", "\u202egnp", "a\nb\r\tc", "x" * 3000, "宽" * 300)


@pytest.fixture(scope="module")
def evening() -> Iterator[Simulation]:
    with simulation("evening") as running:
        yield running


def drawn(answer: WhyAnswer, width: int = 80) -> str:
    console = Console(
        file=StringIO(), width=width, markup=False, emoji=False, highlight=False, force_terminal=False
    )
    console.print(render_why(answer, ("", ""), everything=True))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_demo_explains_the_deploy_that_hangs() -> None:
    said = vipconsole("why", "ghost_app", "--demo")
    assert said.code == 2
    first, second, *_ = said.out.splitlines()
    assert first == SIMULATED
    assert second == " BLOCKED  ghost_app: no free address for its virtual IP on proxy (confidence: likely)"
    assert "The application has not been started, and is not at fault" in " ".join(said.out.split())
    assert re.search(r"service ghost_app +Endpoint\.VirtualIPs +none\n", said.out)
    assert re.search(r"network proxy +accounted +237 of 253\n +leaked +12\n +free +4\n", said.out)
    assert "Do not redeploy" in said.out
    assert "next  vipconsole --demo glance proxy\n" in said.out
    assert "`vipconsole --demo glance proxy --holders`" in " ".join(said.out.split())
    # The log of the demo's dockerd is there, and confirms it.
    assert "dockerd found one of its networks full" in said.out
    assert "was not read" not in said.out
    assert said.err == ""


def test_without_a_name_only_what_does_not_run_is_explained(evening: Simulation) -> None:
    said = vipconsole("why", "--host", evening.host)
    assert said.code == 2
    assert said.out.startswith(" BLOCKED  2 of 163 services do not run, 2 waiting for an address\n")
    # One cause is told once, with the evidence that both services share.
    text = " ".join(said.out.split())
    assert "BLOCKED 2 services: no free address for its virtual IP on proxy (confidence: likely)" in text
    assert " discourse_app, ghost_app\n" in said.out
    assert said.out.count("The application has not been started") == 1
    assert re.search(r"network proxy +accounted +237 of 253\n", said.out)
    assert "Endpoint.VirtualIPs" not in said.out
    assert "vipconsole why NAME` shows the tasks" in text
    assert f"next  DOCKER_HOST={evening.host} vipconsole glance proxy\n" in said.out


def test_a_stack_names_those_of_its_services_that_run(evening: Simulation) -> None:
    said = vipconsole("why", "ghost", "--host", evening.host)
    assert "1 service runs: ghost_db" in said.out
    well = vipconsole("why", "traefik", "--host", evening.host)
    assert (well.code, well.out.splitlines()[0]) == (0, " RUNS  all 2 services run")


def test_a_service_is_found_by_the_beginning_of_its_id(evening: Simulation) -> None:
    (found,) = vipconsole("why", "ghost_app", "--json", "--host", evening.host).json["services"]
    (again,) = vipconsole("why", found["id"][:10], "--json", "--host", evening.host).json["services"]
    assert again["name"] == "ghost_app"


def test_json_has_all_that_the_text_has(evening: Simulation) -> None:
    said = vipconsole("why", "ghost_app", "--json", "--host", evening.host)
    document = said.json
    assert document["schema"] == "vipconsole.why/1"
    assert (document["exit_code"], document["standing"], said.code) == (2, "blocked", 2)
    (told,) = document["services"]
    assert (told["cause"], told["certainty"], told["is_address_problem"]) == ("no-vip", "likely", True)
    assert (told["running"], told["wanted"]) == (0, 1)
    assert {"object": "network proxy", "field": "accounted", "value": "237 of 253"} in told["evidence"]
    assert said.out.isascii()


def test_a_recorded_journal_adds_what_dockerd_said(evening: Simulation, tmp_path: Path) -> None:
    (found,) = vipconsole("why", "ghost_app", "--json", "--host", evening.host).json["services"]
    error = "could not find an available IP while allocating VIP"
    logged = line(f"Failed allocation for service {found['id']}", error)
    write_journal(tmp_path / "docker.journal", [daemon(logged)])
    record(tmp_path, tmp_path / "recorded", "export")
    for journal in (tmp_path, tmp_path / "recorded"):
        asked = ("why", "ghost_app", "--host", evening.host, "--journal", str(journal))
        said = vipconsole(*asked)
        assert "dockerd found one of its networks full" in said.out
        assert "note" not in said.out
        (told,) = vipconsole(*asked, "--json").json["services"]
        assert told["evidence"][-1]["object"] == "dockerd"
        assert logged in told["evidence"][-1]["value"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gost_app", "--demo"), "did you mean ghost_app"),
        (("--demo", "--host", "x"), "cannot be combined"),
        (("x", "--host", "unix:///nonexistent", "--journal", "/nonexistent"), "Journal not found"),
    ],
)
def test_wrong_usage_is_64_in_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    outcome = vipconsole("why", *arguments)
    assert (outcome.code, outcome.out.replace(f"{SIMULATED}\n", "")) == (64, "")
    assert said in outcome.err


def test_an_engine_that_does_not_answer_is_unknown() -> None:
    said = vipconsole("why", "x", "--host", "unix:///nonexistent")
    assert said.code == 3
    assert said.out.startswith(" UNKNOWN  The cause is not known. There is no engine at unix:///nonexistent")
    assert vipconsole("why", "--json", "--host", "unix:///nonexistent").json["exit_code"] == 3


def test_services_that_cannot_be_listed_are_unknown_and_not_absent(evening: Simulation) -> None:
    evening.break_call("/services", "status:500")
    try:
        said = vipconsole("why", "ghost_app", "--host", evening.host)
    finally:
        evening.control("faults", [])
    assert said.code == 3


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_from_outside_is_read_as_anything(text: str) -> None:
    shown = clean(text, SENTENCE_LIMIT)
    own = replace(service("app", (PROXY, "10.0.1.9")), name=clean(text), image=shown)
    ended = task("app", (PROXY, "10.0.1.10"), state="rejected", desired="ready", since=ago(3), error=shown)
    seen = snapshot(swarm([network("proxy", "10.0.1.0/24")], [own], [ended]))
    answer = explain(seen, Thresholds(), ())
    drawing = drawn(answer)
    assert "\x1b" not in drawing
    assert all(each.isprintable() or each == "\n" for each in drawing)
    (told,) = json.loads(as_json(seen, answer, ("", "")))["services"]
    assert told["name"] == clean(text)
    assert shown[:100] in told["verdict"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    proxy = network("proxy", "10.0.1.0/29")
    stuck = [service(f"a-long-name-of-a-stack_service-{n}", networks=(PROXY,)) for n in range(3)]
    answer = explain(snapshot(swarm([proxy], stuck, [])), Thresholds(), ())
    assert max(map(len, drawn(answer, width).splitlines())) <= width


def test_a_recorded_swarm_is_explained_whole() -> None:
    seen = swarm_of("20.10.24")
    answer = explain(snapshot(seen), Thresholds(), ())
    assert len(answer.services) == len(known(seen.services, ()))


def test_services_with_one_cause_are_told_once_and_json_tells_each() -> None:
    proxy = network("proxy", "10.0.1.0/29", use={"10.0.1.0/29": (8, 8)})
    names = [f"shop{place}_app" for place in range(8)]
    late = [service(name, networks=(PROXY,), updated=ago(840)) for name in names]
    other = service("other_app", (PROXY, "10.0.1.2"), updated=ago(840))
    answer = explain(snapshot(swarm([proxy], [*late, other], [])), Thresholds(), ())
    text = " ".join(drawn(answer).split())
    assert "8 services: " in text
    assert "shop0_app, shop1_app, shop2_app, shop3_app and 4 more" in text
    assert "other_app: " in text
    document = json.loads(as_json(snapshot(swarm()), answer, ("", "")))
    assert {told["name"] for told in document["services"]} == {*names, "other_app"}
