"""`vipconsole census`: as a process."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.simulator.engine import SimulatedEngine
from console.simulator.server import serve_in_thread
from screens.cli.demo import SIMULATED
from screens.cli.main import main
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.changes import Operator, operator
from tests.support.program import vipconsole

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes a swarm")


@contextmanager
def served(engine: SimulatedEngine) -> Iterator[str]:
    """Serve a model whose time passes as ours does."""
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        socket = Path(folder) / "engine.sock"
        with serve_in_thread(engine, socket, SystemClock()):
            yield f"unix://{socket}"


def leaky(count: int = 3) -> SimulatedEngine:
    engine = a_swarm("1.41")
    proxy, own = a_network(engine, subnet="10.0.1.0/27"), a_network(engine, "own", "10.9.0.0/24")
    service = a_service(engine, proxy, own, name="leaky", replicas=count, constraint="node.labels.none==x")
    engine.advance(1.0)
    engine.services.remove(service)
    engine.networks.remove(own)
    engine.advance(1.0)
    return engine


@pytest.fixture
def someone() -> Iterator[Operator]:
    with operator() as one:
        yield one


def test_it_names_what_leaked_keeps_it_and_glance_shows_it(someone: Operator) -> None:
    engine = leaky()
    lost = engine.addresses_of("proxy", "leaked")
    with served(engine) as host:
        said = someone.run("census", "proxy", "--yes", "--host", host)
        shown = someone.run("glance", "--host", host, "proxy")
        metrics = someone.run("glance", "--prometheus", "--host", host, "proxy")
        nobody_else = vipconsole("glance", "--json", "--host", host, "proxy")
    assert said.code == 1
    assert said.out.startswith(" LEAKED  3 addresses of proxy leaked\n")
    assert "  ".join(lost) in said.out
    assert re.search(r"2 walks, \d+ steps, took \d+\.\d s, as of ", said.out)
    # Progress is for terminals only.
    assert said.err == "vipconsole: this host has no system journal, so the changes are not logged there.\n"
    assert re.search(r"proxy +10\.0\.1\.0/27 .* 3\* +≤ 26\n", shown.out)
    assert "leaked (10 % of 29)" in shown.out
    assert 'leaked_addresses{network="proxy",subnet="10.0.1.0/27"} 3.0\n' in metrics.out
    assert nobody_else.json["networks"][0]["leaked"] is None


def test_nothing_leaked_is_0_and_json_tells_everything(someone: Operator) -> None:
    engine = a_swarm("1.41")
    network = a_network(engine, subnet="10.0.1.0/28")
    with served(engine) as host:
        said = someone.run("census", network, "--yes", "--json", "--host", host)
    assert said.code == 0
    assert said.out.isascii()
    document = said.json
    assert (document["schema"], document["exit_code"]) == ("vipconsole.census/1", 0)
    assert document["network"] == {"name": "proxy", "id": network, "capacity": 13}
    assert (document["addresses"], document["is_stored"], document["is_settled"]) == ([], True, True)
    assert [each["visited"] for each in document["walks"]] == [13, 13]


def test_without_root_it_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The checkout may lie where only root may look, so the process itself cannot be somebody else's.
    monkeypatch.setattr(os, "geteuid", lambda: 65_534)
    assert main(["census", "proxy", "--yes"]) == 3
    assert capsys.readouterr() == (
        "",
        "vipconsole: `vipconsole census` changes the swarm and must run as root.\n  Run it with sudo.\n",
    )


def test_without_a_terminal_and_without_yes_nothing_is_changed(someone: Operator) -> None:
    engine = leaky()
    index = engine.store.index
    with served(engine) as host:
        said = someone.run("census", "proxy", "--host", host)
    assert (said.code, said.out) == (64, "")
    assert "needs confirmation" in said.err
    assert engine.store.index == index
    assert not someone.state.exists()


@pytest.mark.parametrize(("typed", "code"), [("proxy", 1), ("proxi", 3), ("", 3)])
def test_on_a_terminal_the_networks_name_is_typed(someone: Operator, typed: str, code: int) -> None:
    with served(leaky()) as host:
        said = someone.on_a_terminal(typed, "census", "proxy", "--host", host)
    assert said[0] == code
    assert "Type  proxy  to continue: " in said[2]
    assert ("LEAKED" in said[1]) == (code == 1)
    assert ("Not confirmed. Nothing was changed." in said[2]) == (code == 3)
    # On a terminal it tells how far it is.
    assert ("walk 2: " in said[2]) == (code == 1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("census",), 64, "NETWORK"),
        (("census", "nowhere", "--demo", "--yes"), 64, "Network nowhere not found"),
        (("census", "ingress", "--demo", "--yes"), 3, "A census of ingress is not possible"),
        (("census", "proxy", "--yes", "--host", "unix:///nonexistent"), 3, "There is no engine"),
    ],
)
def test_what_cannot_be_is_said(someone: Operator, arguments: tuple[str, ...], code: int, said: str) -> None:
    outcome = someone.run(*arguments)
    assert (outcome.code, outcome.out.replace(f"{SIMULATED}\n", "")) == (code, "")
    assert said in outcome.err


def test_the_demo_can_be_walked_and_keeps_nothing_outside_of_it(someone: Operator) -> None:
    said = someone.run("census", "collabora-pr697_internal", "--demo", "--yes", "--json")
    assert said.code == 0, said.err
    assert (said.json["addresses"], len(said.json["walks"])) == ([], 2)
    # In the demo deploys wait for the last free addresses: it is declined, or full a moment later.
    said = someone.run("census", "proxy", "--demo", "--yes")
    assert said.code in (1, 3)
    assert "4 free addresses" in said.err or "so there was nothing to walk; 12 addresses leaked" in said.out
    assert not someone.state.exists()
