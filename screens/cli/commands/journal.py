"""`vipconsole journal`: what dockerd logged, explained."""

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from console.clock import SystemClock
from console.durations import LOCAL
from console.errors import Unknown, UsageError
from console.journal.reader import DaemonLog, read_recent, why_foreign_unless_silent
from console.journal.signatures import LogSeverity
from console.journal.summary import Summariser
from console.journal.values import Batch
from console.settings import Settings
from console.swarm.reader import EngineReader, SwarmReader
from console.swarm.snapshots import object_names, task_names
from console.text import clean
from screens.cli import exit_codes
from screens.cli.commands.common import connection_for, journal_for, result_of, settings_of

SCHEMA = "vipconsole.journal/1"
NAMES_EVERY_S = 2.0
_EXIT_CODES = {None: 0, LogSeverity.NOTE: 0, LogSeverity.WARNING: 1, LogSeverity.CRITICAL: 2}


def run(asked: Namespace) -> int:
    """Read, print, follow if asked to, and return the exit code of the worst that was logged."""
    settings = settings_of(asked)
    if asked.since is not None:
        settings = replace(settings, snapshot=replace(settings.snapshot, journal_s=asked.since))
    log = journal_for(asked, settings)
    if asked.follow and not log.is_growing:
        raise UsageError("A recording does not grow, so it cannot be followed.", "Leave --follow out.")
    with connection_for(asked, settings) as connection:
        return result_of(_journal(asked, settings, log, EngineReader(connection)))


async def _journal(asked: Namespace, settings: Settings, log: DaemonLog, reader: SwarmReader) -> int:
    snapshot = settings.snapshot
    swarm = await reader.state(snapshot.deadline_s)
    refusal = await why_foreign_unless_silent(reader.host, swarm.engine)
    names = {**object_names(swarm), **task_names(swarm)}
    # A recording is read whole unless a time was asked for.
    window_s = None if log.is_recorded and asked.since is None else snapshot.journal_s
    batch = await read_recent(log, refusal, SystemClock().now(), window_s, snapshot.call_timeout_s)
    if log.is_recorded and isinstance(batch, Batch) and window_s is None and not batch.entries:
        batch = Unknown(
            f"No line of dockerd (unit {settings.docker_unit}) in {clean(str(asked.journal))}.",
            "It must be a recording in export format or JSON lines. Check `docker_unit` in the settings.",
        )
    if isinstance(batch, Unknown):
        if asked.json:
            document = {
                "schema": SCHEMA,
                "exit_code": exit_codes.UNKNOWN,
                "unknown": batch.reason,
                "hint": batch.hint,
            }
            print(json.dumps(document, indent=1))
        else:
            print(f"vipconsole: {batch.reason}", *filter(None, (batch.hint,)), sep="\n  ", file=sys.stderr)
        return exit_codes.UNKNOWN
    summariser = Summariser()
    summariser.add(batch)
    summary = summariser.summary(names, window_s)
    code = _EXIT_CODES[summary.worst]
    if asked.json and not asked.follow:
        from screens.output.snapshot_json import journal_json

        print(json.dumps({"schema": SCHEMA, "exit_code": code, **journal_json(summary)}, indent=1))
    elif not asked.json:
        from screens.output.journal import render_journal
        from screens.output.tables import print_plainly

        print_plainly(render_journal(summary, LOCAL, everything=asked.all))
    if asked.follow:
        await _follow(asked, log, batch, _Names(reader, names), summariser)
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
    asked: Namespace, log: DaemonLog, read: Batch, names: _Names, summariser: Summariser
) -> None:
    # Without an entry there is no cursor to continue from: then from now on, and nothing in between is lost.
    since = None if read.cursor else datetime.now(UTC)
    async with aclosing(log.reader.follow(read.cursor, since)) as batches:
        async for batch in batches:
            await names.learn(batch, NAMES_EVERY_S)
            _print_batch(asked, batch, summariser, names.names)


def _print_batch(asked: Namespace, batch: Batch, summariser: Summariser, names: Mapping[str, str]) -> None:
    recognised = summariser.add(batch)
    if asked.json:
        from screens.output.snapshot_json import event_json

        lines = [{"gap": gap.reason} for gap in batch.gaps] + [
            dict(event_json(event, names)) for event in recognised
        ]
        for line in lines:
            print(json.dumps(line))
    else:
        from rich.text import Text

        from screens.output.journal import event_line
        from screens.output.tables import print_plainly

        for gap in batch.gaps:
            print_plainly(Text(f"gap: {gap.reason}"))
        for event in recognised:
            print_plainly(event_line(event, names, LOCAL))
    sys.stdout.flush()
