"""Where the newest scene stands, for whoever is shown it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from console.clock import Clock
from console.parts import Unknown
from console.watch.values import Feed, Scene

T = TypeVar("T")


class Stage:
    """Holds one scene, which feeds change part by part."""

    def __init__(self, clock: Clock) -> None:
        self.scene = Scene()
        self.clock = clock
        self._changed = asyncio.Event()

    def show(self, **parts: Any) -> None:
        """Change parts of the scene, by their names; nothing happens where each is the very same as before."""
        if any(getattr(self.scene, name) is not part for name, part in parts.items()):
            self.scene = replace(self.scene, number=self.scene.number + 1, **parts)
            self._changed.set()

    def came(self, value: T) -> Feed[T]:
        """Return a feed whose newest attempt brought a value."""
        return Feed(value, self.clock.monotonic())

    def failed(self, feed: Feed[T], why: Unknown) -> Feed[T]:
        """Return a feed whose newest attempt brought nothing; what it had is kept."""
        since_s = feed.failed_at_s if feed.failed is not None else self.clock.monotonic()
        # Where it is the same failure, the sentence is kept too.
        return feed if feed.failed == why else replace(feed, failed=why, failed_at_s=since_s)

    async def scenes(self, feeds: Iterable["asyncio.Task[None]"]) -> AsyncGenerator[Scene, None]:
        """Yield the newest scene after each change. A feed that ends by a bug ends this with its exception."""
        running = set(feeds)
        waiting = asyncio.ensure_future(self._changed.wait())
        try:
            while True:
                self._changed.clear()
                yield self.scene
                if waiting.done():
                    waiting = asyncio.ensure_future(self._changed.wait())
                done, _ = await asyncio.wait({waiting, *running}, return_when=asyncio.FIRST_COMPLETED)
                for each in done & running:
                    each.result()
                    running.discard(each)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
