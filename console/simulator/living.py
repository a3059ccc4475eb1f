"""A swarm in which something happens all the time: what an operator lives through in days, in five minutes.

A batch of recipe tests fills `proxy`, and each stack that is removed at once leaks. When it is full, deploys get stuck.
Then somebody tidies up with patience, the waiting ones start, dockerd is restarted, what leaked is free, and it begins
again. It needs a clock to follow; it goes on for ever and remembers nothing of a round that is over.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from console.simulator.engine import SimulatedEngine
from console.simulator.stacks import Deployed, Part, deploy, remove_at_once, remove_services

PROXY = "proxy"
ROUND_S = 290.0
FIRST_S, EVERY_S = 3.0, 2.4
"""The batch: when its first stack is deployed, and how long until the next."""
BATCH = 32
HASTY_EVERY = 4
"""After so many deploys one stack of the batch is removed at once."""
STUCK_S = (84.0, 95.0, 110.0, 124.0, 144.0)
"""When deploys come for which there is no address any more."""
TIDY_S, TIDY_EVERY_S = 186.0, 2.0
RESTART_S, DOWN_S = 264.0, 3.0
_GRACE_S = 1.0
_WAITING = ("ghost", "discourse", "mediawiki", "focalboard", "keycloak")
_TESTED = (
    "wordpress", "nextcloud", "hedgedoc", "gitea", "peertube", "mattermost", "immich", "outline", "vikunja", "mailu",
    "collabora", "cryptpad", "freshrss", "funkwhale", "jitsi", "loomio", "n8n", "plausible", "zammad", "etherpad",
)  # fmt: skip


class Director:
    """Makes things happen on a model's timeline, round after round."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self._stacks: list[Deployed] = []
        self._round = 0

    def begin(self) -> None:
        """Let the next round come to pass."""
        self._round += 1
        for number in range(BATCH):
            self._at(FIRST_S + number * EVERY_S, partial(self._test, number))
        for stack, at_s in zip(_WAITING, STUCK_S, strict=True):
            self._at(at_s, partial(self._deploy, stack, 1))
        self._at(TIDY_S, self._tidy)
        self._at(RESTART_S, self._restart)
        self._at(ROUND_S, self.begin)

    def _at(self, delay_s: float, act: Callable[[], None]) -> None:
        self._engine.store.timeline.after(delay_s, act)

    def _test(self, number: int) -> None:
        name = f"{_TESTED[number % len(_TESTED)]}-pr{100 * self._round + number}"
        self._deploy(name, 2)
        if number % HASTY_EVERY == HASTY_EVERY - 1:
            remove_at_once(self._engine, self._stacks.pop(0))

    def _deploy(self, name: str, replicas: int) -> None:
        app = Part("app", (PROXY,), replicas=replicas, grace_s=_GRACE_S)
        self._stacks.append(deploy(self._engine, name, (app, Part("db", grace_s=_GRACE_S))))

    def _tidy(self) -> None:
        """Remove one stack after the other, each network when nothing is on it any more."""
        if not self._stacks:
            return
        stack = self._stacks.pop(0)
        remove_services(self._engine, stack)
        self._remove_networks(stack)
        self._at(TIDY_EVERY_S, self._tidy)

    def _remove_networks(self, stack: Deployed) -> None:
        store = self._engine.store
        if any(store.tasks_of(each) for each in stack.service_ids):
            self._at(0.5, partial(self._remove_networks, stack))
            return
        for each in stack.network_ids:
            self._engine.networks.remove(each)

    def _restart(self) -> None:
        self._engine.restart()
        self._engine.go_down(DOWN_S)


def standing(engine: SimulatedEngine, date: datetime, count: int) -> None:
    """Deploy what stands there all the time, over the hours before a date."""
    left_s = (date - timedelta(minutes=30) - engine.now).total_seconds()
    for number in range(count):
        name = f"warm-{_TESTED[number % len(_TESTED)]}{number // len(_TESTED) + 1}"
        deploy(engine, name, (Part("app", (PROXY,), is_internal=False),))
        engine.advance(left_s / count)
