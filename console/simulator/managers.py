"""Who leads a simulated swarm, which of its managers can vote, and which nodes the leader has heard from."""

from collections.abc import Callable
from functools import partial

from console.simulator.filters import Refusal
from console.simulator.objects import SimNode
from console.simulator.store import Store

STALE_S, OWN_NODE_S, REGISTER_S = 0.1, 0.2, 1.5
"""After a change of leader: so long nodes are shown as its predecessor knew them, then as `unknown` until they register with
it; its own node does so sooner (measured on 20.10 and 28.5: 0.07 to 0.13 s, 0.1 to 0.4 s, and 0.25 or 5.5 s)."""
HEARTBEAT_S, UNKNOWN_S = 15.0, 30.0
"""A node that is not heard of is `down` after so long; one that a new leader has yet to hear of, after so long."""
STAND_DOWN_S = 12.0
"""A leader without a quorum answers reads for so long, and then leads no more (measured: 12 to 13 s)."""
ELECTION_S = 2.0
"""Managers without a leader elect one after so long."""
PREPARE_S = 1.0
"""A node that has become a manager answers calls for the swarm after so long (measured: 1.0 to 1.6 s)."""
WRITE_S = 20.0
"""A write that finds no quorum is given up after so long."""
MOVED = 'Node moved to "unknown" state due to leadership change in cluster'
MISSED = "heartbeat failure"
NO_LEADER = (
    "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. "
    "Make sure more than half of the managers are online."
)


class Managers:
    """The managers of a swarm. `lead` makes a node lead, `on_change` is told of nodes that changed, `give_up` of those lost."""

    def __init__(
        self,
        store: Store,
        lead: Callable[[SimNode], None],
        on_change: Callable[[SimNode], None],
        give_up: Callable[[SimNode], None],
    ) -> None:
        self._store = store
        self._lead = lead
        self._on_change = on_change
        self._give_up = give_up
        self.register_s = REGISTER_S
        """How long nodes take to register with a new leader: on real engines it is either a moment or 5 to 6 s."""
        self._awaited: dict[str, object] = {}
        """By node: what has to happen next, unless something else happens to the node before."""

    @property
    def all(self) -> list[SimNode]:
        """The managers."""
        return [node for node in self._store.nodes.values() if node.role == "manager"]

    @property
    def reachable(self) -> list[SimNode]:
        """The managers that answer each other."""
        return [node for node in self.all if node.is_reachable]

    @property
    def leader(self) -> SimNode | None:
        """The leader, if there is one; one that lost its quorum leads on for a while."""
        return next((node for node in self._store.nodes.values() if node.is_leader), None)

    @property
    def has_quorum(self) -> bool:
        """Whether more than half of the managers answer each other."""
        return len(self.reachable) * 2 > len(self.all)

    def check(self, *, is_write: bool) -> None:
        """Raise Refusal where a call for the swarm cannot be answered: nobody leads, or what is written is not agreed upon."""
        if self.leader is None:
            raise Refusal(NO_LEADER, 500)
        if is_write and not self.has_quorum:
            raise Refusal("rpc error: code = DeadlineExceeded desc = context deadline exceeded", 500, WRITE_S)

    # Nodes that end, and come back.

    def lose(self, node: SimNode) -> None:
        """Let the dockerd of a node be gone: nobody hears of it from now on."""
        if not node.is_up:
            return
        node.is_up = False
        self._await(node, HEARTBEAT_S, lambda: self._miss(node))
        if node.is_leader:
            node.is_leader = False
            self._store.timeline.after(ELECTION_S, self.elect)
        else:
            self._store.timeline.after(STAND_DOWN_S, self._stand_down)

    def regain(self, node: SimNode) -> None:
        """Let the dockerd of a node be there again, as what it was."""
        if node.is_up:
            return
        node.is_up = True
        if self.leader is None:
            self._store.timeline.after(ELECTION_S, self.elect)
        self._await(node, self.register_s, lambda: self._register(node))

    def elect(self) -> None:
        """Let a manager lead where none does and enough answer."""
        if self.leader is None and self.has_quorum:
            self._lead(self.reachable[0])

    def _stand_down(self) -> None:
        leader = self.leader
        if leader is not None and not self.has_quorum:
            leader.is_leader = False

    def _miss(self, node: SimNode) -> None:
        # Nobody marks it while nobody leads; the next leader does.
        if self.leader is not None and node.state != "down":
            node.state, node.message = "down", MISSED
            self._give_up(node)
            self._on_change(node)

    # What a new leader knows.

    def start_over(self) -> None:
        """Let a new leader hear of each node again, once it has found out that it has not yet."""
        for node in self._store.nodes.values():
            if node.state != "down":
                self._await(node, STALE_S, partial(self._forget, node))

    def _forget(self, node: SimNode) -> None:
        node.state, node.message = "unknown", MOVED
        if node.is_up:
            delay_s = (OWN_NODE_S if node.is_leader else self.register_s) - STALE_S
            self._await(node, delay_s, lambda: self._register(node))
        else:
            self._await(node, UNKNOWN_S, lambda: self._miss(node))
        self._on_change(node)

    def _register(self, node: SimNode) -> None:
        if not node.is_up:
            return
        if self.leader is None:
            self._await(node, self.register_s, lambda: self._register(node))
            return
        node.state, node.message = "ready", ""
        self._on_change(node)

    def set_aside(self, node: SimNode) -> None:
        """Let nothing happen to a node that was still to come: somebody else says what it is."""
        self._awaited.pop(node.id, None)
        node.message = ""

    def _await(self, node: SimNode, delay_s: float, act: Callable[[], None]) -> None:
        mark = self._awaited[node.id] = object()

        def act_if_still_awaited() -> None:
            if self._awaited.get(node.id) is mark and node.id in self._store.nodes:
                act()

        self._store.timeline.after(delay_s, act_if_still_awaited)

    # Managers that begin and end.

    def begin(self, node: SimNode) -> None:
        """Let a node that has become a manager answer for the swarm, once it is prepared."""
        node.is_preparing = True

        def finish() -> None:
            node.is_preparing = False

        self._store.timeline.after(PREPARE_S, finish)

    def end(self, node: SimNode) -> None:
        """Let a node that has become a worker lead no more, and another one instead of it."""
        if node.is_leader:
            node.is_leader = False
            self.elect()
