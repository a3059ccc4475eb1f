"""What switching to a system would do, found out without doing it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from console.errors import Declined, HostError
from console.host.outliving import Standing, State
from console.host.properties import property_blocks
from console.host.streaming import LINE_LIMIT_BYTES, Program, run_streaming
from console.host.unit_names import full_name
from console.nixos.activation import Activation, Endangered, endangered, read_activation
from console.nixos.outcome import Outcome, judge
from console.nixos.places import Places
from console.text import SENTENCE_LIMIT, clean, listed

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


async def docker_threatened(
    docker_unit: str, activation: Activation, places: Places
) -> tuple[Endangered, ...]:
    """Return whether the docker unit, or the socket that activates it, would be stopped or restarted.

    Stopping the socket stops the unit. Raises HostError where systemd has no such unit, or does not tell.
    """
    socket = f"{docker_unit.removesuffix('.service')}.socket"
    return await threatened((docker_unit,), activation, places, where_there=(socket,))


async def threatened(
    units: Sequence[str], activation: Activation, places: Places, where_there: Sequence[str] = ()
) -> tuple[Endangered, ...]:
    """Return which of these units would be stopped or restarted, by themselves or with what they need.

    `where_there` are units that need not exist. Raises HostError where another one does not, or systemd does not tell:
    of a name that no unit has, no switch says anything, and so it is not known what happens to the unit that is meant.
    """
    wanted = tuple(dict.fromkeys(map(full_name, units)))
    optional = tuple(each for each in map(full_name, where_there) if each not in wanted)
    if not places.has_systemd:
        return endangered(activation, (*wanted, *optional), {})
    known = await _known((*wanted, *optional), places)
    missing = [each for each in wanted if not known[each].is_loaded]
    if missing:
        raise HostError(
            f"systemd has no unit {listed(missing)}, so what the switch would do to it is not known.",
            "Name the units that are meant; the one of dockerd is `docker_unit` in the settings.",
        )
    there = [each for each in known.values() if each.is_loaded]
    return endangered(
        activation,
        tuple(dict.fromkeys(each.id for each in there)),
        {each.id: each.leans_on for each in there},
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """A unit as systemd knows it."""

    id: str
    """Its own name, which a switch says, where it was asked for by an alias."""
    is_loaded: bool
    leans_on: tuple[str, ...]


async def _known(units: Sequence[str], places: Places) -> dict[str, _Known]:
    properties = f"--property=Id,LoadState,{','.join(_LEANS)}"
    command = ("systemctl", "show", "--no-pager", properties, "--", *units)
    blocks = tuple(property_blocks(await places.run(command, SYSTEMCTL_TIMEOUT_S)))
    # It answers in the order in which it was asked.
    if len(blocks) != len(units) or not all("Id" in each and "LoadState" in each for each in blocks):
        raise HostError("`systemctl show` did not answer with the units that it was asked for.")
    return {
        unit: _Known(
            clean(told["Id"]),
            told["LoadState"] == "loaded",
            tuple(dict.fromkeys(clean(name) for kind in _LEANS for name in told.get(kind, "").split())),
        )
        for unit, told in zip(units, blocks, strict=True)
    }
