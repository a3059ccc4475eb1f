"""What a terminal shows before the console is loaded, and that it is given back whatever happens then."""

import signal
import sys
import termios
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.engines import simulation
from tests.support.terminal import SHELL_MODES, OnTerminal, on_terminal

LOADING = """
import sys, time
from screens.tui.first_frame import first_frame
with first_frame() as hand_over:
    loaded = [name for name in ("textual", "rich", "docker", "asyncio") if name in sys.modules]
    if "fail" in sys.argv:
        raise ValueError("broken")
    if "wait" in sys.argv:
        time.sleep(100)
    line = sys.stdin.readline()
print("loaded", loaded, "read", repr(line))
"""
WORDS = "waiting for the engine"


def loading(
    folder: Path, *arguments: str, size: tuple[int, int] = (80, 24)
) -> AbstractContextManager[OnTerminal]:
    return on_terminal(folder=folder, size=size, command=(sys.executable, "-c", LOADING, *arguments))


def test_it_has_the_words_of_the_console_and_loads_nothing(tmp_path: Path) -> None:
    with loading(tmp_path) as shown:
        shown.until_shown(WORDS)
        # What is typed meanwhile is not shown, and is there for who reads next.
        shown.send(b"wd\n")
        assert shown.end() == 0
        assert b"loaded [] read 'wd\\n'" in shown.got
        assert shown.got.count(b"wd") == 1
        assert shown.is_given_back


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, -signal.SIGINT)],
)
def test_told_to_end_while_it_loads_it_gives_the_terminal_back(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with loading(tmp_path, "wait") as shown:
        shown.until_shown(WORDS)
        shown.process.send_signal(number)
        assert shown.end() == code
        assert shown.is_given_back


def test_what_goes_wrong_while_it_loads_is_told_on_the_terminal_as_it_was(tmp_path: Path) -> None:
    with loading(tmp_path, "fail") as shown:
        shown.until_shown(WORDS)
        assert shown.end() == 1
        assert shown.got.find(b"Traceback") > shown.got.find(b"\x1b[?1049l") > 0
        assert shown.is_given_back


@pytest.mark.parametrize("size", [(1, 1), (20, 2), (34, 24), (300, 90)])
def test_it_fits_every_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    with loading(tmp_path, size=size) as shown:
        shown.until(lambda got: b"\x1b[H" in got and (size[0] < 35 or WORDS.encode() in got))
        shown.send(b"\n")
        assert shown.end() == 0
        frame = shown.got.partition(b"\x1b[H")[2].partition(b"\x1b[?1049l")[0]
        for code in (b"\x1b[0m", b"\x1b[1m", b"\x1b[2m"):
            frame = frame.replace(code, b"")
        assert all(len(line) <= size[0] for line in frame.split(b"\r\n"))


def test_keys_before_the_console_is_there_are_the_consoles(tmp_path: Path) -> None:
    with simulation("evening") as running, on_terminal("--host", running.host, folder=tmp_path) as shown:
        shown.until_shown(WORDS)
        modes = termios.tcgetattr(shown.master)[SHELL_MODES]
        assert not modes & termios.ECHO
        shown.send(b"w")
        # The page of services, not the overview.
        shown.until_shown("Cause: addresses exhausted")
        shown.send(b"q")
        assert shown.end() == 0
        assert shown.is_given_back
