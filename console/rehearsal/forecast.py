"""What a rehearsal foretells, stored in the state directory, and found again for the run that it was about."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from console.durations import parse_time
from console.errors import DAMAGE, HostError
from console.frozen import frozen
from console.runbook.language.values import ActionPlan, ExpectedDowntime
from console.runbook.run.view import RunState
from console.storage.state import make_private, write_atomically

SCHEMA = "vipconsole.rehearsal/1"
FOLDER = "rehearsals"
KEPT = 20
"""So many are stored; older ones are removed."""


@frozen
class ServiceForecast:
    """How long one service is expected to be down."""

    name: str
    seconds: float | None
    """None where it did not come back in the rehearsal."""


@frozen
class ExpectedRefusal:
    """What would be refused, or went wrong, at a step."""

    step: str
    sentence: str
    in_rehearsal: bool
    """Whether the rehearsal ran into it; else the plan says so for the swarm as it is now."""


@frozen
class Forecast:
    """What a rehearsal foretells."""

    at: datetime
    took_s: float
    outcome: str
    """The state of the rehearsed run."""
    runbook_id: str
    cluster_id: str
    services: tuple[ServiceForecast, ...]
    whole_s: float
    """How long at least one service was down."""
    is_exact: bool
    """Whether all of it was measured."""
    planned: tuple[ExpectedDowntime, ...]
    """What the plan for the swarm says by itself. Runs with the same plan are those that this is about."""
    refusals: tuple[ExpectedRefusal, ...]
    limits: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 where the runbook went through and nothing would be refused, else 2."""
        return 0 if self.outcome == RunState.DONE and not self.refusals else 2

    def is_about(self, runbook_id: str, cluster_id: str, planned: Iterable[ExpectedDowntime]) -> bool:
        """Return whether it foretells a run with this plan: the same services, replicas, graces and order."""
        return (self.runbook_id, self.cluster_id, self.planned) == (runbook_id, cluster_id, tuple(planned))


def planned_downtimes(plans: Iterable[ActionPlan | None]) -> tuple[ExpectedDowntime, ...]:
    """Return the downtimes that plans expect, in order."""
    return tuple(downtime for plan in plans if plan is not None for downtime in plan.downtimes)


def rehearsed_steps(forecast: Forecast, plans: Mapping[str, ActionPlan]) -> dict[str, float]:
    """Return by step how long at least one of its services was down in a rehearsal, where that was measured whole."""
    times_s = {step: _rehearsed_s(forecast, plan) for step, plan in plans.items()}
    return {step: time_s for step, time_s in times_s.items() if time_s is not None}


def _rehearsed_s(forecast: Forecast, plan: ActionPlan) -> float | None:
    names = {downtime.service for downtime in plan.downtimes}
    times_s = [service.seconds for service in forecast.services if service.name in names]
    measured_s = [time_s for time_s in times_s if time_s is not None]
    if not forecast.is_exact or not measured_s or len(measured_s) < len(times_s):
        return None
    # The services of one step go down together.
    return forecast.whole_s if forecast.planned == plan.downtimes else max(measured_s)


def to_json(forecast: Forecast) -> dict[str, Any]:
    """Return it as plain data."""
    return {
        "schema": SCHEMA,
        "exit_code": forecast.exit_code,
        **asdict(forecast),
        "at": forecast.at.isoformat(),
    }


def from_json(data: Mapping[str, Any]) -> Forecast:
    """Return what `to_json` was given. Raises ValueError, KeyError and TypeError for anything else."""
    if data["schema"] != SCHEMA:
        raise ValueError("it is of another version")
    return Forecast(
        at=parse_time(data["at"]),
        took_s=float(data["took_s"]),
        outcome=str(data["outcome"]),
        runbook_id=str(data["runbook_id"]),
        cluster_id=str(data["cluster_id"]),
        services=tuple(ServiceForecast(**row) for row in data["services"]),
        whole_s=float(data["whole_s"]),
        is_exact=bool(data["is_exact"]),
        planned=tuple(ExpectedDowntime(**row) for row in data["planned"]),
        refusals=tuple(ExpectedRefusal(**row) for row in data["refusals"]),
        limits=tuple(map(str, data["limits"])),
    )


def store(forecast: Forecast, state: Path) -> Path:
    """Store it in the state directory, and return the file. Raises HostError."""
    folder = state / FOLDER
    make_private(folder)
    path = folder / f"{forecast.at:%Y%m%d-%H%M%S}-{forecast.runbook_id}.json"
    write_atomically(path, json.dumps(to_json(forecast), indent=1) + "\n", 0o600)
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        with suppress(OSError):
            old.unlink()
    return path


def newest_about(
    state: Path, before: datetime, runbook_id: str, cluster_id: str, planned: Iterable[ExpectedDowntime]
) -> Forecast | None:
    """Return the newest rehearsal before a moment that foretells a run with this plan, if there is one; blocks.

    One that cannot be read is none: the report of a run does not depend on it.
    """
    planned = tuple(planned)
    for path in sorted((state / FOLDER).glob("*.json"), reverse=True):
        with suppress(OSError, HostError, *DAMAGE):
            forecast = from_json(json.loads(path.read_text("utf-8")))
            if forecast.at < before and forecast.is_about(runbook_id, cluster_id, planned):
                return forecast
    return None
