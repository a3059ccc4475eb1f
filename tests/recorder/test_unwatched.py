"""Stacks that go between two snapshots, or while no recorder is at work: what leaked is told by the engine's events."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from console.addresses.leak_tracker import LeakTracker, step
from console.recorder.baseline import Baseline, from_json, to_json
from console.recorder.values import EventKind
from console.simulator.engine import SimulatedEngine
from console.simulator.stacks import (
    DeployedStack,
    Part,
    deploy,
    remove_at_once,
    remove_safely,
    remove_services,
)
from tests.recorder.stage import Stage, stage
from tests.recorder.test_decline import a_swarm, leaked
from tests.support.swarms import network, swarm, task

PARTS = (Part("app", ("proxy",), replicas=2, grace_s=1), Part("db", grace_s=1))
GONE_S = 20.0
"""In so long every task has stopped."""
AWAY = "while no recorder is at work"
MANY = 300
"""More events than an engine remembers."""

Act = Callable[[SimulatedEngine, DeployedStack], None]


def at_once(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Remove a stack as `docker stack rm` does, and let its tasks stop."""
    remove_at_once(engine, stack)
    engine.advance(GONE_S)


def safely(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Remove the networks of a stack some seconds after its tasks have ended."""
    remove_services(engine, stack)
    engine.advance(GONE_S)
    for network_id in stack.network_ids:
        engine.networks.remove(network_id)


def just_safely(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Remove the networks of a stack at the moment its tasks have ended."""
    remove_safely(engine, stack)
    engine.advance(GONE_S)


def scale_down(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Scale a stack down: its tasks are gone before their containers have stopped, and hold nothing any more."""
    for service_id in stack.service_ids:
        for label in ("first", "again"):
            service = engine.store.services[service_id]
            labels = {**service.spec["Labels"], "change": label}
            spec = {**service.spec, "Labels": labels, "Mode": {"Replicated": {"Replicas": 0}}}
            engine.services.update(service_id, service.index, spec)
            engine.advance(0.5)


def make_noise(engine: SimulatedEngine) -> None:
    """Let so much happen that the engine forgets all that was before."""
    for number in range(MANY // 2):
        body = {
            "Name": f"noise{number}",
            "Driver": "overlay",
            "IPAM": {"Config": [{"Subnet": "10.9.9.0/24"}]},
        }
        engine.networks.remove(engine.networks.create(body))


def scaled_down(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Remove a stack while the containers stop that it had before it was scaled down: nothing leaks."""
    scale_down(engine, stack)
    at_once(engine, stack)


def scaled_down_long_ago(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """The same, and the engine remembers the removal and the ends of the containers, but not why they stopped."""
    scale_down(engine, stack)
    make_noise(engine)
    at_once(engine, stack)


def noisily(engine: SimulatedEngine, stack: DeployedStack) -> None:
    """Remove a stack at once, and let the engine forget it."""
    at_once(engine, stack)
    make_noise(engine)


ACTS: tuple[Act, ...] = (at_once, safely, just_safely, scaled_down, scaled_down_long_ago, noisily)


async def deployed(shown: Stage, name: str) -> DeployedStack:
    stack = shown.do(partial(deploy, stack=name, parts=PARTS))
    await shown.let(12)
    return stack


def truth(shown: Stage) -> list[str]:
    return sorted(shown.do(lambda engine: engine.addresses_of("proxy", "leaked")))


def doubts(shown: Stage) -> list[str]:
    """Return where the record says that leaks may be missing because an order is unknown."""
    return [event.sentence for event in shown.events() if "their order" in event.sentence]


@pytest.mark.parametrize("when", ["between two snapshots", AWAY])
@pytest.mark.parametrize(
    ("act", "leaks", "doubtful"),
    [(at_once, 2, 0), (safely, 0, 0), (just_safely, 0, 1), (scaled_down, 0, 1), (scaled_down_long_ago, 0, 1)],
)
async def test_events_tell_what_no_snapshot_showed(
    act: Act, leaks: int, doubtful: int, when: str, tmp_path: Path
) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.start()
        await shown.let(5)
        stack = await deployed(shown, "ghost")
        if when == AWAY:
            await shown.stop()
        # No time passes for the recorder meanwhile: it sees what there was before, and what there is after it.
        await shown.heard(lambda engine: act(engine, stack))
        if when == AWAY:
            shown.start()
        await shown.let(10)
        assert len(truth(shown)) == leaks
        assert sorted(leaked(shown.events())) == truth(shown)
        assert len(doubts(shown)) == doubtful
        owners = {(event.stack, event.network) for event in shown.events() if event.kind is EventKind.LEAK}
        assert owners == ({("ghost", "proxy")} if leaks else set())


async def test_what_the_engine_has_forgotten_meanwhile_is_doubtful(tmp_path: Path) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.start()
        await shown.let(5)
        stack = await deployed(shown, "ghost")
        await shown.stop()
        shown.do(partial(noisily, stack=stack))
        shown.start()
        await shown.let(10)
        assert len(truth(shown)) == 2
        assert leaked(shown.events()) == []
        (doubt,) = doubts(shown)
        assert doubt.startswith(
            "Leaks may have been missed. 2 tasks ended (ghost_app.1, ghost_app.2) and ghost_internal was removed"
        )


async def test_a_recorder_that_is_killed_while_it_waits_for_events_leaves_it_to_the_next(
    tmp_path: Path,
) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.start()
        await shown.let(5)
        stack = await deployed(shown, "ghost")
        await shown.let(60)
        await shown.kill()
        shown.do(partial(at_once, stack=stack))
        shown.start()
        await shown.let(0.2)
        await shown.kill()
        shown.start()
        await shown.let(10)
        assert sorted(leaked(shown.events())) == truth(shown)
        assert doubts(shown) == []


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_invented_and_nothing_is_missing_without_a_doubt(seed: int, tmp_path: Path) -> None:
    random = Random(seed)  # noqa: S311 - nothing is secret
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.start()
        await shown.let(5)
        for number in range(8):
            before, doubts_before = Counter(truth(shown)), len(doubts(shown))
            recorded_before = Counter(leaked(shown.events()))
            stack = await deployed(shown, f"s{number}")
            await shown.let(random.uniform(0, 70))
            end = random.choice((shown.kill, shown.stop, None))
            if end is not None:
                await end()
            act = random.choice(ACTS)
            await shown.heard(lambda engine, act=act, stack=stack: act(engine, stack))  # type: ignore[misc]
            await shown.let(random.choice((0.1, 5)))
            if end is not None:
                shown.start()
            await shown.let(20)
            lost = Counter(truth(shown)) - before
            recorded = Counter(leaked(shown.events())) - recorded_before
            assert not recorded - lost
            assert recorded == lost or len(doubts(shown)) > doubts_before
        assert set(leaked(shown.events())) <= set(truth(shown))


def test_what_an_older_recorder_kept_of_its_tasks_is_read() -> None:
    proxy, own = network("proxy", "10.0.1.0/24"), network("ghost_internal", "10.0.2.0/24")
    ghost = task("ghost_app", ("id-ghost_internal", "10.0.2.3"), ("id-proxy", "10.0.1.3"))
    (followed,) = step(LeakTracker(), swarm([proxy, own], [], [ghost]), 1.0).tracked_tasks.values()
    kept = json.loads(to_json(Baseline(outlived_tasks=(followed,), live_tasks=(followed,))))
    assert [row["id"] for row in kept.pop("live")] == [ghost.id]
    for row in kept["outlived"]:
        for name in ("service_id", "desired", "wanted_at"):
            del row[name]
    baseline = from_json(json.dumps(kept))
    assert baseline.live_tasks == ()
    (outlived,) = baseline.outlived_tasks
    assert (outlived.name, outlived.attachments) == (followed.name, followed.attachments)
