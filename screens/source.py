"""Where the console's data comes from."""

from collections.abc import AsyncGenerator
from typing import Protocol

from console.monitor.values import Scene


class SceneSource(Protocol):
    """Gives scenes for as long as somebody looks; `console.monitor` has the real one."""

    def scenes(self) -> AsyncGenerator[Scene, None]:
        """Yield the newest scene whenever something in it changed; parts that did not are the very same objects."""
        ...

    def hurry(self) -> None:
        """Look now instead of at the end of the present pause."""
        ...

    def attend(self, *network_ids: str) -> None:
        """Look closely at these networks, and no longer at those named before: somebody has them on the screen."""
        ...
