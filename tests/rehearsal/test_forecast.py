"""What a rehearsal foretold: stored, and found again for the run that it was about."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console.rehearsal.forecast import (
    FOLDER,
    KEPT,
    ExpectedRefusal,
    Forecast,
    ServiceForecast,
    from_json,
    newest_about,
    store,
    to_json,
)
from console.runbook.language.values import ExpectedDowntime
from screens.output.rehearsal import NOT_BACK, forecast_lines
from tests.support.swarms import NOW

PLANNED = (ExpectedDowntime("shop_web", 9.0), ExpectedDowntime("shop_db", 9.4))
FORECAST = Forecast(
    at=NOW,
    took_s=80.0,
    outcome="done",
    runbook_id="proxy-16",
    cluster_id="cluster",
    services=(ServiceForecast("shop_web", 12.5), ServiceForecast("shop_db", None)),
    whole_s=12.5,
    is_exact=False,
    planned=PLANNED,
    refusals=(ExpectedRefusal("recreate", "It holds the address of shell.", in_rehearsal=False),),
    limits=("Leaked addresses are not rebuilt.",),
)
LATER = NOW + timedelta(hours=1)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert from_json(to_json(FORECAST)) == FORECAST
    path = store(FORECAST, tmp_path)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert newest_about(tmp_path, LATER, "proxy-16", "cluster", PLANNED) == FORECAST


@pytest.mark.parametrize(
    ("runbook", "cluster", "planned"),
    [
        ("other", "cluster", PLANNED),
        ("proxy-16", "other", PLANNED),
        ("proxy-16", "cluster", PLANNED[:1]),
        ("proxy-16", "cluster", (replace(PLANNED[0], seconds=10.0), PLANNED[1])),
    ],
    ids=["another runbook", "another swarm", "other services", "another grace"],
)
def test_a_run_of_another_plan_is_not_what_it_was_about(
    tmp_path: Path, runbook: str, cluster: str, planned: tuple[ExpectedDowntime, ...]
) -> None:
    store(FORECAST, tmp_path)
    assert newest_about(tmp_path, LATER, runbook, cluster, planned) is None


def test_the_newest_one_before_the_run_counts_and_an_unreadable_one_is_none(tmp_path: Path) -> None:
    newer = replace(FORECAST, at=NOW + timedelta(minutes=5), whole_s=13.0)
    after = replace(FORECAST, at=LATER + timedelta(minutes=5))
    for forecast in (newer, FORECAST, after):
        store(forecast, tmp_path)
    (tmp_path / FOLDER / "20991231-000000-proxy-16.json").write_text('{"schema": "garbage"')
    (tmp_path / FOLDER / "20991231-000001-proxy-16.json").write_text("[" * 30_000)
    assert newest_about(tmp_path, LATER, "proxy-16", "cluster", PLANNED) == newer


def test_only_the_last_ones_are_stored(tmp_path: Path) -> None:
    for minutes in range(KEPT + 3):
        store(replace(FORECAST, at=NOW + timedelta(minutes=minutes)), tmp_path)
    assert len(list((tmp_path / FOLDER).iterdir())) == KEPT


def test_the_text_names_each_service_what_the_plan_says_what_is_refused_and_the_limits() -> None:
    text = "\n".join(forecast_lines(FORECAST))
    rows = [line.split() for line in text.splitlines()]
    assert ["shop_web", "12.5", "s", "9.0", "s"] in rows
    assert ["shop_db", *NOT_BACK.split(), "9.4", "s"] in rows
    assert "Expect at least 12.5 s in all" in text or "Expect at least 12 s in all" in text
    assert "recreate (in the swarm as it is now): It holds the address of shell." in text
    assert "Leaked addresses are not rebuilt." in text
