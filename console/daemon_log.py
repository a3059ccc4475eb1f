"""dockerd's own log, read only where it is proven to belong to the engine that is looked at."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.errors import HostError
from console.host.identity import UNIX, doubt_that_engine_is_ours
from console.journal.reader import JournalReader
from console.journal.values import Batch, Window
from console.parts import Part, Unknown, unknown_from
from console.swarm.values import Engine


@dataclass(frozen=True, slots=True)
class DaemonLog:
    """Where dockerd's lines are read from."""

    reader: JournalReader
    is_recorded: bool = False
    """Whether the operator named a recording: then it is read whole, and nobody asks whose it is."""
    is_growing: bool = True
    """Whether it can be followed: a recording in a file cannot."""
    is_proven: bool = False
    """Whether it is the engine's own without anybody asking: the demo's."""


async def whose_host(host: str, engine: Part[Engine]) -> Unknown | None:
    """Return why what this host tells cannot be taken to belong to an engine, or None when it can.

    An engine that does not answer cannot be proven to be this host's own.
    """
    if isinstance(engine, Unknown):
        return Unknown("The engine does not answer, so it is not known whether it is this host's own.")
    return await asyncio.to_thread(doubt_that_engine_is_ours, host, engine.name)


async def doubt_unless_silent(host: str, engine: Part[Engine]) -> Unknown | None:
    """Return the same doubt, but none for a silent engine behind a unix socket.

    For whoever asks for this host's journal itself: a dockerd that is dead is when its log is wanted most.
    """
    if isinstance(engine, Unknown) and host.startswith(UNIX):
        return None
    return await whose_host(host, engine)


async def read_lately(
    log: DaemonLog, doubt: Unknown | None, now: datetime, window_s: float | None, deadline_s: float
) -> Part[Batch]:
    """Return dockerd's lines of the last `window_s` seconds (None: all), or why they are not to be had."""
    if doubt is not None and not (log.is_recorded or log.is_proven):
        return doubt
    since = None if window_s is None else now - timedelta(seconds=window_s)
    try:
        async with asyncio.timeout(deadline_s + 1):
            return await log.reader.read(Window(since=since, deadline_s=deadline_s))
    except HostError as error:
        return unknown_from(error)
    except TimeoutError:
        return Unknown(f"The journal was not read within {deadline_s + 1:g} s.")
