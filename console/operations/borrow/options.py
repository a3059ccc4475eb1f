"""Who borrows a manager, and what the operator has set for it."""

from collections.abc import Callable
from pathlib import Path

from console.frozen import frozen


@frozen
class BorrowOptions:
    """What the operator has set."""

    state: Path
    unit: str
    """The docker unit of this host."""
    unlock_key: str = ""
    rotates_tokens: bool = False
    is_demo: bool = False
    """Whether the engine is a demo's, which ends with this process."""


@frozen
class BorrowCaller:
    """Who borrows a manager, and who is told."""

    owner: str
    """As `MACHINE/PROCESS`."""
    announce: Callable[[str], object]
    """Is told of every change, in words, before it is made."""
    tell: Callable[[str], object]
    """Is told of progress."""
