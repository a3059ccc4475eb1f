"""The step that restarts a chain of units."""

from pathlib import Path
from typing import Any

import pytest

from console.errors import Declined, HostError, StepFailed
from console.runbook.actions.units_restart import NO_SYSTEMD, UnitsRestart
from console.runbook.contracts import Answer
from console.runbook.language.checking import parameters_for
from console.runbook.language.values import Call, Json
from console.settings import Settings
from tests.support.chains import FakeSystemd, FakeUnit, systemd
from tests.support.nixos import StepContext

UNITS: list[Json] = ["swarm-init", "deploy-*"]


def a_chain(**proxy: Any) -> FakeSystemd:
    init = FakeUnit("swarm-init.service")
    last = FakeUnit("deploy-bridge.service", remains=False, requires=("deploy-proxy.service",))
    return systemd(last, FakeUnit("deploy-proxy.service", **proxy), init, FakeUnit("docker.service"))


class Attempts:
    """Attempts of one step; each finds what those before it wrote down."""

    def __init__(self, folder: Path, fake: FakeSystemd, **parameters: Json) -> None:
        self._folder, self.units = folder, fake
        self.action = UnitsRestart(fake.run, folder)
        given: dict[str, Json] = {"units": UNITS, **parameters}
        self.parameters = parameters_for(Call(self.action.name, given), self.action.parameters)
        self.said: list[str] = []

    def next(self) -> tuple[Any, Any]:
        context = StepContext(Settings(), self._folder / "step")
        self.said = context.said
        return context, self.parameters


async def test_units_are_restarted_in_order_and_each_only_once(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain())
    plan = await step.action.plan(*step.next())
    assert plan.changes == ("swarm-init.service", "deploy-proxy.service", "deploy-bridge.service")
    assert plan.refused == ()
    assert (await step.action.probe(*step.next())).answer is Answer.NO
    outputs = await step.action.act(*step.next())
    # The last one was restarted with the one that it needs.
    assert step.units.restarts == ["swarm-init.service", "deploy-proxy.service"]
    assert outputs["restarted"] == list(plan.changes)
    assert step.said[-1] == "deploy-bridge.service is inactive (dead) after 0 s."
    assert (await step.action.probe(*step.next())).answer is Answer.YES
    assert (await step.action.verify(*step.next(), outputs)).answer is Answer.YES
    assert {each.starts for each in step.units.units.values()} == {1, 2}


async def test_it_stops_at_the_first_that_fails_with_what_it_logged(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain(fails=True))
    with pytest.raises(StepFailed) as raised:
        await step.action.act(*step.next())
    assert raised.value.sentence == (
        "deploy-proxy.service failed (exit-code). It logged: it lacks \\x1b[2J a key"
    )
    assert raised.value.hint.endswith("Not restarted yet: deploy-bridge.service.")
    assert "systemctl status deploy-proxy.service" in raised.value.hint
    assert (await step.action.verify(*step.next(), {})).answer is Answer.NO


async def test_tried_again_it_goes_on_where_it_failed(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain(fails=True))
    with pytest.raises(StepFailed):
        await step.action.act(*step.next())
    assert (await step.action.probe(*step.next())).sentence.startswith("Not restarted yet: deploy-proxy")
    step.units.units["deploy-proxy.service"].fails = False
    await step.action.act(*step.next())
    assert step.units.restarts == ["swarm-init.service", "deploy-proxy.service", "deploy-proxy.service"]
    assert step.units.units["swarm-init.service"].starts == 2


async def test_one_that_hangs_is_left_going_after_its_limit(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain(hangs=True), limit="30s")
    with pytest.raises(StepFailed, match=r"deploy-proxy.service is not finished after 30 s") as raised:
        await step.action.act(*step.next())
    assert "It continues." in raised.value.hint
    assert not any("stop" in each for each in step.units.calls)


async def test_one_that_is_being_started_already_is_waited_for(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain())
    unit = step.units.units["swarm-init.service"]
    context, _ = step.next()
    await context.change_recorder.before(
        "unit", unit.name, "restart", {"unit": unit.name, "invocation": f"{unit.name}-1"}
    )
    # As when an attempt was killed right after it had told systemd.
    unit.starts, unit.busy_looks = 2, 3
    await step.action.act(*step.next())
    assert unit.starts == 2
    assert "swarm-init.service" not in step.units.restarts


async def test_what_a_condition_keeps_from_starting_is_no_success(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain(condition_holds=False, starts=0, state="inactive", is_evaluated=False))
    with pytest.raises(StepFailed, match=r"deploy-proxy.service was skipped"):
        await step.action.act(*step.next())


async def test_units_that_are_not_there_are_refused_before_anything_is_restarted(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain(), units=["swarm-init", "deploy-nothing"])
    assert (await step.action.plan(*step.next())).refused == ("deploy-nothing.service is not-found.",)
    with pytest.raises(Declined, match="deploy-nothing"):
        await step.action.act(*step.next())
    assert step.units.restarts == []
    none = Attempts(tmp_path, a_chain(), units=["x-*"])
    assert (await none.action.plan(*none.next())).refused == ("No unit of this host matches.",)
    with pytest.raises(Declined, match="No unit"):
        await none.action.act(*none.next())


async def test_without_systemd_it_has_no_meaning(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain())
    action = UnitsRestart(step.units.run, tmp_path / "none")
    assert (await action.plan(*step.next())).not_applicable == NO_SYSTEMD
    with pytest.raises(HostError, match="systemd"):
        await action.act(*step.next())


async def test_what_systemd_does_not_tell_is_not_known(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain())
    step.units.is_down = True
    assert (await step.action.probe(*step.next())).answer is Answer.CANNOT_TELL
    assert (await step.action.verify(*step.next(), {})).answer is Answer.CANNOT_TELL


async def test_a_restart_cannot_be_taken_back_and_the_plan_says_so(tmp_path: Path) -> None:
    step = Attempts(tmp_path, a_chain())
    assert (await step.action.plan(*step.next())).no_return == step.action.no_undo_because
    with pytest.raises(Declined):
        await step.action.undo(*step.next(), {})
