"""Two engines that reach each other: the manager of a swarm, and one that is in none at first."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.contract.calls import JSON, Calls, Refused
from tests.contract.world import World
from tests.engine.lab import Engine, require_engine
from tests.engine.switch import Switch

ADDRESSES = ("10.99.0.2", "10.99.0.3")
"""Of the first engine and the second."""


@dataclass(frozen=True)
class Pair:
    """The sockets of two engines; the second can be killed and started again with its data."""

    first: World
    second: Calls
    kill_second: Callable[[], None]
    start_second: Callable[[], None]

    def tokens(self) -> dict[str, str]:
        """Return the swarm's join tokens, by the role with a capital letter."""
        return dict(self.first.call("GET", "/swarm")["JoinTokens"])

    def join(self, token: str, remotes: Sequence[str] = (f"{ADDRESSES[0]}:2377",), **more: object) -> None:
        """Let the second engine join."""
        body = {
            "ListenAddr": "0.0.0.0:2377",
            "AdvertiseAddr": ADDRESSES[1],
            "RemoteAddrs": [*remotes],
            "JoinToken": token,
            **more,
        }
        self.second.call("POST", "/swarm/join", body)

    def join_as_manager(self) -> None:
        """Let the second engine join as a drained manager, and wait until it answers for the swarm."""
        self.join(self.tokens()["Manager"], Availability="drain")
        self.wait(lambda: len(nodes(self.second)) == 2, "the second one is a manager")

    def change(self, through: Calls, address: str, **fields: object) -> None:
        """Change fields of a node's specification; while the swarm is between two leaders, again."""

        def attempt() -> bool:
            try:
                node = node_at(through, address)
                path = f"/nodes/{node['ID']}/update?version={node['Version']['Index']}"
                through.call("POST", path, {**node["Spec"], **fields})
            except Refused as refusal:
                if refusal.status != 503 and "out of sequence" not in refusal.message:
                    raise
                return False
            return True

        self.wait(attempt, "the node is changed")

    def wait(self, predicate: Callable[[], object], what: str, within_s: float = 60.0) -> None:
        """Wait until something holds."""
        self.first.wait_until(predicate, what, within_s)


def nodes(through: Calls) -> list[JSON]:
    """Return the nodes as an engine shows them; none while it answers for no swarm."""
    try:
        return list(through.call("GET", "/nodes"))
    except Refused:
        return []


def node_at(through: Calls, address: str) -> JSON:
    """Return the node at an address; an engine that is lost is still listed with it."""
    return next(node for node in through.call("GET", "/nodes") if node["Status"].get("Addr") == address)


def node_state(through: Calls, address: str) -> str:
    """Return the state of the node at an address."""
    return str(node_at(through, address)["Status"]["State"])


def swarm_part(through: Calls) -> JSON:
    """Return what an engine says of its place in a swarm."""
    return dict(through.call("GET", "/info")["Swarm"])


def refusal_of(through: Calls, method: str, path: str, body: JSON | None = None) -> tuple[int, str]:
    """Return the status and the words with which a call is refused."""
    try:
        answer = through.call(method, path, body)
    except Refused as refusal:
        return refusal.status, refusal.message
    raise AssertionError(f"{method} {path} was not refused: {answer}")


@contextmanager
def real_pair() -> Iterator[Pair]:
    """Start two private engines on a switch; the first manages a swarm."""
    require_engine()
    with ExitStack() as ending:
        switch = ending.enter_context(Switch())
        engines = []
        for number, address in enumerate(ADDRESSES, 1):
            engine = Engine(f"node{number}", switch=switch, address=address)
            ending.callback(engine.close)
            engine.start()
            engines.append(engine)
        first, second = engines
        first.create_swarm()
        world = ending.enter_context(World(first.socket, time.sleep, first.restart, "engine"))
        other = ending.enter_context(Calls(second.socket))
        yield Pair(world, other, second.kill, second.start)
