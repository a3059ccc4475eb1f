"""Questions whose answers are needed whole: each is waited for, and one that fails is kept until all have ended."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from console.errors import EngineNonsense, VipconsoleError
from console.swarm.connection import EngineConnection

T = TypeVar("T")


class Asking:
    """Asks the engine behind a connection, and parses what it answers."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection

    async def listed(
        self, what: str, question: Callable[[Any], Any], parser: Callable[[Mapping[str, Any]], T]
    ) -> tuple[T, ...] | VipconsoleError:
        """Return the parsed entries of a list, or the error instead of them."""
        return await self.asked(
            f"list the {what}", question, lambda rows: tuple(parser(row) for row in rows or ())
        )

    async def asked(
        self, asked: str, question: Callable[[Any], Any], parser: Callable[[Any], T]
    ) -> T | VipconsoleError:
        """Return the parsed answer to a question, or the error instead of it."""
        try:
            return parser(await self._connection.ask(asked, question))
        except VipconsoleError as error:
            return error
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            return EngineNonsense(
                f"The engine at {self._connection.host} sent a malformed reply "
                f"(asked to {asked}; {type(error).__name__}).",
                "If a proxy is in between, bypass it. Otherwise report this with the engine's version.",
            )


def answered(part: T | VipconsoleError) -> T:
    """Return an answer, or raise the error that stands in its place."""
    if isinstance(part, VipconsoleError):
        raise part
    return part
