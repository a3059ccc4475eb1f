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


def run(arguments: Namespace) -> int:
    """Take a snapshot, print it, and return the exit code of the worst finding."""
    if arguments.output and arguments.form == "text":
        raise UsageError(
            "--output needs --json or --prometheus.", "To write the text to a file, redirect it."
        )
    if arguments.holders and (len(arguments.network) != 1 or arguments.form == "prometheus"):
        raise UsageError(
            "--holders needs one NETWORK, and has no metrics.",
            "`vipconsole glance` lists the overlays; `vipconsole glance NETWORK --holders` shows who holds one.",
        )
    settings = settings_of(arguments)
    clock = SystemClock()
    with connection_for(arguments, settings) as connection:
        reader, log = EngineReader(connection), journal_for(arguments, settings)
        snapshot = result_of(take_snapshot(reader, log, clock, settings.snapshot, settle=not arguments.quick))
    # The demo's swarm is a new one every time: nothing in the store is about it.
    if not arguments.demo:
        state = state_folder()
        leak_log = read_leak_log(state, snapshot)
        snapshot = replace(
            snapshot, censuses=read_censuses(state), leak_log=leak_log, runs=unfinished_runs(state)
        )
    needs_journal = "journal" in arguments.require
    assessment = assess(
        snapshot, settings.thresholds, tuple(arguments.network), journal_required=needs_journal
    )
    # Only what the chosen form needs is loaded: Rich costs more than all the rest.
    match arguments.form:
        case "json" if arguments.holders:
            from screens.output.holders import as_json as holders_json

            _deliver(arguments, holders_json(snapshot, assessment))
        case "json":
            from screens.output.snapshot_json import as_json

            _deliver(arguments, as_json(snapshot, assessment))
        case "prometheus":
            from screens.output.metrics import as_metrics

            _deliver(arguments, as_metrics(snapshot, assessment, settings.thresholds))
        case _ if arguments.holders and assessment.accounts:
            from screens.output.holders import render_holders
            from screens.output.plain import print_plainly
            from screens.present.text import glyphs_for

            glyphs = glyphs_for(os.environ)
            print_plainly(render_holders(snapshot, assessment, glyphs))
        case _:
            from screens.output.glance import render_glance
            from screens.output.plain import print_plainly
            from screens.present.text import glyphs_for

            everything = arguments.all or bool(arguments.network)
            glyphs = glyphs_for(os.environ)
            print_plainly(render_glance(snapshot, assessment, clock.now(), glyphs, everything=everything))
    return assessment.severity.exit_code


def _deliver(arguments: Namespace, text: str) -> None:
    if arguments.output is None:
        sys.stdout.write(text)
        return
    from console.storage.state import write_atomically

    # Collectors run as another user; nothing in a snapshot is secret.
    write_atomically(arguments.output, text, 0o644)
