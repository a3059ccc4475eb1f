"""What can be removed: who holds the addresses of a network, by stack, as the command shows it."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console

from console.diagnosis.assess import assess
from console.errors import Unknown
from console.settings import Thresholds
from console.swarm.model import SwarmState
from screens.output.holders import as_json, render_holders
from screens.present.text import ASCII, UNICODE, Glyphs
from tests.support.engines import Simulation, simulation
from tests.support.program import vipconsole
from tests.support.swarms import ago, network, service, snapshot, swarm, task

PROXY = "id-proxy"
LONG = "a-stack-of-a-branch-whose-name-nobody-cut-in-time-0123456789"


@pytest.fixture(scope="module")
def evening() -> Iterator[Simulation]:
    with simulation("evening") as running:
        yield running


def full_swarm() -> SwarmState:
    """A /28: an idle stack, a large one, a service without a stack, a container, and an unknown age."""
    proxy = network("proxy", "10.0.1.0/28", load_balancer="10.0.1.14", peers=1)
    return swarm(
        [proxy],
        [
            replace(service("shop_web", (PROXY, "10.0.1.2")), replicas=2, updated=ago(7500)),
            service("shop_db", (PROXY, "10.0.1.5")),
            replace(service("idle_app", (PROXY, "10.0.1.6")), replicas=0),
            replace(service("registry", (PROXY, "10.0.1.7")), stack="", replicas=None, mode="replicated-job"),
            replace(service(f"{LONG}_app", (PROXY, "10.0.1.8")), stack=LONG),
        ],
        [
            task("shop_web", (PROXY, "10.0.1.3")),
            task("shop_web", (PROXY, "10.0.1.4"), slot=2, state="starting"),
            task("registry"),
            task(f"{LONG}_app"),
            task("", (PROXY, "10.0.1.9"), container="c" * 64),
        ],
    )


def text_of(state: SwarmState, width: int = 80, glyphs: Glyphs = UNICODE) -> list[str]:
    shot = snapshot(state)
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False, color_system=None)
    console.print(render_holders(shot, assess(shot, Thresholds(), ("proxy",)), glyphs))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_eighty_columns_hold_every_group_in_a_line() -> None:
    assert text_of(full_swarm()) == [
        " proxy: at most 4 of 13 addresses are free; stacks by addresses",
        " Order: what runs nothing, then most addresses, then the oldest update.",
        "",
        " STACK                       ADDR  SERVICES   RUNNING  AGE          LAST UPDATE",
        " idle                           1         1    0 of 0  11 d         11 d",
        " shop                           4         2    1 of 3  11 d         2 h 5 min",
        " a-stack-of-a-branch-whose…     1         1    1 of 1  11 d         11 d",
        " service registry               1         1    1 of ?  11 d         11 d",
        " container cccccccccccc on…     1         0    1 of 1  unknown      unknown",
        "",
        " Not in this table: 1 load balancer, leaked ones unknown.",
        " To remove a stack without leaking addresses: `vipconsole stack-rm NAME`",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 110, 160])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_at_no_width_a_line_wraps_or_is_cut_without_a_mark(width: int, glyphs: Glyphs) -> None:
    lines = text_of(full_swarm(), width, glyphs)
    assert len(lines) == 12
    assert max(map(len, lines)) <= width
    (row,) = [line for line in lines if line.startswith(" a-s")]
    assert LONG in row or glyphs.more in row
    assert glyphs is UNICODE or "\n".join(lines).isascii()


def test_a_wide_terminal_shows_whose_addresses_they_are() -> None:
    lines = text_of(full_swarm(), 160)
    assert lines[3].split() == [
        "STACK",
        "ADDR",
        "VIP",
        "TASK",
        "CTR",
        "SERVICES",
        "RUNNING",
        "AGE",
        "LAST",
        "UPDATE",
    ]
    assert lines[5].split()[:5] == ["shop", "4", "2", "2", "0"]


def test_unknown_and_nobody_are_told_apart() -> None:
    unread = replace(full_swarm(), tasks=Unknown("It did not answer."))
    assert text_of(unread)[1:] == [" Who holds them is unknown. It did not answer."]
    assert " No stack, service or container holds an address of it." in text_of(
        swarm([network("proxy", "10.0.1.0/28")])
    )


def test_json_has_everything() -> None:
    shot = snapshot(full_swarm())
    found = json.loads(as_json(shot, assess(shot, Thresholds(), ("proxy",))))
    assert (found["schema"], found["exit_code"]) == ("vipconsole.holders/1", 0)
    (proxy,) = found["networks"]
    assert (proxy["free"], proxy["free_is_exact"], proxy["leaked"]) == (4, False, None)
    assert (proxy["load_balancers"], proxy["why_unknown"]) == (1, None)
    shop = proxy["groups"][1]
    assert shop == {
        "kind": "stack", "name": "shop", "id": "shop", "addresses": 4, "vips": 2, "tasks": 2, "containers": 0,
        "services": 2, "running": 1, "wanted": 3, "created": "2026-06-01T02:00:00+00:00",
        "updated": "2026-06-11T23:55:00+00:00", "command": "vipconsole stack-rm shop",
    }  # fmt: skip
    container = proxy["groups"][-1]
    assert (container["kind"], container["created"], container["command"]) == ("container", None, None)


def test_json_says_why_nothing_is_known() -> None:
    shot = snapshot(replace(full_swarm(), services=Unknown("It did not answer.")))
    found = json.loads(as_json(shot, assess(shot, Thresholds(), ("proxy",))))
    (proxy,) = found["networks"]
    assert (proxy["groups"], proxy["why_unknown"]) == (None, "It did not answer.")
    assert found["exit_code"] == 3


def test_the_command_shows_a_network_by_stack_and_exits_as_glance_does(evening: Simulation) -> None:
    said = vipconsole("glance", "proxy", "--holders", "--quick", "--host", evening.host)
    lines = said.out.splitlines()
    assert lines[0] == " proxy: 4 of 253 addresses are free; stacks by addresses"
    assert " traefik " in lines[4]
    assert lines[-1] == " To remove a stack without leaking addresses: `vipconsole stack-rm NAME`"
    document = vipconsole("glance", "proxy", "--holders", "--json", "--quick", "--host", evening.host)
    assert document.json["exit_code"] == document.code == said.code == 2
    (proxy,) = document.json["networks"]
    assert sum(group["addresses"] for group in proxy["groups"]) == 236


def test_the_demo_shows_it_and_names_its_own_command() -> None:
    said = vipconsole("glance", "--demo", "proxy", "--holders")
    assert "`vipconsole --demo stack-rm NAME`" in said.out.splitlines()[-1]
    document = vipconsole("glance", "--demo", "proxy", "--holders", "--json").json
    commands = [group["command"] for network in document["networks"] for group in network["groups"]]
    assert commands
    assert all(command.startswith("vipconsole --demo stack-rm ") for command in commands)


def test_an_overlay_that_is_not_there_is_said_so(evening: Simulation) -> None:
    said = vipconsole("glance", "prxy", "--holders", "--quick", "--host", evening.host)
    assert said.code == 2
    assert "There is no overlay named prxy." in said.out


@pytest.mark.parametrize("arguments", [(), ("proxy", "ingress"), ("proxy", "--prometheus")])
def test_it_is_about_one_network(arguments: tuple[str, ...], evening: Simulation) -> None:
    said = vipconsole("glance", *arguments, "--holders", "--host", evening.host)
    assert said.code == 64
    assert "--holders needs one NETWORK" in said.err
