"""Stacks of several shapes around one overlay of a real engine, and what recreates that overlay under them."""

import copy
import ipaddress
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from console.clock import SystemClock
from console.host.identity import static_addresses
from console.operations.changes import RetryingChanger
from console.operations.network_recreation.job import RecreationDependencies, start_interval_s
from console.operations.network_recreation.plan import (
    RecreationEnvironment,
    RecreationInputs,
    RecreationOwner,
    RecreationPlan,
    RecreationRequest,
    read_inputs,
)
from console.operations.network_recreation.record import Record
from console.operations.network_recreation.recreation import Recreation, RecreationResult
from console.operations.network_recreation.refusals import plan_recreation
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.contract.world import JSON, World
from tests.engine.lab import Engine
from tests.support.change_records import ChangeRecordList
from tests.support.recreation_store import RecordStore

WHOSE = RecreationOwner("machine-a", "run-1")
LABELS, OPTIONS = {"kept": "yes"}, {"com.docker.network.driver.mtu": "1400"}


def create_proxy(world: World, name: str, subnet: str) -> str:
    """Create an attachable overlay with labels and an option."""
    body: JSON = {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": "overlay",
        "Attachable": True,
        "Labels": LABELS,
        "Options": OPTIONS,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": subnet}]},
    }
    network: str = world.call("POST", "/networks/create", body)["Id"]
    world.wait_until(lambda: world.subnets(network), f"{name} has a subnet")
    return network


def _service(*networks: Any, **more: Any) -> JSON:
    attached: JSON = {}
    for each in networks:
        attached.update(each if isinstance(each, dict) else {each: {}})
    return {"image": "lab/box:1", "stop_grace_period": "1s", "networks": attached, **more}


def small_stacks() -> dict[str, JSON]:
    """Return two stacks of six services on `proxy`, by name: one of each shape that matters, and no container more than it takes."""
    mixed = {
        "web": _service("proxy", "internal", ports=["8080:80"]),
        "everywhere": _service("proxy", deploy={"mode": "global"}),
        "round": _service("proxy", deploy={"endpoint_mode": "dnsrr"}),
        "idle": _service("proxy", deploy={"replicas": 0}),
        "careful": _service(
            "proxy",
            environment={"PASSWORD": "hunter2"},
            deploy={
                "replicas": 2,
                "update_config": {"parallelism": 1, "delay": "10m", "order": "stop-first"},
            },
        ),
    }
    aliased = _service({"proxy": {"aliases": ["shop", "shop.local"]}}, "internal", "backend")
    return {"mixed": mixed, "shop": {"aliased": aliased}}


def recipes(count: int) -> dict[str, JSON]:
    """Return so many stacks of two services on `proxy`, by name; one of the two is on three networks."""
    return {
        f"recipe{number}": {
            "app": _service("proxy", "internal"),
            "worker": _service("proxy", "internal", "backend"),
        }
        for number in range(1, count + 1)
    }


def twenty_services() -> dict[str, JSON]:
    """Return stacks of twenty services on `proxy`, by name."""
    return {**small_stacks(), **recipes(7)}


def mixed_services() -> dict[str, JSON]:
    """Return stacks of twenty services on `proxy`, by name: a reverse proxy, and services that stop in many ways.

    Their stop grace is 1 to 10 s, a third ignores the signal until it is over, and they have 1 to 3 replicas.
    """
    ends_at_once = ["sh", "-c", "trap exit TERM; sleep 86400 & wait"]
    # The first process of a container ignores what it has no handler for.
    ignores_it = ["sleep", "86400"]
    services = {
        f"app{number}": _service(
            "proxy",
            "internal",
            command=ignores_it if number % 3 == 2 else ends_at_once,
            stop_grace_period=f"{1 + number * 7 % 10}s",
            deploy={"replicas": 1 + (number % 4 == 0) + (number % 8 == 0)},
        )
        for number in range(1, 20)
    }
    edge = {
        "web": _service("proxy", "internal", command=ends_at_once, stop_grace_period="10s", ports=["8080:80"])
    }
    names = [*services]
    stacks = {f"shop{part}": {name: services[name] for name in names[part::5]} for part in range(5)}
    return {"edge": edge, **stacks}


@dataclass
class Stage:
    """One overlay of a real engine with stacks on it."""

    engine: Engine
    world: World
    connection: EngineConnection
    folder: Path
    name: str
    old: str
    stacks: dict[str, JSON]
    backend_length: int = 27
    """Of the subnet that stacks share besides, as long as nothing leaks."""
    change_records: ChangeRecordList = field(default_factory=ChangeRecordList)
    when_said: Callable[[str], object] = print
    when_waiting: Callable[[Sequence[str]], object] = len
    """Is told what is waited for; by default nothing comes of it."""
    containers: list[str] = field(default_factory=list)

    # What is there.

    def deploy(self) -> None:
        """Create the network, deploy every stack, attach two containers, and wait until everything runs."""
        create_proxy(self.world, self.name, self.old)
        self.world.create_overlay(f"{self.name}-backend", self.world.fresh_subnet(self.backend_length))
        self.deploy_stacks()
        for each, options in (("shell", ()), ("stopped", ()), ("fixed", ("--ip", self.given_address))):
            name = f"{self.name}-{each}"
            self.engine.docker(
                *("run", "--detach", "--name", name, "--network", self.name, *options),
                *("--network-alias", f"{each}-alias", "--stop-timeout", "1", "lab/box:1", "sleep", "86400"),
            )
            self.containers.append(name)
        self.engine.docker("stop", f"{self.name}-stopped")
        self.wait_until_running()

    @property
    def given_address(self) -> str:
        """The address that one container was given by hand."""
        return str(IPv4Network(self.old)[-7])

    def address(self, container: str) -> str:
        """Return the address of a container on the network."""
        seen = self.world.client.inspect_container(container)
        return str(seen["NetworkSettings"]["Networks"][self.name]["IPAddress"])

    def deploy_stacks(self) -> None:
        """Deploy every stack, as an operator does."""
        for each in self.stacks:
            self.deploy_stack(each)

    def deploy_stack(self, stack: str) -> None:
        """Deploy one stack; raises LabError with what the command line said where that fails."""
        file = self.folder / f"{stack}.json"
        compose = {
            "version": "3.8",
            "services": self.stacks[stack],
            "networks": {
                "proxy": {"external": True, "name": self.name},
                "backend": {"external": True, "name": f"{self.name}-backend"},
                "internal": {"ipam": {"config": [{"subnet": self.world.fresh_subnet(28)}]}},
            },
        }
        file.write_text(json.dumps(compose))
        self.engine.docker(
            *("stack", "deploy", "--detach=true", "--resolve-image", "never"),
            *("--compose-file", str(file), f"{self.name}-{stack}"),
        )

    def services(self) -> list[JSON]:
        """Return the stacks' services."""
        label = [f"com.docker.stack.namespace={self.name}-{each}" for each in self.stacks]
        found = [self.world.client.services(filters={"label": [each]}) for each in label]
        return [one for each in found for one in each]

    def wait_until_running(self) -> None:
        def all_run() -> bool:
            return all(self._running(each) == self._wanted(each) for each in self.services())

        self.world.wait_until(all_run, "every task runs", 120)

    def _wanted(self, service: JSON) -> int:
        mode = service["Spec"]["Mode"]
        return 1 if "Global" in mode else int(mode["Replicated"]["Replicas"])

    def _running(self, service: JSON) -> int:
        return sum(
            each["Status"]["State"] == each["DesiredState"] == "running"
            for each in self.world.tasks(service["ID"])
        )

    def tasks(self) -> dict[str, set[str]]:
        """Return the IDs of the tasks that are meant to run, by the name of their service."""
        return {
            each["Spec"]["Name"]: {
                one["ID"] for one in self.world.tasks(each["ID"]) if one["DesiredState"] == "running"
            }
            for each in self.services()
        }

    def facts(self) -> JSON:
        """Return everything that must be the same afterwards, IDs of the network and addresses aside."""
        network = self.world.network(self.name)
        specs = {}
        for each in self.services():
            spec = copy.deepcopy(each["Spec"])
            for one in spec["TaskTemplate"]["Networks"]:
                one["Target"] = self.name if one["Target"] == network["Id"] else one["Target"]
            specs[spec["Name"]] = spec
        options = {key: value for key, value in network["Options"].items() if "vxlan" not in key}
        return {
            "network": (network["Driver"], network["Attachable"], network["Labels"], options),
            "specs": specs,
            "running": {each["Spec"]["Name"]: self._running(each) for each in self.services()},
            "containers": {each: self._container(each) for each in self.containers},
        }

    def _container(self, name: str) -> Any:
        seen = self.world.client.inspect_container(name)
        attached = seen["NetworkSettings"]["Networks"][self.name]
        aliases = [each for each in attached["Aliases"] or () if each != seen["Id"][:12]]
        return seen["State"]["Running"], aliases

    def subnets(self) -> list[str]:
        return self.world.subnets(self.name)

    def leaked(self) -> dict[str, set[str]]:
        """Return what can neither be handed out nor is held, for each network of the stacks that can be walked."""
        names = [f"{self.name}-{each}_internal" for each in self.stacks] + [f"{self.name}-backend"]
        if IPv4Network(self.subnets()[0]).prefixlen >= 24:
            names.append(self.name)
        return {each: lost for each in names if (lost := self._lost(each))}

    def _lost(self, name: str) -> set[str]:
        seen = self.world.network(name)
        (config,) = seen["IPAM"]["Config"]
        subnet = ipaddress.ip_network(config["Subnet"])
        everything = {str(each) for each in subnet.hosts()} - {config["Gateway"]}
        return everything - self.held(name) - self.world.free_addresses(seen["Id"])

    def held(self, name: str) -> set[str]:
        """Return the addresses of a network that somebody holds: services, tasks, containers, this node's load balancer."""
        seen = self.world.network(name)
        vips = {
            vip["Addr"].partition("/")[0]
            for each in self.world.client.services()
            for vip in each["Endpoint"].get("VirtualIPs") or ()
            if vip["NetworkID"] == seen["Id"]
        }
        local = {each["IPv4Address"].partition("/")[0] for each in (seen["Containers"] or {}).values()}
        return vips | local | set(self.world.task_addresses(seen["Id"]))

    # What is done.

    async def say(self, line: str) -> None:
        self.when_said(line)

    async def waits_for(self, names: Sequence[str]) -> None:
        self.when_waiting(names)

    def dependencies(self) -> RecreationDependencies:
        retrying = RetryingChanger(SystemClock(), self.change_records)
        changer = EngineChanger(self.connection, lambda _: None)
        reader = EngineReader(self.connection)
        keep = RecordStore(self.folder).keep
        return RecreationDependencies(
            reader, changer, retrying, WHOSE, keep, self.say, start_interval_s(), self.waits_for
        )

    async def plan(self, subnet: str, kept: Record | None = None) -> RecreationPlan:
        """Return the plan of a recreation as a fresh process would begin or resume it."""
        reader = EngineReader(self.connection)
        seen = await read_inputs(reader, self.engine.host, self.name, kept)
        # The engine is private, and so not proven to be this host's own; its files can be read all the same.
        ids = [each.container_id for each in seen.endpoints]
        given = static_addresses(Path(seen.snapshot.engine.root_dir), ids, self.name)
        around = RecreationEnvironment((), seen.environment.pools, given)
        wanted = RecreationRequest(self.name, IPv4Network(subnet), ("*_web",), ("*-fixed",))
        plan = plan_recreation(RecreationInputs(seen.snapshot, seen.endpoints, around, kept), wanted, WHOSE)
        assert plan.refusals == ()
        return plan

    async def recreation(self, subnet: str, kept: Record | None = None) -> Recreation:
        """Return a recreation as a fresh process would begin or resume it."""
        plan = await self.plan(subnet, kept)
        assert plan.record is not None
        pools = (IPv4Network("10.0.0.0/8"),)
        return Recreation(
            self.dependencies(), plan.record, RecreationEnvironment((), pools), plan.request.first
        )

    async def forward(self, subnet: str) -> RecreationResult:
        return await (await self.recreation(subnet, RecordStore(self.folder).kept())).forward()

    async def back(self, *, from_labels: bool = False) -> RecreationResult:
        kept = None if from_labels else RecordStore(self.folder).kept()
        recreation = await self.recreation(self.old, kept)
        if kept is not None:
            recreation = Recreation(
                self.dependencies(), kept, RecreationEnvironment((), (IPv4Network("10.0.0.0/8"),))
            )
        return await recreation.back()

    def way_back(self) -> subprocess.CompletedProcess[str]:
        """Run the script that was written for it."""
        return subprocess.run(
            ["sh", str(self.folder / "way-back.sh")],
            capture_output=True,
            check=False,
            text=True,
            timeout=200,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "DOCKER_HOST": self.engine.host,
                "HOME": "/nonexistent",
            },
        )
