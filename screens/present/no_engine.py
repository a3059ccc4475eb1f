"""What stands on the screen while no engine has answered yet: the cause, what to type, and that the console goes on."""

import re
from collections.abc import Iterator, Mapping

from console.errors import EngineForbidden, EngineTimeout, EngineUnreachable, NotManager, Unknown
from screens.present.text import BAD, DIM, EMPTY, PLAIN, STRONG, Paragraph, paragraph

OWN_SOCKET = "unix:///var/run/docker.sock"
COMMAND_WIDTH = 34
LABEL_WIDTH = 6
_QUOTED = re.compile(r"`([^`]+)`")
Step = tuple[str, str]
"""A command, and what it does."""
_ON_THIS_HOST: Mapping[str, tuple[Step, ...]] = {
    EngineUnreachable.__name__: (
        ("sudo systemctl start docker", "starts the engine"),
        ("journalctl -u docker -e", "if that fails"),
    ),
    EngineForbidden.__name__: (
        ("sudo vipconsole", "as root"),
        ("sudo usermod -aG docker $USER", "for good; then log in again"),
    ),
    EngineTimeout.__name__: (
        ("systemctl status docker", "does it hang?"),
        ("journalctl -u docker -e", "what it does"),
    ),
}
_ANYWHERE: Mapping[str, tuple[Step, ...]] = {
    NotManager.__name__: (("ssh -t MANAGER vipconsole", "a manager's console"),),
}


def mending_commands(failure: Unknown, host: str) -> tuple[Step, ...]:
    """Return the commands that mend the cause, the first one first; those that the hint names where none is known."""
    steps = _ANYWHERE.get(failure.kind) or (_ON_THIS_HOST.get(failure.kind) if _is_local(host) else None)
    return steps or tuple((command, "") for command in _QUOTED.findall(failure.hint))


def _is_local(host: str) -> bool:
    return host.startswith("unix:")


def other_commands(host: str, *, is_simulated: bool) -> Iterator[Step]:
    """Yield what shows another swarm."""
    if is_simulated:
        return
    if host != OWN_SOCKET:
        yield f"vipconsole --host {OWN_SOCKET}", "this machine's engine"
    yield "vipconsole --host tcp://HOST:PORT", "another engine"
    yield "ssh -t HOST vipconsole", "another machine"
    yield "vipconsole --demo", "a simulated swarm"


def no_engine_paragraphs(
    failure: Unknown, host: str, since: str, longest_pause_s: float, *, is_simulated: bool
) -> tuple[Paragraph, ...]:
    """Return the block: cause, commands, since when (a time of day) and how often the engine is asked."""
    mending = mending_commands(failure, host)
    # The commands for this host say what the hint of such an error says.
    hint = "" if _is_local(host) and failure.kind in _ON_THIS_HOST else failure.hint
    return (
        paragraph("No swarm to show", STRONG),
        paragraph(failure.reason, BAD),
        *([paragraph(hint)] if hint else []),
        EMPTY,
        *_steps("Type", mending),
        *_steps("Or", tuple(other_commands(host, is_simulated=is_simulated))),
        EMPTY,
        paragraph(
            f"No swarm since {since}. The engine is asked again at least every {longest_pause_s:g} s, and the swarm "
            "is shown as soon as it answers."
        ),
        paragraph("Keys: ctrl+l asks now, d dockerd's log, r the run, ? help, q quit.", DIM),
    )


def _steps(label: str, steps: tuple[Step, ...]) -> Iterator[Paragraph]:
    for place, (command, what) in enumerate(steps):
        yield Paragraph(
            (
                (f"{label if not place else '':{LABEL_WIDTH}}", DIM),
                (f"{command:{COMMAND_WIDTH}}" if what else command, STRONG),
                (f" {what}", PLAIN) if what else ("", PLAIN),
            ),
            LABEL_WIDTH,
        )
