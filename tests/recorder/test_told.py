"""What a recorder kept with no console open, as `vipconsole history` tells it afterwards."""

from functools import partial
from pathlib import Path

from console.recorder.values import EventKind
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.stacks import Part, deploy, remove_at_once
from tests.recorder.stage import stage
from tests.support.program import vipconsole

NARROW = {"COLUMNS": "120", "LINES": "60"}


def a_swarm() -> SimulatedEngine:
    engine = SimulatedEngine(EngineInfo("1.41"))
    config = {"Driver": "default", "Config": [{"Subnet": "10.0.1.0/24"}]}
    engine.networks.create({"Name": "proxy", "Driver": "overlay", "Attachable": True, "IPAM": config})
    deploy(engine, "traefik", (Part("app", ("proxy",), is_internal=False),))
    engine.advance(60)
    return engine


async def test_each_leak_and_its_stack_are_named_with_the_removal_before(tmp_path: Path) -> None:
    async with stage(a_swarm(), tmp_path) as shown:
        shown.start()
        await shown.let(10)
        for name, replicas in (("ghost", 3), ("wiki", 5)):
            parts = (Part("app", ("proxy",), replicas=replicas), Part("db"))
            stack = shown.do(partial(deploy, stack=name, parts=parts))
            await shown.let(120, step_s=0.5)
            await shown.heard(partial(remove_at_once, stack=stack))
            await shown.let(300, step_s=0.5)
        await shown.stop()
        leaks = [event for event in shown.events() if event.kind is EventKind.LEAK]
        arguments = ("--host", shown.simulated.host)
        events = vipconsole("history", "--events", "proxy", *arguments, home=tmp_path, environment=NARROW)
        document = vipconsole("history", "--events", "--json", *arguments, home=tmp_path).json
        use = vipconsole("history", "proxy", *arguments, home=tmp_path, environment=NARROW)
        (proxy,) = vipconsole("history", "proxy", "--json", *arguments, home=tmp_path).json["networks"]
    assert len(leaks) > 2
    for name in ("ghost", "wiki"):
        assert f"of stack {name} were removed." in events.out
        count = sum(leak.stack == name for leak in leaks)
        assert " ".join(events.out.split()).count(f"on proxy, after stack {name} was removed.") == count
    assert [stack["stack"] for stack in proxy["leaking_stacks"]] == ["wiki", "ghost"]
    assert sum(stack["addresses"] for stack in proxy["leaking_stacks"]) == len(leaks)
    assert {stack["times"] for stack in proxy["leaking_stacks"]} == {1}
    assert "stack wiki" in use.out
    assert "its removal" in use.out
    told = [event for event in document["events"] if event["kind"] == "leak"]
    assert {event["after"] for event in told} == {"stack ghost was removed", "stack wiki was removed"}
