"""Gives leaked addresses back by a restart of the leader's dockerd. Every container of that host stops and comes back."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from console.clock import Clock
from console.concurrency import until
from console.errors import EngineTimeout, Unknown
from console.swarm.model import SwarmState
from console.swarm.reader import SwarmReader

POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class RestartResult:
    """What came of a restart."""

    took_s: float
    """Until the swarm was back and converged."""
    behind: tuple[str, ...]
    """Services whose tasks all ran before and do not yet, by name."""


class DaemonRestart:
    """One restart. `restart` does it: `systemctl restart` of the unit on a real host."""

    def __init__(
        self,
        reader: SwarmReader,
        clock: Clock,
        restart: Callable[[], Awaitable[None]],
        tell: Callable[[str], object],
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._restart = restart
        self._tell = tell

    async def run(self, recovery_s: float) -> RestartResult:
        """Restart it and wait until what ran before runs again.

        Raises HostError when the unit does not come up, EngineTimeout when the swarm does not.
        """
        began_s = self._clock.monotonic()
        before = count_running_tasks(await self._reader.lists(10))
        self._tell("restarting dockerd: every container of this host stops and comes back")
        await self._restart()
        self._tell("dockerd is up; waiting for the swarm")
        behind: tuple[str, ...] | None = None

        async def is_back() -> bool:
            nonlocal behind
            swarm = await self._reader.lists(10)
            answers = not isinstance(swarm.engine, Unknown) and not isinstance(swarm.nodes, Unknown)
            behind = behind_of(before, swarm) if answers else None
            return behind == ()

        await until(is_back, self._clock, recovery_s, POLL_S)
        if behind is None:
            raise EngineTimeout(
                f"dockerd restarted, but the swarm did not answer within {recovery_s:g} s.",
                "Run `systemctl status` on its unit, and read its journal.",
            )
        return RestartResult(self._clock.monotonic() - began_s, behind)


def count_running_tasks(swarm: SwarmState) -> Mapping[str, int]:
    """Return how many tasks of each service run and are wanted, by the service's name."""
    if isinstance(swarm.services, Unknown) or isinstance(swarm.tasks, Unknown):
        return {}
    names = {service.id: service.name for service in swarm.services}
    counts: defaultdict[str, int] = defaultdict(int)
    for task in swarm.tasks:
        if task.state == "running" and task.desired_state == "running" and task.service_id in names:
            counts[names[task.service_id]] += 1
    return dict(counts)


def behind_of(before: Mapping[str, int], swarm: SwarmState) -> tuple[str, ...]:
    """Return the services that are still there and have fewer tasks running than before."""
    if isinstance(swarm.services, Unknown) or isinstance(swarm.tasks, Unknown):
        return tuple(before)
    names, now = {service.name for service in swarm.services}, count_running_tasks(swarm)
    return tuple(sorted(name for name, count in before.items() if name in names and now.get(name, 0) < count))
