"""Completion as it is installed: a shell on a terminal, a key, and what the shell writes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packages.clean import NUMBERS, clean_debian, install, package
from tests.support.engines import simulation
from tests.support.systemd import Machine
from tests.support.terminal import OnTerminal, on_terminal

pytestmark = pytest.mark.package
SOCKET = "/var/run/docker.sock"
READY = "ready>"
# What a user has set who completes words at all.
SETTINGS = {
    "bash": (".bashrc", f". /usr/share/bash-completion/bash_completion\nPS1='{READY} '\n"),
    "zsh": (".zshrc", f"autoload -U compinit\ncompinit -u\nPS1='{READY} '\n"),
    "fish": (".config/fish/config.fish", f"function fish_prompt; echo '{READY} '; end\nset fish_greeting\n"),
}
LINES = {
    "vipconsole gl": "ance",
    "vipconsole census prox": "y",
    "vipconsole stack-rm tra": "efik",
}


@pytest.fixture(scope="module", params=NUMBERS)
def debian(request: pytest.FixtureRequest) -> Iterator[Machine]:
    with simulation("evening") as served, clean_debian(request.param, (served.socket, SOCKET)) as machine:
        install(machine, package(request.param))
        yield machine


@contextmanager
def opened(shell: str, machine: Machine, folder: Path) -> Iterator[OnTerminal]:
    name, settings = SETTINGS[shell]
    path = machine.root / "root" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(settings)
    environment = ("PATH=/usr/bin:/bin", "HOME=/root", "TERM=xterm", "LANG=C.UTF-8")
    command = tuple(machine.entering("env", "-i", *environment, shell, "-i"))
    with on_terminal(command=command, folder=folder, size=(120, 24)) as shown:
        shown.until_shown(READY)
        yield shown


def complete(shown: OnTerminal, line: str, rest: str) -> None:
    """Type a line, and press TAB until its rest is there: on a loaded machine a name may come too late for a key."""
    shown.got.clear()
    shown.send(line.encode())
    shown.until(lambda got: line.rsplit(maxsplit=1)[-1].encode() in got)
    end_s = time.monotonic() + 60
    typed = len(shown.got)
    while rest.encode() not in shown.got[typed:]:
        assert time.monotonic() < end_s, bytes(shown.got)
        shown.send(b"\t")
        shown.read(3)


@pytest.mark.parametrize("shell", SETTINGS)
def test_a_key_completes_commands_and_the_names_that_the_engine_has(
    shell: str, debian: Machine, tmp_path: Path
) -> None:
    with opened(shell, debian, tmp_path) as shown:
        for line, rest in LINES.items():
            complete(shown, line, rest)
            shown.send(b"\x15")
            shown.read(0.5)
