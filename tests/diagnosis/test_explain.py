"""Which cause is told for a service, how sure it is, and what is said beside it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from console.causes.addresses import MISSING_ATTACHMENT
from console.diagnosis.why.evidence import ServiceStatus, last_lines, lines_of
from console.diagnosis.why.explain import EXPLAINERS, ServiceExplanation, explain
from console.diagnosis.why.networks import ADDRESS_IN_USE
from console.errors import Unknown, UsageError
from console.journal.signatures import Confidence
from console.journal.values import Batch
from console.settings import Thresholds
from console.swarm.model import Service, SwarmState, Task
from tests.journal.lines import START_LINE, entry, line
from tests.support.swarms import HERE, ago, network, service, snapshot, swarm
from tests.support.why import (
    APP,
    NO_VIP,
    OBJECT,
    PROXY,
    ROOMY,
    SMALL,
    UNHEALTHY,
    WAITING,
    app,
    ask,
    crowd,
    event,
    failures,
    one,
    value,
    why,
)


def test_without_a_virtual_ip_on_a_full_network_it_is_certain() -> None:
    told = why([app(has_vip=False), *crowd()], [WAITING], [SMALL])
    assert (told.cause, told.certainty, told.standing) == (
        "no-vip",
        Confidence.CERTAIN,
        ServiceStatus.BLOCKED,
    )
    assert told.is_address_problem
    assert told.verdict == "no free address for its virtual IP on proxy"
    assert "All 5 addresses of proxy are taken." in told.meaning
    assert "Do not redeploy" in told.advice
    assert told.advice.endswith(
        "Most addresses: crowd0 (1), crowd1 (1), crowd2 (1). `vipconsole glance proxy --holders` lists all."
    )
    assert value(told, "accounted") == "5 of 5"
    assert value(told, "held by") == "crowd0 1, crowd1 1, crowd2 1, and 2 others 2"
    assert value(told, "Status.State") == "new for 5 min"


def test_a_virtual_ip_and_no_task_address_is_told_apart() -> None:
    own = replace(app(), virtual_ips=service(APP, (PROXY, "10.0.1.6")).virtual_ips)
    told = why([own, *crowd(4)], [WAITING], [SMALL])
    assert (told.cause, told.certainty) == ("no-task-address", Confidence.CERTAIN)


def test_a_task_that_has_only_just_begun_does_not_make_a_full_network_the_cause() -> None:
    own = replace(app(), virtual_ips=service(APP, (PROXY, "10.0.1.6")).virtual_ips)
    told = why([own, *crowd(4)], [replace(WAITING, since=ago(1))], [SMALL])
    assert (told.cause, told.standing) == ("not-converged", ServiceStatus.CONVERGING)


def test_where_leaks_are_unknown_a_long_wait_is_likely_exhaustion_and_a_short_one_is_nothing() -> None:
    told = why([app(has_vip=False)], [WAITING])
    assert (told.cause, told.certainty) == ("no-vip", Confidence.LIKELY)
    assert value(told, "leaked").startswith("unknown: This engine does not report")
    assert value(told, "free") == "at most 253"
    young = why([app(has_vip=False, updated=ago(10))], [replace(WAITING, since=ago(10))])
    assert (young.cause, young.standing) == ("not-converged", ServiceStatus.CONVERGING)


def test_where_the_engine_counts_and_there_is_room_the_network_is_not_blamed() -> None:
    roomy = network("proxy", "10.0.1.0/24", use={"10.0.1.0/24": (3, 253)})
    told = why([app(has_vip=False)], [WAITING], [roomy], api=(1, 52))
    assert (told.cause, told.certainty) == ("pending-allocations", Confidence.POSSIBLE)
    assert told.is_address_problem is None


def test_what_dockerd_logged_makes_it_certain_and_is_shown() -> None:
    said = event(f"Failed allocation for service {OBJECT}", NO_VIP)
    own = app(has_vip=False, id=OBJECT)
    told = why([own], [], lines={OBJECT: said})
    assert (told.cause, told.certainty) == ("no-vip", Confidence.CERTAIN)
    assert NO_VIP in told.evidence[-1].value
    assert told.evidence[-1].subject == "dockerd"
    before = replace(said, at=ago(10**8))
    assert why([own], [], lines={OBJECT: before}).certainty is Confidence.LIKELY


def test_the_line_of_another_service_is_nobodys_evidence() -> None:
    said = event(f"Failed allocation for service {OBJECT}", NO_VIP)
    assert why([app()], [one()], lines={OBJECT: said}).cause == "well"
    told = why([app(has_vip=False, updated=ago(5))], [], lines={OBJECT: said})
    assert told.standing is ServiceStatus.CONVERGING


def test_lines_from_before_the_allocator_began_anew_count_no_more() -> None:
    message, error = f"Failed allocation for service {OBJECT}", NO_VIP
    failed, restarted = entry(line(message, error)), entry(START_LINE)
    assert set(lines_of(Batch((failed,)))) >= {OBJECT}
    assert not lines_of(Batch((failed, restarted)))
    assert set(lines_of(Batch((restarted, failed)))) >= {OBJECT}


def test_a_consequence_does_not_replace_the_line_of_its_cause() -> None:
    cause = event(f"Failed allocation for service {OBJECT}", NO_VIP)
    waits = event(
        "task allocation failure",
        f"service {OBJECT} to which task {'b' * 25} belongs has pending allocations",
    )
    assert last_lines([cause, waits])[OBJECT] is cause
    assert last_lines([cause, waits])["b" * 25] is waits


@pytest.mark.parametrize(
    ("tasks", "cause"),
    [
        ([one(state="rejected", error=MISSING_ATTACHMENT, desired_state="ready")], "node-without-address"),
        ([one(state="failed", error=ADDRESS_IN_USE, desired_state="ready")], "address-taken"),
    ],
)
def test_rejections_for_want_of_an_address_are_address_problems(tasks: list[Task], cause: str) -> None:
    told = why([app()], tasks)
    assert (told.cause, told.is_address_problem) == (cause, True)


@pytest.mark.parametrize("quoted", [MISSING_ATTACHMENT, ADDRESS_IN_USE, NO_VIP])
@pytest.mark.parametrize("around", ['exec: "{}": not found', "No such image: {}", "{} and more"])
def test_an_error_that_only_quotes_exhaustion_is_not_exhaustion(quoted: str, around: str) -> None:
    told = why([app()], failures(around.format(quoted), state="rejected", code=None))
    assert told.cause in ("rejected", "image-missing")
    assert told.is_address_problem is not True


@pytest.mark.parametrize(
    ("tasks", "cause", "words"),
    [
        ([one(state="pending", error="no suitable node (insufficient resources on 1 node)")],
         "no-suitable-node", "insufficient resources on 1 node"),
        (failures("No such image: lab/absent:1", state="rejected", code=None), "image-missing", "lab/absent:1"),
        (failures('invalid mount config for type "bind"', state="rejected", code=None), "rejected", "bind"),
        (failures(UNHEALTHY, code=137), "unhealthy", "3 times in 32 s"),
        (failures("task: non-zero exit (3)", code=3), "crash-loop", "exit code 3, 3 times in 32 s"),
        (failures("", state="complete", code=0), "crash-loop", "exit code 0"),
        (failures('starting container failed: exec: "x": not found', code=127), "cannot-start", "not found"),
    ],
)  # fmt: skip
def test_what_is_not_about_addresses_says_so(tasks: list[Task], cause: str, words: str) -> None:
    told = why([app()], tasks)
    assert (told.cause, told.standing, told.certainty) == (cause, ServiceStatus.BLOCKED, Confidence.CERTAIN)
    assert words in told.verdict
    assert told.is_address_problem is False
    assert "This is not an address problem" in told.meaning
    assert "redeploy" not in told.advice


def test_a_crash_loop_on_a_full_network_stays_a_crash_loop() -> None:
    own = replace(app(), virtual_ips=service(APP, (PROXY, "10.0.1.6")).virtual_ips)
    told = why([own, *crowd(4)], failures("task: non-zero exit (3)", code=3), [SMALL])
    assert (told.cause, told.is_address_problem) == ("crash-loop", False)


def test_without_proof_of_its_addresses_nothing_is_claimed_about_them() -> None:
    bare = [replace(each, attachments=()) for each in failures("task: non-zero exit (3)", code=3)]
    told = why([app()], bare)
    assert told.is_address_problem is None
    assert "address problem" not in told.meaning


def test_a_task_that_runs_after_failures_is_believed_after_a_minute() -> None:
    ended = [
        replace(each, since=each.since - timedelta(minutes=5), created=ago(300))
        for each in failures("task: non-zero exit (3)", code=3)[1:]
    ]
    back = one(id="back", state="running", since=ago(20), created=ago(21))
    told = why([app()], [back, *ended])
    assert (told.cause, told.certainty) == ("crash-loop", Confidence.LIKELY)
    well = why([app()], [replace(back, since=ago(90), created=ago(91)), *ended])
    assert (well.cause, well.standing) == ("well", ServiceStatus.RUNS)
    assert "3 tasks of it ended by themselves" in well.meaning


@pytest.mark.parametrize(("state", "every_s"), [("failed", 100), ("failed", 500), ("complete", 100)])
def test_a_task_that_runs_longer_than_a_minute_each_time_is_in_a_loop_all_the_same(
    state: str, every_s: float
) -> None:
    ran_s = every_s - 5
    back = one(id="back", state="running", since=ago(ran_s - 5), created=ago(ran_s))
    ended = [one(id=f"t{n}", state=state, since=ago(ran_s + n * every_s)) for n in range(3)]
    assert why([app()], [back, *ended]).cause == "crash-loop"
    later = [replace(each, since=each.since - timedelta(seconds=every_s)) for each in (back, *ended)]
    assert why([app()], later).cause == "crash-loop"
    longer = [replace(each, since=each.since - timedelta(seconds=2 * every_s)) for each in (back, *ended)]
    assert why([app()], longer).cause == "well"


def test_what_ends_well_every_few_minutes_is_well() -> None:
    ended = [one(id=f"t{n}", state="complete", since=ago(100 + n * 300)) for n in range(4)]
    assert why([app()], [one(id="back", since=ago(90), created=ago(95)), *ended]).cause == "well"


def test_a_first_failure_is_not_yet_a_loop() -> None:
    told = why([app()], failures("task: non-zero exit (3)", count=1, code=3))
    assert (told.cause, told.standing) == ("failed-once", ServiceStatus.CONVERGING)


def test_a_neighbour_that_waits_for_an_address_is_named_as_a_possible_cause() -> None:
    crashing, stuck = app(stack="shop"), replace(service("db", networks=(PROXY,)), stack="shop")
    waits = replace(WAITING, service_id="id-db")
    told = why([crashing, stuck], [*failures("task: non-zero exit (3)", code=3), waits])
    assert told.cause == "crash-loop"
    assert "But db of the same stack waits for an address" in told.meaning


def test_networks_that_are_gone_or_have_no_subnet_are_the_cause() -> None:
    told = why([app(has_vip=False)], [WAITING], [])
    assert (told.cause, told.certainty, told.is_address_problem) == ("network-gone", Confidence.CERTAIN, True)
    told = why([app(has_vip=False)], [WAITING], [network("proxy", driver="")])
    assert (told.cause, told.certainty) == ("network-without-subnet", Confidence.CERTAIN)
    young = network("proxy", driver="", created=ago(2))
    assert why([app(has_vip=False)], [WAITING], [young]).standing is ServiceStatus.CONVERGING


def test_a_network_of_the_nodes_own_is_not_gone() -> None:
    own = app(has_vip=False, addressless_ids=(PROXY,))
    assert why([own], [one()], []).cause == "well"
    assert why([own], [replace(WAITING, since=ago(10))], []).cause == "not-converged"


@pytest.mark.parametrize(
    ("own", "tasks", "cause", "standing"),
    [
        (app(), [one()], "well", ServiceStatus.RUNS),
        (app(replicas=0), [], "no-replicas", ServiceStatus.RUNS),
        (app(replicas=0), [one(desired_state="remove")], "stopping", ServiceStatus.CONVERGING),
        (app(update_state="updating"), [one()], "updating", ServiceStatus.CONVERGING),
        (app(update_state="paused"), [one()], "update-paused", ServiceStatus.BLOCKED),
        (app(update_state="rollback_started"), [one()], "updating", ServiceStatus.CONVERGING),
        (app(update_state="rollback_completed"), [one()], "well", ServiceStatus.RUNS),
        (app(), [one(state="preparing", since=ago(70))], "preparing", ServiceStatus.CONVERGING),
        (app(), [one(state="preparing", since=ago(4000))], "preparing", ServiceStatus.BLOCKED),
        (app(), [one(state="starting", since=ago(5))], "starting", ServiceStatus.CONVERGING),
        (app(replicas=2), [one()], "not-converged", ServiceStatus.BLOCKED),
        (app(replicas=2, updated=ago(3)), [one()], "not-converged", ServiceStatus.CONVERGING),
        (app(mode="global", replicas=None), [], "no-node-for-global", ServiceStatus.BLOCKED),
        (app(mode="global", replicas=None), [one(slot=0)], "well", ServiceStatus.RUNS),
        (app(mode="replicated-job", replicas=None),
         [one(state="complete", desired_state="complete", exit_code=0)], "done", ServiceStatus.RUNS),
        (app(mode="replicated-job", replicas=None),
         [one(state="running", desired_state="complete")], "well", ServiceStatus.RUNS),
        (app(restart="none"), [one(state="failed", desired_state="shutdown", exit_code=1)],
         "ended", ServiceStatus.BLOCKED),
        (app(restart="none"), [one(state="complete", desired_state="shutdown", exit_code=0)],
         "done", ServiceStatus.RUNS),
    ],
)  # fmt: skip
def test_what_is_under_way_or_well(
    own: Service, tasks: list[Task], cause: str, standing: ServiceStatus
) -> None:
    told = why([own], tasks)
    assert (told.cause, told.standing) == (cause, standing)


def test_what_cannot_be_read_is_unknown_and_never_well() -> None:
    seen = swarm([ROOMY], [app()], [one()])
    gone = Unknown("The engine did not answer.")
    for part in ("engine", "services", "tasks"):
        answer = explain(snapshot(_without(seen, part, gone)), Thresholds(), (APP,))
        assert answer.standing is ServiceStatus.UNKNOWN
        assert "did not answer" in answer.headline
    waiting = _without(swarm([], [app(has_vip=False)], [WAITING]), "networks", gone)
    (told,) = explain(snapshot(waiting), Thresholds(), (APP,)).services
    assert (told.explanation.cause, told.explanation.standing) == ("networks-unread", ServiceStatus.UNKNOWN)


def _without(state: SwarmState, part: str, why_not: Unknown) -> SwarmState:
    return replace(state, **{part: why_not})


def test_names_are_services_then_stacks_then_beginnings_of_ids() -> None:
    services = [service("shop_app", (PROXY, "10.0.1.7")), service("shop_db", (PROXY, "10.0.1.8")), app()]
    assert named(ask(services, [one()], names=("shop",)).services) == ["shop_app", "shop_db"]
    assert named(ask(services, [one()], names=("shop_db",)).services) == ["shop_db"]
    assert named(ask(services, [one()], names=("id-shop_a",)).services) == ["shop_app"]
    with pytest.raises(UsageError, match="2 services have an ID that begins with id-shop"):
        ask(services, names=("id-shop",))
    with pytest.raises(UsageError, match="no service or stack named shap; did you mean shop"):
        ask(services, names=("shap",))
    with pytest.raises(UsageError, match=r"named \\x1b\[2J\."):
        ask(services, names=("\x1b[2J",))


def named(explained: tuple[ServiceExplanation, ...]) -> list[str]:
    return [each.service.name for each in explained]


def test_what_does_not_run_comes_first_and_the_headline_counts_it() -> None:
    fine, stuck = app(), service("zz_stuck", networks=(PROXY,))
    answer = ask([fine, stuck, *crowd()], [one()], [SMALL], names=())
    assert answer.services[0].service.name == "zz_stuck"
    assert answer.headline == "1 of 7 services does not run, 1 waiting for an address"
    assert ask([fine], [one()], names=()).headline == "the one service runs"


def test_every_explainer_stands_in_the_table_once() -> None:
    assert len(EXPLAINERS) == len(set(EXPLAINERS))


def test_a_node_is_named_where_its_load_balancer_has_no_address() -> None:
    told = why([app()], [one(state="rejected", error=MISSING_ATTACHMENT, desired_state="ready")])
    assert value(told, "NodeID") == HERE.hostname


def test_a_line_that_a_manager_wrote_is_not_about_that_manager() -> None:
    failed = event(f"Failed allocation for service {OBJECT}", NO_VIP)
    lost = event(
        f"Failed to allocate network resources for node {'d' * 25}", "could not find an available IP"
    )
    assert "d" * 25 in failed.ids.values()
    assert set(last_lines([failed])) == {OBJECT}
    assert last_lines([lost, failed])["d" * 25] is lost


def test_signs_of_a_leak_hold_nobody_up() -> None:
    lost = event(
        f"allocation commit failure for task {'b' * 25}",
        f"failed updating state in store transaction for task {'b' * 25}: object does not exist",
    )
    assert not last_lines([lost])


def test_a_paused_update_is_shown_beside_the_cause_that_paused_it() -> None:
    stopped = app(update_state="paused", update_message="update paused due to failure")
    told = why([stopped], failures("No such image: x", state="rejected", code=None))
    assert told.cause == "image-missing"
    assert value(told, "UpdateStatus.Message") == "update paused due to failure"


def test_a_service_that_needs_no_overlay_has_no_address_problem() -> None:
    own = app(has_vip=False, addressless_ids=(PROXY,))
    told = why([own], failures("task: non-zero exit (3)", code=3), [])
    assert told.is_address_problem is False
    assert "needs no address" in told.meaning
