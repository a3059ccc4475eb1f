"""What the engine tells of changes: every service and network that is made, changed and removed, at once."""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker

from tests.contract.world import JSON, NOWHERE, World

WITHIN_S = 20.0


class Listener:
    """Reads the stream from a thread of its own."""

    def __init__(self, client: Any, **asked: Any) -> None:
        self._stream = client.events(decode=True, **asked)
        self._told: queue.Queue[JSON] = queue.Queue()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        for each in self._stream:
            self._told.put(each)

    def until(self, kind: str, action: str, identity: str) -> JSON:
        """Return the first event of this kind, passing over those before it."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            each = self._told.get(timeout=max(0.01, deadline - time.monotonic()))
            if (each["Type"], each["Action"], each["Actor"]["ID"]) == (kind, action, identity):
                return each

    def close(self) -> None:
        self._stream.close()
        self.thread.join(WITHIN_S)
        self._stream._response.close()


@contextmanager
def listening(world: World, **asked: Any) -> Iterator[Listener]:
    client = docker.APIClient(base_url=f"unix://{world.socket}", version="auto", timeout=30)
    listener = Listener(client, **asked)
    try:
        yield listener
    finally:
        listener.close()
        client.close()


def test_changes_of_the_swarm_are_told_as_they_happen(world: World) -> None:
    with listening(world) as listener:
        name = world.fresh("told")
        network = world.create_overlay(name, world.fresh_subnet(24))
        told = listener.until("network", "create", network)
        assert (told["scope"], told["Actor"]["Attributes"]["name"]) == ("swarm", name)
        assert told["timeNano"] // 10**9 == told["time"]

        service = world.create_service(f"{name}-app", [network], constraints=NOWHERE)
        assert listener.until("service", "create", service)["Actor"]["Attributes"]["name"] == f"{name}-app"
        world.wait_for_vip(service, network)
        world.force(service)
        listener.until("service", "update", service)
        world.remove_service(service)
        listener.until("service", "remove", service)
        world.wait_until_gone([service])
        world.remove_network(network)
        listener.until("network", "remove", network)


def test_the_end_of_a_tasks_container_is_told_with_its_task(world: World) -> None:
    shared = world.create_overlay(world.fresh("shared"), world.fresh_subnet(26))
    stack = world.deploy_stack([shared])
    (task,) = world.wait_for_state(stack.services[0], "running")
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    with listening(world) as listener:
        world.remove_stack(stack)
        removed = listener.until("network", "remove", stack.networks[0])
        world.wait_until_gone(stack.services)
        world.pass_time(1)
        died = listener.until("container", "die", container)
        cleared = listener.until("container", "destroy", container)
    for told in (died, cleared):
        assert (told["scope"], told["Actor"]["Attributes"]["com.docker.swarm.task.id"]) == (
            "local",
            task["ID"],
        )
    # What leaks is what ends after its network was removed.
    assert removed["timeNano"] < died["timeNano"] <= cleared["timeNano"]


def test_what_happened_before_is_told_to_whoever_asks_since_then(world: World) -> None:
    with listening(world) as first:
        network = world.create_overlay(world.fresh("since"), world.fresh_subnet(24))
        made = first.until("network", "create", network)
        service = world.create_service(world.fresh("later"), [network], constraints=NOWHERE)
        later = first.until("service", "create", service)

    def moment(event: JSON) -> str:
        seconds, nanoseconds = divmod(event["timeNano"], 10**9)
        return f"{seconds}.{nanoseconds:09d}"

    with listening(world, since=moment(made)) as again:
        assert again.until("network", "create", network) == made
        assert again.until("service", "create", service) == later
    span = {"since": moment(made), "until": moment(later)}
    replayed = list(world.client.events(decode=True, **span))
    assert made in replayed
    assert later in replayed
    only = list(world.client.events(decode=True, **span, filters={"type": ["service"], "event": ["create"]}))
    assert later in only
    assert {(each["Type"], each["Action"]) for each in only} == {("service", "create")}
    world.remove_service(service)


def test_filters_that_do_not_exist_are_passed_over(world: World) -> None:
    span = {"since": "1", "until": "2"}
    assert list(world.client.events(decode=True, **span, filters={"nonsense": ["x"]})) == []
