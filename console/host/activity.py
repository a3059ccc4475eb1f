"""The activity of this host as values, and the names of units as systemctl reads them.

Every text in a value has passed `console.text.clean`.
"""

import re
from datetime import datetime
from ipaddress import IPv4Network

from console.errors import Result
from console.frozen import frozen

SERVICE = "service"

TYPES = frozenset(
    {
        *(SERVICE, "socket", "device", "mount", "automount", "swap"),
        *("target", "path", "timer", "slice", "scope"),
    }
)
"""Every type of unit that there is (systemd.unit(5))."""

_GLOB = frozenset("*?[")

_NAME = re.compile(r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\@-]*)?\.[a-z]+")

_LONGEST = 255


@frozen
class Route:
    """A destination that this host reaches by another way than an overlay."""

    network: IPv4Network
    device: str


@frozen
class Process:
    """A process of this host."""

    pid: int
    parent: int
    started_at: datetime
    terminal: str
    """Such as `pts/3`; nothing where it has none."""
    argv: tuple[str, ...]
    """May hold secrets: matched against, never shown."""


@frozen
class SystemdJob:
    """A job of systemd that is not finished."""

    unit: str
    what: str
    """`start`, `stop`, `restart` …"""
    state: str
    """`waiting` or `running`."""


@frozen
class Unit:
    """A unit of systemd."""

    name: str
    state: str
    """`active`, `inactive`, `activating` …"""
    detail: str
    """`running`, `exited`, `start` …"""
    since: datetime | None
    """When it came into its state."""
    load: str = ""
    """`loaded`, `not-found`, `masked` …"""
    result: str = ""
    """How it ended last: `success`, `exit-code`, `timeout` …"""

    @property
    def is_at_work(self) -> bool:
        """Whether it does something: a oneshot that is done and stays active (`exited`) does not."""
        return (self.state == "active" and self.detail != "exited") or self.state in (
            "activating",
            "deactivating",
            "reloading",
        )


@frozen
class Timer:
    """A timer of systemd, and when it fires next."""

    name: str
    next_at: datetime | None


@frozen
class Login:
    """Somebody at a terminal."""

    user: str
    terminal: str
    session: str
    """The session's number; nothing where only utmp tells of it."""
    since: datetime | None


@frozen
class OwnProcess:
    """The present process, among the others."""

    pid: int
    session: str
    """The login session that it belongs to, or nothing."""
    unit: str
    """The systemd unit that it belongs to, or nothing."""


@frozen
class Inapplicable:
    """A reading that has no meaning here, and why: an engine elsewhere, a machine without systemd, nothing configured."""

    reason: str
    is_configured: bool = False
    """Whether it was asked for in the settings all the same; then it can never be known."""


@frozen
class HostActivity:
    """One snapshot of this host."""

    own: OwnProcess
    processes: Result[tuple[Process, ...]] | Inapplicable
    jobs: Result[tuple[SystemdJob, ...]] | Inapplicable
    units: Result[tuple[Unit, ...]] | Inapplicable
    timers: Result[tuple[Timer, ...]] | Inapplicable
    logins: Result[tuple[Login, ...]] | Inapplicable
    lock_holder: Result[str] | Inapplicable
    """What the holder of the maintenance lock wrote about itself; nothing where nobody holds it."""


def is_glob(name: str) -> bool:
    """Whether a name stands for the units that match it."""
    return bool(_GLOB & set(name))


def full_name(name: str, kind: str = SERVICE) -> str:
    """Return a unit's name with its type; systemctl takes a unit by its bare name too, which may hold dots.

    A glob whose last part can match a type stays as it is.
    """
    _, dot, last = name.rpartition(".")
    has_type = last in TYPES or (is_glob(name) and is_glob(last))
    return name if dot and has_type else f"{name}.{kind}"


def problem_with_service(name: str) -> str:
    """Return why a name is not the full name of one service, as what follows `must be`, or nothing."""
    is_name = bool(_NAME.fullmatch(name)) and len(name) <= _LONGEST
    if is_name and name.endswith(f".{SERVICE}") and not name.endswith(f"@.{SERVICE}"):
        return ""
    return "the name of one service of systemd, such as docker.service"
