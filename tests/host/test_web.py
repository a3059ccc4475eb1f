"""Asking web addresses for their status: what they answer, and why they do not."""

import socket
import ssl
import time
from dataclasses import replace

import pytest

from console.host.web import HttpOptions, ask
from tests.support.web import DRIP, HANG, certificate, redirect, web

PATIENT = HttpOptions(timeout_s=60)


@pytest.mark.parametrize("status", [200, 204, 302, 401, 404, 500, 503])
async def test_a_status_is_a_status(status: int) -> None:
    async with web({"/": status}) as served:
        reply = await ask(served.url(), PATIENT)
    assert (reply.status, reply.summary) == (status, str(status))


async def test_only_what_is_needed_is_asked() -> None:
    async with web({"/a?b=c": 200}) as served:
        await ask(served.url("/a?b=c"), PATIENT)
        (head,) = served.asked
    assert head.startswith("GET /a?b=c HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{served.port}\r\n" in head
    assert "\r\nConnection: close\r\n" in head


async def test_an_address_cannot_smuggle_anything_into_the_request() -> None:
    async with web({}) as served:
        await ask(served.url("/a b\u00fc"), PATIENT)
        (head,) = served.asked
    assert head.startswith("GET /a%20b%C3%BC HTTP/1.1\r\n")


async def test_redirects_are_followed_only_as_far_as_asked() -> None:
    moves: dict[str, bytes | int] = {
        "/": redirect(301, "/b"),
        "/b": redirect(302, "c"),
        "/c": 200,
        "/round": redirect(307, "/round"),
        "/away": redirect(302, "ftp://elsewhere/"),
        "/nowhere": 302,
    }
    async with web(moves) as served:
        asked = [(await ask(served.url(), replace(PATIENT, redirects=each))).status for each in (0, 1, 2, 3)]
        assert asked == [301, 302, 200, 200]
        following = replace(PATIENT, redirects=5)
        assert (await ask(served.url("/round"), following)).status == 307
        assert (await ask(served.url("/away"), following)).status == 302
        assert (await ask(served.url("/nowhere"), following)).status == 302


async def test_the_proxy_can_be_asked_in_the_name_of_another_host() -> None:
    async with web({"/": 200}) as served:
        reply = await ask("http://app.test/", replace(PATIENT, via=served.via))
        assert reply.status == 200
        assert "\r\nHost: app.test\r\n" in served.asked[0]


async def test_a_certificate_that_is_not_valid_is_a_failure_unless_nobody_minds() -> None:
    async with web({"/": 200}, tls=True) as served:
        how = replace(PATIENT, via=served.via)
        reply = await ask("https://app.test/", how)
        assert reply.status is None
        assert reply.summary == "its certificate is not valid: self-signed certificate"
        assert (await ask("https://app.test/", replace(how, verify_tls=False))).status == 200


async def test_a_certificate_must_be_that_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate()))
    monkeypatch.setattr("console.host.web.ssl.create_default_context", lambda: trusting)
    async with web({"/": 200}, tls=True) as served:
        how = replace(PATIENT, via=served.via)
        assert (await ask("https://app.test/", how)).status == 200
        assert "Hostname mismatch" in (await ask("https://other.test/", how)).summary


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "the connection ended before an answer came"),
        (b"HTTP/1.1 200 OK\r\n", "the connection ended before an answer came"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "what answers there does not speak HTTP"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "what answers there does not speak HTTP"),
        (b"\x1b[31m\xff\r\n\r\n", "what answers there does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, "the answer has no end of headers"),
    ],
)
async def test_an_answer_that_is_none_is_told(answer: bytes, said: str) -> None:
    async with web({"/": answer}) as served:
        reply = await ask(served.url(), PATIENT)
    assert (reply.status, reply.summary) == (None, said)


async def test_whoever_does_not_answer_is_given_up_in_time() -> None:
    async with web({"/": HANG}) as served:
        began_s = time.monotonic()
        reply = await ask(served.url(), HttpOptions(timeout_s=0.2))
        assert time.monotonic() - began_s < 60
    assert (reply.status, reply.summary) == (None, "no answer within 0.2 s")


async def test_whoever_drips_is_given_up_in_time_too() -> None:
    async with web({"/": DRIP}) as served:
        reply = await ask(served.url(), HttpOptions(timeout_s=0.3))
    assert reply.summary == "no answer within 0.3 s"


async def test_nobody_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        reply = await ask(f"http://127.0.0.1:{port}/", PATIENT)
        assert (reply.status, reply.summary) == (None, "Connection refused")
        tls = await ask("https://127.0.0.1/", replace(PATIENT, via=f"127.0.0.1:{port}"))
        assert tls.status is None
