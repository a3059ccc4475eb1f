"""Reads the HTTP status of web addresses, and nothing more."""

import asyncio
import os
import re
import ssl
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from console.text import clean

HEAD_LIMIT_BYTES = 65_536
REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_AS_THEY_ARE = "%/?:=&~+!$,;'@()*[]"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of one address."""

    status: int | None
    """None where no HTTP answer came."""
    summary: str
    """The status, or why there is none, in a few words."""
    location: str = ""
    """Where a redirect leads."""


@dataclass(frozen=True, slots=True)
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
    try:
        async with asyncio.timeout(options.timeout_s):
            return await _follow(url, options)
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


async def _follow(url: str, options: HttpOptions) -> Reply:
    reply = await _ask_once(urlsplit(url), options)
    for _ in range(options.redirects):
        url = urljoin(url, reply.location)
        if reply.status not in REDIRECTS or not reply.location or urlsplit(url).scheme not in _PORTS:
            break
        reply = await _ask_once(urlsplit(url), options)
    return reply


async def _ask_once(url: SplitResult, options: HttpOptions) -> Reply:
    host, port = (url.hostname or "").encode("idna").decode(), url.port or _PORTS[url.scheme]
    connect_host, connect_port = _address(options.via) if options.via else (host, port)
    tls = _context(options) if url.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        connect_host, connect_port, ssl=tls, server_hostname=host if tls else None, limit=HEAD_LIMIT_BYTES
    )
    try:
        writer.write(_request(url, host))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
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
    location = BytesHeaderParser().parsebytes(headers).get("Location", "")
    return Reply(int(match[1]), match[1].decode(), clean(str(location), 1000))


def _request(url: SplitResult, host: str) -> bytes:
    path = quote((url.path or "/") + (f"?{url.query}" if url.query else ""), _AS_THEY_ARE)
    authority = f"[{host}]" if ":" in host else host
    port = f":{url.port}" if url.port and url.port != _PORTS[url.scheme] else ""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {authority}{port}",
        "User-Agent: vipconsole",
        "Accept: */*",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


def _context(options: HttpOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not options.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _address(via: str) -> tuple[str, int]:
    host, _, port = via.rpartition(":")
    return host.strip("[]"), int(port)
