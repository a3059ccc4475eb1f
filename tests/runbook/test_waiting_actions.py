"""`swarm.quiescent` and `wait.until`: what is waited for, what is said meanwhile, and when it is given up."""

import re
from collections.abc import Iterator

import pytest

from console.errors import StepFailed
from console.runbook.contracts import Answer
from console.runbook.run.waits import Blocking
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.benches import Bench, bench

UNHEARD = Blocking("engine events", "The engine's events are not received yet.")


@pytest.fixture
def host() -> Iterator[Bench]:
    engine = a_swarm()
    a_network(engine)
    a_service(engine, "proxy", name="web")
    with bench(engine) as ready:
        ready.advance(600)
        yield ready


async def test_quiet_is_waited_for_and_then_told(host: Bench) -> None:
    outputs = await host.act("swarm.quiescent", stable_for="20s")
    assert outputs["quiet_for_s"] == pytest.approx(20, abs=1.5)
    assert host.said == []
    # The first look may come before the engine's changes are heard.
    assert {blocking for blocking, _ in host.waited} <= {(), (UNHEARD,)}
    headline = next(headline for blocking, headline in host.waited if not blocking)
    assert re.fullmatch("quiet for [01] s so far; required: 20 s", headline)
    assert host.waited[-1][0] == ()


async def test_what_blocks_is_named_while_it_does(host: Bench) -> None:
    a_service(host.model, "proxy", name="late", command="sleep 5; exit 1")
    host.clock.meanwhile.append((610.0, lambda: host.model.services.remove(find(host, "late"))))
    outputs = await host.act("swarm.quiescent", stable_for="10s")
    assert any("late" in each.text for blocking, _ in host.waited for each in blocking)
    waited = outputs["waited_s"]
    assert isinstance(waited, float)
    assert waited >= 20


async def test_what_never_becomes_quiet_is_a_failure_that_names_it(host: Bench) -> None:
    a_service(host.model, "proxy", name="looping", command="sleep 2; exit 1")
    with pytest.raises(StepFailed, match=r"It is not quiet after 5[0-9] s: .*looping"):
        await host.act("swarm.quiescent", stable_for="30s")
    found = await host.verify("swarm.quiescent", {}, stable_for="30s")
    assert found.answer is Answer.NO
    assert "looping" in found.sentence


async def test_what_is_accepted_by_name_does_not_block(host: Bench) -> None:
    a_service(host.model, "proxy", name="stuck", replicas=20)
    host.advance(700)
    with pytest.raises(StepFailed, match="stuck"):
        await host.act("swarm.quiescent", stable_for="10s")
    await host.act("swarm.quiescent", stable_for="10s", accept=["stuck"])


async def test_the_plan_tells_how_it_is_now_and_refuses_what_can_never_be(host: Bench) -> None:
    plan = await host.plan("swarm.quiescent", stable_for="20s")
    assert plan.summary == "Wait until it has been quiet for 20 s, at most 58 s."
    assert [each.answer for each in plan.checked] == [Answer.YES]
    assert plan.refused == ()
    plan = await host.plan("swarm.quiescent", stable_for="60s")
    assert plan.refused == ("It cannot be quiet for 60 s within the step's timeout of 60 s.",)
    with pytest.raises(StepFailed, match="cannot be quiet for 60 s within"):
        await host.act("swarm.quiescent", stable_for="60s")


async def test_quiet_cannot_be_told_without_the_engine(host: Bench) -> None:
    host.running.break_call("*", "status:500")
    assert (await host.verify("swarm.quiescent", {})).answer is Answer.CANNOT_TELL
    with pytest.raises(StepFailed, match="HTTP 500"):
        await host.act("swarm.quiescent", stable_for="5s")


async def test_predicates_are_waited_for_until_all_hold(host: Bench) -> None:
    host.clock.meanwhile.append((608.0, lambda: a_service(host.model, "proxy", name="late")))
    outputs = await host.act("wait.until", until={"services.converged": {"services": ["late"]}}, every="2s")
    waited = outputs["waited_s"]
    assert isinstance(waited, float)
    assert 8 <= waited <= 30
    assert host.said == []
    (first,) = host.waited[0][0]
    assert first.text == 'services.converged {"services": ["late"]}: Service late not found.'


async def test_the_first_look_may_be_the_last(host: Bench) -> None:
    assert await host.act("wait.until", until=["swarm.no_stuck_new", {"network.unique": "proxy"}]) == {
        "waited_s": 0.0
    }


async def test_what_does_not_hold_in_time_is_told(host: Bench) -> None:
    with pytest.raises(StepFailed, match=r"After 5[0-9] s: Overlay nobody not found\."):
        await host.act("wait.until", until=[{"network.is": "nobody"}, {"network.unique": "proxy"}])
    assert host.said == []
    assert {each.what for blocking, _ in host.waited for each in blocking} == {"Overlay nobody not found."}


async def test_a_plan_of_waiting_tells_what_holds_already(host: Bench) -> None:
    plan = await host.plan("wait.until", until=[{"network.is": "nobody"}, {"network.unique": "proxy"}])
    assert plan.reads == ("network.is", "network.unique")
    assert [each.answer for each in plan.checked] == [Answer.NO, Answer.YES]
    found = await host.verify("wait.until", {}, until={"network.is": "nobody"})
    assert found.answer is Answer.NO


def find(host: Bench, name: str) -> str:
    return next(each.id for each in host.model.store.services.values() if each.name == name)
