"""The plan of a run on one screen."""

import json
from dataclasses import replace

import pytest

from console.runbook.language.values import (
    ActionPlan,
    Answer,
    Call,
    CheckResult,
    ExpectedDowntime,
    NotChecked,
    OnFailure,
    Runbook,
    Step,
)
from console.runbook.runner.creation import StepPlan, head_of
from screens.output.run_lines import plan_lines
from screens.output.run_plan import every_step, plan_as_json
from screens.present.plan import NARROWEST, overview, plan_screen
from screens.present.step_plan import expected_span, fold_lines, group_calls

HOST = "unix:///var/run/docker.sock"
SERVICES = [f"stack{number:03}_app" for number in range(100)]
UPDATES = [f"POST /services/{name}/update" for name in SERVICES]
CALLS = (*UPDATES, *UPDATES, "DELETE /networks/n1", "POST /networks/create", *UPDATES, *UPDATES)
NOT_NIXOS = "This host is not NixOS."
ELSEWHERE = "The engine is another host's."


def planned(name: str, action: str, plan: ActionPlan | None = None, **parts: object) -> StepPlan:
    step = Step(name, f"Title of {name}", Call(action), timeout_s=900.0)
    return replace(StepPlan(step, head_of(step), plan=plan), **parts)  # type: ignore[arg-type] # a test's own parts


RECREATE = ActionPlan(
    "Recreate proxy.",
    changes=tuple(f"bring back {number}: {name} (1 replica)" for number, name in enumerate(SERVICES, 1)),
    calls=CALLS,
    not_checked=(NotChecked("routes of the engine's host", ELSEWHERE),),
    outage_s=37.0,
    downtimes=tuple(ExpectedDowntime(name, 17.0 + number / 5) for number, name in enumerate(SERVICES)),
)
PLANS = (
    planned(
        "preflight",
        "checks.all",
        ActionPlan("5 checks.", not_checked=(NotChecked("free disk space", ELSEWHERE),)),
    ),
    planned("before", "evidence.capture", ActionPlan("Take a snapshot.")),
    planned("build", "nix.edit_and_build", ActionPlan("Build.", not_applicable=NOT_NIXOS)),
    planned("reproduce", "leak.probe", ActionPlan("Probe.", changes=("create networks",))),
    planned("census", "network.census", ActionPlan("Take no census.")),
    planned(
        "quiescent",
        "swarm.quiescent",
        ActionPlan("Wait.", checked=(CheckResult(Answer.NO, "It is not quiet now."),)),
        word="continue",
    ),
    planned("recreate", "network.recreate", RECREATE, word="proxy"),
    planned("switch", "nixos.switch", ActionPlan("Switch.", not_applicable="It needs build."), word="switch"),
    planned("verify", "leak.probe", waits_for="Its plan needs steps.before.outputs.attached."),
    planned("tidy", "exec", ActionPlan("Run tidy.", calls=("/bin/tidy in /",), no_return="It is unknown.")),
    planned("after", "evidence.capture", ActionPlan("Take a snapshot.")),
)
RUNBOOK = Runbook("proxy-16", "Recreate it", "", (), tuple(plan.step for plan in PLANS), "d" * 64, "x.yaml")


def screen(width: int, height: int, plans: tuple[StepPlan, ...] = PLANS) -> str:
    lines = plan_screen(RUNBOOK, plans, HOST, width, height)
    assert max(map(len, lines)) <= width
    # The shell's prompt, or the question whether to begin, needs two lines.
    assert len(lines) <= height - 2
    return "\n".join(lines)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (120, 35), (160, 50)])
def test_a_plan_for_a_hundred_services_fits_on_one_screen(width: int, height: int) -> None:
    shown = screen(width, height)
    assert "GOES DOWN    recreate: 100 services, each for about 17 s to 37 s" in shown
    assert "ASKS BEFORE  quiescent (type continue), recreate (type proxy)" in shown
    assert "CAN UNDO     reproduce, recreate, verify" in shown
    assert "CANNOT UNDO  tidy" in shown
    assert "NOT CHECKED  routes of the engine's host" in shown or "NOT CHECKED  free disk space" in shown
    assert "NOT MET NOW  quiescent: It is not quiet now." in shown
    assert "SKIPPED      build" in shown
    assert "update 100 services, 4 times" in shown
    for plan in PLANS:
        assert f". {plan.step.id} " in shown
    assert "11 steps, 4 with changes." in shown


def test_steps_have_two_lines_where_there_is_room() -> None:
    lines = screen(120, 40).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(" 7. recreate"))
    assert lines[at] == (
        " 7. recreate   OUTAGE     Title of recreate; type proxy; limit 15 min, on failure: stop"
    )
    assert lines[at + 1] == (
        "    Recreate proxy. update 100 services, 4 times; remove 1 network; create 1 network"
    )
    at = next(number for number, line in enumerate(lines) if line.startswith(" 8. switch"))
    assert lines[at + 1] == "    skipped: It needs build."


def test_a_refusal_is_the_first_thing_on_the_screen() -> None:
    refused = replace(RECREATE, refused=("batch_app is a job.", "dns_app is being updated (paused)."))
    plans = tuple(replace(plan, plan=refused) if plan.step.id == "recreate" else plan for plan in PLANS)
    lines = screen(120, 40, plans).splitlines()
    assert lines[1:3] == [
        "REFUSED      recreate: batch_app is a job.",
        "             recreate: dns_app is being updated (paused).",
    ]
    assert "REFUSED      recreate: batch_app is a job." in screen(80, 24, plans)


def test_reasons_are_cut_before_names() -> None:
    parts = tuple(
        NotChecked(f"thing {number}", f"Reason {number}. " + "So it is. " * 9) for number in range(5)
    )
    plan = planned("preflight", "checks.all", ActionPlan("Checks.", not_checked=parts))
    shown = screen(80, 24, (plan, *PLANS[1:]))
    assert all(f"thing {number}" in shown for number in range(5))


def test_one_reason_is_said_once_for_all_that_it_kept_from_being_checked() -> None:
    assert overview(PLANS).not_checked == (
        f"free disk space, routes of the engine's host: {ELSEWHERE}",
        "verify: Its plan needs steps.before.outputs.attached.",
    )


def test_a_check_that_cannot_tell_is_not_checked() -> None:
    unsure = CheckResult(Answer.CANNOT_TELL, "Free space is unknown.")
    plan = planned("preflight", "checks.all", ActionPlan("Checks.", checked=(unsure,)))
    assert overview((plan,)).not_checked == ("preflight: Free space is unknown.",)


def test_what_goes_down_is_said_without_a_list_of_services_too() -> None:
    restart = planned("restart", "daemon.restart", ActionPlan("Restart.", calls=("x",), outage_s=40.0))
    unknown = planned("remove", "stack.remove", ActionPlan("Remove web.", changes=("remove web",)))
    done = planned("recreate", "network.recreate", ActionPlan("proxy has it already."))
    later = planned("again", "network.recreate", waits_for="Its plan needs steps.x.outputs.y.")
    attached = planned(
        "shell", "network.recreate", ActionPlan("Do.", calls=("POST /networks/n/disconnect",), outage_s=9.0)
    )
    assert overview((restart, unknown, done, later, attached)).goes_down == (
        "restart: services, for about 40 s",
        "remove: for an unknown time. Remove web.",
        "again: not known yet. Its plan needs steps.x.outputs.y.",
        "shell: services, for about 9 s",
        "shell: 1 container attached by hand, off the network meanwhile",
    )
    assert "GOES DOWN    nothing" in screen(80, 24, (done,))


def test_what_was_measured_counts_more_than_what_the_plan_says() -> None:
    downtimes = (ExpectedDowntime("web", 17.0), ExpectedDowntime("db", 37.0))
    plan = ActionPlan("Do.", calls=("x",), outage_s=37.0, downtimes=downtimes)
    recreate = planned("recreate", "network.recreate", plan)
    assert overview((recreate,)).goes_down == ("recreate: 2 services, each for about 17 s to 37 s",)
    recreate = replace(recreate, former_s=52.0)
    assert overview((recreate,)).goes_down == ("recreate: 2 services, for about 52 s in all (last time)",)
    recreate = replace(recreate, rehearsed_s=46.0)
    assert overview((recreate,)).goes_down == ("recreate: 2 services, for about 46 s in all (rehearsed)",)


def test_a_runbook_that_is_too_long_for_the_terminal_keeps_every_step() -> None:
    lines = plan_screen(RUNBOOK, PLANS * 4, HOST, 20, 10)
    assert sum(". recreate" in line for line in lines) == 4
    assert max(map(len, lines)) <= NARROWEST


def test_text_from_outside_stays_on_its_line() -> None:
    plan = planned("preflight", "checks.all", ActionPlan("a\nb\x1b[2J", refused=("c\nd",)))
    shown = plan_screen(RUNBOOK, (plan,), "unix://\n", 80, 24)
    assert not [line for line in shown if "\n" in line or "\x1b" in line]


def test_the_whole_plan_has_every_call_and_every_service() -> None:
    lines = list(every_step(PLANS))
    assert sum(line.startswith("  calls    ") for line in lines) == len(CALLS) + 1
    assert "  down     stack099_app, about 37 s" in lines
    document = json.loads(plan_as_json(RUNBOOK, PLANS, HOST))
    recreate = document["steps"][6]
    assert recreate["plan"]["calls"] == list(CALLS)
    assert recreate["plan"]["calls_grouped"][0] == "update 100 services, 4 times"
    assert recreate["plan"]["downtimes"][0] == {"service": "stack000_app", "seconds": 17.0}
    assert document["overview"]["skipped"] == [f"build: {NOT_NIXOS}", "switch: It needs build."]
    assert (document["would_stop_at"], document["exit_code"]) == (None, 0)
    assert recreate["on_failure"] == str(OnFailure.STOP)


def test_the_plan_of_one_step_counts_its_calls_and_folds_its_long_lists() -> None:
    lines = list(plan_lines(RECREATE, expected_span(RECREATE)))
    assert "  DOWN     100 services, each for about 17 s to 37 s" in lines
    assert f"  NOT CHECKED routes of the engine's host: {ELSEWHERE}" in lines
    assert "  calls    update 100 services, 4 times" in lines
    assert "  changes  … 96 more like these" in lines
    assert len(lines) < 14


@pytest.mark.parametrize(
    ("calls", "grouped"),
    [
        ((), ()),
        (("POST /services/a/update",), ("update 1 service",)),
        (("POST /nodes/a/update",) * 4, ("update 1 node, 4 times",)),
        (("POST /services/a/update", "POST /services/b/update") * 2, ("update 2 services, 2 times",)),
        (
            ("POST /services/a/update", "POST /services/a/update", "POST /services/b/update"),
            ("update 2 services, 3 calls in all",),
        ),
        (
            ("POST /networks/n/disconnect", "POST /networks/n/disconnect", "POST /networks/NEW/connect"),
            ("disconnect 2 containers", "connect 1 container"),
        ),
        (("POST /services/create", "DELETE /services/…"), ("create and remove services",)),
        (("DELETE /services/…",), ("remove services",)),
        (("DELETE /secrets/x", "DELETE /secrets/y"), ("remove 2 secrets",)),
        (("GET https://a", "GET https://a", "systemctl restart x"), ("GET https://a, 2 times", "systemctl restart x")),
    ],
)  # fmt: skip
def test_calls_are_counted_and_grouped(calls: tuple[str, ...], grouped: tuple[str, ...]) -> None:
    assert group_calls(calls) == grouped


def test_a_long_row_of_lines_that_begin_alike_is_folded_and_nothing_else() -> None:
    row = [f"bring back {number}: x{number}" for number in range(1, 11)]
    assert fold_lines(["park 10 services", *row, "connect the container a"]) == (
        "park 10 services",
        *row[:3],
        "… 6 more like these",
        row[-1],
        "connect the container a",
    )
    assert fold_lines(row[:5]) == tuple(row[:5])
