"""Snapshots are assessed only when something changed, and the engine's count outweighs the leak log."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address

import pytest

from console.addresses.leaks import LeakCertainty, LeakEvidence, LeakLog, allocator_of
from console.diagnosis.assess import assess
from console.diagnosis.values import Assessment, Snapshot
from console.errors import Unknown
from console.journal.summary import summarise
from console.monitor.assessor import AGE_S, AssessmentInputs, Assessor
from console.nodes.values import NodeStatus, OtherNodes
from console.settings import Thresholds
from console.swarm.model import Engine, Network, SwarmState
from tests.support.monitors import HandClock
from tests.support.swarms import LONG_AGO, NOW, ago, entry, network, service, swarm, task

BRIDGE = network("bridge", "172.17.0.0/16", driver="bridge", scope="local")
WEB = service("web", ("id-proxy", "10.0.1.2"))
RUNS = task("web", ("id-proxy", "10.0.1.3"))


def proxy(in_use: int) -> Network:
    return network("proxy", "10.0.1.0/28", use={"10.0.1.0/28": (in_use, 16 - in_use)})


def a_swarm(in_use: int = 8) -> SwarmState:
    """Six addresses are reserved or held; whatever is in use beyond them has leaked."""
    return swarm([proxy(in_use), BRIDGE], [WEB], [RUNS], api=(1, 52))


def after(state: SwarmState, seconds: float) -> SwarmState:
    """Return the same swarm, asked so much later."""
    assert isinstance(state.engine, Engine)
    return replace(state, engine=replace(state.engine, time=NOW + timedelta(seconds=seconds)))


def inputs(
    state: SwarmState, *, is_settled: bool = True, leak_log: LeakLog | None = None
) -> AssessmentInputs:
    settled = frozenset({"id-proxy"} if is_settled else ())
    return AssessmentInputs(
        state, settled, 0.1, (), summarise([], {}, 3600), (), leak_log or LeakLog(), allocator_of(state)
    )


class Rig:
    def __init__(self) -> None:
        self.clock = HandClock(NOW)
        self.assessor = Assessor("unix:///engine", Thresholds(), self.clock)


async def test_the_same_is_the_very_same_and_is_not_assessed_again() -> None:
    rig, seen = Rig(), inputs(a_swarm())
    first = await rig.assessor.assess(seen)
    rig.clock.advance(2)
    assert await rig.assessor.assess(seen) is first
    later = replace(seen, swarm=after(seen.swarm, 2))
    assert await rig.assessor.assess(later) is first
    rig.clock.advance(AGE_S)
    assert await rig.assessor.assess(later) is first


async def test_what_other_nodes_tell_is_assessed_at_once() -> None:
    rig, seen = Rig(), inputs(a_swarm())
    first = await rig.assessor.assess(seen)
    rig.clock.advance(2)
    away = NodeStatus("away", "unix:///nonexistent", failure=Unknown("Nobody answers."), failing_since=NOW)
    after_answer = await rig.assessor.assess(replace(seen, nodes=OtherNodes((away,))))
    for assessed_snapshot, is_told in ((first, False), (after_answer, True)):
        codes = {finding.code for finding in assessed_snapshot.assessment.findings}
        assert ("node-unread" in codes) == is_told


async def test_nothing_is_assessed_again_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, seen, assessed = Rig(), inputs(a_swarm()), list[Snapshot]()

    def counting(snapshot: Snapshot, thresholds: Thresholds) -> Assessment:
        assessed.append(snapshot)
        return assess(snapshot, thresholds)

    monkeypatch.setattr("console.monitor.assessor.assess", counting)
    for _ in range(4):
        await rig.assessor.assess(seen)
        rig.clock.advance(2)
    assert len(assessed) == 1
    rig.clock.advance(AGE_S)
    await rig.assessor.assess(seen)
    assert len(assessed) == 2


async def test_what_is_equal_in_a_new_assessment_is_the_very_same() -> None:
    rig = Rig()
    state = swarm([proxy(7), network("other", "10.0.2.0/24"), BRIDGE], [WEB], [RUNS], api=(1, 52))
    first = await rig.assessor.assess(inputs(state))
    more = replace(state, tasks=(RUNS, task("web", ("id-proxy", "10.0.1.4"), slot=2)))
    second = await rig.assessor.assess(inputs(more))
    assert second is not first
    old = {each.network.name: each for each in first.assessment.accounts}
    new = {each.network.name: each for each in second.assessment.accounts}
    assert new["other"] is old["other"]
    assert new["proxy"] is not old["proxy"]


async def test_how_long_something_lasts_is_told_anew_now_and_then() -> None:
    rig = Rig()
    waits = swarm(
        [proxy(7)],
        [replace(WEB, virtual_ips=(), updated=ago(300), created=ago(300))],
        [task("web", state="new", since=ago(300))],
        api=(1, 52),
    )
    first = await rig.assessor.assess(inputs(waits))
    assert any(each.code == "deploy-waits" for each in first.assessment.findings)
    rig.clock.advance(AGE_S)
    second = await rig.assessor.assess(inputs(after(waits, 60)))
    assert second.assessment.findings != first.assessment.findings


async def test_a_count_stands_dated_while_addresses_change_hands() -> None:
    rig = Rig()
    counted = await rig.assessor.assess(inputs(a_swarm()))
    assert counted.assessment.accounts[0].leaked == 2
    moving = await rig.assessor.assess(inputs(a_swarm(9), is_settled=False))
    leak = moving.assessment.accounts[0].subnets[0].leak
    assert (leak.count, leak.certainty, leak.evidence, leak.as_of) == (
        2,
        LeakCertainty.EXACT,
        LeakEvidence.ENGINE_COUNT,
        NOW,
    )


async def test_it_does_not_when_the_allocator_began_anew() -> None:
    rig = Rig()
    await rig.assessor.assess(inputs(a_swarm()))
    started = replace(a_swarm(9), networks=(proxy(9), replace(BRIDGE, created=LONG_AGO.replace(year=2027))))
    moving = await rig.assessor.assess(inputs(started, is_settled=False))
    assert moving.assessment.accounts[0].leaked is None


async def test_what_the_leak_log_says_and_the_engine_does_not_count_is_disproved() -> None:
    rig = Rig()
    leak_log = LeakLog(NOW, (entry("id-proxy", "10.0.1.8", "10.0.1.9", "10.0.1.10"),))
    await rig.assessor.assess(inputs(a_swarm(), leak_log=leak_log))
    assert list(rig.assessor.find_disproved_leaks()) == [
        ("id-proxy", (IPv4Address("10.0.1.8"), IPv4Address("10.0.1.9"), IPv4Address("10.0.1.10")))
    ]


async def test_what_it_counts_as_well_is_not() -> None:
    rig = Rig()
    for state, is_settled in ((a_swarm(), True), (a_swarm(6), False)):
        leak_log = LeakLog(NOW, (entry("id-proxy", "10.0.1.8", "10.0.1.9"),))
        await rig.assessor.assess(inputs(state, is_settled=is_settled, leak_log=leak_log))
        assert list(rig.assessor.find_disproved_leaks()) == []
