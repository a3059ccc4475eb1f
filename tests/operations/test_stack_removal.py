"""Stacks removed from a simulated swarm: what leaks, what is kept, and how it goes on when it was broken off."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from console.concurrency import together
from console.operations.stack_removal.plan import RemovalPlan, plan_removal
from console.operations.stack_removal.removal import GONE_AFTER_S, RemovalOutcome, RemovalState, StackRemoval
from console.operations.stack_removal.steps import (
    LeakComparison,
    LeakVerdict,
    count_nothing,
    engine_count,
    networks_to_watch,
)
from console.settings import SnapshotSettings
from console.simulator.stacks import DeployedStack, Part, deploy, remove_at_once
from console.swarm.changer import EngineChanger
from console.swarm.client import THREADS, EngineConnection
from console.swarm.model import ObjectKind
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_swarm, check_pools
from tests.support.engines import Simulation, simulation
from tests.support.simtime import SimulatedTime

GRACE_S = 5.0


def nothing() -> None:
    """Do nothing."""


@dataclass
class Host:
    """A simulated swarm with stacks on `proxy`, and what removes them."""

    running: Simulation
    connection: EngineConnection
    time: SimulatedTime
    changes: list[str]
    told: list[RemovalOutcome]
    when_changed: Callable[[], object] = nothing

    def note(self, change: str) -> None:
        self.changes.append(change)
        self.when_changed()

    async def plan(self, *stacks: str, timeout_s: float | None = None) -> RemovalPlan:
        return plan_removal(stacks, await EngineReader(self.connection).stack_snapshot(), timeout_s)

    def removal(self, plan: RemovalPlan) -> StackRemoval:
        changer = EngineChanger(self.connection, self.note)
        return StackRemoval(plan, EngineReader(self.connection), changer, self.time, self.told.append)

    async def remove(self, *stacks: str, timeout_s: float | None = None) -> dict[str, RemovalOutcome]:
        outcomes = await self.removal(await self.plan(*stacks, timeout_s=timeout_s)).run()
        return {each.stack: each for each in outcomes}

    def deploy(self, *stacks: str, replicas: int = 2, grace_s: float = GRACE_S) -> list[DeployedStack]:
        part = Part("app", ("proxy",), replicas=replicas, grace_s=grace_s)
        deployed = [deploy(self.running.model, each, (part,)) for each in stacks]
        self.running.model.advance(20)
        return deployed

    async def at_rest(self) -> None:
        """Return when no call of the connection is under way, also none that its caller gave up."""
        barrier = threading.Barrier(THREADS, timeout=60)
        await together(
            *(self.connection.ask("wait for the others", lambda _: barrier.wait()) for _ in range(THREADS))
        )

    def leaked(self) -> list[str]:
        """What has leaked on `proxy` once everything has ended that is ending."""
        self.running.model.advance(30)
        return self.running.model.addresses_of("proxy", "leaked")

    @property
    def networks(self) -> set[str]:
        return {each.name for each in self.running.model.store.networks.values()} - {"ingress", "proxy"}


@pytest.fixture(params=["1.41", "1.52"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    model = a_swarm(request.param)
    a_network(model, "proxy", "10.0.1.0/24")
    with simulation(model) as running:
        connection = EngineConnection(running.host, 30)
        try:
            yield Host(running, connection, SimulatedTime(running), [], [])
        finally:
            connection.close()
    check_pools(model)


async def test_eight_stacks_go_at_once_and_nothing_leaks(host: Host) -> None:
    names = [f"s{number}" for number in range(8)]
    host.deploy(*names)
    began = host.time.passed_s
    outcomes = await host.remove(*names)
    assert {each.state for each in outcomes.values()} == {RemovalState.REMOVED}
    assert not host.leaked()
    assert not host.networks
    assert not host.running.model.store.services
    # One after the other it would take eight times as long.
    assert host.time.passed_s - began < 2 * GRACE_S
    assert [each.name for each in outcomes["s3"].removed_objects] == ["s3_app", "s3_internal"]


async def test_secrets_and_configs_go_too_and_last(host: Host) -> None:
    model = host.running.model
    labels = {"com.docker.stack.namespace": "web"}
    model.secrets.create({"Name": "web_key", "Labels": labels})
    model.configs.create({"Name": "web_conf", "Labels": labels})
    model.configs.create({"Name": "foreign"})
    host.deploy("web")
    outcome = (await host.remove("web"))["web"]
    assert [each.kind for each in outcome.removed_objects] == list(ObjectKind)
    assert [each.partition(" ")[2].split()[1] for each in host.changes] == [str(each) for each in ObjectKind]
    assert [each.name for each in model.configs.list_all()] == ["foreign"]
    assert not model.secrets.list_all()


async def test_at_the_limit_it_stops_names_what_runs_and_removes_no_network(host: Host) -> None:
    host.deploy("slow", grace_s=300)
    host.deploy("fast")
    outcomes = await host.remove("slow", "fast", timeout_s=30)
    slow = outcomes["slow"]
    assert (slow.state, slow.is_drained) == (RemovalState.UNFINISHED, False)
    assert slow.waits_for == ("slow_app.1 (running on ci-host)", "slow_app.2 (running on ci-host)")
    assert [each.kind for each in slow.removed_objects] == [ObjectKind.SERVICE]
    assert outcomes["fast"].state is RemovalState.REMOVED
    assert host.networks == {"slow_internal"}
    await host.time.sleep(300)
    assert (await host.remove("slow"))["slow"].state is RemovalState.REMOVED
    assert not host.leaked()
    assert not host.networks


async def test_broken_off_at_any_change_calling_it_again_finishes(host: Host) -> None:
    names = ("a", "b")
    for after in range(1, 5):
        host.deploy(*names)
        host.changes.clear()
        work = asyncio.ensure_future(host.removal(await host.plan(*names)).run())
        host.when_changed = partial(cancel_at, host, work, after)
        await asyncio.gather(work, return_exceptions=True)
        assert work.cancelled()
        host.when_changed = nothing
        # What is under way when it dies may be done or not. The plan below must not be made while that is undecided.
        await host.at_rest()
        left = sorted(await remains(host) & {*names})
        if left:
            assert {each.state for each in (await host.remove(*left)).values()} == {RemovalState.REMOVED}
        assert not host.networks
        assert not host.leaked()


def cancel_at(host: Host, work: asyncio.Task[tuple[RemovalOutcome, ...]], count: int) -> None:
    if len(host.changes) == count:
        work.cancel()


async def remains(host: Host) -> set[str]:
    snapshot = await EngineReader(host.connection).stack_snapshot()
    return {each.stack for each in snapshot.objects()}


async def test_when_cancelled_nothing_more_is_started_and_it_is_known_how_far_it_came(host: Host) -> None:
    host.deploy("web", grace_s=60)
    removal = host.removal(await host.plan("web"))
    work = asyncio.ensure_future(removal.run())
    host.time.meanwhile = [(2, work.cancel)]
    with pytest.raises(asyncio.CancelledError):
        await work
    (outcome,) = removal.outcomes
    assert (outcome.state, [each.name for each in outcome.removed_objects]) == (
        RemovalState.UNDER_WAY,
        ["web_app"],
    )
    assert host.networks == {"web_internal"}
    changes = len(host.changes)
    await host.time.sleep(100)
    assert len(host.changes) == changes


async def test_a_network_that_others_use_is_kept_and_named(host: Host) -> None:
    (web,) = host.deploy("web")
    model = host.running.model
    deploy(model, "other", (Part("app", ("web_internal",), is_internal=False),))
    model.advance(20)
    outcome = (await host.remove("web"))["web"]
    assert outcome.state is RemovalState.REMOVED
    assert [(each.object.id, each.reason) for each in outcome.retained_objects] == [
        (web.network_ids[0], "service other_app uses it")
    ]
    assert host.networks == {"web_internal"}
    assert not host.leaked()


async def test_a_refused_network_is_tried_again_until_it_can_go(host: Host) -> None:
    host.deploy("web")
    host.running.control(
        "faults", [{"method": "DELETE", "path": "/networks/*", "kind": "status:500", "times": 5}]
    )
    assert (await host.remove("web"))["web"].state is RemovalState.REMOVED
    assert not host.networks
    host.deploy("web")
    host.changes.clear()
    host.running.control(
        "faults", [{"method": "DELETE", "path": "/networks/*", "kind": "status:500", "times": 9999}]
    )
    outcome = (await host.remove("web", timeout_s=20))["web"]
    assert (outcome.state, outcome.is_drained) == (RemovalState.UNFINISHED, True)
    assert outcome.waits_for == ("network web_internal",)
    assert "a simulated failure" in outcome.refusals[0]
    assert len(host.changes) < 20


async def test_an_answer_that_is_lost_is_looked_after(host: Host) -> None:
    host.deploy("web")
    host.running.control("faults", [{"method": "DELETE", "path": "*", "kind": "lose_answer", "times": 2}])
    outcome = (await host.remove("web"))["web"]
    assert outcome.state is RemovalState.REMOVED
    assert not host.networks
    assert not host.leaked()


async def test_an_engine_that_comes_back_is_waited_for_and_one_that_stays_away_is_unknown(host: Host) -> None:
    host.deploy("web", grace_s=60)
    host.time.meanwhile = [
        (2, lambda: host.running.break_call("/tasks", "refuse")),
        (2 + GONE_AFTER_S - 5, host.running.mend),
    ]
    assert (await host.remove("web"))["web"].state is RemovalState.REMOVED
    host.deploy("web", grace_s=600)
    host.time.meanwhile = [(host.time.passed_s + 2, lambda: host.running.break_call("/tasks", "refuse"))]
    outcome = (await host.remove("web"))["web"]
    assert outcome.state is RemovalState.UNKNOWN
    assert outcome.refusals
    assert outcome.took_s <= 2 + GONE_AFTER_S
    host.running.mend()
    assert host.networks == {"web_internal"}


async def test_a_stack_whose_services_are_gone_already_is_finished(host: Host) -> None:
    (web,) = host.deploy("web")
    host.running.model.services.remove(web.service_ids[0])
    plan = await host.plan("web")
    assert plan.stacks[0].live_tasks == 2
    assert not plan.stacks[0].of(ObjectKind.SERVICE)
    assert (await host.remove("web"))["web"].state is RemovalState.REMOVED
    assert not host.leaked()
    assert not host.networks


async def test_a_stack_that_is_deployed_again_meanwhile_is_not_fought_with(host: Host) -> None:
    host.deploy("web", grace_s=10)
    model = host.running.model
    again = {"Name": "web_again", "Labels": {"com.docker.stack.namespace": "web"}}
    template = {
        "ContainerSpec": {"Image": "busybox", "Labels": again["Labels"]},
        "Networks": [{"Target": "web_internal"}],
    }
    host.time.meanwhile = [(3, lambda: model.services.create({**again, "TaskTemplate": template}))]
    outcome = (await host.remove("web"))["web"]
    assert [each.name for each in outcome.removed_objects] == ["web_app"]
    assert [each.reason for each in outcome.retained_objects] == ["service web_again uses it"]
    assert [each.name for each in model.store.services.values()] == ["web_again"]


async def test_the_engines_own_count_proves_it_where_there_is_one(host: Host) -> None:
    _, leaky = host.deploy("web", "leaky")
    remove_at_once(host.running.model, leaky)
    host.running.model.advance(60)
    assert len(host.leaked()) == 2
    snapshot = await EngineReader(host.connection).stack_snapshot()
    watched = networks_to_watch(plan_removal(["web"], snapshot), snapshot)
    assert [each.name for each in watched] == ["proxy"]
    prove = engine_count(EngineReader(host.connection), host.time, SnapshotSettings())
    before = await prove(watched)
    await host.remove("web")
    proof = LeakComparison(before, await prove(watched))
    counts = [each.leaked for each in (*proof.before, *proof.after)]
    if host.running.model.identity.api >= (1, 52):
        assert (counts, proof.verdict) == ([2, 2], LeakVerdict.NO_LEAK)
    else:
        assert (counts, proof.verdict) == ([None, None], LeakVerdict.NOT_PROVEN)
    assert [each.leaked for each in await count_nothing(watched)] == [None]
