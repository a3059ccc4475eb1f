"""When services are stopped and come back while their network is recreated, on a simulated swarm."""

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

import pytest

from console.operations.network_recreation.job import PARK, POLL_S
from tests.support.change_records import ChangeRecordList
from tests.support.recreation import Stage, stage

PATIENCE_S = 20


async def test_services_start_one_after_the_other_and_containers_wait_for_none_of_them() -> None:
    with stage() as on:
        on.interval_s = 0.75
        began_s: dict[str, float] = {}
        containers, all_connect = {"shell", "stopped"}, asyncio.Event()

        class Timed(ChangeRecordList):
            async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
                if what in ("restore", "connect"):
                    began_s[str(state["name"])] = on.time.monotonic()
                if containers <= began_s.keys():
                    all_connect.set()
                if what == "restore" and state["name"] == "everywhere":
                    # The second service waits for the containers: were it the other way round as well, nobody would go on.
                    async with asyncio.timeout(PATIENCE_S):
                        await all_connect.wait()
                return await super().before(kind, object_id, what, state)

        on.change_records = Timed()
        result = await on.forward()

        assert result.sentences == ()
        names = ("traefik_app", "everywhere", "dns_app", "plain_app", "shop_app", "slow_app", "idle_app")
        after_s = [began_s[name] - began_s["traefik_app"] for name in names]
        # Two tasks, one on this node, two, two, two, two, none.
        assert after_s == pytest.approx([0, 1.5, 2.25, 3.75, 5.25, 6.75, 8.25])


async def test_services_are_stopped_as_late_as_their_grace_allows() -> None:
    with stage() as on:
        parked_s: dict[str, float] = {}

        class Timed(ChangeRecordList):
            async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
                if what == "park":
                    parked_s[str(state["name"])] = on.time.monotonic()
                return await super().before(kind, object_id, what, state)

        set_grace(on, {"slow_app": 10.0, "shop_app": 6.0, "plain_app": 1.0})
        on.change_records = Timed()
        plan = await on.plan()
        result = await on.forward()

        assert result.sentences == ()
        began_s = parked_s["slow_app"]
        after_s = {name: moment_s - began_s for name, moment_s in parked_s.items()}
        for stop in plan.stops:
            name = stop.service.name
            assert stop.after_s <= after_s[name] <= stop.after_s + 2 * POLL_S, name
        assert max(after_s.values()) == after_s["traefik_app"] > 0


async def test_once_all_that_were_stopped_have_ended_the_rest_is_stopped_at_once() -> None:
    with stage() as on:
        # Its tasks were made with 2 s of grace: they end long before the 60 s of its specification.
        set_grace(on, {"slow_app": 60.0}, of_tasks=False)
        began_s = on.time.monotonic()

        result = await on.forward()

        assert result.sentences == ()
        assert on.time.monotonic() - began_s < 30.0


async def test_services_that_run_on_are_neither_waited_for_nor_down_until_they_are_stopped() -> None:
    with stage() as on:
        set_grace(on, {"slow_app": 10.0})

        result = await on.forward()

        assert result.sentences == ()
        first = next(names for names in on.waits if names)
        assert len(first) == 2
        assert all("slow_app" in name for name in first)
        # They are parked only once the last one is, and who is down is told as it happens.
        down = [(report.phase, set(report.down)) for report in on.outage_reports if report.down]
        assert down[0] == (PARK, {"slow_app"})
        assert {"traefik_app", "shop_app", "everywhere"} <= set.union(*(names for _, names in down[1:]))


async def test_that_a_service_is_taken_off_the_network_does_not_begin_the_wait_for_another_node_again() -> (
    None
):
    with stage(others=[("ci-host-2", "worker")]) as on:
        # Their tasks end after 2 s. If the engine had forgotten them, they would be waited for as long as this.
        names = [str(service.spec["Name"]) for service in on.model.store.services.values()]
        set_grace(on, dict.fromkeys(names, 60.0), of_tasks=False)
        began_s = on.time.monotonic()

        result = await on.forward()

        assert result.sentences == ()
        assert on.time.monotonic() - began_s < 30.0


def set_grace(on: Stage, graces_s: Mapping[str, float], *, of_tasks: bool = True) -> None:
    """Change the stop grace of services, and of the tasks that they have."""
    for name, grace_s in graces_s.items():
        service = on.model.store.find_service(name)
        tasks = on.model.store.tasks_of(service.id)
        for task in tasks:
            task.spec = copy.deepcopy(task.spec)
        for spec in (service.spec["TaskTemplate"], *(task.spec for task in tasks if of_tasks)):
            spec["ContainerSpec"]["StopGracePeriod"] = int(grace_s * 1e9)
