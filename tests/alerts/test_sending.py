"""The two doors: a real program, and a real server."""

import asyncio
import json
import time
from pathlib import Path

import pytest

import console.alerts.sending
from console.alerts.alert import Alert
from console.alerts.decision import trial
from console.alerts.sending import send
from tests.support.swarms import NOW
from tests.support.web import DRIP, HANG, redirect, web

HIDDEN = "user:t0p-secret"
TEST = trial(NOW, "manager-1")
program = pytest.mark.process


def shell(script: str, *arguments: str) -> Alert:
    return Alert("ops", ("/bin/sh", "-c", script, "sh", *arguments))


@program
async def test_a_command_reads_the_document_and_nothing_is_expanded(tmp_path: Path) -> None:
    path = tmp_path / "got"
    words = ("$HOME", "`id`", "a b", "", "*")
    script = 'cat > "$1"; shift; printf "%s|" "$@"'
    delivery = await send(shell(script, str(path), *words), TEST)
    assert (delivery.is_delivered, delivery.summary, delivery.detail) == (
        True,
        "exit code 0",
        "$HOME|`id`|a b||*|",
    )
    assert json.loads(path.read_text())["occasion"] == "test"


@program
async def test_a_command_gets_nothing_of_the_recorders_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_PASSWORD", "secret")
    delivery = await send(Alert("ops", ("/usr/bin/env",)), TEST)
    assert "secret" not in delivery.detail
    assert "PATH=" in delivery.detail


@program
async def test_a_command_that_reads_nothing_is_no_trouble() -> None:
    assert (await send(Alert("ops", ("/bin/true",)), TEST)).is_delivered


@program
@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (shell("echo no such channel >&2; exit 3"), "exit code 3: no such channel"),
        (shell("printf 'a\\033[2J\\n\\n' >&2; exit 1"), "exit code 1: a\\x1b[2J"),
        (shell("kill -9 $$"), "exit code 137"),
        (Alert("ops", ("/nonexistent/notify",)), "`/nonexistent/notify` could not be started"),
        (Alert("ops", ("/etc/hostname",)), "`/etc/hostname` could not be started"),
    ],
)
async def test_a_command_that_fails_says_why(alert: Alert, said: str) -> None:
    delivery = await send(alert, TEST)
    assert not delivery.is_delivered
    assert delivery.summary.startswith(said)


@program
async def test_a_command_that_hangs_is_ended_with_all_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.alerts.sending, "COMMAND_S", 0.5)
    pids = tmp_path / "pids"
    script = 'sleep 1000 & echo $! $$ > "$1"; wait'
    delivery = await send(shell(script, str(pids)), TEST)
    assert delivery.summary == "`/bin/sh` timed out after 0.5 s and was ended."
    gone = [asyncio.to_thread(wait_until_gone, int(pid)) for pid in pids.read_text().split()]
    assert await asyncio.gather(*gone) == [True, True]


def wait_until_gone(pid: int) -> bool:
    """Return whether a process ends within a minute; one that nobody has waited for yet has ended."""
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@program
async def test_what_a_command_says_is_bounded() -> None:
    alert = shell("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; exit 1")
    delivery = await send(alert, TEST)
    assert delivery.summary == "exit code 1: line 4999"
    assert len(delivery.detail) <= 300


def posted(path: str, form: str = "json", user: str = "") -> Alert:
    return Alert("ops", webhook=f"http://{user}127.0.0.1:PORT{path}", format=form)


def at_port(alert: Alert, port: int) -> Alert:
    return Alert(alert.name, webhook=alert.webhook.replace("PORT", str(port)), format=alert.format)


async def test_a_webhook_gets_the_body_and_is_delivered() -> None:
    async with web({"/hook?a=b": b"HTTP/1.1 200 OK\r\n\r\nok"}) as served:
        delivery = await send(at_port(posted("/hook?a=b"), served.port), TEST)
    assert (delivery.is_delivered, delivery.summary, delivery.detail) == (True, "HTTP 200", "ok")
    (head,), (body,) = served.asked, served.bodies
    assert head.startswith("POST /hook?a=b HTTP/1.1\r\n")
    assert "\r\nContent-Type: application/json\r\n" in head
    assert json.loads(body)["code"] == "alert-test"


@pytest.mark.parametrize("form", ["json", "slack", "ntfy", "matrix"])
async def test_each_form_arrives_whole(form: str) -> None:
    async with web({"/": 204}) as served:
        assert (await send(at_port(posted("/", form), served.port), TEST)).is_delivered
    assert b"nothing is wrong" in served.bodies[0]
    assert ("\r\nTitle: TEST on manager-1" in served.asked[0]) == (form == "ntfy")


async def test_user_and_password_of_the_address_are_sent_and_never_told() -> None:
    async with web({"/": 401}) as served:
        delivery = await send(at_port(posted("/", user="us%65r:t0p-secret@"), served.port), TEST)
        (head,) = served.asked
    assert "\r\nAuthorization: Basic dXNlcjp0MHAtc2VjcmV0\r\n" in head
    assert "secret" not in head
    assert "secret" not in repr(delivery)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (500, "HTTP 500"),
        (404, "HTTP 404"),
        (redirect(302, "http://127.0.0.1:1/elsewhere"), "HTTP 302: a redirect, which is not followed"),
        (redirect(307, "/"), "HTTP 307: a redirect, which is not followed"),
        (b"", "the connection ended before an answer came"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "what answers there does not speak HTTP"),
    ],
)
async def test_an_answer_that_is_no_success_is_a_failure(answer: bytes | int, said: str) -> None:
    async with web({f"/{HIDDEN}": answer}) as served:
        delivery = await send(at_port(posted(f"/{HIDDEN}"), served.port), TEST)
        assert len(served.asked) == 1
    assert (delivery.is_delivered, delivery.summary) == (False, said)
    assert "secret" not in repr(delivery)


async def test_a_server_that_wants_to_be_left_alone_says_how_long() -> None:
    answer = b"HTTP/1.1 429 Too Many\r\nRetry-After: 120\r\n\r\nslow \x1b[2J down" + b"x" * 100_000
    async with web({"/": answer}) as served:
        delivery = await send(at_port(posted("/"), served.port), TEST)
    assert (delivery.summary, delivery.retry_after_s) == ("HTTP 429", 120)
    assert delivery.detail.startswith("slow \\x1b[2J downxx")
    assert len(delivery.detail) <= 300


@pytest.mark.parametrize("answer", [HANG, DRIP])
async def test_a_webhook_that_hangs_is_given_up_in_time(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.alerts.sending, "WEBHOOK_S", 0.3)
    async with web({"/": answer}) as served:
        delivery = await send(at_port(posted("/"), served.port), TEST)
    assert delivery.summary == "no answer within 0.3 s"


async def test_a_certificate_that_is_not_valid_is_a_failure() -> None:
    async with web({"/": 200}, tls=True) as served:
        alert = Alert("ops", webhook=f"https://user:secret@127.0.0.1:{served.port}/secret")
        delivery = await send(alert, TEST)
    assert served.asked == []
    assert (delivery.is_delivered, delivery.summary) == (
        False,
        "its certificate is not valid: self-signed certificate",
    )


async def test_nobody_there_is_a_failure() -> None:
    for webhook in ("http://user:secret@127.0.0.1:1/secret", "http://user:secret@nowhere.invalid/secret"):
        delivery = await send(Alert("ops", webhook=webhook), TEST)
        assert not delivery.is_delivered
        assert "secret" not in repr(delivery)
