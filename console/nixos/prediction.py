"""What switching to a system would do to units, found out without doing it."""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from console.errors import Declined, HostError
from console.frozen import frozen
from console.host.activity import full_name
from console.host.background import ProgramState, ProgramStatus
from console.host.process import MALFORMED_HINT
from console.host.reader import property_blocks
from console.host.streaming import LINE_LIMIT_BYTES, Program, run_streaming
from console.nixos.file import NixosPaths
from console.nixos.switching import SwitchOutcome, judge
from console.text import SENTENCE_LIMIT, clean, listed

_LINE = re.compile(
    r"would (?P<what>stop|NOT stop|restart|start|reload) the following (?:changed )?units: (?P<units>.+)"
)
_SAID_AT_ALL = "would activate the configuration"
_MANAGER = "would restart systemd"
_DRY = "The switch itself may still work: `nixos-rebuild dry-activate` by hand shows what it would do."
TIMEOUT_S = 120.0
SYSTEMCTL_TIMEOUT_S = 20.0
_MOST_LINES = 1_000
_LEANS = ("Requires", "Requisite", "BindsTo", "PartOf")
"""What stops or restarts a unit together with another one."""


@frozen
class Activation:
    """What would happen to the units of this host. nixos-rebuild does not promise that this is complete."""

    stops: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    reloads: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    """Units that changed, but that a switch must not stop."""
    restarts_systemd: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """Return it in lines, nothing where nothing happens to any unit."""
        parts = (
            ("stops", self.stops),
            ("restarts", self.restarts),
            ("starts", self.starts),
            ("reloads", self.reloads),
            ("leaves alone, though changed:", self.exempt),
        )
        lines = [f"{verb} {', '.join(units)}" for verb, units in parts if units]
        return (*lines, *(["restarts systemd itself"] if self.restarts_systemd else []))


@frozen
class UnitAtRisk:
    """A unit that must go on, and would be stopped or restarted."""

    unit: str
    sentence: str


def read_activation(lines: Iterable[str]) -> Activation | None:
    """Return what a dry activation said, or None where it did not say what it would do."""
    units: dict[str, tuple[str, ...]] = {}
    is_reported = restarts_systemd = False
    for line in lines:
        is_reported = is_reported or _SAID_AT_ALL in line
        restarts_systemd = restarts_systemd or line.strip() == _MANAGER
        match = _LINE.search(line)
        if match is not None:
            names = tuple(clean(name.strip()) for name in match["units"].split(","))
            units[match["what"]] = (*units.get(match["what"], ()), *names)
    if not is_reported:
        return None
    return Activation(
        units.get("stop", ()),
        units.get("restart", ()),
        units.get("start", ()),
        units.get("reload", ()),
        units.get("NOT stop", ()),
        restarts_systemd,
    )


def find_units_at_risk(
    activation: Activation, units: Sequence[str], leans_on: dict[str, tuple[str, ...]]
) -> tuple[UnitAtRisk, ...]:
    """Return which of these units would not go on without a break.

    `leans_on` tells for a unit which others take it down with them (systemd's Requires=, BindsTo=, PartOf=).
    """
    at_risk = []
    effects = dict.fromkeys(activation.stops, "stop") | dict.fromkeys(activation.restarts, "restart")
    for unit in units:
        if unit in effects:
            at_risk.append(UnitAtRisk(unit, f"The switch would {effects[unit]} {unit}."))
            continue
        causes = [lean for lean in leans_on.get(unit, ()) if lean in effects]
        if causes:
            at_risk.append(
                UnitAtRisk(unit, f"The switch would take {unit} down with {listed(causes)}, which it needs.")
            )
    return tuple(at_risk)


def dry_command(system: str) -> tuple[str, ...]:
    """Return the command that tells what activating a system would do. nixos-rebuild runs the same one."""
    return (f"{system}/bin/switch-to-configuration", "dry-activate")


def require_system(system: str) -> None:
    """Raise HostError unless a store path is a system that is there."""
    if not Path(dry_command(system)[0]).exists():
        raise HostError(
            f"{clean(system, SENTENCE_LIMIT)} is not an existing NixOS system.",
            "It may have been garbage-collected: build it again.",
        )


async def predict(system: str, places: NixosPaths) -> Activation:
    """Return what activating a system would do to the units of this host.

    Raises Declined while another switch is under way, and HostError where it does not say.
    """
    require_system(system)
    lines: deque[str] = deque(maxlen=_MOST_LINES)

    is_cut = False

    async def receive(raw: bytes) -> None:
        nonlocal is_cut
        # A list of many units comes in pieces, and the docker unit may be in any of them.
        before = lines.pop() if is_cut and lines else ""
        lines.append(before + clean(raw, LINE_LIMIT_BYTES))
        is_cut = len(raw) == LINE_LIMIT_BYTES

    code = await run_streaming(Program(dry_command(system), places.environment), TIMEOUT_S, receive)
    if code:
        verdict = judge(ProgramStatus(ProgramState.ENDED, code), lines)
        if verdict.outcome is SwitchOutcome.BUSY:
            raise Declined("Another switch of this host is under way.", "Wait until it has ended.")
        last_line = next((line for line in reversed(lines) if line.strip()), "no output")
        raise HostError(f"The effect of the switch is unknown: exit code {code}, {last_line}.", _DRY)
    activation = read_activation(lines)
    if activation is None:
        raise HostError("The effect of the switch is unknown: its dry run did not report it.", _DRY)
    return activation


async def docker_units_at_risk(
    docker_unit: str, activation: Activation, places: NixosPaths
) -> tuple[UnitAtRisk, ...]:
    """Return whether the docker unit, or the socket that activates it, would be stopped or restarted.

    Stopping the socket stops the unit. Raises HostError where systemd has no such unit, or does not tell.
    """
    socket = f"{docker_unit.removesuffix('.service')}.socket"
    return await units_at_risk((docker_unit,), activation, places, where_there=(socket,))


async def units_at_risk(
    units: Sequence[str], activation: Activation, places: NixosPaths, where_there: Sequence[str] = ()
) -> tuple[UnitAtRisk, ...]:
    """Return which of these units would be stopped or restarted, by themselves or with what they need.

    `where_there` are units that need not exist. Raises HostError where another one does not, or systemd does not tell:
    of a name that no unit has, no switch says anything, and so it is not known what happens to the unit that is meant.
    """
    required = tuple(dict.fromkeys(map(full_name, units)))
    optional = tuple(unit for unit in map(full_name, where_there) if unit not in required)
    if not places.has_systemd:
        return find_units_at_risk(activation, (*required, *optional), {})
    units_by_name = await _read_units((*required, *optional), places)
    missing = [unit for unit in required if not units_by_name[unit].is_loaded]
    if missing:
        raise HostError(
            f"systemd has no unit {listed(missing)}, so the effect of the switch on it is unknown.",
            "Name existing units; the unit of dockerd is `docker_unit` in the settings.",
        )
    there = [unit for unit in units_by_name.values() if unit.is_loaded]
    return find_units_at_risk(
        activation,
        tuple(dict.fromkeys(unit.id for unit in there)),
        {unit.id: unit.leans_on for unit in there},
    )


@frozen
class _UnitFacts:
    """A unit as systemd knows it."""

    id: str
    """Its own name, as a switch prints it, where it was given by an alias."""
    is_loaded: bool
    leans_on: tuple[str, ...]


async def _read_units(units: Sequence[str], places: NixosPaths) -> dict[str, _UnitFacts]:
    properties = f"--property=Id,LoadState,{','.join(_LEANS)}"
    command = ("systemctl", "show", "--no-pager", properties, "--", *units)
    blocks = tuple(property_blocks(await places.run(command, SYSTEMCTL_TIMEOUT_S)))
    # It answers in the order in which it was asked.
    if len(blocks) != len(units) or not all("Id" in block and "LoadState" in block for block in blocks):
        raise HostError("`systemctl show` did not answer with the requested units.", MALFORMED_HINT)
    return {
        unit: _UnitFacts(
            clean(block["Id"]),
            block["LoadState"] == "loaded",
            tuple(dict.fromkeys(clean(name) for kind in _LEANS for name in block.get(kind, "").split())),
        )
        for unit, block in zip(units, blocks, strict=True)
    }
