"""A run on a plain terminal: what is typed counts when it was asked for, and only then."""

import os
import pty
import threading
from collections.abc import Iterator

import pytest

from tests.support.maintenance import Site, eventually, site

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="runs are root's")


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as found:
        yield found


class Talk:
    """A program on a terminal: what it says, line by line, and what is typed."""

    def __init__(self, here: Site, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.program = here.operator.start(*arguments, terminal=theirs)
        os.close(theirs)
        self.said: list[str] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.program.stdout is not None
        for line in self.program.stdout:
            self.said.append(line)

    def receive(self, text: str) -> None:
        """Return when a line with a text has been said."""
        eventually(lambda: any(text in each for each in self.said))

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def prompted(self, text: str) -> None:
        """Return when a text was shown on the terminal itself."""
        shown = ""
        while text not in shown:
            shown += os.read(self._ours, 4096).decode()

    def end(self) -> None:
        self.program.kill()
        self._reading.join(60)
        assert self.program.stdout is not None
        self.program.stdout.close()
        self.program.wait(60)
        os.close(self._ours)


def test_the_word_is_typed_after_it_was_asked_for(here: Site) -> None:
    path = here.runbook(
        here.sh("slow", "touch $0/begun; while [ ! -e $0/go ]; do sleep 0.1; done"),
        here.sh("firm", "touch $0/firm", "confirm: really"),
        here.sh("doomed", "false", "on_failure: ask"),
    )
    printer = Talk(here, *here.asked("run", path))
    try:
        printer.prompted("to begin the run: ")
        printer.type("start\n")
        printer.receive("slow running")
        # Pasted ahead, it answers nothing: at that moment nothing is asked.
        printer.type("really\n\n\n")
        (here.folder / "go").touch()
        printer.receive("answer: really")
        assert not (here.folder / "firm").exists()
        for wrong in ("\n", "\n\n\n\n", "yes\n", "Really\n"):
            printer.type(wrong)
        printer.receive("That is not an answer.")
        assert not (here.folder / "firm").exists()
        printer.type("really\n")
        printer.receive("answer: retry")
        assert (here.folder / "firm").exists()
        printer.type("skip because it is doomed\n")
        assert printer.program.wait(60) == 1
        printer.receive("because it is doomed")
    finally:
        printer.end()
    assert here.report()["steps"][2]["skipped_because"] == "because it is doomed"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--confirm", "firm=really"),
        ("run", "--hold"),
        ("attach", "--confirm", "firm=really"),
        ("resume", "--hold"),
    ],
)
def test_what_is_answered_beforehand_is_no_answer_here_and_that_is_said(
    here: Site, arguments: tuple[str, ...]
) -> None:
    command, *options = arguments
    path = here.runbook(here.sh("firm", "touch $0/firm", "confirm: really"))
    files = (path,) if command == "run" else ()
    code, _, said = here.operator.on_a_terminal("", *here.asked(command, *files, *options))
    assert code == 64
    assert f"{options[0]} needs --headless" in said
    assert not here.operator.state.exists()
