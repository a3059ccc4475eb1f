"""What dockerd logged while a step was under way, kept with the run: a journal is rotated, a report stays."""

from datetime import datetime

from console.errors import EngineError, Part, SwarmError, Unknown, unknown_from
from console.journal.reader import read_lately, whose_host
from console.journal.summary import describe, summarise
from console.runbook.runner.world import RunWorld
from console.swarm.values import Engine

MOST_LINES = 40
MARGIN_S = 2.0
"""More than it takes until a line is in the journal."""
LONGEST_S = 3600.0
"""Of a step that took longer, the last hour is read."""


async def logged_since(world: RunWorld, began: datetime) -> tuple[str, ...]:
    """Return what dockerd logged since a moment, a line for each kind, or why that is not known."""
    try:
        engine: Part[Engine] = await world.reader.engine()
    except (EngineError, SwarmError) as error:
        engine = unknown_from(error)
    doubt = await whose_host(world.host, engine)
    now = world.clock.now()
    window_s = min(LONGEST_S, max(0.0, (now - began).total_seconds()) + MARGIN_S)
    batch = await read_lately(world.log, doubt, now, window_s, world.settings.look.call_timeout_s)
    if isinstance(batch, Unknown):
        return (f"What dockerd logged is not known: {batch.reason}",)
    summary = summarise([batch], {}, window_s)
    lines = [f"{each.signature.severity}: {each.text} ({describe(each)})" for each in summary.findings]
    lines += [f"unexplained: {each.text} ({each.count} times)" for each in summary.unmatched]
    more = [f"… {len(lines) - MOST_LINES} more kinds"] if len(lines) > MOST_LINES else []
    return (*lines[:MOST_LINES], *more) or ("Nothing of interest.",)
