"""Services that a run has parked keep everybody else from changing the swarm: as processes."""

import os
from collections.abc import Iterator

import pytest

from console.clock import SystemClock
from console.host.identity import machine_id
from console.operations.network_recreation.plan import RecreationOwner
from console.simulator.stacks import Part, deploy
from tests.simulator.swarms import check_pools
from tests.support.change_records import ChangeRecordList, Killed
from tests.support.maintenance import Site, site
from tests.support.recreation import NEW, facts, stage, subnet_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes a swarm")
THEIRS = "1 service is parked (shop_app) by run 20260101-020000-proxy-16 of machine another-machine"


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as found:
        model = found.simulation.model
        label = '{"machine": "another-machine", "run": "20260101-020000-proxy-16"}'
        model.services.create(
            {
                "Name": "shop_app",
                "Labels": {"vipconsole.parked": label},
                "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}},
                "Mode": {"Replicated": {"Replicas": 0}},
            }
        )
        deploy(model, "web", (Part("app", ("proxy",)),))
        model.advance(20)
        yield found


def test_a_run_on_another_host_keeps_every_changing_command_from_its_first_change(here: Site) -> None:
    engine = ("--host", here.simulation.host, "--config", str(here.folder / "config.toml"))
    services = dict(here.simulation.model.store.services)
    for command in (("census", "proxy", "--yes"), ("stack-rm", "web", "--yes")):
        refused = here.operator.run(*command, *engine)
        assert (refused.code, THEIRS in refused.err) == (3, True), refused.out + refused.err
        assert "vipconsole resume 20260101-020000-proxy-16" in refused.err
    guard = here.operator.run("guard", *engine)
    assert guard.code == 2, guard.out + guard.err
    assert "until the run 20260101-020000-proxy-16 of the machine another-machine brings" in guard.out
    path = here.runbook("{id: look, uses: evidence.capture}", here.sh("touch", "touch $0/touched"))
    run = here.vipconsole("run", path, "--headless")
    assert THEIRS in run.out, run.out + run.err
    assert not (here.folder / "touched").exists()
    assert here.report()["steps"][0]["state"] == "done"
    assert not here.report()["blocks"]
    assert here.simulation.model.store.services == services


RECREATE = (
    "{id: recreate, uses: network.recreate, timeout: 5m, confirm: proxy, "
    "with: {network: proxy, subnet: 10.10.0.0/16, may_change_address: [shell]}}"
)


async def test_what_a_forgotten_run_has_parked_only_a_run_that_brings_it_back_may_change() -> None:
    with stage(small=True) as on:
        before = facts(on.model)
        on.owner = RecreationOwner(machine_id(), "20260101-020000-proxy-16")
        on.change_records = ChangeRecordList(kill_at=17)
        with pytest.raises((Killed, BaseExceptionGroup)):
            await on.forward()
        model = on.model
    with site(model, SystemClock()) as there:
        census = there.operator.run("census", "shop_internal", "--yes", "--host", there.simulation.host)
        assert census.code == 3, census.out + census.err
        assert "which is no longer stored on this machine" in census.err
        other = there.vipconsole("run", there.runbook(there.sh("touch", "touch $0/touched")), "--headless")
        assert "no longer stored on this machine" in other.out, other.out + other.err
        assert not (there.folder / "touched").exists()
        mended = there.vipconsole("run", there.runbook(RECREATE), "--headless", "--confirm", "recreate=proxy")
        assert mended.code == 0, mended.out + mended.err
    assert subnet_of(model) == str(NEW)
    assert facts(model) == before
    check_pools(model)
