"""What belongs to a look besides the swarm itself: this host's routes, and the censuses and runs that it keeps."""

import asyncio
from pathlib import Path

from console.addresses.evidence import Census
from console.census_store import kept_censuses
from console.clock import Clock
from console.health.values import UnfinishedRun
from console.host.values import Route
from console.look import read_own_routes
from console.parts import Part
from console.runbook.unfinished import unfinished_runs
from console.settings import Look
from console.swarm.values import Engine

CENSUSES_S = 10.0
ROUTES_S = 60.0
RUNS_S = 2.0
"""A run that stops is told as soon as a one-shot look would tell it."""


class Surroundings:
    """Reads them again only now and then. `state` is where censuses and runs are kept; None where none is about this swarm."""

    def __init__(self, host: str, state: Path | None, look: Look, clock: Clock) -> None:
        self._host = host
        self._state = state
        self._look = look
        self._clock = clock
        self._censuses: tuple[float, Part[tuple[Census, ...]]] | None = None
        self._routes: tuple[float, Part[tuple[Route, ...]]] | None = None
        self._runs: tuple[float, Part[tuple[UnfinishedRun, ...]]] | None = None

    async def censuses(self) -> Part[tuple[Census, ...]]:
        """Return what is kept of censuses."""
        if self._state is None:
            return ()
        now_s = self._clock.monotonic()
        if self._censuses is None or now_s - self._censuses[0] >= CENSUSES_S:
            self._censuses = (now_s, await asyncio.to_thread(kept_censuses, self._state))
        return self._censuses[1]

    async def runs(self) -> Part[tuple[UnfinishedRun, ...]]:
        """Return the maintenance runs of this host that are not over, whether the engine answers or not."""
        if self._state is None:
            return ()
        now_s = self._clock.monotonic()
        if self._runs is None or now_s - self._runs[0] >= RUNS_S:
            self._runs = (now_s, await asyncio.to_thread(unfinished_runs, self._state))
        return self._runs[1]

    async def routes(self, engine: Engine) -> Part[tuple[Route, ...]]:
        """Return this host's routes, where an engine is its own."""
        now_s = self._clock.monotonic()
        if self._routes is None or now_s - self._routes[0] >= ROUTES_S:
            self._routes = (now_s, await read_own_routes(self._host, engine, self._look))
        return self._routes[1]
