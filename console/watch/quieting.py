"""Whether it is quiet, judged at every look that is taken anyway."""

import asyncio
from dataclasses import replace

from console.clock import Clock
from console.host.activity import HostActivity
from console.host.survey import unlooked
from console.parts import Unknown
from console.stillness import HostEye, OwnHost, Stillness
from console.swarm.values import SwarmState
from console.watch.stage import Stage

HOST_S = 10.0
"""This host is looked at that often: its processes are many, and systemd answers slowly."""
NOT_YET = Unknown("This host has not been looked at yet.")


class Quieting:
    """The feed of quiet."""

    def __init__(self, own: OwnHost, eye: HostEye, stillness: Stillness, clock: Clock, stage: Stage) -> None:
        self._own = own
        self._stillness = stillness
        self._clock = clock
        self._stage = stage
        self._activity: HostActivity = unlooked(NOT_YET, eye.own())
        self._swarm: SwarmState | None = None
        self._is_seen = asyncio.Event()

    def judge(self, swarm: SwarmState) -> None:
        """Show what a look at the swarm amounts to, with the last look at this host."""
        self._swarm = swarm
        self._is_seen.set()
        judgement = self._stillness.judge(swarm, self._activity)
        since_s = self._stillness.quiet_since(judgement, self._stage.scene.poll_s)
        before = self._stage.scene.quiet.value
        report = judgement.report
        if before is not None and replace(before, taken_at=report.taken_at) == report:
            report = before
        self._stage.show(quiet=self._stage.came(report), quiet_since_s=since_s)

    async def run(self) -> None:
        """Look at this host until cancelled."""
        await self._is_seen.wait()
        while True:
            if self._swarm is not None:
                self._activity = await self._own.activity(self._swarm)
            await self._clock.sleep(HOST_S)
