"""What consoles saw leaking and kept, for whoever looks only once."""

from pathlib import Path

from console.addresses.bookkeeping import still_lost
from console.addresses.evidence import allocator_of, mark_of
from console.addresses.ledger import Ledger
from console.errors import HostError
from console.health.values import Observation
from console.history_store import HistoryStore
from console.parts import Part, Unknown, known, unknown_from


def watched_leaks(state: Path, observation: Observation) -> Part[Ledger]:
    """Return the ledger that consoles kept in a state directory, as far as it still holds for what was observed."""
    swarm, journal = observation.swarm, observation.journal
    if isinstance(swarm.engine, Unknown):
        return Ledger()
    mark = mark_of(allocator_of(swarm), swarm.engine.managers)
    if not mark:
        return Ledger()
    try:
        entries = HistoryStore(state).entries(swarm.engine.cluster_id, mark)
    except HostError as error:
        return unknown_from(error)
    rebuilt_at = None if isinstance(journal, Unknown) else journal.rebuilt_at
    since = tuple(each for each in entries if rebuilt_at is None or each.ended_at > rebuilt_at)
    there = {each.id: each for each in known(swarm.networks, ()) if each.is_overlay}
    return Ledger(entries=still_lost(since, swarm, there))
