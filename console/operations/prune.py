"""Removes overlays that nobody uses: which ones, purely, and then one after the other."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from console.durations import is_known
from console.errors import EngineRefused
from console.frozen import frozen
from console.swarm.changer import SwarmChanger
from console.swarm.model import Network
from console.swarm.reader import SwarmReader
from console.swarm.snapshots import WholeSwarm

KEEP_LABEL = "vipconsole.keep"
"""A network with this label, whatever its value, is never removed."""


@frozen
class PruneExclusions:
    """What is never removed."""

    names: tuple[str, ...]
    """Globs."""
    younger_than_s: float


@frozen
class PruneResult:
    """What came of it, by name."""

    removed_names: tuple[str, ...] = ()
    kept_networks: tuple[tuple[str, str], ...] = ()
    """Those that were to be removed and stayed, with the reason."""


def prunable(snapshot: WholeSwarm, keep: PruneExclusions) -> tuple[Network, ...]:
    """Return the overlays that nobody uses: no service, no task that lives or still stops, and no container of this node.

    A container that is stopped counts too, for it would not start without its network.
    """
    return tuple(
        network
        for network in snapshot.networks
        if network.scope == "swarm" and not _reason_to_keep(network, snapshot, keep)
    )


def _reason_to_keep(network: Network, snapshot: WholeSwarm, keep: PruneExclusions) -> str:
    age_s = (snapshot.now - network.created).total_seconds()
    labels = network.body.get("Labels") or {}
    if network.ingress or network.is_from_config:
        return "Swarm needs it"
    if any(fnmatchcase(network.name, name) for name in keep.names) or KEEP_LABEL in labels:
        return "its label says to keep it"
    is_dated = is_known(network.created)
    if not is_dated or age_s < keep.younger_than_s:
        return "it is new" if is_dated else "its age is unknown"
    users = [service.name for service in snapshot.services if service.is_on(network.id, network.name)]
    if users:
        return f"{users[0]} uses it"
    if any(snapshot.live_tasks_on(network.id)):
        return "a task uses it"
    containers = [container.name for container in snapshot.containers if container.is_on(network.id)]
    return f"the container {containers[0]} uses it" if containers else ""


async def prune(
    reader: SwarmReader,
    changer: SwarmChanger,
    keep: PruneExclusions,
    names: Iterable[str],
    tell: Callable[[str], object] = lambda _: None,
) -> PruneResult:
    """Remove the overlays of these names, as far as nobody uses them at that very moment.

    Each is checked again immediately before. Raises an `EngineError` where the engine does not answer.
    """
    removed_names: list[str] = []
    kept_networks: list[tuple[str, str]] = []
    for name in dict.fromkeys(names):
        snapshot = await reader.snapshot()
        network = snapshot.overlay(name)
        if network is None:
            continue
        reason = _reason_to_keep(network, snapshot, keep)
        if reason:
            kept_networks.append((name, reason))
            continue
        try:
            tell(f"removing {name}")
            await changer.remove_network(network.id)
        except EngineRefused as error:
            # The engine's own word is the last: somebody came in between.
            kept_networks.append((name, error.sentence))
        else:
            removed_names.append(name)
    return PruneResult(tuple(removed_names), tuple(kept_networks))
