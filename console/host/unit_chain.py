"""Restarts of systemd units: dockerd's own, and chains that stop at the first unit that fails."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter

from console.clock import Clock
from console.durations import duration
from console.errors import HostError, StepFailed
from console.frozen import frozen
from console.host.activity import full_name, is_glob
from console.host.process import MALFORMED_HINT, output_of
from console.host.reader import Run, property_blocks
from console.text import SENTENCE_LIMIT, clean

_UNIT_PROPERTIES = (
    "LoadState,ActiveState,ActiveEnterTimestampMonotonic,StartLimitIntervalUSec,StartLimitBurst"
)
_SPAN_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
"""Units in which `systemctl show` writes spans of time (systemd.time(7))."""

TIMEOUT_S = 20.0
POLL_S = 0.5
TAIL_LINES = 12
_PROPERTIES = "Id,LoadState,ActiveState,SubState,Result,InvocationID,ConditionResult,ConditionTimestampMonotonic,Job,After"
_BUSY = ("activating", "deactivating", "reloading")
Tell = Callable[[str], Awaitable[object]]


@frozen
class DaemonUnit:
    """The unit as systemd knows it."""

    name: str
    started_at: datetime | None
    """By this machine's clock; None while it does not run."""
    start_limit_s: float
    """Within so long systemd counts its starts; 0 where it does not."""


async def read_daemon_unit(name: str, timeout_s: float, run: Run = output_of) -> DaemonUnit:
    """Return the unit. Raises HostError when systemd does not tell, or has no such unit."""
    command = ("systemctl", "show", "--no-pager", f"--property={_UNIT_PROPERTIES}", "--", name)
    properties = next(property_blocks(await run(command, timeout_s)), {})
    if properties.get("LoadState") != "loaded":
        raise HostError(
            f"systemd has no unit {clean(name)} (it is {clean(properties.get('LoadState', 'unknown'))}).",
            "Set `docker_unit` to the one that runs dockerd.",
        )
    return DaemonUnit(
        clean(name), _started_at(properties), _span_s(properties.get("StartLimitIntervalUSec", ""))
    )


async def restart_daemon_unit(name: str, timeout_s: float, run: Run = output_of) -> None:
    """Restart the unit, and return when systemd says that it is up. Raises HostError when it does not come up in time."""
    await run(("systemctl", "restart", "--", name), timeout_s)


def _started_at(properties: Mapping[str, str]) -> datetime | None:
    at = properties.get("ActiveEnterTimestampMonotonic", "")
    if properties.get("ActiveState") not in ("active", "reloading") or not at.isdecimal():
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


@frozen
class ChainUnit:
    """A unit of a chain, as it is now."""

    name: str
    load: str
    state: str
    detail: str
    result: str
    invocation: str
    """Another one each time that it is started; nothing where it never was, or systemd has forgotten it."""
    is_skipped: bool
    """Whether a condition of its own did not hold when it was last to be started."""
    has_job: bool
    after: frozenset[str]

    @property
    def is_busy(self) -> bool:
        """Whether systemd is starting or stopping it, or is about to."""
        return self.has_job or self.state in _BUSY

    @property
    def trouble(self) -> str:
        """What is wrong with it once it is not busy, as what follows its name; nothing where it is well."""
        if self.load != "loaded":
            return f"is {self.load or 'unknown'}"
        if self.is_skipped:
            return "was skipped: one of its conditions is not met"
        if self.state == "failed" or self.result not in ("", "success"):
            return f"failed ({self.result})"
        # A oneshot that does not remain is inactive when it has ended well.
        return "" if self.state in ("active", "inactive") else f"is {self.state}"

    def has_been_started_since(self, invocation: str) -> bool:
        """Whether it is another start of it than this one."""
        return bool(self.invocation) and self.invocation != invocation


async def read_links(names: Sequence[str], run: Run) -> tuple[ChainUnit, ...]:
    """Return units as they are now, globs among the loaded ones; those that do not exist are `not-found`."""
    output = await run(
        ("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", *map(full_name, names)),
        TIMEOUT_S,
    )
    links = []
    for block in output.decode("utf-8", "replace").split("\n\n"):
        properties = {key: value for key, _, value in (line.partition("=") for line in block.splitlines())}
        if not properties:
            continue
        if "Id" not in properties or "ActiveState" not in properties:
            raise HostError("`systemctl show` gave a malformed reply.", MALFORMED_HINT)
        values = {key: clean(value) for key, value in properties.items() if key != "After"}
        links.append(
            ChainUnit(
                values["Id"],
                values.get("LoadState", ""),
                values["ActiveState"],
                values.get("SubState", ""),
                values.get("Result", ""),
                values.get("InvocationID", ""),
                # Before any start it is `no` as well.
                values.get("ConditionResult") == "no"
                and values.get("ConditionTimestampMonotonic", "0") != "0",
                values.get("Job", "") not in ("", "0"),
                frozenset(properties.get("After", "").split()),
            )
        )
    return tuple(links)


async def expand(names: Iterable[str], run: Run) -> tuple[ChainUnit, ...]:
    """Return the units of a chain in their order: as they are written, and those of a glob as systemd orders them."""
    units: dict[str, ChainUnit] = {}
    for name in names:
        links = _in_order(await _matching(name, run)) if is_glob(name) else await read_links((name,), run)
        for link in links:
            units.setdefault(link.name, link)
    return tuple(units.values())


async def _matching(pattern: str, run: Run) -> tuple[ChainUnit, ...]:
    loaded_links = await read_links((pattern,), run)
    # systemd unloads what has nothing to do and is wanted by nothing.
    output = await run(
        ("systemctl", "list-unit-files", "--no-legend", "--no-pager", "--plain", "--full"), TIMEOUT_S
    )
    files = [line.split()[0] for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    names = {link.name for link in loaded_links}
    # A template is no unit.
    others = [
        file
        for file in files
        if fnmatchcase(file, full_name(pattern)) and "@." not in file and file not in names
    ]
    return (*loaded_links, *(await read_links(others, run) if others else ()))


async def restart(name: str, since: str, limit_s: float, run: Run, clock: Clock) -> ChainUnit:
    """Restart a unit unless it is well and was started after the start `since`; wait for its end, and return how it is.

    One that is being started already is waited for. Raises StepFailed where it fails, or is not done in time.
    """
    end_s = clock.monotonic() + limit_s
    now = await _one(name, run)
    failure = ""
    if not now.is_busy and (now.trouble or not now.has_been_started_since(since)):
        try:
            # It waits for the end by itself: of a unit that nothing refers to, systemd forgets at once how it ended.
            await run(("systemctl", "restart", "--", name), limit_s)
        except HostError as error:
            failure = error.sentence
        now = await _one(name, run)
    while now.is_busy and not failure and clock.monotonic() < end_s:
        await clock.sleep(POLL_S)
        now = await _one(name, run)
    if now.is_busy:
        raise StepFailed(
            f"{now.name} is not finished after {duration(limit_s)}: it is {now.state} ({now.detail})."
            f"{await _tail(now, run)}",
            f"It continues. {_hint(now)}",
        )
    if failure or now.trouble:
        what = f"{now.name} {now.trouble}." if now.trouble else f"{now.name} was not restarted. {failure}"
        raise StepFailed(
            f"{what}{await _tail(now, run) if now.has_been_started_since(since) else ''}", _hint(now)
        )
    return now


async def _one(name: str, run: Run) -> ChainUnit:
    links = await read_links((name,), run)
    if len(links) != 1:
        raise HostError(
            f"systemd reports nothing about {name}.",
            "`systemctl status` with its name shows whether it is there.",
        )
    return links[0]


def _in_order(links: Sequence[ChainUnit]) -> Iterable[ChainUnit]:
    by_name = {link.name: link for link in sorted(links, key=lambda link: link.name)}
    order = TopologicalSorter({name: link.after & by_name.keys() for name, link in by_name.items()})
    try:
        return [by_name[name] for name in order.static_order()]
    except CycleError:
        return by_name.values()


async def _tail(link: ChainUnit, run: Run) -> str:
    """Return what a unit logged last, as a sentence, or that it cannot be read."""
    # Not by its start: of what a process says that ends at once, journald may know the unit, but not the start.
    command = ("journalctl", "--no-pager", "--quiet", "--boot", "--output=cat")
    with suppress(HostError):
        # The last lines may still be on their way; without them the rest is shown.
        await run(("journalctl", "--sync"), TIMEOUT_S)
    try:
        output = await run((*command, f"--unit={link.name}", f"--lines={TAIL_LINES}"), TIMEOUT_S)
    except HostError as error:
        return f" Its journal cannot be read: {error.sentence}"
    lines = [clean(line, SENTENCE_LIMIT) for line in output.decode("utf-8", "replace").splitlines()]
    text = " | ".join(line for line in lines if line.strip())
    return f" It logged: {text}" if text else " It logged nothing."


def _hint(link: ChainUnit) -> str:
    return f"See `systemctl status {link.name}` and `journalctl -u {link.name}`."
