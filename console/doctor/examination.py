"""Examines everything, at once where it can be."""

from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path

from console.concurrency import together
from console.doctor.engine import examine_engine
from console.doctor.host import examine_host
from console.doctor.log import examine_log
from console.doctor.nixos import examine_nixos
from console.doctor.services import examine_services
from console.doctor.values import Examination
from console.frozen import frozen
from console.journal.reader import DaemonLog
from console.settings import Settings
from console.swarm.reader import SwarmReader


@frozen
class Patient:
    """What is examined."""

    reader: SwarmReader
    log: DaemonLog
    state: Path
    """The state directory."""
    subnet: IPv4Network
    """What the runbook would give the network that stacks share."""


async def examine(patient: Patient, settings: Settings, now: datetime) -> tuple[Examination, ...]:
    """Return what was found of everything but settings and terminal, in the order of the areas. Changes nothing."""
    limits = settings.snapshot
    engine, of_engine = await examine_engine(patient.reader, settings.network, limits.deadline_s)
    of_log, of_host, of_nixos, of_services = await together(
        examine_log(
            patient.log,
            patient.reader.host,
            engine,
            settings.docker_unit,
            now,
            limits.journal_s,
            limits.call_timeout_s,
        ),
        examine_host(patient.state, settings.docker_unit, engine),
        examine_nixos(settings.nixos, settings.network, patient.subnet),
        examine_services(settings, patient.state, engine, now),
    )
    return (*of_engine, *of_log, *of_host, *of_nixos, *of_services)
