"""Examines the ways to other nodes: whether the engine and the journal of each that the settings name can be read."""

from collections.abc import Iterator

from console.doctor.values import DoctorArea, Examination, Patient, passed, warned
from console.nodes.values import NodeStatus

AREA = DoctorArea.NODES


async def examine_nodes(patient: Patient) -> tuple[Examination, ...]:
    """Return what was found of each node; nothing where the settings name none."""
    if patient.nodes is None:
        return ()
    statuses = (await patient.nodes.read()).statuses
    return tuple(examination for status in statuses for examination in _node(status))


def _node(status: NodeStatus) -> Iterator[Examination]:
    if status.failure is not None:
        yield warned(
            AREA, status.name, f"{status.name} cannot be read. {status.failure.reason}", status.failure.hint
        )
        return
    yield passed(AREA, status.name, f"{status.name} answers at {status.where}.")
    failure = status.journal_failure
    if failure is not None:
        sentence = f"The journal of {status.name} cannot be read. {failure.reason}"
        yield warned(AREA, f"journal of {status.name}", sentence, failure.hint)
