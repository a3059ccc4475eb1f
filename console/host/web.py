"""Reads the HTTP status of web addresses, and posts to them. Little more than the status is ever read."""

import asyncio
import os
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field, replace
from email.parser import BytesHeaderParser
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from console.frozen import frozen
from console.text import clean

HEAD_LIMIT_BYTES = 65_536
REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_AS_THEY_ARE = "%/?:=&~+!$,;'@()*[]"
ANSWER_LIMIT_BYTES = 2000
ANSWER_S = 2.0
"""So long the rest of an answer to a post is waited for."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)")


@frozen
class Reply:
    """The answer of one address."""

    status: int | None
    """None where no HTTP answer came."""
    summary: str
    """The status, or why there is none, in a few words."""
    location: str = ""
    """Where a redirect leads."""
    retry_after_s: float | None = None
    """How long the server wants to be left alone, where it says so in seconds."""
    beginning: bytes = b""
    """What the answer to a post begins with, raw."""


@frozen
class Posting:
    """What is posted. Where the address holds a user and a password, they are sent as such (basic authentication)."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@frozen
class HttpOptions:
    """How addresses are asked."""

    timeout_s: float = 10.0
    """For each address, redirects included."""
    verify_tls: bool = True
    via: str = ""
    """`HOST:PORT` to connect to instead of the address's own host; name and certificate stay the address's."""
    redirects: int = 0
    """How many are followed."""


async def ask(url: str, options: HttpOptions) -> Reply:
    """Return what an address answers to GET. Whatever goes wrong is an answer without a status, never an error."""
    return await _reply(url, options, None)


async def post(url: str, posting: Posting, options: HttpOptions) -> Reply:
    """Return what an address answers to POST, as `ask` does; redirects are never followed, and are an answer.

    Nothing that is returned names the address: it may hold a secret.
    """
    return await _reply(url, replace(options, redirects=0), posting)


async def _reply(url: str, options: HttpOptions, posting: Posting | None) -> Reply:
    try:
        async with asyncio.timeout(options.timeout_s):
            return await _follow(url, options, posting)
    except TimeoutError:
        reason = f"no answer within {options.timeout_s:g} s"
    except ssl.SSLCertVerificationError as error:
        reason = f"its certificate is not valid: {error.verify_message}"
    except ssl.SSLError as error:
        reason = f"TLS failed: {error.reason or 'no reason given'}"
    except OSError as error:
        # asyncio puts addresses in the place of what went wrong; what cannot be resolved has a number below 0.
        number = error.errno or 0
        reason = (os.strerror(number) if number > 0 else error.strerror) or str(error) or type(error).__name__
    except ValueError as error:
        reason = str(error) or type(error).__name__
    return Reply(None, clean(reason, 200))


async def _follow(url: str, options: HttpOptions, posting: Posting | None) -> Reply:
    reply = await _ask_once(urlsplit(url), options, posting)
    for _ in range(options.redirects):
        url = urljoin(url, reply.location)
        if reply.status not in REDIRECTS or not reply.location or urlsplit(url).scheme not in _PORTS:
            break
        reply = await _ask_once(urlsplit(url), options, None)
    return reply


async def _ask_once(url: SplitResult, options: HttpOptions, posting: Posting | None) -> Reply:
    host, port = (url.hostname or "").encode("idna").decode(), url.port or _PORTS[url.scheme]
    connect_host, connect_port = _address(options.via) if options.via else (host, port)
    tls = _context(options) if url.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        connect_host, connect_port, ssl=tls, server_hostname=host if tls else None, limit=HEAD_LIMIT_BYTES
    )
    try:
        writer.write(_request(url, host, posting))
        # A server that answers before it has read everything closes at once; its answer counts.
        with suppress(ConnectionError):
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        beginning = b"" if posting is None else await _beginning(reader)
    except asyncio.IncompleteReadError:
        raise ValueError("the connection ended before an answer came") from None
    except asyncio.LimitOverrunError:
        raise ValueError("the answer has no end of headers") from None
    finally:
        # Only the head is wanted; a server that goes on sending is not waited for.
        writer.transport.abort()
    line, _, headers = head.partition(b"\r\n")
    match = _STATUS.match(line)
    if match is None:
        raise ValueError("what answers there does not speak HTTP")
    parsed = BytesHeaderParser().parsebytes(headers)
    location, retry_after = str(parsed.get("Location", "")), str(parsed.get("Retry-After", "")).strip()
    return Reply(
        int(match[1]),
        match[1].decode(),
        clean(location, 1000),
        float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else None,
        beginning,
    )


async def _beginning(reader: asyncio.StreamReader) -> bytes:
    """Return what an answer begins with, as far as it comes soon."""
    raw = b""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(ANSWER_S):
            while len(raw) < ANSWER_LIMIT_BYTES and (more := await reader.read(ANSWER_LIMIT_BYTES)):
                raw += more
    return raw[:ANSWER_LIMIT_BYTES]


def _request(url: SplitResult, host: str, posting: Posting | None) -> bytes:
    path = quote((url.path or "/") + (f"?{url.query}" if url.query else ""), _AS_THEY_ARE)
    authority = f"[{host}]" if ":" in host else host
    port = f":{url.port}" if url.port and url.port != _PORTS[url.scheme] else ""
    lines = [
        f"{'GET' if posting is None else 'POST'} {path} HTTP/1.1",
        f"Host: {authority}{port}",
        "User-Agent: vipconsole",
        "Accept: */*",
        "Connection: close",
    ]
    body = b""
    if posting is not None:
        body = posting.body
        lines += [f"Content-Type: {posting.content_type}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in posting.headers.items()]
        if url.username is not None:
            pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
            lines.append(f"Authorization: Basic {b64encode(pair).decode()}")
    return "\r\n".join((*lines, "", "")).encode("ascii") + body


def _context(options: HttpOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not options.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _address(via: str) -> tuple[str, int]:
    host, _, port = via.rpartition(":")
    return host.strip("[]"), int(port)
