"""What is removed when, and what never is, by nothing but what one snapshot shows."""

import pytest

from console.errors import UsageError
from console.operations.stack_removal.plan import MARGIN_S, RemovalPlan, RetainedObject, plan_removal
from console.operations.stack_removal.steps import MARGIN_S as HIDDEN_MARGIN_S
from console.operations.stack_removal.steps import (
    HiddenTasks,
    LeakComparison,
    LeakCount,
    LeakVerdict,
    RemovalStep,
    networks_to_watch,
    next_step,
)
from console.swarm.model import ObjectKind
from console.swarm.snapshots import StackSnapshot
from tests.support.stacks import THERE, container, item, service, stack_snapshot, standalone, task
from tests.support.swarms import ago

PROXY = item(ObjectKind.NETWORK, "proxy", "")
OWN = item(ObjectKind.NETWORK, "web_internal")
KEY, PLAIN = item(ObjectKind.SECRET, "web_key"), item(ObjectKind.CONFIG, "web_conf")
APP = service("web_app", PROXY, OWN, KEY, PLAIN)
APP_OBJECT = item(ObjectKind.SERVICE, "web_app")
WHOLE = stack_snapshot(
    services=[APP],
    objects=[PLAIN, KEY, OWN, PROXY],
    tasks=[task("web_app", PROXY, OWN)],
    containers=[container("web_app", PROXY, OWN)],
)
OBJECTS = (PLAIN, KEY, OWN, PROXY)
BARE = stack_snapshot(objects=OBJECTS)


def step(
    seen: StackSnapshot, *removed: str, plan: RemovalPlan | None = None, hidden: dict[str, str] | None = None
) -> RemovalStep:
    whole = plan or plan_removal(["web"], WHOLE)
    going = {each.id for stack in whole.stacks for each in stack.of(ObjectKind.SERVICE)}
    return next_step(whole.stacks[0], going, seen, removed, hidden or {})


def test_a_plan_names_everything_in_the_order_of_its_removal() -> None:
    plan = plan_removal(["web", "web"], WHOLE)
    (stack,) = plan.stacks
    assert stack.objects == (APP_OBJECT, OWN, KEY, PLAIN)
    assert (stack.live_tasks, stack.grace_s, stack.retained_objects) == (1, 10, ())
    assert plan.limit_s == 10 + MARGIN_S
    assert networks_to_watch(plan, WHOLE) == (PROXY,)


def test_the_limit_follows_the_longest_stop_grace_also_of_tasks_whose_service_is_gone() -> None:
    seen = stack_snapshot(
        services=[APP, service("other_app", stack="other", grace_s=30)],
        tasks=[task("web_old", desired="remove", grace_s=120)],
    )
    assert plan_removal(["web", "other"], seen).limit_s == 120 + MARGIN_S
    assert plan_removal(["other"], seen).limit_s == 30 + MARGIN_S
    assert plan_removal(["web"], seen, 7).limit_s == 7


def test_a_stack_that_left_nothing_is_no_stack_and_those_with_near_names_are_told() -> None:
    with pytest.raises(UsageError) as refused:
        plan_removal(["wbe"], WHOLE)
    assert refused.value.sentence == "Stack wbe not found, so nothing was changed."
    assert "Did you mean web?" in refused.value.hint
    with pytest.raises(UsageError, match="Stacks x, y not found"):
        plan_removal(["x", "y"], WHOLE)
    both = plan_removal(["wbe", "web"], WHOLE)
    assert ([each.name for each in both.stacks], both.absent) == (["web"], ("wbe",))
    assert plan_removal(["web"], BARE).stacks[0].objects == (OWN, KEY, PLAIN)
    ending = stack_snapshot(tasks=[task("web_app", desired="remove")])
    assert plan_removal(["web"], ending).stacks[0].live_tasks == 1


def test_services_go_first_then_nothing_until_all_has_ended_then_the_rest_in_order() -> None:
    assert step(WHOLE).remove == (APP_OBJECT,)
    ending = stack_snapshot(objects=OBJECTS, tasks=[task("web_app", PROXY, OWN, desired="remove")])
    assert step(ending) == RemovalStep(waits_for=("web_app.1 (running on ci-host)",))
    assert step(BARE).remove == (OWN,)
    assert step(stack_snapshot(objects=[PLAIN, KEY, PROXY]), OWN.id).remove == (KEY,)
    assert step(stack_snapshot(objects=[PLAIN, PROXY]), OWN.id, KEY.id).remove == (PLAIN,)
    assert step(stack_snapshot(objects=[PROXY])) == RemovalStep(is_drained=True)
    assert step(stack_snapshot(objects=[PROXY])).is_last


@pytest.mark.parametrize("state", ["new", "pending", "assigned", "preparing", "ready", "starting", "running"])
def test_a_task_in_any_state_before_its_end_holds_the_networks_back(state: str) -> None:
    alive = stack_snapshot(objects=OBJECTS, tasks=[task("web_app", OWN, state=state, desired="remove")])
    assert not step(alive).remove
    assert step(alive).waits_for


def test_a_task_is_of_the_stack_by_its_label_when_nobody_knows_its_service_any_more() -> None:
    plan = plan_removal(["web"], BARE)
    forgotten = stack_snapshot(objects=OBJECTS, tasks=[task("web_unknown", PROXY)])
    assert step(forgotten, plan=plan) == RemovalStep(waits_for=("task task-web_unk (running on ci-host)",))


def test_no_task_listed_is_not_no_container_running() -> None:
    running_on = stack_snapshot(objects=OBJECTS, containers=[container("web_app", PROXY, OWN)])
    assert step(running_on) == RemovalStep(waits_for=("container web_app.1.task-web_app-1",))
    unlabelled = stack_snapshot(objects=OBJECTS, containers=[container("web_app", stack="")])
    assert not step(unlabelled).remove


def test_finished_tasks_and_other_stacks_hold_nothing_back() -> None:
    seen = stack_snapshot(
        objects=OBJECTS,
        services=[service("other_app", PROXY, stack="other")],
        tasks=[task("web_app", OWN, state="shutdown"), task("other_app", PROXY, stack="other")],
        containers=[container("other_app", PROXY, stack="other"), standalone("by-hand", PROXY)],
    )
    assert step(seen).remove == (OWN,)


def test_what_a_service_outside_uses_is_kept_and_named_and_the_rest_goes_on() -> None:
    other = service("other_app", OWN, KEY, stack="other")
    seen = stack_snapshot(objects=OBJECTS, services=[other], tasks=[task("other_app", OWN, stack="other")])
    said = step(seen)
    assert said.remove == (PLAIN,)
    assert said.retained_objects == (
        RetainedObject(OWN, "service other_app uses it"),
        RetainedObject(KEY, "service other_app uses it"),
    )
    assert (
        plan_removal(["web"], stack_snapshot(services=[APP, other], objects=OBJECTS))
        .stacks[0]
        .retained_objects
        == said.retained_objects
    )


def test_a_container_attached_by_hand_keeps_a_network_wherever_it_runs() -> None:
    here = stack_snapshot(
        objects=[OWN], tasks=[task("", OWN, attached="shell")], containers=[standalone("shell", OWN)]
    )
    assert step(here).retained_objects == (RetainedObject(OWN, "container shell uses it"),)
    there = stack_snapshot(objects=[OWN], tasks=[task("", OWN, attached="shell", node=THERE)])
    assert step(there).retained_objects == (
        RetainedObject(OWN, "container container-sh on other-host, which is down uses it"),
    )
    assert step(here).is_last


def test_a_network_waits_for_the_dying_task_of_anybody() -> None:
    """The engine would remove it: then that task's other addresses would be lost."""
    dying = task("gone_app", OWN, PROXY, stack="gone", desired="remove")
    seen = stack_snapshot(objects=OBJECTS, tasks=[dying])
    assert step(seen) == RemovalStep(waits_for=("task task-gone_ap (running on ci-host)",), is_drained=True)
    container_only = stack_snapshot(objects=OBJECTS, containers=[container("gone_app", OWN, stack="gone")])
    assert not step(container_only).remove


def test_stacks_that_are_removed_together_do_not_keep_each_others_networks() -> None:
    other = service("other_app", OWN, stack="other")
    both = stack_snapshot(services=[APP, other], objects=OBJECTS)
    plan = plan_removal(["web", "other"], both)
    assert plan.stacks[0].retained_objects == ()
    still = stack_snapshot(objects=OBJECTS, services=[other], tasks=[task("other_app", OWN, stack="other")])
    assert step(still, plan=plan).waits_for == ("other_app.1 (running on ci-host)",)
    assert not step(still, plan=plan).retained_objects


def test_a_service_that_came_after_the_plan_is_left_alone_and_keeps_what_it_uses() -> None:
    again = service("web_again", OWN, PROXY)
    seen = stack_snapshot(
        objects=[OWN, PROXY],
        services=[again],
        tasks=[task("web_again", OWN, PROXY)],
        containers=[container("web_again", OWN, PROXY)],
    )
    assert step(seen) == RemovalStep(
        retained_objects=(RetainedObject(OWN, "service web_again uses it"),), is_drained=True
    )


def test_tasks_of_other_nodes_that_vanish_under_their_service_are_waited_for() -> None:
    hidden = HiddenTasks(plan_removal(["web"], WHOLE).stacks[0])
    far = task("web_app", node=THERE, grace_s=7)
    assert not hidden.after(stack_snapshot(services=[APP], tasks=[far]), 0)
    names = hidden.after(stack_snapshot(services=[APP]), 1)
    assert list(names.values()) == ["web_app.1 (no longer listed)"]
    assert step(BARE, hidden=dict(names)) == RemovalStep(waits_for=tuple(names.values()))
    assert hidden.after(stack_snapshot(), 1 + 7 + HIDDEN_MARGIN_S - 0.1)
    assert not hidden.after(stack_snapshot(), 1 + 7 + HIDDEN_MARGIN_S)


def test_tasks_that_go_with_their_service_or_ran_on_this_node_need_no_such_wait() -> None:
    hidden = HiddenTasks(plan_removal(["web"], WHOLE).stacks[0])
    here, far = task("web_app"), task("web_app", slot=2, node=THERE)
    unplaced = task("web_app", slot=3, node="", state="pending")
    hidden.after(stack_snapshot(services=[APP], tasks=[here, far, unplaced]), 0)
    assert not hidden.after(stack_snapshot(services=[APP], tasks=[far]), 1)
    assert not hidden.after(stack_snapshot(), 2)


def test_a_service_that_was_updated_a_moment_ago_may_stop_tasks_elsewhere() -> None:
    plan = plan_removal(["web"], WHOLE).stacks[0]
    parked = service("web_app", grace_s=20, updated=ago(15))
    hidden = HiddenTasks(plan)
    assert list(hidden.after(stack_snapshot(services=[parked]), 100).values()) == [
        "web_app (updated 15 s ago, may still stop tasks on other nodes)"
    ]
    assert hidden.after(stack_snapshot(), 100 + 5 + HIDDEN_MARGIN_S - 0.1)
    assert not hidden.after(stack_snapshot(), 100 + 5 + HIDDEN_MARGIN_S)
    fresh = service("web_app", created=ago(4), updated=ago(2))
    old = service("web_app", updated=ago(10 + HIDDEN_MARGIN_S))
    for each in (fresh, old):
        assert not HiddenTasks(plan).after(stack_snapshot(services=[each]), 0)
    assert not HiddenTasks(plan).after(stack_snapshot(services=[parked], nodes=1), 0)


def counts(*leaked: int | None) -> tuple[LeakCount, ...]:
    return tuple(LeakCount("proxy", each, "" if each is not None else "why") for each in leaked)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (counts(12, 0), counts(12, 0), LeakVerdict.NO_LEAK),
        (counts(12), counts(13), LeakVerdict.LEAKED),
        (counts(12), counts(0), LeakVerdict.NO_LEAK),
        (counts(None, 1), counts(3, 2), LeakVerdict.LEAKED),
        (counts(None), counts(3), LeakVerdict.NOT_PROVEN),
        (counts(0), counts(None), LeakVerdict.NOT_PROVEN),
        ((), (), LeakVerdict.NO_LEAK),
    ],
)
def test_a_proof_claims_nothing_that_was_not_counted(
    before: tuple[LeakCount, ...], after: tuple[LeakCount, ...], verdict: LeakVerdict
) -> None:
    assert LeakComparison(before, after).verdict is verdict
