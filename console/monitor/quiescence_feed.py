"""Judges at every snapshot whether swarm and host are quiet."""

import asyncio
from dataclasses import replace

from console.clock import Clock
from console.concurrency import cancel_all
from console.diagnosis.quiescence.values import QuiescenceRules
from console.diagnosis.quiescence.waiter import OwnHost, QuiescenceTracker
from console.errors import Unknown
from console.host.activity import HostActivity
from console.host.reader import HostReader, unavailable_activity
from console.monitor.values import StatePublisher
from console.settings import Settings
from console.swarm.model import SwarmState

HOST_S = 10.0
"""Seconds between two snapshots of this host: its processes are many, and systemd answers slowly."""
NOT_YET = Unknown("This host has not been checked yet.")


class QuiescenceFeed:
    """Publishes whether swarm and host are quiet."""

    def __init__(self, host: str, settings: Settings, clock: Clock, publisher: StatePublisher) -> None:
        reader = HostReader(settings.quiet, settings.snapshot.call_timeout_s)
        rules = QuiescenceRules(settings.quiet, settings.thresholds, settings.quiet.dwell_s)
        self.tracker = QuiescenceTracker(host, clock, rules)
        """Hears the engine's events too."""
        self._own = OwnHost(host, reader)
        self._clock = clock
        self._publisher = publisher
        self._activity: HostActivity = unavailable_activity(NOT_YET, reader.own())
        self._swarm: SwarmState | None = None
        self._has_snapshot = asyncio.Event()

    def take(self, swarm: SwarmState) -> None:
        """Take the newest snapshot of the swarm; one that was not judged yet is left out."""
        self._swarm = swarm
        self._has_snapshot.set()

    async def run(self) -> None:
        """Read this host and judge the snapshots until cancelled."""
        await self._has_snapshot.wait()
        reading = asyncio.create_task(self._read_host(), name="host read")
        judging = asyncio.create_task(self._judge(), name="quiescence judged")
        try:
            # Neither ends but by a bug.
            done_tasks, _ = await asyncio.wait((reading, judging), return_when=asyncio.FIRST_COMPLETED)
            for task in done_tasks:
                task.result()
        finally:
            await cancel_all(reading, judging)

    async def _judge(self) -> None:
        while True:
            await self._has_snapshot.wait()
            self._has_snapshot.clear()
            if self._swarm is not None:
                await self._publish_verdict(self._swarm)

    async def _publish_verdict(self, swarm: SwarmState) -> None:
        judgement = await self.tracker.judge_aside(swarm, self._activity)
        since_s = self.tracker.quiet_since(judgement, self._publisher.monitor_state.poll_s)
        before = self._publisher.monitor_state.quiet.value
        report = judgement.report
        if before is not None and replace(before, taken_at=report.taken_at) == report:
            report = before
        self._publisher.show(quiet=self._publisher.success(report), quiet_since_s=since_s)

    async def _read_host(self) -> None:
        while True:
            if self._swarm is not None:
                self._activity = await self._own.activity(self._swarm)
            await self._clock.sleep(HOST_S)
