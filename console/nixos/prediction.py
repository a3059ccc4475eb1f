"""What switching to a system would do, found out without doing it."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from console.errors import Declined, HostError
from console.host.outliving import Standing, State
from console.host.properties import property_blocks
from console.host.streaming import LINE_LIMIT_BYTES, Program, run_streaming
from console.nixos.activation import Activation, Endangered, endangered, read_activation
from console.nixos.outcome import Outcome, judge
from console.nixos.places import Places
from console.text import SENTENCE_LIMIT, clean

TIMEOUT_S = 120.0
SYSTEMCTL_TIMEOUT_S = 20.0
_MOST_LINES = 1_000
_LEANS = ("Requires", "Requisite", "BindsTo", "PartOf")
"""What stops or restarts a unit together with another one."""


def dry_command(system: str) -> tuple[str, ...]:
    """Return the command that tells what activating a system would do. nixos-rebuild runs the same one."""
    return (f"{system}/bin/switch-to-configuration", "dry-activate")


def require_system(system: str) -> None:
    """Raise HostError unless a store path is a system that is there."""
    if not Path(dry_command(system)[0]).exists():
        raise HostError(
            f"{clean(system, SENTENCE_LIMIT)} is no NixOS system that is there.",
            "It may have been garbage-collected: build it again.",
        )


async def predict(system: str, places: Places) -> Activation:
    """Return what activating a system would do to the units of this host.

    Raises Declined while another switch is under way, and HostError where it does not say.
    """
    require_system(system)
    lines: deque[str] = deque(maxlen=_MOST_LINES)

    is_cut = False

    async def hear(raw: bytes) -> None:
        nonlocal is_cut
        # A list of many units comes in pieces, and the docker unit may be in any of them.
        before = lines.pop() if is_cut and lines else ""
        lines.append(before + clean(raw, LINE_LIMIT_BYTES))
        is_cut = len(raw) == LINE_LIMIT_BYTES

    code = await run_streaming(Program(dry_command(system), places.environment), TIMEOUT_S, hear)
    if code:
        judged = judge(Standing(State.ENDED, code), lines)
        if judged.outcome is Outcome.BUSY:
            raise Declined("Another switch of this host is under way.", "Wait until it has ended.")
        said = next((each for each in reversed(lines) if each.strip()), "it said nothing")
        raise HostError(f"What the switch would do is not known: exit code {code}, {said}.")
    activation = read_activation(lines)
    if activation is None:
        raise HostError("What the switch would do is not known: it did not say so.")
    return activation


async def threatened(units: Sequence[str], activation: Activation, places: Places) -> tuple[Endangered, ...]:
    """Return which of these units would be stopped or restarted, by themselves or with what they need."""
    leans_on = await _leans_on(units, places) if places.has_systemd else {}
    return endangered(activation, units, leans_on)


def docker_units(docker_unit: str) -> tuple[str, ...]:
    """Return the docker unit, and the socket that activates it: stopping that stops the unit."""
    stem = docker_unit.rpartition(".")[0] or docker_unit
    return (docker_unit, f"{stem}.socket")


async def _leans_on(units: Sequence[str], places: Places) -> dict[str, tuple[str, ...]]:
    said = await places.run(
        ("systemctl", "show", "--no-pager", f"--property=Id,{','.join(_LEANS)}", "--", *units),
        SYSTEMCTL_TIMEOUT_S,
    )
    found = {}
    for told in property_blocks(said):
        if "Id" in told:
            names = (name for kind in _LEANS for name in told.get(kind, "").split())
            found[clean(told["Id"])] = tuple(dict.fromkeys(map(clean, names)))
    return found
