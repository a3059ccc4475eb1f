"""The systemd unit of the docker daemon: when it started, and how often it may; its restart."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from console.errors import HostError
from console.host.process import output_of
from console.host.properties import property_blocks
from console.host.units import Run
from console.text import clean

_PROPERTIES = "LoadState,ActiveState,ActiveEnterTimestampMonotonic,StartLimitIntervalUSec,StartLimitBurst"
_SPAN_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
"""Units in which `systemctl show` writes spans of time (systemd.time(7))."""


@dataclass(frozen=True, slots=True)
class DaemonUnit:
    """The unit as systemd knows it."""

    name: str
    started_at: datetime | None
    """By this machine's clock; None while it does not run."""
    start_limit_s: float
    """Within so long systemd counts its starts; 0 where it does not."""


async def read_daemon_unit(name: str, timeout_s: float, run: Run = output_of) -> DaemonUnit:
    """Return the unit. Raises HostError when systemd does not tell, or has no such unit."""
    command = ("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", name)
    told = next(property_blocks(await run(command, timeout_s)), {})
    if told.get("LoadState") != "loaded":
        raise HostError(
            f"systemd has no unit {clean(name)} (it is {clean(told.get('LoadState', 'unknown'))}).",
            "Set `docker_unit` to the one that runs dockerd.",
        )
    return DaemonUnit(clean(name), _started(told), _span_s(told.get("StartLimitIntervalUSec", "")))


async def restart_daemon_unit(name: str, timeout_s: float, run: Run = output_of) -> None:
    """Restart the unit, and return when systemd says that it is up. Raises HostError when it does not come up in time."""
    await run(("systemctl", "restart", "--", name), timeout_s)


def _started(told: Mapping[str, str]) -> datetime | None:
    at = told.get("ActiveEnterTimestampMonotonic", "")
    if told.get("ActiveState") not in ("active", "reloading") or not at.isdecimal():
        return None
    return datetime.now(UTC) - timedelta(seconds=max(0.0, time.monotonic() - int(at) / 1e6))


def _span_s(text: str) -> float:
    """Return the seconds of a span such as `1min 30s`; 0 for `infinity`, or for what is no span."""
    total_s = 0.0
    for word in text.split():
        number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = word[len(number) :]
        if unit not in _SPAN_S or not number.replace(".", "", 1).isdecimal():
            return 0.0
        total_s += float(number) * _SPAN_S[unit]
    return total_s
