"""Findings about the look itself: what could not be read, and through whom it was read."""

from collections.abc import Iterator

from console.health.values import Finding, Observation, Severity
from console.parts import Unknown, known

SWARM = "swarm"


def find_unread(observation: Observation) -> Iterator[Finding]:
    """Yield what could not be read. Without the engine's answer nothing else is told: it is all one cause."""
    swarm = observation.swarm
    if isinstance(swarm.engine, Unknown):
        yield _unread("swarm-unread", SWARM, "the swarm cannot be read", swarm.engine)
        return
    for what, part in (("networks", swarm.networks), ("services", swarm.services), ("tasks", swarm.tasks)):
        if isinstance(part, Unknown):
            yield _unread("part-unread", what, f"{what} cannot be read", part)
    if isinstance(swarm.nodes, Unknown):
        yield _note(
            "nodes-unread", "nodes", f"The nodes cannot be read. {swarm.nodes.reason}", swarm.nodes.hint
        )
    for network in known(swarm.networks, ()):
        if network.is_overlay and isinstance(network.detail, Unknown):
            yield _unread(
                "network-unread", network.name, f"{network.name} cannot be inspected", network.detail
            )


def find_viewpoint(observation: Observation) -> Iterator[Finding]:
    """Yield notes on what cannot be seen from here although nothing failed."""
    swarm = observation.swarm
    if isinstance(swarm.engine, Unknown):
        return
    if not swarm.engine.counts_addresses:
        yield _note(
            "leaks-uncounted",
            SWARM,
            f"Leaked addresses cannot be counted: engine {swarm.engine.version} does not tell its allocator's count.",
            "Docker 29 does. Until then `free` is an upper bound: leaked addresses are among them. `vipconsole census "
            "NETWORK` names them.",
        )
    nodes = known(swarm.nodes, ())
    leader = next((each for each in nodes if each.is_leader), None)
    if nodes and leader is None:
        yield Finding(
            "no-leader",
            Severity.CRITICAL,
            SWARM,
            "the swarm has no leader",
            "The swarm has no leader: nothing is allocated or scheduled.",
            "`docker node ls` on the managers; without a quorum see Docker's guide to recovering one.",
        )
    elif leader is not None and leader.id != swarm.engine.node_id:
        yield _note(
            "not-leader",
            SWARM,
            f"This node is not the leader: allocation failures are logged on {leader.hostname}.",
            f"Read dockerd's journal on {leader.hostname}.",
        )
    yield from _unread_host(observation)


def _unread_host(observation: Observation) -> Iterator[Finding]:
    """Yield what this host did not tell; one note where it is all for the same reason."""
    unread = {
        "routes-unread": ("This host's routes were", observation.routes),
        "journal-unread": ("dockerd's journal was", observation.journal),
    }
    parts = {code: part for code, (_, part) in unread.items() if isinstance(part, Unknown)}
    if len(parts) > 1 and len({each.reason for each in parts.values()}) == 1:
        part = next(iter(parts.values()))
        sentence = f"This host's routes and dockerd's journal were not read. {part.reason}"
        yield _note("host-unread", SWARM, sentence, part.hint)
        return
    for code, part in parts.items():
        yield _note(code, SWARM, f"{unread[code][0]} not read. {part.reason}", part.hint)


def _unread(code: str, subject: str, short: str, part: Unknown) -> Finding:
    return Finding(code, Severity.UNKNOWN, subject, short, part.reason, part.hint)


def _note(code: str, subject: str, sentence: str, hint: str) -> Finding:
    return Finding(code, Severity.OK, subject, "", sentence, hint)
