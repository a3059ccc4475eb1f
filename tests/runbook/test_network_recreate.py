"""`network.recreate`: the remedy as an action of a run."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from console.errors import StepFailed, VipconsoleError
from console.runbook.language.values import Json
from console.runbook.run.replay_steps import RUNNING
from tests.simulator.swarms import a_network, a_swarm
from tests.support.benches import Bench, bench, is_yes
from tests.support.program import vipconsole
from tests.support.recreation import facts, populate

# Where no file of the engine tells it, nobody knows whether the container's address was given by hand.
ASKED: dict[str, Json] = {"network": "proxy", "subnet": "10.10.0.0/16", "may_change_address": ["shell"]}
RECREATE = "network.recreate"
SERVICES = ["everywhere", "shop_app", "traefik_app"]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Bench]:
    engine = a_swarm()
    populate(engine, small=True)
    with bench(engine) as ready:
        ready.is_read_only = False
        ready.folder = tmp_path
        ready.timeout_s = 300
        yield ready


def subnet_of(host: Bench) -> str:
    (found,) = [each for each in host.model.store.networks.values() if each.name == "proxy"]
    return str(found.config[0].subnet)


def findings(host: Bench) -> dict[str, Any]:
    """Return what a look from outside finds, by code."""
    glance = vipconsole("glance", "--json", "--host", host.host)
    return {each["code"]: each for each in glance.json["findings"]}


async def test_the_plan_tells_the_order_the_outage_and_every_call_and_changes_nothing(host: Bench) -> None:
    host.is_read_only = True
    plan = await host.plan(RECREATE, **ASKED)
    assert "Recreate proxy as 10.10.0.0/16: 3 services and 1 container" in plan.summary
    assert plan.refused == ()
    assert plan.outage_s is not None
    assert plan.outage_s > 0
    downtimes = [downtime.seconds for downtime in plan.downtimes]
    assert plan.downtimes[0].service == "traefik_app"
    # These have the same grace: they go down together, and come back one after the other.
    assert (downtimes, max(downtimes)) == (sorted(downtimes), plan.outage_s)
    assert "stop 3: traefik_app (reverse proxy), at once" in plan.changes
    assert [part.what for part in plan.not_checked][:1] == ["routes of the engine's host"]
    assert "POST /networks/create" in plan.calls
    assert "without a change" in plan.changes[-1]
    assert plan.calls[-3:] == plan.calls[:3]
    left = await host.plan(RECREATE, **ASKED, reset_rollback=False)
    assert (left.changes, left.calls) == (plan.changes[:-1], plan.calls[:-3])
    assert [each for each in plan.changes if each.startswith("bring back 1: traefik_app")]
    assert plan.basis["network"]
    assert not is_yes(await host.probe(RECREATE, **ASKED))
    assert host.changes == []


async def test_it_is_recreated_verified_and_known_to_be_done(host: Bench) -> None:
    before = facts(host.model)
    outputs = await host.act(RECREATE, **ASKED)
    assert subnet_of(host) == outputs["subnet"] == "10.10.0.0/16"
    assert facts(host.model) == before
    assert outputs["differences"] == []
    assert isinstance(outputs["outage_s"], float)
    assert is_yes(await host.verify(RECREATE, outputs, **ASKED))
    assert is_yes(await host.probe(RECREATE, **ASKED))
    assert "already" in (await host.plan(RECREATE, **ASKED)).summary


def states_of(host: Bench) -> dict[str, bool]:
    """Return by name which services are down, by all reports together."""
    states: dict[str, bool] = {}
    for report in host.outage_reports:
        states |= dict.fromkeys(report.down, True) | dict.fromkeys(report.up, False)
    return states


async def test_it_reports_its_phases_and_who_is_down_forth_and_back(host: Bench) -> None:
    outputs = await host.act(RECREATE, **ASKED)
    reports = host.outage_reports
    assert sorted(reports[0].up) == SERVICES
    begun = list(dict.fromkeys(report.phase for report in reports))
    assert begun == list(reports[0].phases)
    went_down = next(report for report in reports if report.down)
    assert begun.index(went_down.phase) <= begun.index("tasks ended")
    assert sorted({name for report in reports for name in report.down}) == SERVICES
    assert states_of(host) == dict.fromkeys(SERVICES, False)
    assert {report.way_back for report in reports if report.phase == "network created"} == {
        "A failure asks; `undo` puts everything back on the old subnet."
    }
    host.remember()
    host.outage_reports.clear()
    await host.undo(RECREATE, outputs, **ASKED)
    assert states_of(host) == dict.fromkeys(SERVICES, False)


async def test_a_service_that_does_not_come_back_is_down_in_the_last_report(host: Bench) -> None:
    host.model.agent.rules = replace(host.model.agent.rules, images=frozenset())
    await host.act(RECREATE, **ASKED, running_within=3.0)
    assert states_of(host) == dict.fromkeys(SERVICES, True)
    assert host.outage_reports[-1].phase == "settled"


async def test_the_way_back_lies_in_the_runs_folder_and_holds_no_secret(host: Bench) -> None:
    await host.act(RECREATE, **ASKED)
    assert host.folder is not None
    script = host.folder / "way-back.sh"
    assert "docker service update" in script.read_text()
    assert "hunter2" not in script.read_text()


async def test_undone_everything_is_on_the_old_subnet_again(host: Bench) -> None:
    before = facts(host.model)
    outputs = await host.act(RECREATE, **ASKED)
    host.remember()
    await host.undo(RECREATE, outputs, **ASKED)
    assert subnet_of(host) == "10.0.1.0/24"
    assert facts(host.model) == before


def check_downtime(outputs: Mapping[str, Any] | None) -> None:
    """Check the rows of the services' downtime against the figures of the whole."""
    assert outputs is not None
    assert outputs["services"] == {"running": 3, "all": 3}
    rows = outputs["downtime"]
    assert sorted(row["name"] for row in rows) == SERVICES
    times = [tuple(datetime.fromisoformat(row[key]) for key in ("from", "to")) for row in rows]
    for row, (start, end) in zip(rows, times, strict=True):
        assert row["down_s"] == pytest.approx((end - start).total_seconds(), abs=0.1)
        assert row["down_s"] > 0
    whole_s = (max(end for _, end in times) - min(start for start, _ in times)).total_seconds()
    assert whole_s == pytest.approx(outputs["outage_s"], abs=0.1)


async def test_it_returns_when_each_service_was_down_forth_and_back(host: Bench) -> None:
    outputs = await host.act(RECREATE, **ASKED)
    check_downtime(outputs)
    host.remember()
    check_downtime(await host.undo(RECREATE, outputs, **ASKED))


async def test_an_undo_for_which_there_is_no_room_any_more_says_so_and_changes_nothing(host: Bench) -> None:
    outputs = await host.act(RECREATE, **ASKED)
    host.remember()
    a_network(host.model, "other", "10.0.1.128/25")
    host.changes.clear()
    with pytest.raises(StepFailed, match=r"10\.0\.1\.0/24 overlaps 10\.0\.1\.128/25 of the network other"):
        await host.undo(RECREATE, outputs, **ASKED)
    assert host.changes == []
    assert subnet_of(host) == "10.10.0.0/16"


async def test_an_undo_that_ends_on_another_subnet_is_none_and_can_be_done_again(host: Bench) -> None:
    before = facts(host.model)
    outputs = await host.act(RECREATE, **ASKED)
    host.remember()
    host.running.break_call("/networks/create", "status:500", times=3)
    with pytest.raises(
        StepFailed, match=r"some things differ from before: proxy has .* instead of 10\.0\.1\.0/24"
    ):
        await host.undo(RECREATE, outputs, **ASKED)
    assert facts(host.model) == before
    host.remember()
    await host.undo(RECREATE, outputs, **ASKED)
    assert (subnet_of(host), facts(host.model)) == ("10.0.1.0/24", before)


async def test_an_undo_of_what_never_began_does_nothing(host: Bench) -> None:
    await host.undo(RECREATE, {}, **ASKED)
    assert host.changes == []


async def test_what_an_attempt_left_half_done_is_finished_by_the_next(host: Bench) -> None:
    before = facts(host.model)
    host.running.break_call("/networks/create", "status:500")
    with pytest.raises(VipconsoleError):
        await host.act(RECREATE, **ASKED)
    told = findings(host)["services-parked"]
    assert (told["severity"], told["names"]) == ("critical", ["everywhere", "shop_app", "traefik_app"])
    assert "the run r1 of this machine" in told["sentence"]
    host.remember()
    host.running.mend()
    assert not is_yes(await host.probe(RECREATE, **ASKED))
    outputs = await host.act(RECREATE, **ASKED)
    assert subnet_of(host) == "10.10.0.0/16"
    assert facts(host.model) == before
    assert outputs["network_id"]
    assert not {"services-parked", "rollback-parks"} & set(findings(host))


async def test_a_service_that_comes_back_late_is_seen_by_the_next_verification(host: Bench) -> None:
    rules = host.model.agent.rules
    host.model.agent.rules = replace(rules, images=frozenset())
    outputs = await host.act(RECREATE, **ASKED, running_within=3.0)
    host.remember()
    late = await host.verify(RECREATE, outputs, **ASKED)
    assert not is_yes(late)
    assert "of shop_app are running" in late.sentence
    assert RUNNING not in late.evidence
    host.model.agent.rules = rules
    host.advance(60)
    verified = await host.verify(RECREATE, outputs, **ASKED)
    assert is_yes(verified)
    running = verified.evidence[RUNNING]
    assert isinstance(running, list)
    assert sorted(map(str, running)) == SERVICES


async def test_what_a_rollback_would_stop_is_said_in_words_where_it_is_left_so(host: Bench) -> None:
    outputs = await host.act(RECREATE, **ASKED, reset_rollback=False)
    names = ["everywhere", "shop_app", "traefik_app"]
    told = outputs["rolls_back_to_parked"]
    assert isinstance(told, list)
    for name, line in zip(names, told, strict=True):
        assert str(line).startswith(f"{name}: `docker service rollback` would stop it")
    assert host.said[-1].startswith("Do not roll back 3 services")
    assert findings(host)["rollback-parks"]["names"] == names


async def test_who_came_in_the_middle_is_attached_again_by_the_next_attempt(host: Bench) -> None:
    def come() -> None:
        body = {"Image": "busybox", "NetworkingConfig": {"EndpointsConfig": {"proxy": {"Aliases": ["late"]}}}}
        host.model.containers.start(host.model.containers.create("late", body))

    host.clock.meanwhile.append((0.2, come))
    host.running.break_call("/networks/create", "status:500")
    with pytest.raises(VipconsoleError):
        await host.act(RECREATE, **ASKED)
    host.remember()
    host.running.mend()
    outputs = await host.act(RECREATE, **ASKED)
    assert subnet_of(host) == "10.10.0.0/16"
    assert ("proxy", ["late"], True) in [tuple(each) for each in facts(host.model)["containers"]["late"]]
    host.remember()
    await host.undo(RECREATE, outputs, **ASKED)
    assert subnet_of(host) == "10.0.1.0/24"


async def test_a_subnet_that_overlaps_is_refused_in_the_plan_and_in_the_act(host: Bench) -> None:
    a_network(host.model, "other", "10.10.5.0/24")
    plan = await host.plan(RECREATE, **ASKED)
    assert any("10.10.5.0/24" in each for each in plan.refused)
    with pytest.raises(StepFailed, match="other"):
        await host.act(RECREATE, **ASKED)
    assert host.changes == []
