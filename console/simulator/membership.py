"""How nodes come into a simulated swarm and leave it: its tokens and its key, joining, leaving, and the removal of a node."""

import random
from typing import TYPE_CHECKING, Any

from console.simulator.filters import Refusal, failed_precondition
from console.simulator.managers import Managers
from console.simulator.objects import Json, SimNode
from console.simulator.store import Store

if TYPE_CHECKING:
    from console.simulator.joining import JoiningEngine

JOIN_S, LEAVE_S = 1.0, 1.3
"""So long an engine takes to join and to leave (measured: 0.1 s as a worker, 0.6 s as a manager; 1.0 to 1.8 s)."""
WRONG_TOKEN_S, UNREACHED_S = 10.0, 20.0
"""So long an engine tries to join with a token that is not valid, and where nobody answers (measured)."""
NO_MEMBER = "This node is not part of a swarm"
MEMBER_ALREADY = (
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'
)
NOT_VALID = "rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster"
TIMEOUT = (
    "Timeout was reached before node joined. The attempt to join the swarm will continue in the background. Use the "
    '"docker info" command to see the current swarm status of your node.'
)
LEAVING = "You are attempting to leave the swarm on a node that is participating as a manager. "
LAST_LEAVES = (
    "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. "
)
QUORUM_LEAVES = "Removing this node leaves {left} managers out of {count}. Without a Raft quorum your swarm will be inaccessible. "
FORCE = (
    "The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. "
    "Use `--force` to suppress this message."
)
LOCKED_LEAVES = (
    "Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message."
)
UNLOCK_S = 2.0
"""So long an engine takes until it answers for the swarm once it has the key (measured)."""
_KEY_START, _KEY_LENGTH = "SWMKEY-1-", 43
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_DIGEST_LENGTH, _SECRET_LENGTH = 50, 25


class SimulatedMembership:
    """The swarm's tokens and settings, and the coming and going of its nodes."""

    def __init__(self, store: Store, managers: Managers, cluster_id: str) -> None:
        self._store = store
        self._managers = managers
        # The IDs of everything else stay what they are without any token.
        self._random = random.Random(cluster_id)  # noqa: S311 - guards nothing
        self._digest = self._text(_DIGEST_LENGTH)
        self._secrets = {role: self._text(_SECRET_LENGTH) for role in ("worker", "manager")}
        self.unlock_key = ""
        """Is needed to start a manager again, where the managers are locked."""
        self.index = 10
        self.updated = store.now
        self.spec: Json = {
            "Name": "default",
            "Labels": {},
            "Orchestration": {"TaskHistoryRetentionLimit": 5},
            "Raft": {"SnapshotInterval": 10000, "ElectionTick": 10, "HeartbeatTick": 1},
            "Dispatcher": {"HeartbeatPeriod": 5_000_000_000},
            "CAConfig": {"NodeCertExpiry": 7_776_000_000_000_000},
            "TaskDefaults": {},
            "EncryptionConfig": {"AutoLockManagers": False},
        }

    def _text(self, length: int) -> str:
        return "".join(self._random.choices(_DIGITS, k=length))

    def token(self, role: str) -> str:
        """Return what an engine needs to join as `worker` or `manager`."""
        return f"SWMTKN-1-{self._digest}-{self._secrets[role]}"

    def update(self, version: str, spec: Any, *, roles: tuple[str, ...], is_key_new: bool) -> None:
        """Change the swarm's settings, and give it new tokens for these roles; `version` is the one that was read."""
        if not version.isdigit():
            raise Refusal(
                f"invalid swarm version '{version}': strconv.ParseUint: parsing \"\": invalid syntax", 400
            )
        if int(version) != self.index:
            raise Refusal("rpc error: code = Unknown desc = update out of sequence", 500)
        if isinstance(spec, dict) and spec:
            self.spec = {**self.spec, **spec}
        is_locked = bool((self.spec.get("EncryptionConfig") or {}).get("AutoLockManagers"))
        if not is_locked:
            self.unlock_key = ""
        elif not self.unlock_key or is_key_new:
            self.unlock_key = f"{_KEY_START}{self._text(_KEY_LENGTH)}"
        for role in roles:
            self._secrets[role] = self._text(_SECRET_LENGTH)
        self.index, self.updated = self._store.next_index(), self._store.now

    # Engines that join and leave.

    def join(self, engine: "JoiningEngine", body: Json) -> None:
        """Let an engine become a node, as `POST /swarm/join` asks; it is one after `JOIN_S`."""
        if engine.identity.membership != "none":
            raise Refusal(MEMBER_ALREADY, 503)
        remotes = list(body.get("RemoteAddrs") or [])
        if not remotes:
            raise Refusal("at least 1 RemoteAddr is required to join", 400)
        availability = str(body.get("Availability") or "active")
        if availability not in ("active", "pause", "drain"):
            raise Refusal(f'invalid Availability: "{availability}"', 500)
        token = str(body.get("JoinToken") or "")
        if token and (not token.startswith("SWMTKN-1-") or token.count("-") != 3):
            raise Refusal("invalid join token", 500)
        if token and token.split("-")[2] != self._digest:
            raise Refusal("invalid checksum digest length", 500)
        address = str(body.get("AdvertiseAddr") or "").partition(":")[0] or engine.address
        is_answered = any(
            f"{manager.address}:2377" in remotes or manager.address in remotes
            for manager in self._managers.reachable
        )
        if not is_answered or self._managers.leader is None or not self._managers.has_quorum:
            engine.address, engine.is_pending = address, True
            raise Refusal(TIMEOUT, 503, UNREACHED_S)
        role = next((role for role in self._secrets if token == self.token(role)), "")
        if not role:
            raise Refusal(NOT_VALID, 400, WRONG_TOKEN_S)
        engine.address, engine.is_pending = address, True
        self._store.timeline.after(JOIN_S, lambda: self._add(engine, role, availability))

    def _add(self, engine: "JoiningEngine", role: str, availability: str) -> None:
        if engine.is_pending and engine.is_up:
            node = SimNode(self._store.new_id(), engine.identity.host, engine.address, role, availability)
            node.index = self._store.next_index()
            self._store.nodes[node.id] = node
            engine.become(node)

    def form_alone(self, node: SimNode) -> None:
        """Let a manager be the only one, as `--force-new-cluster` does: the others stay listed, and vote no more."""
        for other in self._managers.all:
            if other is not node:
                other.role, other.is_leader = "worker", False
        self._managers.elect()

    def leave(self, engine: "JoiningEngine", *, is_forced: bool) -> None:
        """Let an engine forget the swarm; its node stays listed. A manager does so by force only."""
        self.check_leave(engine.identity.membership, is_forced=is_forced)
        node = engine.node
        engine.leave()
        self._managers.lose(node)

    def check_leave(self, membership: str, *, is_forced: bool) -> None:
        """Raise Refusal where an engine that is this in the swarm may not leave it."""
        if membership == "none":
            raise Refusal(NO_MEMBER, 503)
        if membership == "locked" and not is_forced:
            raise Refusal(LOCKED_LEAVES, 503)
        if membership != "manager" or is_forced:
            return
        count, reachable = len(self._managers.all), len(self._managers.reachable)
        if self._managers.leader is None:
            raise Refusal(LEAVING + FORCE, 503)
        if count == 1:
            raise Refusal(LEAVING + LAST_LEAVES, 503)
        is_lost = reachable - 2 <= count - reachable
        sentence = QUORUM_LEAVES.format(left=reachable - 1, count=count) if is_lost else ""
        raise Refusal(LEAVING + sentence + FORCE, 503)

    def check_key(self, key: str, *, is_locked: bool) -> None:
        """Raise Refusal where a key unlocks nothing."""
        if not is_locked:
            raise Refusal("swarm is not locked", 409)
        if not key.startswith(_KEY_START) or len(key) != len(_KEY_START) + _KEY_LENGTH:
            raise Refusal("invalid key string", 400)
        if key != self.unlock_key:
            raise Refusal("swarm could not be unlocked: invalid key provided", 401)

    def remove_node(self, reference: str, *, is_forced: bool) -> SimNode:
        """Remove a node from the list, and return it. A manager is demoted first; one that is ready goes by force only."""
        node = self._store.find_node(reference)
        if node.role == "manager" or node.desired_role == "manager":
            raise failed_precondition(
                f"node {node.id} is a cluster manager and is a member of the raft cluster. It must be demoted to worker "
                "before removal"
            )
        if node.state == "ready" and not is_forced:
            raise failed_precondition(f"node {node.id} is not down and can't be removed")
        del self._store.nodes[node.id]
        return node
