"""`vipconsole journal`: what dockerd logged, explained."""

import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from console.clock import SystemClock
from console.durations import LOCAL
from console.errors import ExitCode, Unknown, UsageError
from console.journal.reader import DaemonLog, read_recent, why_foreign_unless_silent
from console.journal.signatures import LogSeverity
from console.journal.summary import Summariser
from console.journal.values import Batch
from console.settings import Settings
from console.swarm.reader import EngineReader, SwarmReader
from console.swarm.snapshots import object_names, task_names
from console.text import clean
from screens.cli.common import engine_and_log, result_of, settings_of
from screens.output.plain import json_line, json_text, print_plainly, progress, say

SCHEMA = "vipconsole.journal/1"
NAMES_EVERY_S = 2.0
_EXIT_CODES = {None: 0, LogSeverity.NOTE: 0, LogSeverity.WARNING: 1, LogSeverity.CRITICAL: 2}


def run(arguments: Namespace) -> int:
    """Read, print, follow with --follow, and return the exit code of the worst line."""
    arguments.time_passes = arguments.follow
    settings = settings_of(arguments)
    if arguments.since is not None:
        settings = replace(settings, snapshot=replace(settings.snapshot, journal_s=arguments.since))
    with engine_and_log(arguments, settings) as (connection, log):
        if arguments.follow and not log.is_growing:
            raise UsageError("A recording does not grow, so it cannot be followed.", "Leave --follow out.")
        return result_of(_journal(arguments, settings, log, EngineReader(connection)))


async def _journal(arguments: Namespace, settings: Settings, log: DaemonLog, reader: SwarmReader) -> int:
    snapshot = settings.snapshot
    swarm = await reader.state(snapshot.deadline_s)
    refusal = await why_foreign_unless_silent(reader.host, swarm.engine)
    names = {**object_names(swarm), **task_names(swarm)}
    # Without --since, a recording is read whole.
    window_s = None if log.is_recorded and arguments.since is None else snapshot.journal_s
    batch = await read_recent(log, refusal, SystemClock().now(), window_s, snapshot.call_timeout_s)
    if log.is_recorded and isinstance(batch, Batch) and window_s is None and not batch.entries:
        batch = Unknown(
            f"No line of dockerd (unit {settings.docker_unit}) in {clean(str(arguments.journal))}.",
            "It must be a recording in export format or JSON lines. Check `docker_unit` in the settings.",
        )
    if isinstance(batch, Unknown):
        if arguments.json:
            document = {
                "schema": SCHEMA,
                "exit_code": ExitCode.UNKNOWN,
                "unknown": batch.reason,
                "hint": batch.hint,
            }
            sys.stdout.write(json_text(document))
        else:
            progress(batch.reason)
            say((f"  {batch.hint}",) if batch.hint else (), sys.stderr)
        return ExitCode.UNKNOWN
    summariser = Summariser()
    summariser.add(batch)
    summary = summariser.summary(names, window_s)
    code = _EXIT_CODES[summary.worst]
    if arguments.json and not arguments.follow:
        from screens.output.snapshot_json import journal_json

        sys.stdout.write(json_text({"schema": SCHEMA, "exit_code": code, **journal_json(summary)}))
    elif not arguments.json:
        from screens.output.journal import render_journal, render_verdict

        text = render_journal(summary, LOCAL, everything=arguments.all)
        print_plainly(text, render_verdict(summary))
    if arguments.follow:
        await _follow(arguments, log, batch, _Names(reader, names), summariser)
    return code


class _Names:
    """Names by ID, kept up to date: new services appear while lines are followed."""

    def __init__(self, reader: SwarmReader, names: Mapping[str, str]) -> None:
        self._reader, self.names = reader, names
        self._read_at_s = 0.0

    async def learn(self, batch: Batch, deadline_s: float) -> None:
        """Read the names again when lines came, but not too often."""
        now_s = SystemClock().monotonic()
        if batch.entries and now_s - self._read_at_s >= NAMES_EVERY_S:
            self._read_at_s = now_s
            swarm = await self._reader.lists(deadline_s)
            self.names = {**self.names, **object_names(swarm), **task_names(swarm)}


async def _follow(
    arguments: Namespace, log: DaemonLog, first: Batch, names: _Names, summariser: Summariser
) -> None:
    # Without an entry there is no cursor to continue from: then from now on, and nothing in between is lost.
    since = None if first.cursor else datetime.now(UTC)
    async with aclosing(log.reader.follow(first.cursor, since)) as batches:
        async for batch in batches:
            await names.learn(batch, NAMES_EVERY_S)
            _print_batch(arguments, batch, summariser, names.names)


def _print_batch(
    arguments: Namespace, batch: Batch, summariser: Summariser, names: Mapping[str, str]
) -> None:
    events = summariser.add(batch)
    if arguments.json:
        from screens.output.snapshot_json import event_json

        lines = [{"gap": gap.reason} for gap in batch.gaps] + [
            dict(event_json(event, names)) for event in events
        ]
        for line in lines:
            sys.stdout.write(json_line(line))
    else:
        from rich.text import Text

        from screens.output.journal import event_line

        for gap in batch.gaps:
            print_plainly(Text(f"gap: {gap.reason}"))
        for event in events:
            print_plainly(event_line(event, names, LOCAL))
    sys.stdout.flush()
