"""What activating a system would do to units, as `switch-to-configuration dry-activate` says it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from console.text import clean, listed

_LINE = re.compile(
    r"would (?P<what>stop|NOT stop|restart|start|reload) the following (?:changed )?units: (?P<units>.+)"
)
_SAID_AT_ALL = "would activate the configuration"
_MANAGER = "would restart systemd"


@dataclass(frozen=True, slots=True)
class Activation:
    """What would happen to the units of this host. nixos-rebuild does not promise that this is complete."""

    stops: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    reloads: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    """Units that changed, but must not be stopped by a switch."""
    restarts_systemd: bool = False

    @property
    def told(self) -> tuple[str, ...]:
        """Return it in lines, nothing where nothing happens to any unit."""
        parts = (
            ("stops", self.stops),
            ("restarts", self.restarts),
            ("starts", self.starts),
            ("reloads", self.reloads),
            ("leaves alone, though changed:", self.left_alone),
        )
        lines = [f"{verb} {', '.join(units)}" for verb, units in parts if units]
        return (*lines, *(["restarts systemd itself"] if self.restarts_systemd else []))


@dataclass(frozen=True, slots=True)
class Endangered:
    """A unit that must go on, and would be stopped or restarted."""

    unit: str
    sentence: str


def read_activation(lines: Iterable[str]) -> Activation | None:
    """Return what a dry activation said, or None where it did not say what it would do."""
    units: dict[str, tuple[str, ...]] = {}
    is_told = restarts_systemd = False
    for line in lines:
        is_told = is_told or _SAID_AT_ALL in line
        restarts_systemd = restarts_systemd or line.strip() == _MANAGER
        found = _LINE.search(line)
        if found is not None:
            names = tuple(clean(each.strip()) for each in found["units"].split(","))
            units[found["what"]] = (*units.get(found["what"], ()), *names)
    if not is_told:
        return None
    return Activation(
        units.get("stop", ()),
        units.get("restart", ()),
        units.get("start", ()),
        units.get("reload", ()),
        units.get("NOT stop", ()),
        restarts_systemd,
    )


def endangered(
    activation: Activation, units: Sequence[str], leans_on: dict[str, tuple[str, ...]]
) -> tuple[Endangered, ...]:
    """Return which of these units would not go on without a break.

    `leans_on` tells for a unit which others take it down with them (systemd's Requires=, BindsTo=, PartOf=).
    """
    found = []
    ended = dict.fromkeys(activation.stops, "stop") | dict.fromkeys(activation.restarts, "restart")
    for unit in units:
        if unit in ended:
            found.append(Endangered(unit, f"The switch would {ended[unit]} {unit}."))
            continue
        dragging = [each for each in leans_on.get(unit, ()) if each in ended]
        if dragging:
            found.append(
                Endangered(
                    unit, f"The switch would take {unit} down with {listed(dragging)}, which it needs."
                )
            )
    return tuple(found)
