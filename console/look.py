"""Takes one look: asks the engine, and this host where the engine is its own, and dates the answers."""

from console.addresses.holders import has_address_twice
from console.clock import Clock
from console.daemon_log import DaemonLog, read_lately, whose_host
from console.errors import HostError
from console.health.values import Observation
from console.host.machine import machine_id
from console.host.routes import read_routes
from console.host.values import Route
from console.journal.summary import Summary, summarise
from console.parts import Part, Unknown, unknown_from
from console.settings import Look
from console.swarm.names import object_names
from console.swarm.reader import SwarmReader
from console.swarm.values import Engine, SwarmState
from console.together import together


async def take_look(
    reader: SwarmReader, log: DaemonLog, clock: Clock, settings: Look, *, settle: bool = True
) -> Observation:
    """Return a dated observation within the deadline of the settings, and the settling time once more if it is used.

    Where the engine counts addresses, or where one seems to be held twice, a second look some seconds later tells
    what stays from what was only changing hands; `settle=False` does without it, and then leaks are unknown.
    """
    start = clock.monotonic()
    swarm = await reader.look(settings.deadline_s)
    doubt = await whose_host(reader.host, swarm.engine)
    window_s = None if log.is_recorded else settings.journal_s
    (earlier, swarm), routes, batch = await together(
        _settled(reader, clock, settings, swarm, settle=settle),
        _routes(doubt, settings),
        read_lately(log, doubt, clock.now(), window_s, settings.call_timeout_s),
    )
    journal: Part[Summary] = (
        batch if isinstance(batch, Unknown) else summarise([batch], object_names(swarm), window_s)
    )
    took_s = clock.monotonic() - start
    return Observation(
        reader.host, clock.now(), took_s, swarm, earlier, routes, journal, machine=machine_id()
    )


async def _settled(
    reader: SwarmReader, clock: Clock, settings: Look, swarm: SwarmState, *, settle: bool
) -> tuple[SwarmState | None, SwarmState]:
    """Return what was seen first and then, where a second look was taken; else nothing and what was seen."""
    if not (settle and _must_settle(swarm)):
        return None, swarm
    await clock.sleep(settings.settle_s)
    return swarm, await reader.look(settings.deadline_s)


def _must_settle(swarm: SwarmState) -> bool:
    if isinstance(swarm.engine, Unknown):
        return False
    return swarm.engine.counts_addresses or has_address_twice(swarm)


async def read_own_routes(host: str, engine: Part[Engine], settings: Look) -> Part[tuple[Route, ...]]:
    """Return this host's routes, or why they have nothing to do with an engine."""
    return await _routes(await whose_host(host, engine), settings)


async def _routes(doubt: Unknown | None, settings: Look) -> Part[tuple[Route, ...]]:
    if doubt is not None:
        return doubt
    try:
        return await read_routes(settings.call_timeout_s)
    except HostError as error:
        return unknown_from(error)
