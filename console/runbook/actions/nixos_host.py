"""What the actions on a NixOS host share: whether they mean anything here, and what earlier attempts wrote down."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from console.errors import Declined, HostError
from console.journal.reader import doubt_unless_silent
from console.nixos.places import NOT_NIXOS, STORE_PATH, Places
from console.runbook.actions.base import Context, Touched
from console.runbook.actions.looking import glimpse

System: TypeAlias = Annotated[str, Field(pattern=STORE_PATH, max_length=300)]
"""The store path of a NixOS system."""


async def doubt_of_this_host(context: Context) -> str:
    """Return why this host must not be changed for that engine, a sentence, or nothing.

    A silent engine behind a unix socket is taken to be this host's own: it may be what has to be mended.
    """
    swarm = await glimpse(context)
    doubt = await doubt_unless_silent(context.world.host, swarm.engine)
    return "" if doubt is None else f"This host is not changed for an engine elsewhere. {doubt.reason}"


async def require_this_host(context: Context, places: Places) -> None:
    """Raise HostError where this is no NixOS, and Declined where it is not the engine's host."""
    if not places.is_nixos:
        raise HostError(NOT_NIXOS)
    doubt = await doubt_of_this_host(context)
    if doubt:
        raise Declined(doubt)


async def folder_of(context: Context, name: str, text: str) -> Path:
    """Write a file into the run's folder, and return the folder."""
    return Path(await context.keep(name, text)).parent


def touched(context: Context, kind: str, *what: str) -> Iterator[Touched]:
    """Yield what earlier attempts touched of a kind in one of these ways, the latest first."""
    return (each for each in reversed(context.touched) if each.kind == kind and each.what in what)
