"""`vipconsole glance`: one read-only snapshot, as text, JSON or metrics."""

import os
import sys
from argparse import Namespace
from dataclasses import replace

from console.clock import SystemClock
from console.diagnosis.assess import assess
from console.errors import UsageError
from console.monitor.history import read_leak_log
from console.monitor.snapshot import take_snapshot
from console.runbook.store.viewer import unfinished_runs
from console.storage.census import read_censuses
from console.storage.state import state_folder
from console.swarm.reader import EngineReader
from screens.cli.commands.common import connection_for, journal_for, result_of, settings_of


def run(asked: Namespace) -> int:
    """Take a snapshot, print it, and return the exit code of the worst finding."""
    if asked.output and asked.form == "text":
        raise UsageError(
            "--output needs --json or --prometheus.", "To write the text to a file, redirect it."
        )
    settings = settings_of(asked)
    clock = SystemClock()
    with connection_for(asked, settings) as connection:
        reader, log = EngineReader(connection), journal_for(asked, settings)
        snapshot = result_of(take_snapshot(reader, log, clock, settings.snapshot, settle=not asked.quick))
    # The demo's swarm is a new one every time: nothing that is kept is about it.
    if not asked.demo:
        state = state_folder()
        leak_log = read_leak_log(state, snapshot)
        snapshot = replace(
            snapshot, censuses=read_censuses(state), leak_log=leak_log, runs=unfinished_runs(state)
        )
    required = "journal" in asked.require
    assessment = assess(snapshot, settings.thresholds, tuple(asked.network), journal_required=required)
    # Only the form that was asked for is loaded: drawing costs more than all the rest.
    match asked.form:
        case "json":
            from screens.output.snapshot_json import as_json

            _deliver(asked, as_json(snapshot, assessment))
        case "prometheus":
            from screens.output.metrics import as_metrics

            _deliver(asked, as_metrics(snapshot, assessment, settings.thresholds))
        case _:
            from screens.output.glance import render_glance
            from screens.output.tables import print_plainly
            from screens.present.text import glyphs_for

            everything = asked.all or bool(asked.network)
            glyphs = glyphs_for(os.environ)
            print_plainly(render_glance(snapshot, assessment, clock.now(), glyphs, everything=everything))
    return assessment.severity.exit_code


def _deliver(asked: Namespace, text: str) -> None:
    if asked.output is None:
        sys.stdout.write(text)
        return
    from console.storage.state import write_atomically

    # Collectors run as another user; nothing in a look is secret.
    write_atomically(asked.output, text, 0o644)
