"""Looks at everything that the plan of a recreation rests on. Changes nothing."""

import asyncio
from pathlib import Path

from console.errors import HostError
from console.host.container_files import given_addresses
from console.host.identity import doubt_that_engine_is_ours
from console.host.routes import read_routes
from console.host.values import Route
from console.parts import Part, unknown_from
from console.remedies.network_recreation_plan import Ground, Surroundings
from console.remedies.network_recreation_record import Record
from console.swarm.overlay_reader import EngineFacts, OverlayReader
from console.swarm.overlays import OverlayLook

ROUTES_WITHIN_S = 5.0


async def survey(reader: OverlayReader, host: str, network: str, kept: Record | None = None) -> Ground:
    """Return what a plan is made of. `host` is the engine's address; what this host tells counts only if it is its own.

    Raises an `EngineError` or `SwarmError` where the swarm cannot be read.
    """
    facts, look = await reader.facts(), await reader.look()
    current = look.overlay(network)
    attached = look.by_hand(network) if current is not None else ()
    found = [await reader.endpoint(each.id, network) for each in attached]
    around = await surroundings(host, facts, look, network)
    return Ground(look, tuple(each for each in found if each is not None), around, kept)


async def surroundings(host: str, facts: EngineFacts, look: OverlayLook, network: str) -> Surroundings:
    """Return what is known besides the swarm: routes and the engine's own files only where it is this host's engine."""
    doubt = await asyncio.to_thread(doubt_that_engine_is_ours, host, facts.name)
    if doubt is not None:
        return Surroundings(doubt, facts.default_pools)
    ids = [each.id for each in look.containers if network in each.networks]
    given = await asyncio.to_thread(given_addresses, Path(facts.root), ids, network)
    return Surroundings(await _routes(), facts.default_pools, given)


async def _routes() -> Part[tuple[Route, ...]]:
    try:
        return await read_routes(ROUTES_WITHIN_S)
    except HostError as error:
        return unknown_from(error)
