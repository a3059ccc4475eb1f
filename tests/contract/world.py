"""A swarm to act on, real or simulated: the same words for both, spoken through docker's own SDK."""

import ipaddress
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import requests
from docker.errors import APIError

from tests.contract.calls import IMAGE, JSON, LIVE, Calls, Refused, addresses_of
from tests.contract.traits import EngineTraits

__all__ = ["IMAGE", "JSON", "LIVE", "NOWHERE", "SLOW_S", "Refused", "Stack", "World", "addresses_of"]

T = TypeVar("T")

POLL_S = 0.02
"""Seconds that pass between two looks at a world, at first."""
SLOWEST_POLL_S = 0.25
"""Of a wait that has lasted for long: looking costs the engine, and everybody beside it, as much as its work does."""
LOOK_AGAIN_S = 1.0
"""The longest pause after a look that took long itself, as one does that starts the program."""
NOWHERE = ("node.labels.none==x",)
"""A placement that no node meets: tasks take their addresses and stay pending, no image needed."""
LEAK_ATTEMPTS = 5
"""A loaded machine may remove a network too late: pending tasks are gone 0.3 s after their service, and nothing leaks then."""
PATIENCE = 3
"""A real engine on a loaded machine may take so many times as long as a wait says."""
SLOW_S = 50.0
"""Seconds of stop grace for tasks that a test looks at while they stop: enough on a loaded machine, since `end` ends them as
soon as everything is seen."""
SAME_POOL = 207
"""So many choices in a row among several pools, and none fell on a certain one: it is full. The engine chooses the
rarest of up to eight in one case of eight."""


@dataclass(frozen=True)
class Stack:
    """What was deployed: the ids of its services, and of the networks that are its own."""

    name: str
    services: tuple[str, ...]
    networks: tuple[str, ...]


class World(Calls):
    """A swarm manager, and the time that passes in it.

    `pass_time(seconds)` lets that much time go by: a real world sleeps, a simulated one advances its clock.
    `restart()` restarts the engine and returns once its socket answers.
    """

    def __init__(
        self, socket: Path, pass_time: Callable[[float], None], restart: Callable[[], None], name: str
    ) -> None:
        super().__init__(socket)
        self.name = name
        self.traits = EngineTraits.of(self.client.version())
        self.pass_time = pass_time
        self.log: Callable[[], str] = lambda: ""
        """Returns what dockerd has logged so far, where that is to be had."""
        self._restart = restart
        self._numbers = itertools.count(1)
        self._room = 0

    def fresh(self, prefix: str) -> str:
        """Return a name that this world has not seen."""
        return f"{prefix}{next(self._numbers)}"

    def fresh_subnet(self, length: int) -> str:
        """Return an IPv4 subnet of that prefix length, from 10.192.0.0/10, that no call gave before."""
        size = 2 ** (32 - length)
        start = -(-self._room // size) * size
        self._room = start + size
        return f"{ipaddress.IPv4Address('10.192.0.0') + start}/{length}"

    def wait_until(self, predicate: Callable[[], T], what: str, within_s: float = 60.0) -> T:
        """Return the predicate's first true answer; fail with `what` if there is none in that much time.

        A simulated world counts its own seconds. A real one goes by the clock, for a predicate may take longer than the
        pause after it, and gets `PATIENCE` times as long: what a loaded machine may need. There the pause grows with the
        wait, and is as long as the look itself was: what is waited for takes the processor, not the waiting.
        """
        began_s, passed_s, pause_s = time.monotonic(), 0.0, POLL_S
        looked_s = began_s
        while not (answer := predicate()):
            if self.name != "simulator":
                now_s = time.monotonic()
                waited_s, look_s = now_s - began_s, now_s - looked_s
                passed_s = waited_s / PATIENCE
                pause_s = max(POLL_S, min(waited_s / 10, SLOWEST_POLL_S), min(look_s, LOOK_AGAIN_S))
            if passed_s >= within_s:
                raise AssertionError(f"{self.name}: not within {within_s:g} s: {what}")
            self.pass_time(pause_s)
            passed_s += pause_s
            looked_s = time.monotonic()
        return answer

    def restart_engine(self) -> None:
        """Restart the engine, and return once its swarm answers."""
        self._restart()
        self.wait_until(self._answers, "the swarm answers after the restart", within_s=60)

    def _answers(self) -> bool:
        try:
            return bool(self.client.nodes())
        except (APIError, requests.RequestException):
            return False

    def create_overlay(
        self,
        name: str,
        subnet: str | Sequence[str] | None = None,
        *,
        ip_range: str | None = None,
        gateway: str | None = None,
        attachable: bool = False,
        ipv6: bool = False,
        labels: dict[str, str] | None = None,
    ) -> str:
        """Create an overlay, wait until it has its addresses, and return its id."""
        network = self.request_overlay(
            name, subnet, ip_range=ip_range, gateway=gateway, attachable=attachable, ipv6=ipv6, labels=labels
        )
        self.wait_until(lambda: self.subnets(network), f"{name} has a subnet")
        return network

    def wait_for_state(self, service: str, state: str, count: int = 1) -> list[JSON]:
        """Wait until so many tasks of a service are in a state, and return them."""

        def there() -> list[JSON]:
            found = [each for each in self.tasks(service) if each["Status"]["State"] == state]
            return found if len(found) == count else []

        return self.wait_until(there, f"{count} of the service's tasks are {state}", within_s=60)

    def end(self, *tasks: JSON) -> None:
        """End running tasks, which are being stopped: their containers are killed, or their grace passes at once."""
        if self.name == "simulator":
            self.pass_time(SLOW_S)
            return
        for each in tasks:
            self.client.kill(each["Status"]["ContainerStatus"]["ContainerID"], "KILL")

    def wait_until_gone(self, services: Sequence[str]) -> None:
        """Wait until no task of these services is alive."""
        self.wait_until(
            lambda: not any(each in LIVE for service in services for each in self.states(service)),
            "the services' tasks have ended",
            within_s=60,
        )

    def wait_for_vip(self, service: str, network: str) -> str:
        """Wait for a service's VIP on a network (by id), and return it."""
        return self.wait_until(lambda: self.vip(service, network), "the service has a VIP")

    def walk_ring(self, network: str) -> set[str]:
        """Return every IPv4 address of a network (by id) that can be handed out now, having had each for a moment.

        A probe without replicas takes the next address as its VIP and gives it back, until one comes round again.
        With several subnets the engine picks one at random each time, and each has a ring of its own.
        """
        subnets = [ipaddress.ip_network(each) for each in self.subnets(network)]
        rings = {each: set[str]() for each in subnets if each.version == 4}
        idle = dict.fromkeys(rings, 0)
        closed = set[object]()
        while len(closed) < len(rings):
            probe = self.create_service(self.fresh("probe"), [network], replicas=0)
            address = self._address_given(probe, network)
            self.remove_service(probe)
            if not address:
                break
            for subnet, ring in rings.items():
                idle[subnet] += 1
                if ipaddress.ip_address(address) in subnet:
                    idle[subnet] = 0
                    closed |= {subnet} if address in ring else set()
                    ring.add(address)
                elif idle[subnet] == SAME_POOL:
                    closed.add(subnet)
        return set[str]().union(*rings.values())

    def free_addresses(self, network: str) -> set[str]:
        """Return what `walk_ring` does, at a quarter of its cost: a service that no node can run has them all at once.

        For that moment the network is full: not for a network that somebody watches, or takes addresses from meanwhile.
        """
        subnets = [ipaddress.ip_network(each) for each in self.subnets(network)]
        size = sum(each.num_addresses for each in subnets if each.version == 4)
        filler = self.create_service(self.fresh("filler"), [network], replicas=size, constraints=NOWHERE)
        self.wait_until(lambda: len(self.tasks(filler)) == size, "the filler has its tasks")
        # Tasks get their addresses in the order in which they came: once this one waits for a node, those before have theirs.
        last = self.create_service(self.fresh("last"), [], constraints=NOWHERE)
        self.wait_for_state(last, "pending")
        free = {self.vip(filler, network), *self.task_addresses(network, filler)} - {""}
        for service in (filler, last):
            self.remove_service(service)
        self.wait_until_gone([filler])
        return {each for each in free if ipaddress.ip_address(each).version == 4}

    def _address_given(self, probe: str, network: str) -> str:
        # A full network is known only by nothing happening.
        for _ in range(round(10 / POLL_S)):
            if address := self.vip(probe, network):
                return address
            self.pass_time(POLL_S / 10)
        return ""

    # Stacks, and how they leak.

    def deploy_stack(
        self,
        shared: Sequence[str],
        *,
        replicas: int = 1,
        constraints: Sequence[str] = (),
        stop_grace_s: float = 1.0,
    ) -> Stack:
        """Deploy a stack of one service `app` on a network of its own and on the shared ones; do not wait."""
        name = self.fresh("stack")
        label = {"com.docker.stack.namespace": name}
        own = self.create_overlay(f"{name}_internal", labels=label)
        service = self.create_service(
            f"{name}_app",
            [own, *shared],
            replicas=replicas,
            constraints=constraints,
            stop_grace_s=stop_grace_s,
            stack=name,
        )
        return Stack(name, (service,), (own,))

    def remove_stack(self, stack: Stack) -> None:
        """Remove services and at once networks, as `docker stack rm` does: what still stops will leak."""
        for service in stack.services:
            self.remove_service(service)
        for network in stack.networks:
            self.wait_until(lambda which=network: self.is_removed(which), "its tasks are marked")  # type: ignore[misc]

    def is_removed(self, network: str) -> bool:
        """Try to remove a network; False while a service, or a task that is not marked for removal, is on it."""
        try:
            self.remove_network(network)
        except Refused as refused:
            if "in use by" not in str(refused):
                raise
            return False
        return True

    def remove_stack_safely(self, stack: Stack) -> None:
        """Remove services, wait until their tasks have ended, then remove the networks."""
        for service in stack.services:
            self.remove_service(service)
        self.wait_until_gone(stack.services)
        for network in stack.networks:
            self.remove_network(network)

    def leak(self, shared: str, count: int, stop_grace_s: float = 1.0) -> set[str]:
        """Lose so many addresses of a network (by id) for good, with running containers; return them."""
        stack = self.deploy_stack([shared], replicas=count, stop_grace_s=stop_grace_s)
        self.wait_for_state(stack.services[0], "running", count)
        return self._lose(stack, shared)

    def leak_fast(self, shared: str, count: int) -> set[str]:
        """Lose so many addresses of a network (by id) for good, without any container; return them."""
        lost = set[str]()
        for _ in range(LEAK_ATTEMPTS):
            missing = count - len(lost)
            stack = self.deploy_stack([shared], replicas=missing, constraints=NOWHERE)
            self.wait_for_state(stack.services[0], "pending", missing)
            lost |= self._lose(stack, shared)
            if len(lost) >= count:
                return lost
        raise AssertionError(
            f"{self.name}: {len(lost)} of {count} addresses were lost in {LEAK_ATTEMPTS} attempts"
        )

    def _lose(self, stack: Stack, shared: str) -> set[str]:
        """Remove a stack and return what was lost by it: nothing where its tasks were gone before its network was."""
        held = set(self.task_addresses(shared, stack.services[0]))
        self.remove_stack(stack)
        # What a task has when the network is gone, nothing gives back.
        is_lost = self.name == "simulator" or held <= set(self.task_addresses(shared, stack.services[0]))
        self.wait_until_gone(stack.services)
        return held if is_lost else held - self.free_addresses(shared)
