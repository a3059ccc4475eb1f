"""`glance` where lines are few: no scrolling where that is possible, and the verdict in sight where it is not."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.simulator.scenarios import build
from console.simulator.server import serve_in_thread
from tests.support.engines import Simulation, simulation
from tests.support.program import vipconsole
from tests.support.terminal import OnTerminal, on_terminal

VERDICT = "CRITICAL 2 deploys wait for an address; proxy has 4 of 253 free, 12 leaked"
ROUND = re.compile(rb"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC  (?:\x1b\[[0-9;]*m)*CRITICAL")


def lines_of(shown: OnTerminal) -> list[str]:
    shown.end()
    return re.sub(r"\x1b\[[0-9;]*m", "", bytes(shown.got).decode()).replace("\r", "").splitlines()


def test_the_demo_needs_no_scrolling_on_80_by_24(tmp_path: Path) -> None:
    with on_terminal("glance", "--demo", folder=tmp_path) as shown:
        lines = lines_of(shown)
    # The last line of the terminal is the shell's.
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert text.count(VERDICT) == 1
    assert "more, all under 5 % (--all shows them)" in text
    assert "Do not redeploy running services" in text


@pytest.mark.parametrize("scenario", ["hundred", "cluster"])
def test_a_healthy_swarm_needs_no_scrolling_on_80_by_24(scenario: str, tmp_path: Path) -> None:
    with (
        simulation(scenario) as healthy,
        on_terminal("glance", "--quick", "--host", healthy.host, folder=tmp_path) as shown,
    ):
        lines = lines_of(shown)
    assert len(lines) <= 23, lines


def test_what_is_longer_than_the_terminal_ends_with_the_verdict(tmp_path: Path) -> None:
    for command in (("glance", "--all"), ("why", "ghost", "discourse", "traefik", "drone")):
        with on_terminal(*command, "--demo", folder=tmp_path) as shown:
            lines = lines_of(shown)
        assert len(lines) > 24
        # Behind the line that says that it is the demo; it may take more than one line.
        stripped = [line.strip() for line in lines]
        verdict = stripped[1 : stripped.index("")]
        assert stripped[-len(verdict) - 1 :] == ["", *verdict]


def test_with_watch_a_glance_follows_the_other_until_ctrl_c(tmp_path: Path) -> None:
    with on_terminal(
        "glance", "--quick", "--demo", "--watch", "0.2", folder=tmp_path, size=(120, 60)
    ) as shown:
        shown.until(lambda got: len(ROUND.findall(got)) >= 3)
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 2
    text = bytes(shown.got)
    assert text.count(b"SIMULATED") == 1
    # A dumb terminal: nothing moves the cursor.
    assert not re.search(rb"\x1b\[[0-9;]*[^0-9;m]", text)


def test_a_round_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with on_terminal(
        "glance", "--quick", "--host", f"unix://{path}", "--watch", "0.2", folder=tmp_path, size=(120, 60)
    ) as shown:
        shown.until_shown("UNKNOWN")
        with serve_in_thread(build("evening"), path, None):
            shown.until(lambda got: ROUND.search(got) is not None)
        before = bytes(shown.got).count(b"UNKNOWN")
        shown.until(lambda got: got.count(b"UNKNOWN") > before)
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("--watch", "0"),
        ("--watch", "soon"),
        ("--watch", "5", "--json"),
        ("--watch", "5", "--prometheus"),
    ],
)
def test_a_wrong_watch_is_refused(arguments: tuple[str, ...]) -> None:
    outcome = vipconsole("glance", "--demo", *arguments)
    assert outcome.code == 64
    assert "--watch" in outcome.err


def test_a_pipe_gets_all_and_the_verdict_once(evening: Simulation) -> None:
    outcome = vipconsole("glance", "--host", evening.host, "--all", environment={"LINES": "24"})
    assert outcome.out.count("CRITICAL") == 1
    usual = vipconsole("glance", "--host", evening.host)
    assert "`vipconsole reclaim --by borrow` gives them back, and no container stops" in " ".join(
        usual.out.split()
    )


@pytest.fixture(scope="module")
def evening() -> Iterator[Simulation]:
    with simulation("evening") as running:
        yield running
