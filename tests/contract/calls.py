"""What an engine is asked for, in the words of tests: each call as it is, none of them waits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import docker
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from tests.contract.specs import service_spec

JSON = dict[str, Any]

IMAGE = "lab/box:1"
"""The one image that a real engine has, made of busybox; a simulated engine knows it too."""
LIVE = frozenset(("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"))
"""States in which a task holds its addresses."""


class Refused(Exception):
    """The engine said no: its HTTP status and its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Calls:
    """The calls of a swarm manager behind a unix socket; `client` is docker's own low-level client.

    Every refusal is `Refused`, with the engine's status and words.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        # The SDK's types leave most of its low-level methods unannotated.
        self.client: Any = docker.APIClient(base_url=f"unix://{socket}", version="auto", timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    # The bare protocol.

    def call(self, method: str, path: str, body: JSON | None = None) -> Any:
        """Send a request below the API's version, and return the parsed answer; refusals are `Refused`."""
        address = f"{self.client.base_url}/v{self.client.api_version}{path}"
        answer = self.client.request(method, address, json=body, timeout=60)
        if answer.status_code >= 400:
            raise Refused(answer.status_code, answer.json()["message"])
        return answer.json() if answer.content else None

    # Networks.

    def request_overlay(
        self,
        name: str,
        subnet: str | Sequence[str] | None = None,
        *,
        ip_range: str | None = None,
        gateway: str | None = None,
        attachable: bool = False,
        ipv6: bool = False,
        internal: bool = False,
        labels: dict[str, str] | None = None,
    ) -> str:
        """Ask for an overlay, and return its id; its addresses come a moment later."""
        subnets = [subnet] if isinstance(subnet, str) else list(subnet or ())
        pools = [IPAMPool(subnet=each, iprange=ip_range, gateway=gateway) for each in subnets]
        with refusals():
            answer = self.client.create_network(
                name,
                driver="overlay",
                ipam=IPAMConfig(pool_configs=pools) if pools else None,
                attachable=attachable,
                enable_ipv6=ipv6,
                internal=internal,
                labels=labels or {},
                # As the command line does: names of swarm networks are unique.
                check_duplicate=True,
            )
        return str(answer["Id"])

    def network(self, reference: str) -> JSON:
        """Return the engine's inspection of a network, by name, id, or shortened id."""
        with refusals():
            return dict(self.client.inspect_network(reference))

    def subnets(self, network: str) -> list[str]:
        """Return the subnets that a network was given so far."""
        return [each["Subnet"] for each in self.network(network)["IPAM"]["Config"] or []]

    def remove_network(self, network: str) -> None:
        """Remove a network; refusals are `Refused`."""
        with refusals():
            self.client.remove_network(network)

    # Services and tasks.

    def create_service(
        self,
        name: str,
        networks: Sequence[str],
        *,
        replicas: int = 1,
        constraints: Sequence[str] = (),
        mode: str = "vip",
        image: str = IMAGE,
        command: Sequence[str] = ("sleep", "86400"),
        stop_grace_s: float = 1.0,
        stack: str = "",
        ports: Sequence[tuple[int, int]] = (),
        restarts: bool = True,
    ) -> str:
        """Create a service and return its id, not waiting for anything.

        `constraints=NOWHERE` makes it unschedulable. `ports` are (published, target) in ingress mode. With
        `stack`, names and labels are those of `docker stack deploy`. `command` is the container's arguments;
        the default ignores TERM, and so stops after `stop_grace_s`. Without `restarts` a task that ends stays ended.
        """
        spec = service_spec(
            name,
            networks,
            replicas=replicas,
            constraints=constraints,
            mode=mode,
            image=image,
            command=command,
            stop_grace_s=stop_grace_s,
            stack=stack,
            ports=ports,
            restarts=restarts,
        )
        return str(self.call("POST", "/services/create", spec)["ID"])

    def service(self, reference: str) -> JSON:
        """Return the engine's inspection of a service."""
        with refusals():
            return dict(self.client.inspect_service(reference))

    def update_service(self, service: str, change: Callable[[JSON], None]) -> None:
        """Update a service to its current spec as changed in place by `change`.

        Swarm itself goes on writing to a service that was made or changed a moment ago: then it is tried again.
        """
        for attempt in range(20):
            seen = self.service(service)
            change(seen["Spec"])
            try:
                self.call(
                    "POST", f"/services/{seen['ID']}/update?version={seen['Version']['Index']}", seen["Spec"]
                )
            except Refused as refused:
                if attempt == 19 or not refused.message.endswith("update out of sequence"):
                    raise
            else:
                return

    def force(self, service: str) -> None:
        """Let a service's tasks be replaced though nothing in its spec asks for it."""

        def count(spec: JSON) -> None:
            template = spec["TaskTemplate"]
            template["ForceUpdate"] = template.get("ForceUpdate", 0) + 1

        self.update_service(service, count)

    def scale(self, service: str, replicas: int) -> None:
        """Set a service's replicas."""
        self.update_service(service, lambda spec: spec["Mode"]["Replicated"].update(Replicas=replicas))

    def remove_service(self, service: str) -> None:
        """Remove a service; its tasks go on until they have stopped."""
        with refusals():
            self.client.remove_service(service)

    def tasks(
        self, service: str = "", *, runtime: Sequence[str] = ("container", "attachment", "")
    ) -> list[JSON]:
        """Return tasks, attachments included, of one service (by id) or of all; also of a removed service."""
        listed = self.client.tasks(filters={"runtime": list(runtime)})
        return [each for each in listed if not service or each.get("ServiceID") == service]

    def states(self, service: str) -> list[str]:
        """Return the states of a service's tasks."""
        return [each["Status"]["State"] for each in self.tasks(service)]

    def vip(self, service: str, network: str) -> str:
        """Return a service's VIP on a network (by id), or "" while it has none."""
        held = self.service(service)["Endpoint"].get("VirtualIPs") or []
        return next((_bare(each["Addr"]) for each in held if each["NetworkID"] == network), "")

    def task_addresses(self, network: str, service: str = "") -> list[str]:
        """Return what live tasks hold on a network (by id)."""
        live = [each for each in self.tasks(service) if each["Status"]["State"] in LIVE]
        return [address for task in live for address in addresses_of(task, network)]

    # Standalone containers.

    def attach_container(self, name: str, network: str) -> str:
        """Start a standalone container on an attachable overlay, and return its id."""
        networking: JSON = {"EndpointsConfig": {network: {}}}
        body = {"Image": IMAGE, "Cmd": ["sleep", "86400"], "NetworkingConfig": networking, "StopTimeout": 1}
        container: str = self.call("POST", f"/containers/create?name={name}", body)["Id"]
        self.call("POST", f"/containers/{container}/start")
        return container

    def remove_container(self, container: str) -> None:
        """Kill and remove a container."""
        with refusals():
            self.client.remove_container(container, force=True)


def addresses_of(task: JSON, network: str) -> list[str]:
    """Return the addresses that a task names on a network (by id), held or not."""
    attached = task.get("NetworksAttachments") or []
    return [
        _bare(held)
        for each in attached
        if each["Network"]["ID"] == network
        for held in each["Addresses"] or []
    ]


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the SDK's errors into `Refused`."""
    try:
        yield
    except APIError as error:
        raise Refused(int(error.status_code or 0), str(error.explanation)) from error


def _bare(address: str) -> str:
    return address.partition("/")[0]
