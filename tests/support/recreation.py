"""A simulated swarm with services of several shapes on `proxy`, and what recreates `proxy` under them."""

import copy
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from console.operations.changes import RetryingChanger
from console.operations.network_recreation.job import RecreationDependencies
from console.operations.network_recreation.plan import (
    RecreationEnvironment,
    RecreationInputs,
    RecreationOwner,
    RecreationPlan,
    RecreationRequest,
)
from console.operations.network_recreation.record import Record
from console.operations.network_recreation.recreation import Recreation, RecreationResult
from console.operations.network_recreation.refusals import plan_recreation
from console.operations.outage import OutageReport
from console.simulator.engine import SimulatedEngine
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_swarm
from tests.support.change_records import ChangeRecordList
from tests.support.engines import Simulation, simulation
from tests.support.recreation_store import RecordStore
from tests.support.simtime import SimulatedTime

WHOSE = RecreationOwner("machine-a", "run-1")
POOLS = (IPv4Network("10.0.0.0/8"),)
NEW, OLD = IPv4Network("10.10.0.0/16"), IPv4Network("10.0.1.0/24")


def service(name: str, network: str, **more: Any) -> dict[str, Any]:
    """Return the specification of a service on a network, with what a test wants different."""
    template = {
        "ContainerSpec": {
            "Image": "busybox",
            "Args": ["sleep", "86400"],
            "Env": ["PASSWORD=hunter2"],
            "StopGracePeriod": 200_000_000 if more.pop("is_quick", False) else 2_000_000_000,
        },
        "Networks": [{"Target": network, "Aliases": [name, f"{name}.local"]}],
        **more.pop("template", {}),
    }
    return {
        "Name": name,
        "Labels": {"com.docker.stack.namespace": name.partition("_")[0]},
        "TaskTemplate": template,
        "Mode": {"Replicated": {"Replicas": 2}},
        "EndpointSpec": {"Mode": "vip"},
        **more,
    }


def port(number: int) -> dict[str, Any]:
    return {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": number, "PublishMode": "ingress"}


def populate(model: SimulatedEngine, *, small: bool = False) -> str:
    """Put services of several shapes on `proxy`, and a container; return the network's ID."""
    body = {
        "Name": "proxy",
        "Driver": "overlay",
        "Attachable": True,
        "Labels": {"kept": "yes"},
        "Options": {"com.docker.network.driver.mtu": "1400"},
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(OLD)}]},
    }
    proxy = model.networks.create(body)
    model.advance(1)
    other = a_network(model, "shop_internal", "10.0.2.0/24")
    both = [{"Target": other, "Aliases": ["db"]}, {"Target": proxy, "Aliases": ["app"]}]
    specs = [
        service("shop_app", proxy, is_quick=small, template={"Networks": both}),
        service("everywhere", proxy, is_quick=small, Mode={"Global": {}}),
        service("traefik_app", proxy, is_quick=small, EndpointSpec={"Mode": "vip", "Ports": [port(443)]}),
    ]
    if not small:
        specs += [
            service("plain_app", proxy),
            service("dns_app", proxy, EndpointSpec={"Mode": "dnsrr"}),
            service("idle_app", proxy, Mode={"Replicated": {"Replicas": 0}}),
            service(
                "slow_app",
                proxy,
                UpdateConfig={"Parallelism": 1, "Delay": 600 * 10**9, "Order": "stop-first"},
            ),
        ]
    for each in specs:
        model.services.create(each)
    for name, state in (("shell", "running"), ("stopped", "exited")):
        if small and name == "stopped":
            break
        container = model.containers.create(
            name,
            {
                "Image": "busybox",
                "NetworkingConfig": {"EndpointsConfig": {"proxy": {"Aliases": [f"{name}-alias"]}}},
            },
        )
        model.containers.start(container)
        if state == "exited":
            model.containers.stop(container)
    model.advance(20)
    return proxy


def facts(model: SimulatedEngine) -> dict[str, Any]:
    """Return everything that must be the same afterwards, IDs of the network and addresses aside."""
    proxy = next((each for each in model.store.networks.values() if each.name == "proxy"), None)
    ours = proxy.id if proxy else "?"

    def named(spec: dict[str, Any]) -> dict[str, Any]:
        told = copy.deepcopy(spec)
        for each in told["TaskTemplate"].get("Networks") or ():
            each["Target"] = "proxy" if each["Target"] == ours else each["Target"]
        return told

    return {
        "network": None
        if proxy is None
        else (proxy.is_attachable, proxy.labels, proxy.options, proxy.is_internal, bool(proxy.config)),
        "specs": {each.name: named(each.spec) for each in model.store.services.values()},
        "running": {
            each.name: sum(
                task.state == "running"
                and task.is_wanted
                and any(network.id == ours for network, _ in task.attachments)
                for task in model.store.tasks_of(each.id)
            )
            for each in model.store.services.values()
        },
        "containers": {
            each.name: [(one.name, one.aliases, one.network_id in (ours, "")) for one in each.endpoints]
            for each in model.store.containers.values()
            if not each.task_id
        },
    }


def subnet_of(model: SimulatedEngine) -> str:
    """Return the subnet of `proxy`, or nothing where there is none."""
    found = [each for each in model.store.networks.values() if each.name == "proxy"]
    return found[0].config[0].subnet if found and found[0].config else ""


@dataclass
class Stage:
    """A simulated swarm, and everything to recreate its network with."""

    running: Simulation
    connection: EngineConnection
    time: SimulatedTime
    folder: Path
    change_records: ChangeRecordList = field(default_factory=ChangeRecordList)
    told: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    owner: RecreationOwner = WHOSE
    at_once: int = 4
    max_wait_s: float = 20.0
    interval_s: float = 0.0
    waits: list[tuple[str, ...]] = field(default_factory=list)
    """What was waited for, at each snapshot."""
    outage_reports: list[OutageReport] = field(default_factory=list)

    @property
    def model(self) -> SimulatedEngine:
        return self.running.model

    @property
    def reader(self) -> EngineReader:
        return EngineReader(self.connection)

    @property
    def keeper(self) -> RecordStore:
        return RecordStore(self.folder)

    async def say(self, line: str) -> None:
        self.told.append(line)

    async def note_waits(self, names: Sequence[str]) -> None:
        self.waits.append(tuple(names))

    async def note_outage(self, report: OutageReport) -> None:
        self.outage_reports.append(report)

    def break_calls(self, method: str, kind: str, skip: int = 0, times: int = 1) -> None:
        """Let calls of a method fail in a way of `console.simulator.controls`, after so many that do not."""
        fault = {"method": method, "path": "*", "kind": kind, "times": times, "skip": skip}
        self.running.control("faults", [fault])

    def mend_calls(self) -> None:
        self.running.mend()

    def dependencies(self) -> RecreationDependencies:
        retrying = RetryingChanger(self.time, self.change_records, self.max_wait_s, self.at_once)
        changer = EngineChanger(self.connection, self.changes.append)
        return RecreationDependencies(
            self.reader,
            changer,
            retrying,
            self.owner,
            self.keeper.keep,
            self.say,
            self.interval_s,
            self.note_waits,
            self.note_outage,
        )

    async def inputs(
        self, kept: Record | None = None, around: RecreationEnvironment | None = None
    ) -> RecreationInputs:
        # On a loaded machine a call may take longer than a test allows for one that hangs.
        retrying = RetryingChanger(self.time, self.change_records)
        snapshot = await retrying.ask(self.reader.snapshot)
        found = [
            await retrying.ask(partial(self.reader.find_endpoint, each.id, "proxy"))
            for each in snapshot.standalone_containers_on("proxy")
        ]
        endpoints = tuple(each for each in found if each is not None)
        given = {each.container_id: False for each in endpoints}
        return RecreationInputs(snapshot, endpoints, around or RecreationEnvironment((), POOLS, given), kept)

    async def plan(
        self, subnet: IPv4Network = NEW, kept: Record | None = None, **more: Any
    ) -> RecreationPlan:
        around = more.pop("around", None)
        wanted = RecreationRequest("proxy", subnet, **{"first": ("traefik_*",), **more})
        return plan_recreation(await self.inputs(kept, around), wanted, self.owner)

    async def recreation(self, subnet: IPv4Network = NEW) -> Recreation:
        """Return a recreation as a fresh process would begin or resume it."""
        plan = await self.plan(subnet, self.keeper.kept())
        assert plan.refusals == ()
        assert plan.record is not None
        return Recreation(self.dependencies(), plan.record, RecreationEnvironment((), POOLS), ("traefik_*",))

    async def forward(self, subnet: IPv4Network = NEW) -> RecreationResult:
        return await (await self.recreation(subnet)).forward()

    async def back(self) -> RecreationResult:
        kept = self.keeper.kept()
        if kept is None:
            return await (await self.recreation()).back()
        return await Recreation(
            self.dependencies(), kept, RecreationEnvironment((), POOLS), ("traefik_*",)
        ).back()


@contextmanager
def stage(
    api_version: str = "1.41", *, small: bool = False, call_timeout_s: float = 5.0, **more: Any
) -> Iterator[Stage]:
    """Give a swarm of one manager with `proxy` and services on it."""
    model = a_swarm(api_version, **more)
    populate(model, small=small)
    with simulation(model) as running, tempfile.TemporaryDirectory(prefix="recreation-") as folder:
        connection = EngineConnection(running.host, call_timeout_s)
        try:
            yield Stage(running, connection, SimulatedTime(running), Path(folder))
        finally:
            connection.close()
