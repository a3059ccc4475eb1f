"""The names of systemd's units as systemctl reads them. Pure."""

import re

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
