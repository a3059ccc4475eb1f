"""What is printed, at every width: no line is wider than it may be, no word is broken, what is cut says so."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.text import Text

from console.simulator.scenarios import build
from screens.cli.main import main
from screens.output.plain import print_plainly, say
from tests.support.demo import DemoHost, demo_host
from tests.support.program import vipconsole
from tests.support.terminal import on_terminal

NARROW, WIDER = (60, 80), (120, 200)
WIDE = 2000
"""So wide that nothing is wrapped or cut."""
COMMAND = re.compile(
    r"GUARD | *(Next|Evidence|next|To finish:)? *(DOCKER_HOST=\S+ )?(vipconsole|docker) [a-z -]+"
)
"""A command stays on its line, so that it can be pasted; and so does what a watcher of the guard reads."""
LOOKING = (
    ("glance",),
    ("glance", "--all"),
    ("glance", "proxy"),
    ("why",),
    ("why", "ghost_app", "drone"),
    ("quiet",),
    ("journal",),
)
BEFORE_A_RUN = (
    ("run", "--check", "--calls"),
    ("guard", "--dry-run"),
    ("reclaim",),
    ("stack-rm", "drone", "gone"),
)
AFTER_A_RUN = (("runs",), ("report",))


def words_of(text: str) -> set[str]:
    """Return the words; figures may differ between two runs."""
    return {re.sub(r"[0-9]+", "0", word) for word in text.split()}


def is_too_wide(line: str, width: int) -> bool:
    """Return whether a line should have been wrapped: it has several words, and is no command."""
    return len(line) > width and " " in line.strip() and not COMMAND.match(line)


def faults_of(text: str, whole: str, width: int) -> list[str]:
    """Return the lines that are too wide, and the words that are broken or cut without a sign."""
    too_wide = [line for line in text.splitlines() if is_too_wide(line, width)]
    known_words = words_of(whole)
    broken = [
        word
        for word in words_of(text) - known_words
        if not (word.endswith("…") and any(known_word.startswith(word[:-1]) for known_word in known_words))
    ]
    return [*too_wide, *broken]


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_what_only_looks_keeps_to_every_width(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # Nothing here changes the swarm: one is enough for all widths.
    swarm = build("evening", date=datetime.now(UTC))
    monkeypatch.setattr("console.simulator.demo.build", lambda *_, **__: swarm)

    def printed(width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        main((*command, "--demo"))
        captured = capfd.readouterr()
        return captured.out + captured.err

    check_widths(printed)


def check_widths(printed: Callable[[int], str], widths: Sequence[int] = (*NARROW, *WIDER)) -> None:
    whole = printed(WIDE)
    assert len(whole.splitlines()) >= 1
    for width in widths:
        text = printed(width)
        assert not faults_of(text, whole, width), (width, text)


@pytest.fixture
def host(tmp_path: Path) -> DemoHost:
    return demo_host(tmp_path)


# A start of the program for each: what holds where it is narrow, holds where it is wider.
@pytest.mark.parametrize("widths", [NARROW, pytest.param(WIDER, marks=pytest.mark.sweep)], ids=str)
def test_what_runs_and_changes_print_keeps_to_every_width(host: DemoHost, widths: tuple[int, ...]) -> None:
    def printed_by(*command: str) -> Callable[[int], str]:
        def printed(width: int) -> str:
            outcome = vipconsole(*command, "--demo", environment={**host.environment, "COLUMNS": str(width)})
            return outcome.out + outcome.err

        return printed

    for command in BEFORE_A_RUN:
        check_widths(printed_by(*command), widths)
    run_text = vipconsole(
        "run", str(host.runbook), *host.words, "--demo", environment={**host.environment, "COLUMNS": "60"}
    )
    text = run_text.out + run_text.err
    assert not [line for line in text.splitlines() if is_too_wide(line, 60)], text
    for command in AFTER_A_RUN:
        check_widths(printed_by(*command), widths)


@pytest.mark.parametrize(
    ("columns", "width"), [("", 80), ("0", 80), ("many", 80), ("\u00b2", 80), ("61", 61)]
)
def test_a_pipe_is_as_wide_as_columns_says_else_80(columns: str, width: int) -> None:
    outcome = vipconsole("glance", "--demo", environment={"COLUMNS": columns, "LINES": "\u00b2"})
    assert outcome.code == 2, outcome.err
    outcome = vipconsole("why", "ghost_app", "--demo", environment={"COLUMNS": columns})
    longest = max(map(len, outcome.out.splitlines()))
    assert width - 12 < longest <= width


def test_a_terminal_tells_its_own_width(tmp_path: Path) -> None:
    with on_terminal(
        "why",
        "ghost_app",
        "--demo",
        folder=tmp_path,
        size=(70, 24),
        environment={"COLUMNS": "200"},
        is_forked=True,
    ) as shown:
        shown.end()
    lines = plain_lines(bytes(shown.got))
    assert 58 < max(map(len, lines)) <= 70


def plain_lines(got: bytes) -> list[str]:
    """Return the lines that a terminal got, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", got.decode()).replace("\r", "").splitlines()


def test_a_long_word_is_cut_with_a_sign_and_a_command_stays_whole(capsys: pytest.CaptureFixture[str]) -> None:
    name = "n" * 90
    print_plainly(Text(f"about {name} here"))
    assert capsys.readouterr().out.splitlines()[1].endswith("n…")
    command = f"  vipconsole decide {name} step confirm=step"
    say((command, "  checked  yes: " + "word " * 20))
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == command
    assert rest[0].startswith("  checked  yes: word")
    assert rest[1].startswith("           word")
