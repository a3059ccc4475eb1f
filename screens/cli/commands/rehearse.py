"""`vipconsole rehearse`: runs a runbook for real on a private engine with the swarm's shape, and says what to expect."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from console.clock import SystemClock
from console.errors import ExitCode, RunbookError
from console.host.lock_probe import decline_if_locked
from console.rehearsal.forecast import ExpectedRefusal, Forecast, ServiceForecast, planned_downtimes, store
from console.rehearsal.inside import NOT_RUN
from console.rehearsal.rehearsal import (
    RehearsalRequest,
    RehearsalResult,
    fit_shape,
    means_of_this_host,
    read_shape,
    rehearse,
    require_means,
    without_urls,
)
from console.runbook.language.file import read_runbook
from console.runbook.language.source import default_runbook, read_bytes
from console.runbook.language.values import Json
from console.runbook.language.variables import parse_assignments, values_of
from console.runbook.run.downtime import downtime_of
from console.runbook.run.view import RunState
from console.runbook.runner.context import RunWorld
from console.runbook.runner.creation import StepPlan, plan_of, refusals
from console.runbook.store.viewer import decline_if_unfinished
from console.storage.state import state_folder, write_atomically
from console.text import listed
from screens.cli.common import (
    engine_and_log,
    require_plain_file,
    result_of,
    settings_of,
)
from screens.output.plain import progress, say, size_of
from screens.output.rehearsal import forecast_json, forecast_lines


def run(arguments: Namespace) -> int:
    """Rehearse, print what is to be expected, and return 0 where the runbook would go through."""
    state = state_folder()
    means = means_of_this_host(state)
    require_means(means)
    if arguments.save_shape is not None:
        require_plain_file(arguments.save_shape)
    path = arguments.file or default_runbook()
    try:
        runbook = read_runbook(path)
    except RunbookError as error:
        say(error.problems, sys.stderr, wraps=False)
        progress(f"{error.sentence} {error.hint}".rstrip())
        return ExitCode.USAGE
    variables = values_of(runbook, parse_assignments(arguments.variables))
    settings, clock = settings_of(arguments), SystemClock()
    # Nothing may take the processor from a run that is under way.
    decline_if_unfinished(state)
    decline_if_locked()
    with engine_and_log(arguments, settings) as (connection, log):
        world = RunWorld(connection, settings, clock, log)
        shape = result_of(read_shape(world.reader, connection.host))
        if arguments.save_shape is not None:
            write_atomically(arguments.save_shape, json.dumps(asdict(shape), indent=1) + "\n", 0o600)
        shape, memory_bytes = fit_shape(shape, settings, means)
        plans = result_of(plan_of(runbook, variables, world))
    began_at, began_s = clock.now(), clock.monotonic()
    text = read_bytes(path).decode("utf-8")
    request = RehearsalRequest(shape, memory_bytes, text, variables, settings)
    result = rehearse(request, state, clock, progress)
    view = result.run.view
    downtime = downtime_of(view.steps)
    forecast = Forecast(
        at=began_at,
        took_s=round(clock.monotonic() - began_s, 1),
        outcome="interrupted" if result.run.is_interrupted else str(view.state),
        runbook_id=runbook.id,
        cluster_id=shape.cluster_id,
        services=(
            *(ServiceForecast(name, round(took_s, 1)) for name, took_s in downtime.by_service),
            *(ServiceForecast(interval.name, None) for interval in downtime.still_down),
        ),
        whole_s=round(downtime.whole_s, 1),
        is_exact=not downtime.has_gaps,
        planned=planned_downtimes(plan.plan for plan in plans),
        refusals=tuple(_refusals(plans, result)),
        limits=(*shape.limits, *_limits(variables, result)),
    )
    progress(f"the forecast is stored in {store(forecast, state)}")
    if arguments.json:
        sys.stdout.write(forecast_json(forecast))
    else:
        say(forecast_lines(forecast, size_of(sys.stdout)[0]))
    return forecast.exit_code


def _limits(variables: Mapping[str, Json], result: RehearsalResult) -> Iterator[str]:
    """Yield in what the rehearsal differs from the run that it foretells, each a sentence."""
    programs = [step.id for step in result.run.view.steps if step.skipped_because == NOT_RUN]
    if programs:
        yield f"Programs of this host were not run: {listed(programs)}."
    ours, theirs = result.shape.engine_version, result.run.view.header.engine_version
    if ours != theirs:
        yield f"The swarm's engine is {ours}, and the dockerd of this host is {theirs}."
    if without_urls(variables) != variables:
        yield "URLs were not requested: nothing serves them on the private engine."


def _refusals(plans: tuple[StepPlan, ...], result: RehearsalResult) -> Iterator[ExpectedRefusal]:
    """Yield what the plan refuses for the swarm as it is, then what the rehearsal ran into."""
    for step_id, reason in refusals(plans):
        yield ExpectedRefusal(step_id, reason, in_rehearsal=False)
    for name in result.not_running:
        yield ExpectedRefusal("the swarm", f"{name} did not start on the private engine.", in_rehearsal=True)
    view = result.run.view
    for step in view.steps:
        if step.failure is not None and step.skipped_because != NOT_RUN:
            yield ExpectedRefusal(step.id, step.failure.sentence, in_rehearsal=True)
    if view.state is not RunState.DONE and not any(step.failure for step in view.steps):
        reason = "" if view.stop_reason is None else view.stop_reason.sentence
        at = "the run" if view.current is None else view.current.id
        yield ExpectedRefusal(at, reason or "The rehearsed run went no further.", in_rehearsal=True)
