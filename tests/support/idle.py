"""A Textual app in a test, whose pilot waits until it has nothing left to do, and not for a span of time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any
from unittest.mock import patch

from textual._context import active_app
from textual.app import App
from textual.message import Message
from textual.pilot import Pilot

LIMIT_S = 1.0
"""After this an app that never comes to rest is taken as it is, as Textual's own pilot does."""


class Idleness:
    """Takes the place of Textual's way to wait, which sleeps for 20 ms again and again until the process uses little time.

    That makes a key cost a tenth of a second, and on a machine that is busy with something else it tells nothing.
    """

    def __init__(self) -> None:
        self._to_thread = asyncio.to_thread
        self._threads = 0

    async def to_thread(self, function: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
        """Do what `asyncio.to_thread` does, and count it as something that the app does."""
        self._threads += 1
        try:
            return await self._to_thread(function, *given, **named)
        finally:
            self._threads -= 1

    async def wait(self, min_sleep: float = 0.0, max_sleep: float = LIMIT_S) -> None:
        """Wait until no task can go on by itself, no thread works, and everything that changed is painted."""
        del min_sleep
        loop = asyncio.get_running_loop()
        end = loop.time() + max_sleep
        while loop.time() < end:
            await asyncio.sleep(0)
            # Neither asyncio nor Textual has a public way to ask for this.
            if loop._ready:  # type: ignore[attr-defined]
                continue
            if self._threads:
                await asyncio.sleep(0.001)
            elif not _paint(active_app.get()):
                return


def _paint(app: App[Any]) -> bool:
    """Do now what the app would do when a short timer ends: resize, and paint. Tell whether there was anything to do."""
    if not app._running or not app._screen_stack or app._batch_count:
        return False
    if app._resize_event is not None:
        app._check_resize()
        return True
    screen = app.screen
    has_changed = bool(
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    )
    if has_changed:
        screen._on_timer_update()
    return has_changed


@asynccontextmanager
async def running(
    app: App[Any], size: tuple[int, int], stream_item: Callable[[Message], None] | None = None
) -> AsyncIterator[Pilot[Any]]:
    """Run an app in a terminal of this size. Notifications are on: without them a bad one would pass unseen."""
    idleness = Idleness()
    with ExitStack() as stack:
        stack.enter_context(patch("asyncio.to_thread", idleness.to_thread))
        for module in ("app", "pilot"):
            stack.enter_context(patch(f"textual.{module}.wait_for_idle", idleness.wait))
        async with app.run_test(size=size, notifications=True, message_hook=stream_item) as pilot:
            yield pilot
