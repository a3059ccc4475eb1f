"""A network for several engines: a bridge in a namespace of its own, one cable to each engine."""

from types import TracebackType
from typing import Self

from tests.engine.namespaces import LabError, Namespaces, run

PREFIX = 24
"""Prefix length of the addresses on a switch; use 10.99.0.2 and up."""


class Switch:
    """A bridge that engines are plugged into; no way leads out of it."""

    def __init__(self) -> None:
        self._namespaces = Namespaces("switch")
        self._ports = 0
        self._namespaces.run("ip", "link", "add", "bridge", "type", "bridge")
        self._namespaces.run("ip", "link", "set", "bridge", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if complaint := self._namespaces.close():
            raise LabError(complaint)

    def plug(self, engine: Namespaces, address: str) -> None:
        """Give an engine's namespaces an interface `lan` with that IPv4 address."""
        self._ports += 1
        port = f"port{self._ports}"
        ends = (
            "netns",
            str(self._namespaces.init),
            "type",
            "veth",
            "peer",
            "name",
            "lan",
            "netns",
            str(engine.init),
        )
        run(["ip", "link", "add", "name", port, *ends])
        self._namespaces.run("ip", "link", "set", port, "master", "bridge", "up")
        engine.run("ip", "address", "add", f"{address}/{PREFIX}", "dev", "lan")
        engine.run("ip", "link", "set", "lan", "up")
