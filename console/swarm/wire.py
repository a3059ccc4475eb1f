"""What every client of an engine gives and raises, whichever way it takes to the engine."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

JSON = "application/json"
VERSION_HEADER = "API-Version"
"""Stands in every answer of an engine (moby daemon/server/middleware/version.go)."""


class Refusal(Exception):
    """The engine answered with an HTTP error; `explanation` is its message, as it came."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(status, explanation)
        self.status = status
        self.explanation = explanation

    @classmethod
    def of(cls, status: int, content: bytes) -> "Refusal":
        """Return what an answer with an error's status says."""
        try:
            return cls(status, str(json.loads(content)["message"]))
        except (ValueError, TypeError, KeyError):
            return cls(status, content.decode(errors="replace").strip())


class EventStream(Protocol):
    """The engine's events, as they come."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Yield them until the engine or `close` ends the stream."""
        ...

    def close(self) -> None:
        """End the stream from any thread: who waits for the next event waits no longer."""
        ...


class EngineClient(ABC):
    """One connection to an engine, for one thread. `version` is the API version that both speak; empty before it is known.

    A call raises Refusal for an HTTP error of the engine, TimeoutError where it does not answer in time, and OSError or
    HTTPException for whatever else goes wrong on the way; ValueError and the like where an answer is not what it should be.
    """

    def __init__(self, version: str) -> None:
        self._version = version

    @abstractmethod
    def call(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[bytes, str]:
        """Return the engine's answer to a request, and the API version that it names; `path` is the whole path."""

    @abstractmethod
    def events(self, since: str, filters: Mapping[str, list[str]]) -> EventStream:
        """Return the engine's events from a moment of its clock on: seconds and nine decimals."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the engine, from the thread that asks."""

    def newest_version(self) -> str:
        """Return the newest API version that the engine speaks; what stands there may be no version."""
        # A ping costs the engine nothing. `/version` runs runc and docker-init on older ones.
        answer, version = self.call("GET", "/_ping", None, "")
        if version:
            return version
        answer, _ = self.call("GET", "/version", None, "")
        return str(json.loads(answer)["ApiVersion"])

    def get(self, path: str) -> bytes:
        """Return the engine's answer to `GET path`, as it came."""
        return self.call("GET", self._versioned(path), None, "")[0]

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a body as it is, and return the answer's JSON; None where the answer is empty."""
        content = None if body is None else json.dumps(body).encode()
        answer, _ = self.call(method, self._versioned(path, params), content, JSON if content else "")
        return json.loads(answer) if answer else None

    def upload(self, path: str, archive: bytes, params: Mapping[str, str]) -> None:
        """Send a tar archive. What becomes of it is told line by line, also that it failed: then Refusal is raised."""
        answer, _ = self.call("POST", self._versioned(path, params), archive, "application/x-tar")
        for line in answer.splitlines():
            if failure := json.loads(line).get("error"):
                raise Refusal(200, str(failure))

    def _versioned(self, path: str, params: Mapping[str, str] | None = None) -> str:
        return f"/v{self._version}{path}" + (f"?{urlencode(params)}" if params else "")
