"""The results of the doctor: one value for each thing that was examined."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path

from console.diagnosis.values import Severity
from console.errors import Unknown, VipconsoleError
from console.frozen import frozen
from console.host.lock_probe import LOCK
from console.host.process import output_of
from console.host.reader import BOOTED, Run
from console.journal.reader import DaemonLog
from console.nodes.reader import NodesReader
from console.settings import Settings
from console.swarm.reader import SwarmReader
from console.text import clean


class DoctorArea(StrEnum):
    """What an examined thing belongs to, in the order in which areas are shown."""

    ENGINE = "engine"
    LOG = "log"
    HOST = "host"
    NIXOS = "nixos"
    NODES = "nodes"
    SERVICES = "services"
    SETTINGS = "settings"
    TERMINAL = "terminal"


@frozen
class Examination:
    """What was examined, how it is, and what mends it."""

    area: DoctorArea
    subject: str
    """What was examined, in a word or two; unique in its area."""
    severity: Severity
    """`ok`: it works, or it is not needed here. `warning`: something works less well than it could. `critical`: what it is
    needed for does not work at all. `unknown`: it could not be examined."""
    sentence: str
    hint: str = ""
    """What mends it, as a command wherever there is one; for something that works, what more there could be."""


@frozen
class Patient:
    """What is examined, and the settings that say where it is."""

    reader: SwarmReader | VipconsoleError
    """Or why the engine's address cannot be used."""
    log: DaemonLog | VipconsoleError
    """Or why the recording that was named cannot be."""
    state: Path
    """The state directory."""
    subnet: IPv4Network
    """What the runbook would give the network that stacks share."""
    settings: Settings
    at: datetime
    nodes: NodesReader | None = None
    """The other nodes that the settings name."""


@frozen
class Tools:
    """How the host is asked: by commands, and by what is there where systemd runs or maintenance is under way."""

    run: Run = output_of
    booted: Path = BOOTED
    lock: Path = LOCK


def passed(area: DoctorArea, subject: str, sentence: str, hint: str = "") -> Examination:
    """Return that something works."""
    return Examination(area, subject, Severity.OK, sentence, hint)


def warned(area: DoctorArea, subject: str, sentence: str, hint: str) -> Examination:
    """Return that something works less well than it could."""
    return Examination(area, subject, Severity.WARNING, sentence, hint)


def failed(area: DoctorArea, subject: str, error: VipconsoleError | Unknown) -> Examination:
    """Return that something does not work at all, by the error that says so."""
    sentence, hint = _text(error)
    return Examination(area, subject, Severity.CRITICAL, sentence, hint)


def unexamined(area: DoctorArea, subject: str, error: VipconsoleError | Unknown) -> Examination:
    """Return that something could not be examined, by the error that says why."""
    sentence, hint = _text(error)
    return Examination(area, subject, Severity.UNKNOWN, sentence, hint)


def worst(examinations: Iterable[Examination]) -> Severity:
    """Return the worst severity, in the order critical > unknown > warning > ok."""
    return max(
        (examination.severity for examination in examinations),
        key=lambda severity: severity.rank,
        default=Severity.OK,
    )


def _text(error: VipconsoleError | Unknown) -> tuple[str, str]:
    if isinstance(error, Unknown):
        return clean(error.reason, 1000), clean(error.hint, 1000)
    return error.sentence, error.hint
