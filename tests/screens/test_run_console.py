"""`vipconsole run` on a terminal: the live console opens on the run, and losing it loses nothing."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.support.changes import ENTER
from tests.support.maintenance import Site, eventually, site
from tests.support.program import PROGRAM
from tests.support.terminal import OnTerminal, on_terminal

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="runs are root's")


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as found:
        yield found


def on_screen(here: Site, *arguments: str) -> AbstractContextManager[OnTerminal]:
    (here.folder / "run").mkdir(exist_ok=True)
    # The lock is one for the whole host: see `ENTER`.
    alone = ("unshare", "-m", "sh", "-c", ENTER, str(here.folder / "run"), str(PROGRAM))
    return on_terminal(*here.asked(*arguments), folder=here.folder, command=alone)


def answer(shown: OnTerminal, word: str, is_taken: Callable[[], bool]) -> None:
    """Type an answer as people do, and enter: once more where all of it came at once on a machine that is busy."""
    shown.send(b"a")
    shown.until_shown("not now")
    for letter in word:
        shown.send(letter.encode())
        shown.read(0.1)
    end_s = time.monotonic() + 60
    while not is_taken() and time.monotonic() < end_s:
        shown.send(b"\r")
        shown.read(2)


def test_a_run_is_driven_from_its_screen_and_outlives_it(here: Site) -> None:
    path = here.runbook(
        here.sh("firm", "touch $0/firm", "confirm: really"),
        here.sh("slow", "touch $0/begun; while [ ! -e $0/go ]; do sleep 0.1; done"),
        "{id: told, manual: Tell the team., verify: {none: Only they know.}}",
    )
    with on_screen(here, "run", path) as shown:
        shown.until_shown("to begin the run: ")
        shown.send(b"start\r")
        shown.until_shown("begin firm")
        assert not (here.folder / "firm").exists()
        answer(shown, "really", (here.folder / "begun").exists)
        eventually((here.folder / "begun").exists)
        # The pane is closed while a step is at work.
        os.close(shown.master)
        assert shown.process.wait(60) == 129
    with on_screen(here, "attach") as shown:
        shown.until_shown("running")
        shown.send(b"q")
        assert shown.end() == 4
        assert f"The run continues. To see it: vipconsole attach {here.run_folder.name}".encode() in shown.got
        assert shown.is_given_back
    (here.folder / "go").touch()
    with on_screen(here, "attach") as shown:
        shown.until_shown("you have done it: go on")
        answer(shown, "done", lambda: b"every step is done" in shown.got)
        shown.until_shown("every step is done")
        shown.send(b"q")
        assert shown.end() == 0
        assert shown.is_given_back
    assert [each["state"] for each in here.report()["steps"]] == ["done"] * 3
