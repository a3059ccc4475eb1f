"""`vipconsole glance`: one read-only snapshot, as text, JSON or metrics; or one after the other as text."""

import os
import sys
from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from console.clock import SystemClock
from console.diagnosis.values import Snapshot
from console.durations import stamp
from console.errors import EngineError, ExitCode, HostError, SwarmError, Unknown, UsageError
from console.journal.reader import DaemonLog
from console.monitor.snapshot import take_snapshot, take_snapshot_with_nodes
from console.runbook.store.finished import runs_that_block
from console.settings import Settings
from console.storage.alerts import read_failing_alerts
from console.storage.census import read_censuses
from console.storage.state import SYSTEM_STATE, state_folder
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from screens.cli.common import engine_and_log, load_meanwhile, nodes_for, result_of, settings_of

if TYPE_CHECKING:
    from console.diagnosis.values import Assessment
    from console.monitor.values import Watching

LOADED_MEANWHILE = (
    "console.diagnosis.assess",
    "console.monitor.history",
    "console.monitor.trends",
    "screens.output.plain",
)
FORMS = {
    "json": "screens.output.snapshot_json",
    "prometheus": "screens.output.metrics",
    "text": "screens.output.glance",
}
"""What each form is written by: only what the chosen one needs is loaded. Rich, for the text, costs more than all the rest."""


def run(arguments: Namespace) -> int:
    """Take a snapshot, print it, and return the exit code of the worst finding; with --watch of the last snapshot."""
    if arguments.output and arguments.form == "text":
        raise UsageError(
            "--output needs --json or --prometheus.", "To write the text to a file, redirect it."
        )
    if arguments.holders and (len(arguments.network) != 1 or arguments.form == "prometheus"):
        raise UsageError(
            "--holders needs one NETWORK, and has no metrics.",
            "`vipconsole glance` lists the overlays; `vipconsole glance NETWORK --holders` shows who holds one.",
        )
    if arguments.watch_s is not None and (arguments.form != "text" or arguments.holders):
        raise UsageError(
            "--watch prints the text of a glance only.", "For anything else, let a timer start it each time."
        )
    arguments.time_passes = arguments.watch_s is not None
    settings = settings_of(arguments)
    with engine_and_log(arguments, settings) as (connection, log):
        if arguments.watch_s is None:
            return _glance(arguments, settings, connection, log)
        return _watch(arguments, settings, connection, log)


def _watch(arguments: Namespace, settings: Settings, connection: EngineConnection, log: DaemonLog) -> int:
    """Take and print snapshots until ctrl+c; what fails in one round does not end the others."""
    from screens.output.plain import progress, say

    clock = SystemClock()
    code: int = ExitCode.INTERRUPTED
    try:
        while True:
            began_s = clock.monotonic()
            try:
                code = _glance(arguments, settings, connection, log)
            except (HostError, EngineError, SwarmError) as error:
                code = ExitCode.UNKNOWN
                progress(f"{stamp(clock.now())}  {error.sentence} {error.hint}".rstrip())
            result_of(clock.sleep(max(0.0, arguments.watch_s - (clock.monotonic() - began_s))))
            say(("",))
    except KeyboardInterrupt:
        return code


def _glance(arguments: Namespace, settings: Settings, connection: EngineConnection, log: DaemonLog) -> int:
    clock = SystemClock()
    reader = EngineReader(connection)
    nodes = nodes_for(arguments, connection, settings)
    taking = take_snapshot(reader, log, clock, settings.snapshot, settle=not arguments.quick)
    load_meanwhile(*LOADED_MEANWHILE, FORMS[arguments.form])
    snapshot = result_of(take_snapshot_with_nodes(taking, nodes))
    snapshot, assessment = _assess(arguments, settings, snapshot)
    match arguments.form:
        case "json" if arguments.holders:
            from screens.output.holders import as_json as holders_json

            _deliver(arguments, holders_json(snapshot, assessment))
        case "json":
            from screens.output.snapshot_json import as_json

            _deliver(
                arguments, as_json(snapshot, assessment, None if arguments.demo else _watching(snapshot))
            )
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
            from screens.output.glance import EVERYTHING, SHORTER, USUAL, render_glance, render_verdict
            from screens.output.plain import print_plainly
            from screens.present.text import glyphs_for

            now, glyphs = clock.now(), glyphs_for(os.environ)
            is_one_of_many = arguments.watch_s is not None
            recording = "" if arguments.demo else _recording(snapshot)
            details = (EVERYTHING,) if arguments.all or arguments.network else (USUAL, *SHORTER)
            first, *shorter = (
                render_glance(
                    snapshot,
                    assessment,
                    now,
                    glyphs,
                    replace(detail, has_time=is_one_of_many, recording=recording),
                )
                for detail in details
            )
            print_plainly(first, render_verdict(assessment, now if is_one_of_many else None), shorter)
    return assessment.severity.exit_code


def _assess(arguments: Namespace, settings: Settings, snapshot: Snapshot) -> "tuple[Snapshot, Assessment]":
    """Return a snapshot with what is stored about it, and its assessment."""
    from console.diagnosis.assess import assess
    from console.monitor.history import read_leak_log
    from console.monitor.trends import read_trends

    # The demo's swarm is a new one every time: nothing in the store is about it.
    if not arguments.demo:
        state = state_folder()
        snapshot = replace(
            snapshot,
            censuses=read_censuses(state),
            leak_log=read_leak_log(state, snapshot),
            runs=runs_that_block(state),
            failing_alerts=read_failing_alerts(state, snapshot.taken_at),
        )
    options = (settings.thresholds, tuple(arguments.network))
    needs_journal = "journal" in arguments.require
    assessment = assess(snapshot, *options, journal_required=needs_journal)
    filling = {finding.subject for finding in assessment.findings if finding.code == "network-filling"}
    if filling and not arguments.demo:
        # When it will be full is worth a second assessment, and needs the accounts of the first.
        accounts = [account for account in assessment.accounts if account.network.name in filling]
        snapshot = replace(snapshot, trends=read_trends(state_folder(), snapshot, accounts))
        assessment = assess(snapshot, *options, journal_required=needs_journal)
    return snapshot, assessment


def _recording(snapshot: Snapshot) -> str:
    from screens.present.recording import NEVER, recording_text

    engine = snapshot.swarm.engine
    if isinstance(engine, Unknown):
        return ""
    # Only where the recorder of the host itself would keep it: any other directory is somebody's own.
    never = NEVER if state_folder() == SYSTEM_STATE else ""
    return recording_text(_watching(snapshot), engine.time) or never


def _watching(snapshot: Snapshot) -> "Watching | None":
    from console.monitor.watching import read_watching

    engine = snapshot.swarm.engine
    return (
        None if isinstance(engine, Unknown) else read_watching(state_folder(), engine.cluster_id, engine.time)
    )


def _deliver(arguments: Namespace, text: str) -> None:
    if arguments.output is None:
        sys.stdout.write(text)
        return
    from console.storage.state import write_atomically

    # Collectors run as another user; nothing in a snapshot is secret.
    write_atomically(arguments.output, text, 0o644)
