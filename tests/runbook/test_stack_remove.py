"""`stack.remove`: the remedy as an action of a run."""

from collections.abc import Iterator

import pytest

from console.errors import NotAllowed, StepFailed
from console.runbook.contracts import Answer
from console.simulator.stacks import Part, deploy
from tests.simulator.swarms import a_network, a_swarm, check_pools
from tests.support.benches import Bench, bench, is_yes


@pytest.fixture
def host() -> Iterator[Bench]:
    engine = a_swarm()
    a_network(engine)
    deploy(engine, "web", (Part("app", ("proxy",), grace_s=5), Part("db", grace_s=5)))
    deploy(engine, "other", (Part("app", ("proxy",)),))
    engine.advance(30)
    with bench(engine) as ready:
        ready.is_read_only = False
        yield ready


def names(host: Bench) -> set[str]:
    return {each.name for each in host.model.store.services.values()}


async def test_the_plan_tells_everything_that_goes_and_stays(host: Bench) -> None:
    plan = await host.plan("stack.remove", stacks=["web"])
    assert plan.summary == "Remove web without leaking an address."
    assert plan.changes == (
        "web: remove 2 services: web_app, web_db",
        "web: remove 1 network: web_internal",
    )
    assert len(plan.calls) == 3
    assert plan.calls[0].startswith("DELETE /services/")
    assert plan.refused == ()
    assert plan.no_return
    assert names(host) == {"web_app", "web_db", "other_app"}


async def test_a_time_limit_below_the_stop_grace_is_refused(host: Bench) -> None:
    host.timeout_s = 5
    (refused,) = (await host.plan("stack.remove", stacks=["web"])).refused
    assert "may take 5 s to stop, longer than the step's timeout" in refused


async def test_a_stack_is_removed_and_nothing_leaks(host: Bench) -> None:
    assert not is_yes(await host.probe("stack.remove", stacks=["web"]))
    outputs = await host.act("stack.remove", stacks=["web"])
    removed = outputs["removed"]
    assert isinstance(removed, list)
    # Services go at the same time, the network when nothing of them runs.
    assert sorted(map(str, removed[:2])) == ["service web_app", "service web_db"]
    assert (removed[2:], outputs["kept"]) == (["network web_internal"], [])
    assert names(host) == {"other_app"}
    check_pools(host.model)
    await host.act("checks.all", findings={"network": "proxy", "worst": "ok"})
    assert host.model.addresses_of("proxy", "leaked") == []
    assert "web: removed" in host.said
    # Each object was recorded before and after, and told to the journal in between.
    kinds = [(when, kind) for when, kind, _, _ in host.change_recorder.lines]
    assert sorted(kinds) == sorted(
        [("before", "service"), ("after", "service")] * 2 + [("before", "network"), ("after", "network")]
    )
    states = [each["name"] for each in host.change_recorder.states if each]
    assert (sorted(states[:2]), states[2:]) == (["web_app", "web_db"], ["web_internal"])
    found = await host.verify("stack.remove", outputs, stacks=["web"])
    assert is_yes(found)
    assert found.sentence == "web: nothing is left to remove."
    assert is_yes(await host.probe("stack.remove", stacks=["web"]))


async def test_again_it_finishes_what_is_left_and_then_finds_nothing_to_do(host: Bench) -> None:
    service_id = next(each.id for each in host.model.store.services.values() if each.name == "web_app")
    host.model.services.remove(service_id)
    outputs = await host.act("stack.remove", stacks=["web"])
    assert outputs["removed"] == ["service web_db", "network web_internal"]
    assert await host.act("stack.remove", stacks=["web"]) == {"removed": [], "kept": []}
    plan = await host.plan("stack.remove", stacks=["web", "webb"])
    assert plan.summary == "web, webb not found (already removed or misspelled)."


async def test_a_name_that_is_perhaps_mistyped_is_told_beside_the_others(host: Bench) -> None:
    plan = await host.plan("stack.remove", stacks=["web", "webb"])
    assert [each.sentence for each in plan.checked] == ["webb not found (already removed or misspelled)."]


async def test_what_is_not_done_in_time_is_a_failure_that_names_it(host: Bench) -> None:
    host.timeout_s = 2
    with pytest.raises(StepFailed, match=r"web is unfinished\. It is still waiting for .*web_"):
        await host.act("stack.remove", stacks=["web"])
    host.timeout_s = 60
    assert (await host.act("stack.remove", stacks=["web"]))["removed"] == ["network web_internal"]


async def test_what_others_use_is_kept_and_is_no_failure(host: Bench) -> None:
    host.model.services.create(
        {
            "Name": "guest",
            "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}, "Networks": [{"Target": "web_internal"}]},
            "Mode": {"Replicated": {"Replicas": 1}},
        }
    )
    host.advance(10)
    outputs = await host.act("stack.remove", stacks=["web"])
    assert outputs["kept"] == ["network web_internal: service guest uses it"]
    assert is_yes(await host.verify("stack.remove", outputs, stacks=["web"]))


async def test_nothing_is_changed_by_whoever_may_only_read(host: Bench) -> None:
    host.is_read_only = True
    with pytest.raises(NotAllowed):
        await host.act("stack.remove", stacks=["web"])
    assert names(host) == {"web_app", "web_db", "other_app"}


async def test_an_engine_that_does_not_answer_leaves_it_open(host: Bench) -> None:
    host.running.break_call("*", "status:500")
    assert (await host.probe("stack.remove", stacks=["web"])).answer is Answer.CANNOT_TELL
