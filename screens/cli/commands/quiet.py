"""`vipconsole quiet`: waits until the swarm and this host are quiet, and names what blocks."""

import os
import sys
from argparse import Namespace
from contextlib import aclosing

from console.clock import SystemClock
from console.diagnosis.quiescence.values import QuiescenceRules
from console.diagnosis.quiescence.waiter import WaitDependencies, WaitProgress, wait_for_quiet
from console.durations import duration
from console.errors import UsageError
from console.host.reader import HostReader
from console.settings import Settings
from console.swarm.client import EngineConnection
from console.swarm.events import EventSource
from console.swarm.reader import EngineReader
from console.text import clean
from screens.cli.common import connection_for, result_of, settings_of
from screens.output.quiet import EXIT_CODES, QuietProgress, as_json


def run(arguments: Namespace) -> int:
    """Wait, show what blocks, print the last state, and return its exit code."""
    settings = settings_of(arguments)
    dwell_s, timeout_s = _times(arguments, settings)
    rules = QuiescenceRules(
        settings.quiet, settings.thresholds, dwell_s, frozenset(clean(name) for name in arguments.accept)
    )
    with connection_for(arguments, settings) as connection:
        printer = QuietProgress(sys.stderr, os.environ)
        last = result_of(_wait(connection, settings, rules, timeout_s, printer))
    if arguments.json:
        sys.stdout.write(as_json(last, connection.host))
    else:
        from screens.output.plain import print_plainly
        from screens.output.quiet import render_quiet, render_verdict

        print_plainly(render_quiet(last), render_verdict(last))
    return EXIT_CODES[last.outcome or last.report.verdict]


async def _wait(
    connection: EngineConnection,
    settings: Settings,
    rules: QuiescenceRules,
    timeout_s: float,
    printer: QuietProgress,
) -> WaitProgress:
    clock = SystemClock()
    dependencies = WaitDependencies(
        EngineReader(connection),
        HostReader(settings.quiet, settings.snapshot.call_timeout_s),
        EventSource(connection, clock),
    )
    states = wait_for_quiet(dependencies, clock, rules, settings.snapshot, timeout_s)
    last: WaitProgress | None = None
    try:
        async with aclosing(states):
            async for state in states:
                last = state
                printer.update(state)
    finally:
        printer.end()
    if last is None:
        raise AssertionError("a wait ended without a state")
    return last


def _times(arguments: Namespace, settings: Settings) -> tuple[float, float]:
    quiet_settings = settings.quiet
    # Time stands still in the demo: one snapshot is enough.
    usual_s = 0.0 if arguments.demo else quiet_settings.dwell_s
    dwell_s = usual_s if arguments.dwell_s is None else arguments.dwell_s
    timeout_s = quiet_settings.timeout_s if arguments.timeout_s is None else arguments.timeout_s
    if timeout_s < dwell_s:
        raise UsageError(
            f"Quiet for {duration(dwell_s)} cannot fit into a timeout of {duration(timeout_s)}.",
            "Give a longer --timeout or a shorter --for.",
        )
    return dwell_s, timeout_s
