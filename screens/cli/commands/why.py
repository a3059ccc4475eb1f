"""`vipconsole why`: why the tasks of services do not run, as text or JSON."""

import shlex
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace

from console.clock import SystemClock
from console.diagnosis.findings.nodes import find_nodes
from console.diagnosis.values import Snapshot
from console.diagnosis.why.evidence import ServiceStatus, lines_of
from console.diagnosis.why.explain import WhyAnswer, explain
from console.errors import Unknown, VipconsoleError, known
from console.journal.matching import LogEvent
from console.journal.reader import DaemonLog, read_recent, whose_host
from console.monitor.snapshot import take_snapshot, take_snapshot_with_nodes
from console.settings import Settings
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from screens.cli.common import engine_and_log, is_simulated, nodes_for, result_of, settings_of

MARGIN_S = 60.0
"""dockerd may log a line shortly before the timestamp of the object that the line is about."""
NODE_CODES = ("node-stopped", "peers-differ", "overlay-cut", "copy-stale")
"""Findings about nodes that may be why a service that runs is not reached, or does not run where it should."""
FURTHEST_S = 7 * 86_400.0
"""How far back dockerd's log is read at most."""


def run(arguments: Namespace) -> int:
    """Take a snapshot, explain and print it, and return the exit code of the worst standing."""
    settings = settings_of(arguments)
    with engine_and_log(arguments, settings) as (connection, log):
        snapshot, answer = result_of(_answer(arguments, settings, log, connection))
    if arguments.json:
        from screens.output.why import as_json

        sys.stdout.write(as_json(snapshot, answer, _where(arguments)))
    else:
        from screens.output.plain import print_plainly
        from screens.output.why import render_verdict, render_why

        text = render_why(answer, _where(arguments), everything=bool(arguments.name))
        print_plainly(text, render_verdict(answer))
    return answer.standing.severity.exit_code


async def _answer(
    arguments: Namespace, settings: Settings, log: DaemonLog, connection: EngineConnection
) -> tuple[Snapshot, WhyAnswer]:
    # dockerd's log is read below, once it is known how far back; the snapshot itself does not need it.
    polling = replace(settings.snapshot, journal_s=1)
    nodes = nodes_for(arguments, connection, settings)
    taking = take_snapshot(EngineReader(connection), log, SystemClock(), polling)
    snapshot = await take_snapshot_with_nodes(taking, nodes)
    names = tuple(arguments.name)
    about_nodes = tuple(finding.sentence for finding in find_nodes(snapshot) if finding.code in NODE_CODES)
    answer = explain(snapshot, settings.thresholds, names)
    not_running = [
        explained_service
        for explained_service in answer.services
        if explained_service.explanation.standing is not ServiceStatus.RUNS
    ]
    if not not_running:
        return snapshot, replace(answer, notes=(*answer.notes, *about_nodes))
    window_s = min(
        FURTHEST_S,
        max(
            (snapshot.now - explained_service.service.updated).total_seconds()
            for explained_service in not_running
        )
        + MARGIN_S,
    )
    lines, notes = await _read_lines(settings, log, snapshot, window_s)
    outside, more = await _read_ports(connection, answer)
    answer = explain(snapshot, settings.thresholds, names, lines, outside)
    return snapshot, replace(answer, notes=(*answer.notes, *notes, *more, *about_nodes))


async def _read_ports(
    connection: EngineConnection, answer: WhyAnswer
) -> tuple[Mapping[int, tuple[str, ...]], tuple[str, ...]]:
    """Return who publishes ports outside the swarm, if a port is taken, and sentences on what could not be read."""
    if all(explained_service.explanation.cause != "port-taken" for explained_service in answer.services):
        return {}, ()
    try:
        return await EngineReader(connection).published_ports(), ()
    except VipconsoleError as error:
        return {}, (f"The containers of this node were not read. {error.sentence}",)


async def _read_lines(
    settings: Settings, log: DaemonLog, snapshot: Snapshot, window_s: float
) -> tuple[Mapping[str, LogEvent], tuple[str, ...]]:
    """Return dockerd's last lines, and sentences on what of its log could not be read."""
    swarm = snapshot.swarm
    refusal = await whose_host(snapshot.host, swarm.engine)
    span_s = None if log.is_recorded else window_s
    batch = await read_recent(log, refusal, snapshot.taken_at, span_s, settings.snapshot.call_timeout_s)
    if isinstance(batch, Unknown):
        hint = f" {batch.hint}" if batch.hint else ""
        return {}, (f"dockerd's log was not read. {batch.reason}{hint}",)
    notes = [f"dockerd's log has a gap. {gap.reason}" for gap in batch.gaps]
    if batch.is_partial or batch.unreadable:
        notes.append("dockerd's log was read only in part: it is too long for one read.")
    leader = next((node for node in known(swarm.nodes, ()) if node.is_leader), None)
    here = "" if isinstance(swarm.engine, Unknown) else swarm.engine.node_id
    if leader is not None and leader.id != here and not log.is_recorded:
        notes.append(f"The leader, {leader.hostname}, logs allocation failures. Its log was not read.")
    return lines_of(batch), tuple(notes)


def _where(arguments: Namespace) -> tuple[str, str]:
    """Return what a command needs before and after it to reach the same engine."""
    before = f"DOCKER_HOST={shlex.quote(arguments.host)} " if arguments.host else ""
    return before, " --demo" if is_simulated(arguments) else ""
