"""How long services were expected to be down, beside how long they were. Pure."""

from collections.abc import Mapping

from console.durations import TimeFormat, duration, stamp
from console.frozen import frozen
from console.rehearsal.forecast import Forecast, planned_downtimes
from console.runbook.run.downtime import Downtime
from console.runbook.run.view import RunView


@frozen
class Expectation:
    """What was expected of a run."""

    source: str
    """`rehearsal` or `plan`."""
    name: str
    """The source, for people."""
    whole_s: float
    by_service: Mapping[str, float]


def planned_by(view: RunView) -> Expectation | None:
    """Return what the plans of a run's steps expected, if they did."""
    downtimes = planned_downtimes(
        None if step.preparation is None else step.preparation.plan for step in view.steps
    )
    if not downtimes:
        return None
    by_service = {downtime.service: downtime.seconds for downtime in downtimes}
    # All of them go down together.
    return Expectation("plan", "plan", max(by_service.values()), by_service)


def expectation_of(view: RunView, forecast: Forecast | None) -> Expectation | None:
    """Return what the rehearsal foretold, where there was one, else what the plan expected."""
    if forecast is None:
        return planned_by(view)
    by_service = {
        service.name: service.seconds for service in forecast.services if service.seconds is not None
    }
    name = f"rehearsal of {stamp(forecast.at, TimeFormat.DAY_MINUTE)}"
    return Expectation("rehearsal", name, forecast.whole_s, by_service)


def expectation_text(expectation: Expectation, downtime: Downtime) -> str:
    """Return it in one short line, beside what was measured."""
    difference = (
        f"; {_difference(expectation, downtime)}" if downtime.is_exact and expectation.whole_s else ""
    )
    return f"{duration(expectation.whole_s)} ({expectation.name}){difference}"


def _difference(expectation: Expectation, downtime: Downtime) -> str:
    percent = round((downtime.whole_s / expectation.whole_s - 1) * 100)
    if not percent:
        return "measured the same"
    return f"measured {abs(percent)} % {'more' if percent > 0 else 'less'}"
