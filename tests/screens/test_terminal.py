"""The console on a terminal of its own: what it sends, and that it gives the terminal back."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from console.simulator.engine import SimulatedEngine
from tests.support.engines import simulation
from tests.support.program import vipconsole
from tests.support.terminal import on_terminal


def test_it_opens_on_an_engine_and_q_leaves_it(tmp_path: Path) -> None:
    with simulation("evening") as running, on_terminal("--host", running.host, folder=tmp_path) as shown:
        shown.until_shown("2 deploys wait for an address")
        shown.send(b"q")
        assert shown.end() == 0
        assert shown.is_given_back
    assert not (tmp_path / "state" / "report").exists()


def test_the_demo_opens_on_a_swarm_in_which_time_passes(tmp_path: Path) -> None:
    with on_terminal("--demo", folder=tmp_path) as shown:
        shown.until_shown("wordpress-pr100_int")
        shown.send(b"q")
        assert shown.end() == 0
        assert shown.is_given_back


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_told_to_end_it_gives_the_terminal_back(tmp_path: Path, number: signal.Signals) -> None:
    with simulation("quiet") as running, on_terminal("--host", running.host, folder=tmp_path) as shown:
        shown.until_shown("overlays, fullest")
        shown.process.send_signal(number)
        assert shown.end() == 128 + number
        assert shown.is_given_back


def test_stopped_it_gives_the_terminal_back_and_takes_it_again(tmp_path: Path) -> None:
    with simulation("quiet") as running, on_terminal("--host", running.host, folder=tmp_path) as shown:
        shown.until_shown("overlays, fullest")
        shown.send(b"\x1a")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            shown.read()
            ended, status = os.waitpid(shown.process.pid, os.WNOHANG | os.WUNTRACED)
            if ended:
                assert os.WIFSTOPPED(status)
                break
        shown.read()
        assert shown.is_given_back
        before = len(shown.got)
        shown.process.send_signal(signal.SIGCONT)
        shown.until(lambda got: b"overlays, fullest" in got[before:])
        shown.send(b"q")
        assert shown.end() == 0
        assert shown.is_given_back


def test_a_terminal_that_is_gone_ends_it(tmp_path: Path) -> None:
    with simulation("quiet") as running, on_terminal("--host", running.host, folder=tmp_path) as shown:
        shown.until_shown("overlays, fullest")
        os.close(shown.master)
        assert shown.process.wait(60) == 128 + signal.SIGHUP
    assert not list(tmp_path.glob("state/report-*"))


def test_a_terminal_that_takes_nothing_does_not_hold_it(tmp_path: Path) -> None:
    with on_terminal("--demo", folder=tmp_path, size=(160, 50)) as shown:
        shown.until_shown("overlays, fullest")
        # Nobody reads from now on; keys that move the cursor fill what the terminal holds.
        for _ in range(400):
            shown.send(b"d\x1b")
            time.sleep(0.005)
        shown.process.send_signal(signal.SIGTERM)
        assert shown.process.wait(60) == 128 + signal.SIGTERM


BROKEN = """
import sys
from screens.cli import main as cli
from screens.tui.overview import OverviewScreen
def fail(screen):
    secret = "hunter2"
    raise RuntimeError(f"{len(secret)} letters")
OverviewScreen.action_find = fail
sys.exit(cli.main())
"""


def test_a_bug_leaves_a_report_and_a_terminal_that_is_given_back(tmp_path: Path) -> None:
    program = (sys.executable, "-c", BROKEN)
    with (
        simulation("quiet") as running,
        on_terminal("--host", running.host, folder=tmp_path, command=program) as shown,
    ):
        shown.until_shown("overlays, fullest")
        shown.send(b"/")
        assert shown.end() == 70
        assert shown.is_given_back
        (report,) = tmp_path.glob("state/report-*")
        assert report.name.encode() in shown.got
        assert b"hunter2" not in shown.got
    assert "RuntimeError: 7 letters" in report.read_text()
    assert "hunter2" not in report.read_text().replace('secret = "hunter2"', "")


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": ""}])
def test_a_terminal_that_cannot_move_its_cursor_is_told_of_glance(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with on_terminal("--demo", folder=tmp_path, environment=environment) as shown:
        assert shown.end() == 64
        said = bytes(shown.got)
    assert b"vipconsole --demo glance" in said
    assert b"\x1b" not in said


def test_without_a_terminal_it_says_so_in_a_sentence() -> None:
    said = vipconsole("--demo", environment={"TERM": "xterm"})
    assert (said.code, said.out) == (64, "")
    assert "`vipconsole --demo glance` works on any terminal" in said.err
    assert len(said.err.splitlines()) == 2


def colours(got: bytes) -> set[bytes]:
    """Return the parameters of every colour that was sent."""
    found = set[bytes]()
    for sequence in re.findall(rb"\x1b\[([0-9;]*)m", got):
        found |= {
            each for each in sequence.split(b";") if re.fullmatch(rb"3[0-8]|4[0-8]|9[0-7]|10[0-7]", each)
        }
    return found


def test_colours_are_the_terminals_own_and_none_are_sent_where_none_are_wanted(tmp_path: Path) -> None:
    with simulation("evening") as running:
        with on_terminal("--host", running.host, folder=tmp_path) as shown:
            plain = shown.until_shown("12 leaked")
            plain += shown.read(1)
        settings = tmp_path / "light.toml"
        settings.write_text('theme = "light"\n')
        with_theme = ("--host", running.host, "--config", str(settings))
        with on_terminal(*with_theme, folder=tmp_path) as shown:
            light = shown.until_shown("12 leaked")
        # Whatever the settings say.
        with on_terminal(*with_theme, folder=tmp_path, environment={"NO_COLOR": "1"}) as shown:
            mono = shown.until_shown("12 leaked")
            mono += shown.read(1)
    assert colours(plain)
    assert b"38" in colours(light)
    assert not colours(light) & {b"48"}
    # Neither true colour nor the palette of 256: what the terminal calls red is red.
    assert not colours(plain) & {b"38", b"48"}
    assert not colours(mono)


def test_a_terminal_without_unicode_is_sent_ascii(tmp_path: Path) -> None:
    environment = {"LANG": "C"}
    with (
        simulation("older") as running,
        on_terminal("--host", running.host, folder=tmp_path, environment=environment) as shown,
    ):
        shown.until_shown("proxy")
        for keys in (b"?", b"\x1b", b"\r", b"\x1b", b"d", b"\x10"):
            shown.send(keys)
            shown.read(0.7)
        assert bytes(shown.got).isascii()
        assert b"<= 16" in shown.got


def hostile(engine: SimulatedEngine) -> None:
    """Let every name that an engine would never take be there all the same."""
    evil = "[/x]\x1b]0;owned\x07\x1b[2J\u202egnp\x9b31m" + "x" * 10_000
    for network in engine.store.networks.values():
        network.name = f"{network.name}{evil}"
    for service in engine.store.services.values():
        service.spec["Name"] = f"{evil}{service.spec['Name']}"


def test_nothing_that_others_write_speaks_to_the_terminal(tmp_path: Path) -> None:
    with simulation("evening") as running:
        hostile(running.model)
        with on_terminal("--host", running.host, folder=tmp_path) as shown:
            shown.until_shown("x1b")
            for keys in (
                b"2",
                b"\r",
                b"\x1b",
                b"4",
                b"\r",
                b"\x1b",
                b"1",
                b"\r",
                b"2",
                b"\x1b",
                b"w",
                b"\r",
                b"?",
            ):
                shown.send(keys)
                shown.read(0.7)
            # Textual itself sets the shape of the mouse pointer.
            got = bytes(shown.got).replace(b"\x1b]22;default\x07", b"")
            assert shown.process.poll() is None
    assert b"\x1b]0;" not in got
    assert b"\x07" not in got
    assert b"\x1b[2J" not in got
    assert "\u202e".encode() not in got
    assert "\x9b".encode() not in got
    assert b"[/x]" in got
