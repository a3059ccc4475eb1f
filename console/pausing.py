"""Sleeps that can be cut short."""

import asyncio

from console.clock import Clock


async def sleep_unless(event: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Return after so many seconds of the clock, or as soon as the event is set."""
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    waking = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((sleeping, waking), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        waking.cancel()
        await asyncio.gather(sleeping, waking, return_exceptions=True)
