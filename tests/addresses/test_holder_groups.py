from dataclasses import replace
from datetime import datetime

import pytest

from console.addresses.accounting import account
from console.addresses.holder_groups import GroupKind, HolderGroup, group_holders, largest_text
from console.durations import NO_TIME
from console.errors import Unknown
from console.swarm.model import Service, SwarmState, Task
from tests.support.swarms import LONG_AGO, NOW, ago, network, service, swarm, task

PROXY, OTHER = "id-proxy", "id-other"


def groups_of(state: SwarmState) -> tuple[HolderGroup, ...]:
    (proxy,) = [each for each in account(state) if each.network.name == "proxy"]
    groups = group_holders(proxy, state)
    assert not isinstance(groups, Unknown)
    return groups


def group_named(name: str, state: SwarmState) -> HolderGroup:
    (group,) = [each for each in groups_of(state) if each.name == name]
    return group


def proxy_with(services: list[Service], tasks: list[Task]) -> SwarmState:
    proxy = network("proxy", "10.0.1.0/24", load_balancer="10.0.1.250", peers=1)
    return swarm([proxy, network("other", "10.0.2.0/24")], services, tasks)


def plain(name: str, host: int, **more: object) -> Service:
    """A service with a VIP on proxy, of the stack before the `_` in its name."""
    return replace(service(name, (PROXY, f"10.0.1.{host}")), **more)  # type: ignore[arg-type]


def test_addresses_are_those_of_the_network_and_all_else_is_of_the_whole_stack() -> None:
    state = proxy_with(
        [
            plain("shop_web", 2, replicas=2, created=ago(900), updated=ago(300)),
            replace(service("shop_db", (OTHER, "10.0.2.2")), created=ago(1000), updated=ago(500)),
        ],
        [
            task("shop_web", (PROXY, "10.0.1.3")),
            task("shop_web", (PROXY, "10.0.1.4"), slot=2, state="starting"),
            task("shop_db", (OTHER, "10.0.2.3")),
        ],
    )
    (shop,) = groups_of(state)
    assert (shop.kind, shop.label, shop.command) == (GroupKind.STACK, "shop", "vipconsole stack-rm shop")
    assert (shop.addresses, shop.vips, shop.tasks, shop.containers) == (3, 1, 2, 0)
    assert (shop.services, shop.running, shop.wanted) == (2, 2, 3)
    assert (shop.created, shop.updated) == (ago(1000), ago(300))


def test_what_has_no_stack_is_a_group_of_its_own_and_named_as_what_it_is() -> None:
    hand_made = replace(task("", (PROXY, "10.0.1.7"), container="c" * 64), created=ago(60))
    gone = replace(task("gone", (PROXY, "10.0.1.8"), state="running"), created=ago(90))
    removed_stack = replace(task("old_app", (PROXY, "10.0.1.9")), stack="old")
    state = proxy_with([plain("registry", 5, stack="")], [hand_made, gone, removed_stack])
    found = {group.label: group for group in groups_of(state)}
    assert set(found) == {
        "service registry",
        "container cccccccccccc on ci-host",
        "task task-gone-1-",
        "old",
    }
    assert found["service registry"].command == "docker service rm registry"
    container = found["container cccccccccccc on ci-host"]
    assert (container.containers, container.running, container.wanted, container.command) == (1, 1, 1, "")
    assert (container.created, container.updated) == (ago(60), ago(60))
    task_left = found["task task-gone-1-"]
    assert (task_left.kind, task_left.wanted, task_left.created) == (GroupKind.TASK, None, ago(90))
    # Its services are gone: how many it wants and how old it is, nobody tells.
    old = found["old"]
    assert (old.running, old.wanted, old.created, old.updated) == (1, None, None, None)


def test_what_runs_nothing_comes_first_then_most_addresses_then_longest_without_an_update() -> None:
    state = proxy_with(
        [
            plain("small_app", 10, updated=ago(10)),
            plain("large_app", 20),
            plain("recent_app", 30, updated=ago(100)),
            plain("undated_app", 40, created=NO_TIME, updated=NO_TIME),
            plain("stale_app", 50, updated=ago(9000)),
            plain("idle_app", 60, replicas=0),
        ],
        [
            task("small_app"),
            task("large_app", (PROXY, "10.0.1.21")),
            task("recent_app"),
            task("undated_app"),
            task("stale_app"),
            task("idle_app", state="shutdown"),
        ],
    )
    names = [group.name for group in groups_of(state)]
    assert names == ["idle", "large", "stale", "recent", "small", "undated"]
    assert group_named("idle", state).wanted == 0


@pytest.mark.parametrize(("created", "updated"), [(NO_TIME, NOW), (LONG_AGO, NO_TIME), (NO_TIME, NO_TIME)])
def test_an_age_that_one_service_does_not_tell_is_unknown(created: datetime, updated: datetime) -> None:
    state = proxy_with([plain("shop_a", 2), plain("shop_b", 3, created=created, updated=updated)], [])
    shop = group_named("shop", state)
    assert (shop.created is None) == (created is NO_TIME)
    # It was updated at least when it was created.
    assert (shop.updated is None) == (created is updated is NO_TIME)


def test_a_global_service_wants_a_task_on_each_node_and_a_job_does_not_tell() -> None:
    agent = plain("mon_agent", 2, replicas=None, mode="global")
    job = plain("job_once", 5, replicas=None, mode="replicated-job")
    tasks = [task("mon_agent", slot=0), task("mon_agent", slot=0, state="pending"), task("job_once")]
    state = proxy_with([agent, job], tasks)
    assert (group_named("mon", state).running, group_named("mon", state).wanted) == (1, 2)
    assert group_named("job", state).wanted is None


def test_a_stack_whose_addresses_are_elsewhere_frees_none_and_is_left_out() -> None:
    state = proxy_with([replace(service("shop_db", (OTHER, "10.0.2.2")), network_ids=(OTHER, PROXY))], [])
    assert groups_of(state) == ()


@pytest.mark.parametrize("part", ["services", "tasks"])
def test_without_services_or_tasks_the_groups_are_unknown(part: str) -> None:
    state = replace(proxy_with([], []), **{part: Unknown("It did not answer.")})
    groups = group_holders(account(state)[1], state)
    assert groups == Unknown("It did not answer.")
    assert largest_text(groups) == ""


def test_a_sentence_names_the_three_with_the_most_addresses() -> None:
    services = [
        plain(f"{name}_{number}", host + number)
        for name, host, count in (("blog", 10, 2), ("shop", 20, 4), ("wiki", 30, 2), ("mail", 40, 1))
        for number in range(count)
    ]
    state = proxy_with([*services, plain("registry", 50, stack="")], [task("mail_0")])
    assert largest_text(groups_of(state)) == "shop (4), blog (2), wiki (2)"


@pytest.mark.parametrize(
    ("name", "command"), [("a b", "vipconsole stack-rm 'a b'"), ("-x", "vipconsole stack-rm -- -x")]
)
def test_a_command_is_safe_to_paste(name: str, command: str) -> None:
    assert group_named(name, proxy_with([plain("s_1", 2, stack=name)], [])).command == command
