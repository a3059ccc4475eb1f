"""Removes overlays that nobody uses: which ones, purely, and then one after the other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from console.durations import is_known
from console.errors import EngineRefused
from console.swarm.changer import SwarmChanger
from console.swarm.reader import SwarmReader
from console.swarm.snapshots import SwarmSnapshot
from console.swarm.values import Network

KEEP_LABEL = "vipconsole.keep"
"""A network with this label, whatever its value, is never removed."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What is never removed."""

    names: tuple[str, ...]
    """Globs."""
    younger_than_s: float


@dataclass(frozen=True, slots=True)
class Pruned:
    """What came of it, by name."""

    removed: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    """Those that were to be removed and stayed, with the reason."""


def prunable(snapshot: SwarmSnapshot, keep: Keep) -> tuple[Network, ...]:
    """Return the overlays that nobody uses: no service, no task that lives or still stops, and no container of this node.

    A container that is stopped counts too, for it would not start without its network.
    """
    return tuple(
        network
        for network in snapshot.networks
        if network.scope == "swarm" and not _kept_because(network, snapshot, keep)
    )


def _kept_because(network: Network, snapshot: SwarmSnapshot, keep: Keep) -> str:
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
    keep: Keep,
    names: Iterable[str],
    tell: Callable[[str], object] = lambda _: None,
) -> Pruned:
    """Remove the overlays of these names, as far as nobody uses them at that very moment.

    Each is looked at again immediately before. Raises an `EngineError` where the engine does not answer.
    """
    removed: list[str] = []
    kept: list[tuple[str, str]] = []
    for name in dict.fromkeys(names):
        snapshot = await reader.snapshot()
        found = snapshot.overlay(name)
        if found is None:
            continue
        reason = _kept_because(found, snapshot, keep)
        if reason:
            kept.append((name, reason))
            continue
        try:
            tell(f"removing {name}")
            await changer.remove_network(found.id)
        except EngineRefused as error:
            # The engine's own word is the last: somebody came in between.
            kept.append((name, error.sentence))
        else:
            removed.append(name)
    return Pruned(tuple(removed), tuple(kept))
