"""Switches this host to a system that is already built, in a program of its own that outlives every terminal.

A switch is never ended from here: half a switch is worse than a whole one. An interrupted step finds the switch by
what it wrote down before it began (`Switch`), and goes on watching.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from console.clock import Clock
from console.errors import Declined, HostError
from console.host.background import BackgroundProgram, DetachedSession, ProgramStatus, TransientUnit, follow
from console.host.streaming import Program
from console.nixos.file import NixosPaths
from console.nixos.outcome import Judged, judge
from console.nixos.rebuild import Tell
from console.text import SENTENCE_LIMIT, clean, plural

REBUILD_UNIT = "nixos-rebuild-switch-to-configuration.service"
"""The unit in which nixos-rebuild runs the activation."""
TIMEOUT_S = 20.0
MOST_LINES = 2_000
"""How many lines of its output are shown; the rest is counted, and stays in the log."""
_TAIL = 200

_SET_AND_SWITCH = 'nix-env --profile "$1" --set "$2" && exec "$2/bin/switch-to-configuration" switch'
"""What nixos-rebuild does: the profile first, so that the next boot after a crash starts the new system."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch that was begun: what is written down before, so that it is found again after a crash."""

    system: str
    """Store path of the new system."""
    running: str
    """The system that ran before."""
    next: str
    """The system that the next boot would have started before."""
    name: str
    """Name of the program that does it."""
    log: str
    is_unit: bool
    """Whether that program is a systemd unit."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Switch":
        """Return what was written down."""
        return cls(**{slot: data[slot] for slot in cls.__slots__})


def new_switch(system: str, name: str, folder: Path, places: NixosPaths) -> Switch:
    """Return a switch that may be begun. Raises HostError where the present system is not known."""
    running, following = places.running_system(), places.next_system()
    return Switch(system, running, following, name, str(folder / f"{name}.log"), places.has_systemd)


async def begin(switch: Switch, places: NixosPaths) -> None:
    """Begin a switch. Raises HostError where it cannot be, and Declined while another one is under way."""
    other = await other_switch(places)
    if other:
        raise Declined(other, "Wait until it has ended, check what it did, then try again.")
    if switch.is_unit:
        await _clear_failed(places)
    command = await switch_command(switch.system, places)
    await _program(switch, places).start(Program(command, places.environment, str(Path(switch.log).parent)))


async def watch(switch: Switch, places: NixosPaths, clock: Clock, tell: Tell) -> Judged:
    """Wait for the end of a switch, tell what it says from its beginning, and return how it ended."""
    tail: deque[str] = deque(maxlen=_TAIL)
    count = 0

    async def receive(raw: bytes) -> None:
        nonlocal count
        line = clean(raw.rstrip(), SENTENCE_LIMIT)
        if not line:
            return
        count += 1
        tail.append(line)
        if count <= MOST_LINES:
            await tell(line)

    standing = await follow(_program(switch, places), clock, receive)
    if count > MOST_LINES:
        await tell(f"… {plural(count - MOST_LINES, 'line')} more, in {switch.log}")
    return judge(standing, tuple(tail))


async def standing_of(switch: Switch, places: NixosPaths) -> ProgramStatus:
    """Return how far a switch is. Raises HostError where that cannot be asked."""
    return await _program(switch, places).status()


async def forget(switch: Switch, places: NixosPaths) -> None:
    """Remove what is left of a switch that has ended and whose end is written down; its log stays."""
    await _program(switch, places).forget()


async def switch_command(system: str, places: NixosPaths) -> tuple[str, ...]:
    """Return the command that makes a built system the one that runs and boots.

    nixos-rebuild itself where it takes a store path; without `--no-reexec` it would build a newer nixos-rebuild first.
    """
    try:
        # Its help is its manual page, which may not be installed: then the longer way is as good.
        told = await places.run(("nixos-rebuild", "--help"), TIMEOUT_S)
    except HostError:
        told = b""
    if b"--store-path" in told and b"--no-reexec" in told:
        return ("nixos-rebuild", "switch", "--no-reexec", "--store-path", system)
    return ("sh", "-c", _SET_AND_SWITCH, "sh", str(places.profile), system)


async def other_switch(places: NixosPaths) -> str:
    """Return a sentence about a switch that is under way on this host, no matter who started it, or nothing."""
    holder = _holder(places.switch_lock)
    if holder:
        return f"Another switch of this host is under way: process {holder} holds {places.switch_lock}."
    if not places.has_systemd:
        return ""
    state = await _state_of(REBUILD_UNIT, places)
    if state in ("active", "activating", "deactivating", "reloading"):
        return f"Another switch of this host is under way: {REBUILD_UNIT} is {state}."
    return ""


def _program(switch: Switch, places: NixosPaths) -> BackgroundProgram:
    if switch.is_unit:
        return TransientUnit(switch.name, Path(switch.log), places.run)
    return DetachedSession(switch.name, Path(switch.log), places.path)


async def _clear_failed(places: NixosPaths) -> None:
    """Let systemd forget a unit of an earlier nixos-rebuild that failed: it would keep the next one from starting."""
    if await _state_of(REBUILD_UNIT, places) == "failed":
        await places.run(("systemctl", "reset-failed", "--", REBUILD_UNIT), TIMEOUT_S)


async def _state_of(unit: str, places: NixosPaths) -> str:
    said = await places.run(
        ("systemctl", "show", "--no-pager", "--property=ActiveState", "--", unit), TIMEOUT_S
    )
    return clean(said.strip().removeprefix(b"ActiveState="))


def _holder(lock: Path) -> str:
    """Return who holds a lock, as proc(5) `locks` tells, or nothing. To try it could make a switch fail that begins."""
    try:
        inode = lock.stat().st_ino
        held = Path("/proc/locks").read_text("ascii", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HostError(f"Whether another switch is under way is unknown: {error.strerror}.") from error
    for line in held.splitlines():
        words = line.split()
        if len(words) > 5 and words[1] in ("FLOCK", "OFDLCK", "POSIX") and words[5].endswith(f":{inode}"):
            return words[4]
    return ""
