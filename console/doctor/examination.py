"""Examines everything, at once where it can be."""

from console.concurrency import together
from console.doctor.engine import examine_engine
from console.doctor.host import examine_host
from console.doctor.log import examine_log
from console.doctor.nixos import examine_nixos
from console.doctor.nodes import examine_nodes
from console.doctor.services import examine_services
from console.doctor.values import Examination, Patient, Tools


async def examine(patient: Patient, tools: Tools | None = None) -> tuple[Examination, ...]:
    """Return what was found of everything but settings and terminal, in the order of the areas. Changes nothing."""
    with_tools = tools or Tools()
    engine, lag_s, of_engine = await examine_engine(patient)
    of_log, of_host, of_nixos, of_nodes, of_services = await together(
        examine_log(patient, engine),
        examine_host(patient, lag_s, with_tools),
        examine_nixos(patient),
        examine_nodes(patient),
        examine_services(patient, engine, with_tools),
    )
    return (*of_engine, *of_log, *of_host, *of_nixos, *of_nodes, *of_services)
