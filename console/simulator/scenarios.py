"""Swarms to start from, and one in which something happens all the time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from console.errors import SimulatorError
from console.simulator.engine import DEFAULT_DATE, EngineInfo, SimulatedEngine
from console.simulator.stacks import (
    DeployedStack,
    Part,
    deploy,
    remove_at_once,
    remove_safely,
    remove_services,
)
from console.simulator.use_records import UseRecorder

PROXY = "proxy"
DAYS = 11
"""How old the host's swarm is."""
_DAY_S = 86400.0

_INFRASTRUCTURE: tuple[tuple[str, tuple[Part, ...]], ...] = (
    ("traefik", (Part("app", (PROXY,), ports=(80, 443)), Part("socket-proxy"))),
    ("drone", (Part("app", (PROXY,), is_internal=False),)),
    ("bridge", (Part("app", (PROXY,), is_internal=False),)),
    ("dashboard", (Part("app", (PROXY,), is_internal=False),)),
    ("reports", (Part("app", (PROXY,), is_internal=False),)),
    ("backups", (Part("app"),)),
    ("warm-keycloak", (Part("app", (PROXY,)), Part("db"))),
)
"""Nine services, six of them on `proxy`."""

_RECIPES = (
    "wordpress", "ghost", "discourse", "nextcloud", "hedgedoc", "matrix-synapse", "keycloak", "gitea", "mediawiki",
    "peertube", "mattermost", "immich", "outline", "vikunja", "mailu", "collabora", "cryptpad", "focalboard",
    "freshrss", "funkwhale", "jitsi", "lasuite-docs", "loomio", "n8n", "plausible", "uptime-kuma", "zammad", "etherpad",
)  # fmt: skip

_LEAKS = 12
_LEAK_FREE_STACKS = 70
"""Stacks that came and went without a leak before the evening; with the leaking ones they wrap the pointer round."""
_STANDING = 112
"""Recipe tests that stand in the evening."""
_LAST_REPLICAS = 4

Builder = Callable[[datetime, str | None], SimulatedEngine]
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
_RECIPES_UNDER_TEST = (
    "wordpress", "nextcloud", "hedgedoc", "gitea", "peertube", "mattermost", "immich", "outline", "vikunja", "mailu",
    "collabora", "cryptpad", "freshrss", "funkwhale", "jitsi", "loomio", "n8n", "plausible", "zammad", "etherpad",
)  # fmt: skip


def build(
    name: str = "evening", *, date: datetime = DEFAULT_DATE, api_version: str | None = None
) -> SimulatedEngine:
    """Build a scenario so that it is `date` (aware) in it now; raise SimulatorError for an unknown name."""
    if name not in SCENARIOS:
        raise SimulatorError(
            f"Unknown scenario {name!r}.", f"Known scenarios: {', '.join(sorted(SCENARIOS))}."
        )
    return SCENARIOS[name](date, api_version)


def empty(date: datetime = DEFAULT_DATE, api_version: str | None = None) -> SimulatedEngine:
    """Return a swarm of one manager with nothing but `ingress`."""
    return SimulatedEngine(EngineInfo(api_version or "1.52"), date - timedelta(seconds=1))


def quiet(date: datetime = DEFAULT_DATE, api_version: str | None = None) -> SimulatedEngine:
    """Return the host with nothing but its infrastructure, healthy."""
    engine = _host(date, api_version or "1.52")
    engine.advance((date - engine.now).total_seconds())
    return engine


def small(date: datetime = DEFAULT_DATE, api_version: str | None = None) -> SimulatedEngine:
    """Return a host with three services that stop at once, all on a `proxy` that a census walks in an instant."""
    engine = SimulatedEngine(EngineInfo(api_version or "1.52"), date - timedelta(hours=1))
    _create_proxy(engine, "10.0.1.0/27")
    for stack in ("traefik", "drone", "bridge"):
        deploy(engine, stack, (Part("app", (PROXY,), is_internal=False, grace_s=0.2),))
    engine.advance((date - engine.now).total_seconds())
    return engine


def evening(date: datetime = DEFAULT_DATE, api_version: str | None = None) -> SimulatedEngine:
    """Return the host on the evening before its maintenance.

    `proxy` (253 addresses) lost 12 over eleven days, and was full when two deploys came 14 and 3 minutes ago, which
    wait in New. At this very instant a stack is gone, in the safe order, and 4 addresses are free; the engine has
    not tried the waiting ones again yet.
    """
    engine = _host(date, api_version or "1.52")
    _churn(engine)
    _stand(engine, date)
    _wait_to(engine, date - timedelta(minutes=30))
    last = deploy(
        engine, "jitsi-pr88", (Part("app", (PROXY,), replicas=_LAST_REPLICAS, mode="dnsrr", grace_s=2.0),)
    )
    for stack, minutes in (("ghost", 14), ("discourse", 3)):
        _wait_to(engine, date - timedelta(minutes=minutes))
        deploy(engine, stack, (Part("app", (PROXY,)), Part("db")))
    _wait_to(engine, date - timedelta(seconds=4))
    remove_safely(engine, last)
    return engine


def older(date: datetime = DEFAULT_DATE, api_version: str | None = None) -> SimulatedEngine:
    """Return the same evening on Docker 28, which does not count its addresses."""
    return evening(date, api_version or "1.51")


def cluster(date: datetime = DEFAULT_DATE, api_version: str | None = None) -> SimulatedEngine:
    """Return three managers with the host's infrastructure spread over them; another one leads."""
    others = [("ci-host-2", "manager"), ("ci-host-3", "manager")]
    identity = EngineInfo(api_version or "1.52")
    engine = SimulatedEngine(identity, date - timedelta(days=DAYS), others=others, leader="ci-host-2")
    _deploy_infrastructure(engine)
    engine.advance((date - engine.now).total_seconds())
    return engine


def large(
    date: datetime = DEFAULT_DATE,
    api_version: str | None = None,
    services: int = 1000,
    tasks: int = 2000,
    own_overlays: int = 0,
) -> SimulatedEngine:
    """Return so many services with so many tasks, all on a /16 and the first ones also on a network of their own, on Docker 28."""
    engine = SimulatedEngine(EngineInfo(api_version or "1.51"), date - timedelta(hours=1))
    _create_proxy(engine, "10.10.0.0/16")
    for number in range(services):
        replicas = tasks // services + (1 if number < tasks % services else 0)
        part = Part("app", (PROXY,), is_internal=number < own_overlays, replicas=replicas)
        deploy(engine, f"stack{number:04}", (part,))
    engine.advance((date - engine.now).total_seconds())
    return engine


def hundred(date: datetime = DEFAULT_DATE, api_version: str | None = None) -> SimulatedEngine:
    """Return a hundred stacks of two services, each with a network of its own, on Docker 28; nothing happens."""
    engine = SimulatedEngine(EngineInfo(api_version or "1.51"), date - timedelta(hours=1))
    _create_proxy(engine, "10.10.0.0/16")
    for number in range(100):
        deploy(engine, f"stack{number:03}", (Part("app", (PROXY,)), Part("db")))
    engine.advance((date - engine.now).total_seconds())
    return engine


def living(date: datetime = DEFAULT_DATE, api_version: str | None = None) -> SimulatedEngine:
    """Return the host's swarm on Docker 29 at the beginning of a batch, in which all goes on by itself."""
    engine = _host(date, api_version or "1.52")
    _churn(engine)
    standing(engine, date, 77)
    _wait_to(engine, date)
    ScenarioDriver(engine).begin()
    return engine


SCENARIOS: dict[str, Builder] = {
    "empty": empty,
    "quiet": quiet,
    "small": small,
    "evening": evening,
    "older": older,
    "cluster": cluster,
    "large": large,
    "hundred": hundred,
    "living": living,
}
"""The scenarios by name."""


def _host(date: datetime, api_version: str) -> SimulatedEngine:
    engine = SimulatedEngine(EngineInfo(api_version), date - timedelta(days=DAYS))
    engine.use_records = UseRecorder(engine, date)
    _deploy_infrastructure(engine)
    return engine


def _deploy_infrastructure(engine: SimulatedEngine) -> None:
    _create_proxy(engine, "10.0.1.0/24")
    for stack, parts in _INFRASTRUCTURE:
        deploy(engine, stack, parts)
        engine.advance(20.0)


def _create_proxy(engine: SimulatedEngine, subnet: str) -> None:
    config = {"Driver": "default", "Config": [{"Subnet": subnet}]}
    engine.networks.create({"Name": PROXY, "Driver": "overlay", "Attachable": True, "IPAM": config})
    engine.advance(1.0)


def _churn(engine: SimulatedEngine) -> None:
    """Let stacks come and go for some days; every few, one is removed as `docker stack rm` does, and leaks."""
    leaking = {round(number * _LEAK_FREE_STACKS / _LEAKS) for number in range(_LEAKS)}
    for number in range(_LEAK_FREE_STACKS):
        stack = _recipe_test(engine, number, "nightly")
        engine.advance(600.0)
        if number in leaking:
            remove_at_once(engine, stack)
        else:
            remove_safely(engine, stack)
        engine.advance(_DAY_S * 5 / _LEAK_FREE_STACKS - 700.0)


def _stand(engine: SimulatedEngine, date: datetime) -> None:
    """Deploy what stands in the evening, over the days that are left."""
    remaining_s = (date - timedelta(hours=1) - engine.now).total_seconds()
    for number in range(_STANDING):
        _recipe_test(engine, number, "pr")
        engine.advance(remaining_s / _STANDING)


def _recipe_test(engine: SimulatedEngine, number: int, kind: str) -> DeployedStack:
    recipe = _RECIPES[number % len(_RECIPES)]
    name = f"{recipe}-{kind}{400 + number * 3}" if number % 4 else f"test-{recipe}-{kind}{400 + number * 3}"
    app = Part("app", (PROXY,), grace_s=2.0)
    return deploy(engine, name, (app, Part("db", grace_s=2.0)) if number % 3 == 0 else (app,))


def _wait_to(engine: SimulatedEngine, date: datetime) -> None:
    engine.advance((date - engine.now).total_seconds())


class ScenarioDriver:
    """Makes things happen on a model's timeline, round after round."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self._stacks: list[DeployedStack] = []
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
        name = f"{_RECIPES_UNDER_TEST[number % len(_RECIPES_UNDER_TEST)]}-pr{100 * self._round + number}"
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

    def _remove_networks(self, stack: DeployedStack) -> None:
        store = self._engine.store
        if any(store.tasks_of(id_) for id_ in stack.service_ids):
            self._at(0.5, partial(self._remove_networks, stack))
            return
        for id_ in stack.network_ids:
            self._engine.networks.remove(id_)

    def _restart(self) -> None:
        self._engine.restart()
        self._engine.go_down(DOWN_S)


def standing(engine: SimulatedEngine, date: datetime, count: int) -> None:
    """Deploy what stands there all the time, over the hours before a date."""
    remaining_s = (date - timedelta(minutes=30) - engine.now).total_seconds()
    for number in range(count):
        name = f"warm-{_RECIPES_UNDER_TEST[number % len(_RECIPES_UNDER_TEST)]}{number // len(_RECIPES_UNDER_TEST) + 1}"
        deploy(engine, name, (Part("app", (PROXY,), is_internal=False),))
        engine.advance(remaining_s / count)
