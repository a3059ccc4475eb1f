"""A state directory in which everything is kept that the program ever keeps there, as it writes it itself."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from functools import cache
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path

from console.addresses.forecast import Point
from console.addresses.leaks import AllocatorGeneration, Census, LeakEntry, allocator_key, allocator_of
from console.alerts.values import AlertState, Memory, Notification, Occasion
from console.diagnosis.values import Severity
from console.errors import Unknown
from console.guard.collector import remember_restart
from console.host.temporary.values import Cable
from console.recorder.values import EventKind, RecordedEvent, WatchSpan
from console.rehearsal.forecast import Forecast, store
from console.runbook.language.values import Effect
from console.runbook.run.header import StepHeader
from console.runbook.run.waits import BlockedTime, Blocking, Waiting
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import RESERVE, create_run
from console.runbook.store.output import Output, beat, write_waiting
from console.storage.alerts import write_alerts
from console.storage.borrow import BorrowRecord, BorrowStore
from console.storage.census import write_census
from console.storage.history import HistoryStore
from console.storage.record import RecordStore
from console.swarm.model import SwarmState
from tests.fuzz.engine import answers_of, hasty_recorder, plain, where
from tests.fuzz.program import check, run
from tests.support.engines import read_swarm
from tests.support.runs import Flags, PaperRun
from tests.support.scripted import scripted

SWARM = "full"
"""The swarm that it is about."""
ROUNDS = 3
"""So often the recorder looks."""
HEADS = (
    StepHeader("look", "Look", "test.do", Effect.READ),
    StepHeader("do", "Do it", "test.do", Effect.CHANGE, needs_word=True),
)


def _recorded(folder: Path) -> SwarmState:
    """Let a recorder work for a moment, and return the swarm that it saw."""
    answers = answers_of(SWARM)
    rounds = count()

    def reply(_: str, path: str) -> tuple[bytes, bool]:
        if path == "/info" and next(rounds) == ROUNDS:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(answers, path), False

    with scripted(folder / "engine.sock", reply) as engine, hasty_recorder():
        check(run(("record", *where(engine.host, folder)), folder))
        return asyncio.run(read_swarm(engine.host))


@cache
def kept() -> Mapping[str, bytes]:
    """Return every file of such a directory, by its path in it."""
    with tempfile.TemporaryDirectory(prefix="state-") as name:
        folder = Path(name)
        swarm = _recorded(folder)
        state = folder / "state"
        _fill(state, swarm)
        return {
            str(path.relative_to(state)): path.read_bytes()
            for path in sorted(state.rglob("*"))
            if path.is_file() and path.name != RESERVE
        }


def _fill(state: Path, swarm: SwarmState) -> None:
    engine, networks = swarm.engine, swarm.networks
    if isinstance(engine, Unknown) or isinstance(networks, Unknown):
        raise TypeError("the simulated engine must answer")
    now = engine.time
    proxy = next(network for network in networks if network.name == "proxy")
    allocator = allocator_of(swarm)
    entry = LeakEntry(
        proxy.id,
        "proxy",
        (IPv4Address("10.0.1.9"),),
        "task",
        "nightly_app.1",
        "nightly_app",
        "nightly",
        "nightly_internal",
        now - timedelta(hours=1),
    )
    history = HistoryStore(state)
    for key in history.points(engine.cluster_id):
        history.add_points(
            engine.cluster_id,
            [(key, Point(now - timedelta(minutes=minute), 9 + minute % 3)) for minute in range(200)],
        )
    history.change_leaks(engine.cluster_id, allocator_key(allocator, engine.managers), [entry], [])
    record = RecordStore(state)
    happened = [
        RecordedEvent(
            now - timedelta(minutes=10 * number),
            kind,
            "web_app",
            f"{kind} happened.",
            "proxy",
            "web",
            Severity.WARNING,
            number % 2 == 1,
            1,
        )
        for number, kind in enumerate(EventKind)
    ]
    record.keep(engine.cluster_id, happened, {now: {"vip-exhausted": 3}}, "")
    record.note_watching(engine.cluster_id, WatchSpan(now - timedelta(hours=3), now))
    generation = allocator or AllocatorGeneration(engine.cluster_id, engine.node_id, engine.node_id, None)
    write_census(
        state,
        Census(proxy.id, "proxy", now - timedelta(minutes=5), generation, (IPv4Address("10.0.1.9"),), 0),
    )
    told = Notification(
        Occasion.RISE, now, "host", "code", "proxy", Severity.CRITICAL, "short", "A sentence.", "A hint.", now
    )
    memory = Memory(Severity.CRITICAL, "short", now, now, True, None)
    write_alerts(
        state,
        {"pager": AlertState({("code", "proxy"): memory}, (told,), now, "It refused.", 3, 5, now, 1, now)},
    )
    remember_restart(state, now - timedelta(days=1))
    store(
        Forecast(now, 12.0, "done", "proxy-16", engine.cluster_id, (), 5.0, True, (), (), ("a limit",)), state
    )
    (state / "nodes.json").write_text(
        json.dumps(
            {
                "other unix:///x.sock": {
                    "answered_at": now.isoformat(),
                    "failing_since": None,
                    "node_id": "n",
                    "address": "a",
                }
            }
        )
    )
    cable = Cable("vipconsole0", "198.18.0.1", "198.18.0.2", 30, "192.0.2.10")
    borrow = BorrowRecord(
        "machine/1",
        now,
        engine.cluster_id,
        engine.node_id,
        "ci-host",
        "192.0.2.10:2377",
        cable,
        {"c1": "2026-06-12T02:00:00Z"},
    )
    BorrowStore(state).write(borrow.with_step("start", now).with_step_done(now).with_step("join", now))
    _add_run(state)


def _add_run(state: Path) -> None:
    run = PaperRun(HEADS, Flags())
    run.work()
    first, *others = run.entries
    folder = create_run(state, first.event, b"schema: vipconsole.runbook/1\n", first.at)  # type: ignore[arg-type]
    with closing(database.connect(folder / LOG)) as log:
        for entry in others:
            database.append(log, entry.event, entry.at)
    output = Output(folder)
    output.put("look", "a line")
    output.close()
    beat(folder, 1.0)
    rows = (BlockedTime("web_app.1", "is starting", first.at, first.at, 2, 3.0),)
    write_waiting(
        folder,
        Waiting("do", first.at, first.at, (Blocking("web_app.1", "is starting"),), 1, "a note", "", rows),
    )
