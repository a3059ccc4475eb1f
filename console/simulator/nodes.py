"""Nodes of the simulated swarm, changed by their specification: labels, availability, role."""

from collections.abc import Callable

from console.simulator.objects import Json, SimNode
from console.simulator.refusal import Refusal, failed_precondition
from console.simulator.store import Store

DEMOTE_S, PROMOTE_S = 0.2, 0.6
"""Seconds until a node has become what its specification says (measured on 20.10, in a swarm of three)."""


class Nodes:
    """The swarm's nodes. `take_role` is called when a node becomes a worker or a manager, `changed` after each change."""

    def __init__(
        self, store: Store, take_role: Callable[[SimNode], None], changed: Callable[[SimNode], None]
    ) -> None:
        self._store = store
        self._take_role = take_role
        self._changed = changed

    def update(self, reference: str, version: int, spec: Json) -> None:
        """Give a node a new specification; `version` must be the one that was read."""
        node = self._store.find_node(reference)
        if version != node.index:
            raise Refusal("rpc error: code = Unknown desc = update out of sequence", 500)
        role = str(spec.get("Role") or "worker")
        others = [
            each
            for each in self._store.nodes.values()
            if each is not node and each.wanted_role == "manager" and each.state == "ready"
        ]
        if role == "worker" and node.wanted_role == "manager" and not others:
            raise failed_precondition("attempting to demote the last manager of the swarm")
        node.labels = dict(spec.get("Labels") or {})
        node.availability = str(spec.get("Availability") or "active")
        node.index = self._store.next_index()
        if role != node.wanted_role:
            node.wanted_role = role
            delay_s = DEMOTE_S if role == "worker" else PROMOTE_S
            self._store.timeline.after(delay_s, lambda: self._become(node))
        self._changed(node)

    def _become(self, node: SimNode) -> None:
        if node.role != node.wanted_role:
            node.role = node.wanted_role
            node.index = self._store.next_index()
            self._take_role(node)
            self._changed(node)
