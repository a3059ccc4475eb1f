"""The report of a real recreation and of its undo, as processes on a simulated swarm."""

import os
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from console.clock import SystemClock
from console.rehearsal.forecast import ServiceForecast, store
from console.runbook.language.values import ExpectedDowntime
from tests.rehearsal.test_forecast import FORECAST
from tests.simulator.swarms import a_swarm
from tests.support.maintenance import site
from tests.support.recreation import populate

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes a swarm")

CAPTURE = "{id: before, uses: evidence.capture, with: {network: proxy}}"
RECREATE = (
    "{id: recreate, uses: network.recreate, timeout: 5m, confirm: proxy, "
    "with: {network: proxy, subnet: 10.10.0.0/16, may_change_address: [shell]}}"
)
SERVICES = {"everywhere", "shop_app", "traefik_app"}


def rows_of(outputs: Any) -> dict[str, float]:
    """Return how long each service was down by its row."""
    times = {
        row["name"]: [datetime.fromisoformat(row[key]) for key in ("from", "to")]
        for row in outputs["downtime"]
    }
    return {name: (end - start).total_seconds() for name, (start, end) in times.items()}


def test_the_plan_says_what_a_rehearsal_measured() -> None:
    model = a_swarm()
    populate(model, small=True)
    with site(model) as there:
        path = there.runbook(RECREATE)
        plan = there.vipconsole("run", path, "--check", "--json").json
        (step,) = plan["steps"]
        planned = tuple(ExpectedDowntime(**row) for row in step["plan"]["downtimes"])
        assert (step["rehearsed_s"], {each.service for each in planned}) == (None, SERVICES)
        services = tuple(ServiceForecast(each.service, 40.0) for each in planned)
        forecast = replace(
            FORECAST, runbook_id="upkeep", cluster_id=model.cluster_id, services=services, whole_s=46.0,
            is_exact=True, planned=planned,
        )  # fmt: skip
        store(forecast, there.operator.state)
        checked = there.vipconsole("run", path, "--check")
        assert "recreate: 3 services, for about 46 s in all (rehearsed)" in " ".join(checked.out.split())


def test_it_tells_the_downtime_and_the_subnet_forth_and_back() -> None:
    model = a_swarm()
    populate(model, small=True)
    with site(model, SystemClock()) as there:
        path = there.runbook(CAPTURE, RECREATE)
        done = there.vipconsole("run", path, "--headless", "--confirm", "recreate=proxy")
        assert done.code == 0, done.out + done.err
        report = there.report()
        forth = rows_of(report["steps"][1]["outputs"])
        assert set(forth) == SERVICES
        assert {row["name"] for row in report["downtime"]["services"]} == SERVICES
        text = " ".join(there.vipconsole("report").out.split())
        assert "Network proxy: 10.0.1.0/24 -> 10.10.0.0/16" in text
        assert "Services up 3 of 3, as before" in text
        assert " in all, 3 services" in text

        run = there.run_folder.name
        assert there.vipconsole("decide", run, "recreate", "undo").code == 0
        undone = there.vipconsole("attach", run, "--headless")
        assert undone.code == 1, undone.out + undone.err
        report = there.report()
        (undo,) = [act for act in report["steps"][1]["acts"] if act["is_undo"]]
        back = rows_of(undo["outputs"])
        assert set(back) == SERVICES
        for row in report["downtime"]["services"]:
            assert row["down_s"] == pytest.approx(forth[row["name"]] + back[row["name"]], abs=0.2)
        text = " ".join(there.vipconsole("report").out.split())
        assert "Outcome UNDONE" in text
        assert "Network proxy: 10.0.1.0/24, as before" in text
        page = there.folder / "page.html"
        assert there.vipconsole("report", "--html", str(page)).code == 1
        written = page.read_text()
        assert "undo of recreate" in written
        assert "hunter2" not in written
