"""An engine on a socket that sends what a test wants, byte by byte."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit


def response(body: bytes, status: str = "200 OK", version: str = "1.41", length: int | None = None) -> bytes:
    """Return an HTTP response."""
    head = (
        f"HTTP/1.1 {status}\r\nApi-Version: {version}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode("latin-1") + body


Reply = Callable[[str, str], tuple[bytes, bool]]
"""Given method and path: what to send, and whether to close the connection then."""


class ScriptedEngine:
    """Listens on a socket, and sends what its script says."""

    def __init__(self, path: Path, reply: Reply) -> None:
        self.host = f"unix://{path}"
        self.reply = reply
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(32)
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._ended = threading.Semaphore(0)
        threading.Thread(target=self._serve, daemon=True, name="scripted").start()

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.drop()

    def wait_for_end(self) -> None:
        """Wait until one connection more has ended."""
        assert self._ended.acquire(timeout=60)

    def drop(self) -> None:
        """Close every connection."""
        with self._guard:
            for stream in self._open:
                with suppress(OSError):
                    stream.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                stream, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(stream,), daemon=True, name="scripted").start()

    def _talk(self, stream: socket.socket) -> None:
        with self._guard:
            self._open.add(stream)
        try:
            while request := _request(stream):
                method, target = request
                path = urlsplit(target).path
                if path.startswith("/v"):
                    path = path[1:].partition("/")[1] + path[1:].partition("/")[2]
                data, ends = self.reply(method, path)
                stream.sendall(data)
                if ends:
                    return
        except (OSError, ValueError):
            return
        finally:
            with self._guard:
                self._open.discard(stream)
            stream.close()
            self._ended.release()


def _request(stream: socket.socket) -> tuple[str, str] | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = stream.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            while len(body) < int(value):
                more = stream.recv(65536)
                if not more:
                    return None
                body += more
    method, target, _ = lines[0].split(" ", 2)
    return method, target


@contextmanager
def scripted(path: Path, reply: Reply) -> Iterator[ScriptedEngine]:
    """Give an engine while it listens."""
    engine = ScriptedEngine(path, reply)
    try:
        yield engine
    finally:
        engine.close()
