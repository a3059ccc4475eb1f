"""The record of a borrowed manager that was cut short."""

from console.host.temporary.values import INTERFACE, Cable
from console.storage.borrow import BorrowPhase, BorrowRecord
from tests.support.swarms import HERE, LONG_AGO


def borrow_record(phase: BorrowPhase = BorrowPhase.HANDING_OVER, step: str = "demote") -> BorrowRecord:
    """Return a record of this phase, in the middle of a step."""
    record = BorrowRecord(
        owner="this-machine/7",
        began_at=LONG_AGO,
        cluster_id="cluster",
        node_id=HERE.id,
        node_name=HERE.hostname,
        manager_address="192.0.2.10:2377",
        cable=Cable(INTERFACE, "198.18.0.1", "198.18.0.2", 30, "192.0.2.10"),
        phase=phase,
    )
    return record.with_step(step, LONG_AGO)
