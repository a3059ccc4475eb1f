"""What systemd is doing: its jobs, some units, some timers."""

import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.errors import HostError
from console.host.activity import (
    SystemdJob,
    Timer,
    Unit,
)
from console.host.process import output_of
from console.host.root import under_root
from console.text import clean

BOOTED = under_root("/run/systemd/system")
"""Exists where systemd is the init system (sd_booted(3))."""
Run = Callable[[Sequence[str], float], Awaitable[bytes]]
"""Returns what a command printed, within so many seconds; raises HostError."""
_PROPERTIES = "Id,LoadState,ActiveState,SubState,StateChangeTimestampMonotonic,Result"


def property_blocks(output: bytes) -> Iterator[Mapping[str, str]]:
    """Yield the properties of one object after the other, unchecked; a line that is not a property is skipped."""
    for block in output.decode("utf-8", "replace").split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if properties:
            yield properties


def has_systemd(booted: Path = BOOTED) -> bool:
    """Whether systemd runs this machine."""
    return booted.is_dir()


async def read_jobs(timeout_s: float, run: Run = output_of) -> tuple[SystemdJob, ...]:
    """Return systemd's jobs, waiting and running. Raises HostError when it does not tell."""
    output = await run(
        ("systemctl", "list-jobs", "--no-legend", "--no-pager", "--plain", "--full"), timeout_s
    )
    jobs = []
    for line in output.decode("utf-8", "replace").splitlines():
        words = line.split()
        if not words or line.startswith("No jobs"):
            continue
        if len(words) < 4 or not words[0].isdecimal():
            raise HostError(f"`systemctl list-jobs` gave a malformed reply: {clean(line, 100)}.")
        jobs.append(SystemdJob(clean(words[1]), clean(words[2]), clean(words[3])))
    return tuple(jobs)


async def read_units(patterns: Sequence[str], timeout_s: float, run: Run = output_of) -> tuple[Unit, ...]:
    """Return the units of these names and globs, and since when each is in its state."""
    output = await run(
        ("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", *patterns), timeout_s
    )
    now_s, now = time.monotonic(), datetime.now(UTC)
    units = []
    for properties in property_blocks(output):
        if "Id" not in properties or "ActiveState" not in properties:
            raise HostError("`systemctl show` gave a malformed reply.")
        changed_us = properties.get("StateChangeTimestampMonotonic", "0")
        since = (
            now - timedelta(seconds=now_s - int(changed_us) / 1e6)
            if changed_us.isdecimal() and int(changed_us)
            else None
        )
        units.append(
            Unit(
                clean(properties["Id"]),
                clean(properties["ActiveState"]),
                clean(properties.get("SubState", "")),
                since,
                clean(properties.get("LoadState", "")),
                clean(properties.get("Result", "")),
            )
        )
    return tuple(units)


async def read_timers(patterns: Sequence[str], timeout_s: float, run: Run = output_of) -> tuple[Timer, ...]:
    """Return the active timers of these names and globs, and when each fires next (systemd 247 and later)."""
    output = await run(
        ("systemctl", "list-timers", "--no-pager", "--output=json", "--", *patterns), timeout_s
    )
    try:
        rows = json.loads(output or b"[]")
        return tuple(
            Timer(
                clean(row["unit"]),
                # Microseconds; 0 or null where nothing is planned.
                datetime.fromtimestamp(row["next"] / 1e6, UTC) if row.get("next") else None,
            )
            for row in rows
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise HostError(
            "`systemctl list-timers` gave a malformed reply.", "It needs systemd 247 or later."
        ) from error
