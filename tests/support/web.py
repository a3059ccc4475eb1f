"""A web server that answers as a test wants, on one port of this machine."""

import asyncio
import atexit
import re
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@cache
def certificate() -> Path:
    """Make a certificate of `app.test`, signed by itself, and return the file that holds it and its key."""
    folder = Path(tempfile.mkdtemp(prefix="certificate-"))
    atexit.register(shutil.rmtree, folder)
    path = folder / "app.test.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=app.test"
    )
    subprocess.run(
        [
            *command.split(),
            "-addext",
            "subjectAltName=DNS:app.test",
            "-keyout",
            path,
            "-out",
            path.with_suffix(".crt"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@dataclass
class Web:
    """What is answered by path (raw, or a status), and what was asked."""

    port: int = 0
    answers: dict[str, bytes | int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Heads of requests."""
    bodies: list[bytes] = field(default_factory=list)
    """What was posted."""
    serving: set["asyncio.Task[None] | None"] = field(default_factory=set)

    @property
    def via(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.via}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(task := asyncio.current_task())
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.serving.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"^content-length: ([0-9]+)", head, re.IGNORECASE | re.MULTILINE)
        if length is not None:
            self.bodies.append(await reader.readexactly(int(length[1])))
        self.asked.append(head)
        answer = self.answers.get(head.split(" ")[1], 404)
        if isinstance(answer, int):
            answer = f"HTTP/1.1 {answer} Said\r\nContent-Length: 0\r\n\r\n".encode()
        if answer == HANG:
            await reader.read()
        while answer == DRIP:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(answer)
        await writer.drain()


HANG = b"hang"
"""An answer that never comes."""
DRIP = b"drip"
"""An answer that comes byte by byte, and never ends."""


def redirect(status: int, location: str) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n\r\n".encode()


@asynccontextmanager
async def web(answers: Mapping[str, bytes | int], *, tls: bool = False) -> AsyncIterator[Web]:
    """Serve until the block ends."""
    served = Web(answers=dict(answers))
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate())
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=context)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        left = [each for each in served.serving if each is not None]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await server.wait_closed()
