"""What a rehearsal foretells, as text and as JSON. Does not load Rich."""

from collections.abc import Iterator
from textwrap import wrap

from console.durations import duration, stamp
from console.rehearsal.forecast import Forecast, to_json
from console.text import clean, plural
from screens.output.plain import json_text

NOT_BACK = "did not come back"


def forecast_json(forecast: Forecast) -> str:
    """Return it as one ASCII document."""
    return json_text(to_json(forecast))


def forecast_lines(forecast: Forecast, width: int = 80) -> Iterator[str]:
    """Yield the expected outage of each service beside what the plan says, what would be refused, and the limits."""
    yield f"Rehearsal of {forecast.runbook_id}, {stamp(forecast.at)}: {forecast.outcome.upper()}"
    yield ""
    if forecast.services:
        yield from _table(forecast)
    else:
        yield "No service was taken down."
    yield ""
    if forecast.refusals:
        yield "REFUSED"
        for refusal in forecast.refusals:
            where = "in the rehearsal" if refusal.in_rehearsal else "in the swarm as it is now"
            yield from _item(f"{refusal.step} ({where}): {refusal.sentence}", width)
    else:
        yield "Nothing was refused."
    yield ""
    yield "LIMITS of this rehearsal"
    for limit in forecast.limits:
        yield from _item(limit, width)


def _table(forecast: Forecast) -> Iterator[str]:
    planned = {downtime.service: downtime.seconds for downtime in forecast.planned}
    width = max(len(service.name) for service in forecast.services)
    yield f"{'SERVICE':<{width}}  EXPECTED DOWN  PLAN SAYS"
    for service in forecast.services:
        expected = NOT_BACK if service.seconds is None else f"{service.seconds:.1f} s"
        plan = f"{planned[service.name]:.1f} s" if service.name in planned else "-"
        yield f"{clean(service.name):<{width}}  {expected:>13}  {plan:>9}"
    at_least = "" if forecast.is_exact else "at least "
    yield (
        f"Expect {at_least}{duration(forecast.whole_s)} in all with at least one of "
        f"{plural(len(forecast.services), 'service')} down."
    )


def _item(text: str, width: int) -> list[str]:
    return wrap(
        clean(text, 1000),
        width,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
