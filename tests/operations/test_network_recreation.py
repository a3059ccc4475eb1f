"""An overlay is recreated under everything that is on it, on a simulated swarm."""

import json
from functools import partial
from typing import Any

import pytest

from console.operations.network_recreation.job import RecreationRollback
from console.operations.network_recreation.way_back import SCRIPT
from console.swarm.parse import PARKED_LABEL
from tests.simulator.swarms import a_network, check_pools
from tests.support.recreation import NEW, OLD, facts, service, stage, subnet_of
from tests.support.recreation_store import RECORD


@pytest.mark.parametrize("api_version", ["1.41", "1.51", "1.52"])
async def test_everything_is_on_the_larger_network_as_before_and_back_again(api_version: str) -> None:
    with stage(api_version) as on:
        before = facts(on.model)

        there = await on.forward()

        assert (subnet_of(on.model), there.subnets, there.sentences) == (str(NEW), (NEW,), ())
        assert facts(on.model) == before
        back = await on.back()
        assert (subnet_of(on.model), back.subnets, back.sentences) == (str(OLD), (OLD,), ())
        assert facts(on.model) == before
        assert not any(
            on.model.addresses_of(each, "leaked") for each in ("proxy", "ingress", "shop_internal")
        )
        check_pools(on.model)


async def test_each_task_is_stopped_once_and_started_once() -> None:
    with stage() as on:
        before = {each.id for each in on.model.store.tasks.values()}

        await on.forward()

        after = [each for each in on.model.store.tasks.values() if each.id not in before]
        assert len([each for each in after if not each.is_attachment]) == 11
        assert all(each.state == "running" for each in after)


async def test_each_object_is_recorded_before_and_after_it_is_touched() -> None:
    with stage() as on:
        await on.forward()

        told = [each for each in on.change_records.entries() if each[0] != "service"]
        assert told == [
            ("network", "record"),
            ("container", "disconnect"),
            ("container", "disconnect"),
            ("network", "remove"),
            ("network", "create"),
            ("container", "connect"),
            ("container", "connect"),
        ]
        services = [each for each in on.change_records.entries() if each[0] == "service"]
        assert services == [
            ("service", each) for each in ("park", "detach", "restore", "reset") for _ in range(7)
        ]
        assert all(each.result is not None for each in on.change_records.changes)
        created = next(each for each in on.change_records.changes if each.what == "create")
        assert created.result == {"id": on.model.store.find_network("proxy").id}


async def test_the_reverse_proxy_is_the_last_down_and_the_first_up() -> None:
    with stage() as on:
        on.at_once = 1

        await on.forward()

        names = {
            what: [each.state["name"] for each in on.change_records.changes if each.what == what]
            for what in ("park", "restore")
        }
        rest = ["everywhere", "dns_app", "plain_app", "shop_app", "slow_app", "idle_app"]
        assert names == {"park": [*rest, "traefik_app"], "restore": ["traefik_app", *rest]}


async def test_everything_is_kept_on_disk_before_the_first_change() -> None:
    with stage() as on:
        seen: list[Any] = []
        plan = await on.plan()
        assert plan.record is not None

        def snapshot(_: str) -> None:
            files = {each.name: each.stat().st_mode & 0o777 for each in on.folder.iterdir()}
            seen.append((files, list(on.changes)))

        on.told = Listening(snapshot)
        await on.forward()

        assert seen[0] == ({RECORD: 0o600, SCRIPT: 0o600}, [])


async def test_nothing_that_may_be_secret_is_kept_or_told() -> None:
    with stage() as on:
        result = await on.forward()

        files = "".join(each.read_text() for each in on.folder.iterdir())
        for text in (files, str(on.told), str(on.changes), str(result)):
            assert "hunter2" not in text
        # The durable record of a touch is another matter: it never leaves the store.
        labels = [each.state for each in on.change_records.changes if each.what == "restore"]
        assert "hunter2" not in str(labels)


async def test_a_rollback_afterwards_changes_nothing() -> None:
    with stage() as on:
        result = await on.forward()
        before = facts(on.model)

        assert result.rolls_back_to_parked == ()
        for each in list(on.model.store.services.values()):
            on.model.services.roll_back(each.id, each.index)
        on.model.advance(30)
        assert facts(on.model) == before


async def test_services_that_a_rollback_would_park_are_listed_where_that_is_left_so() -> None:
    with stage() as on:
        recreation = await on.recreation()
        recreation.resets_rollback = False

        result = await recreation.forward()

        names = {each.name for each in on.model.store.services.values()}
        assert set(result.rolls_back_to_parked) == names
        seen = await on.reader.snapshot()
        assert {each.name for each in seen.services if each.rolls_back_to_parked} == names


async def test_the_outage_of_each_service_is_told_beside_what_it_takes_at_least() -> None:
    with stage() as on:
        result = await on.forward()

        names = {"everywhere", "traefik_app", "shop_app", "plain_app", "dns_app", "slow_app"}
        assert {each.name for each in result.outages} == names
        for each in result.outages:
            assert each.floor_s is not None
            # Two seconds of grace and two of gossip, and what starting takes; some looks besides.
            assert 4.0 <= each.floor_s <= each.total_s <= each.floor_s + 2.0
        assert result.whole is not None
        assert result.whole[1] <= result.whole[0] <= result.whole[1] + 2.0


async def test_what_somebody_else_changes_meanwhile_is_kept() -> None:
    with stage() as on:
        model = on.model

        def meanwhile() -> None:
            app = model.store.find_service("plain_app")
            spec = json.loads(json.dumps(app.spec))
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = "busybox:2"
            spec["Labels"]["by"] = "somebody"
            model.services.update(app.id, app.index, spec)

        on.time.meanwhile.append((2.0, meanwhile))
        before = facts(model)

        result = await on.forward()

        after = facts(model)
        assert result.sentences == ()
        app = after["specs"].pop("plain_app")
        before["specs"].pop("plain_app")
        assert after == before
        assert (app["TaskTemplate"]["ContainerSpec"]["Image"], app["Labels"]["by"]) == (
            "busybox:2",
            "somebody",
        )
        assert PARKED_LABEL not in app["Labels"]


async def test_a_deploy_of_one_stack_in_the_middle_is_parked_too() -> None:
    with stage() as on:
        model = on.model
        proxy = model.store.find_network("proxy").id
        on.time.meanwhile.append((1.0, lambda: model.services.create(service("new_app", proxy))))

        result = await on.forward()

        assert (result.newcomers, result.sentences) == (("new_app",), ())
        assert facts(model)["running"]["new_app"] == 2


async def test_after_a_second_newcomer_everything_is_brought_back() -> None:
    with stage() as on:
        model = on.model
        proxy = model.store.find_network("proxy").id
        before = facts(model)
        for number in (1, 2):
            spec = service(f"new{number}_app", proxy)
            on.time.meanwhile.append((number * 1.0, partial(model.services.create, spec)))

        with pytest.raises(
            RecreationRollback, match=r"More services keep joining proxy: new1_app, new2_app.*on it again"
        ):
            await on.forward()

        model.advance(30)
        after = facts(model)
        assert (subnet_of(model), model.store.find_network("proxy").id) == (str(OLD), proxy)
        assert after["running"] == {**before["running"], "new1_app": 2, "new2_app": 2}
        assert {each: after["specs"][each] for each in before["specs"]} == before["specs"]
        assert after["containers"] == before["containers"]
        seen = (await on.reader.snapshot()).services
        assert not any(each.rolls_back_to_parked for each in seen)


async def test_where_tasks_do_not_end_in_time_everything_is_brought_back() -> None:
    with stage() as on:
        stop = on.model.agent.stop

        def never(task: Any, desired: str) -> None:
            if task.service_name != "plain_app":
                stop(task, desired)

        on.model.agent.stop = never  # type: ignore[method-assign]
        with pytest.raises(RecreationRollback, match="Timed out: container plain_app"):
            await on.forward()
        assert subnet_of(on.model) == str(OLD)


async def test_a_subnet_that_never_comes_ends_with_the_old_one() -> None:
    with stage() as on:
        before = facts(on.model)
        recreation = await on.recreation()
        # After the plan was made: before, it would be refused.
        a_network(on.model, "rival", "10.10.4.0/24")

        result = await recreation.forward()

        assert (subnet_of(on.model), result.subnets) == (str(OLD), (OLD,))
        assert result.sentences == (f"proxy has {OLD} instead of {NEW}.",)
        assert facts(on.model)["running"] == before["running"]
        assert [each for each in on.change_records.entries() if each[0] == "network"] == [
            ("network", each) for each in ("record", "remove", "create", "discard", "create")
        ]


async def test_where_the_old_subnet_is_taken_too_any_free_one_ends_the_outage() -> None:
    with stage() as on:
        before = facts(on.model)
        model = on.model
        recreation = await on.recreation()

        def rivals(line: str) -> None:
            if line.startswith("creating") and "rival1" not in {
                each.name for each in model.store.networks.values()
            }:
                a_network(model, "rival1", "10.10.4.0/24")
                a_network(model, "rival2", str(OLD))

        on.told = Listening(rivals)
        result = await recreation.forward()

        assert result.subnets[0] not in (OLD, NEW)
        assert result.subnets[0].prefixlen == 24
        assert facts(model)["running"] == {**before["running"]}


class Listening(list[str]):
    """A list that tells what is put into it."""

    def __init__(self, tell: Any) -> None:
        super().__init__()
        self._tell = tell

    def append(self, line: str) -> None:
        super().append(line)
        self._tell(line)


async def test_a_network_that_somebody_else_makes_meanwhile_is_replaced_while_nothing_is_on_it() -> None:
    with stage() as on:
        before = facts(on.model)
        model = on.model

        def unit(line: str) -> None:
            if line.startswith("creating") and not any(
                each.name == "proxy" for each in model.store.networks.values()
            ):
                a_network(model, "proxy", "10.0.9.0/24")

        on.told = Listening(unit)
        result = await on.forward()

        assert (result.subnets, subnet_of(model)) == ((NEW,), str(NEW))
        assert facts(model) == before


async def test_a_service_that_is_removed_meanwhile_is_named_and_the_others_come_back() -> None:
    with stage() as on:
        on.time.meanwhile.append((1.0, lambda: on.model.services.remove("plain_app")))
        before = facts(on.model)

        result = await on.forward()

        assert result.sentences == ("plain_app was removed in the meantime.",)
        before["running"].pop("plain_app")
        assert facts(on.model)["running"] == before["running"]


async def test_an_old_service_is_moved_into_its_task_template_and_comes_back() -> None:
    with stage() as on:
        proxy = on.model.store.find_network("proxy").id
        spec = service("old_app", proxy)
        spec["Networks"] = spec["TaskTemplate"].pop("Networks")
        on.model.services.create(spec)
        on.model.advance(20)

        result = await on.forward()

        assert result.sentences == ()
        assert facts(on.model)["running"]["old_app"] == 2
