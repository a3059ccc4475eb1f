"""`http.routes`: addresses behind the reverse proxy, as they were before."""

from collections.abc import Iterator

import pytest

from console.runbook.contracts import Answer
from console.runbook.language.values import Json
from tests.support.benches import Bench, bench, is_yes
from tests.support.web import HANG, web


@pytest.fixture(scope="module")
def host() -> Iterator[Bench]:
    with bench("quiet") as ready:
        yield ready


async def test_addresses_answer_or_not(host: Bench) -> None:
    async with web({"/": 200, "/login": 302, "/private": 401, "/broken": 502}) as served:
        urls: list[Json] = [served.url(each) for each in ("/", "/login", "/private")]
        found = await host.holds("http.routes", urls=urls)
        assert is_yes(found)
        assert found.sentence == "3 addresses answer."
        broken = served.url("/broken")
        found = await host.holds("http.routes", urls=[*urls, broken])
        assert not is_yes(found)
        assert found.sentence == f"1 of 4 addresses do not answer as expected: {broken} (502)."
        assert found.evidence["statuses"] == {
            served.url("/"): 200,
            served.url("/login"): 302,
            served.url("/private"): 401,
            broken: 502,
        }


async def test_what_was_before_is_what_must_be_again(host: Bench) -> None:
    async with web({"/ok": 200, "/moved": 302, "/was-broken": 502, "/was-dead": 503}) as served:
        ok, moved, broken, dead = (served.url(each) for each in ("/ok", "/moved", "/was-broken", "/was-dead"))
        found = await host.holds("http.routes", before={ok: 200, moved: 302, broken: 502, dead: None})
        assert is_yes(found)
        assert found.sentence == f"4 addresses answer as before. Already failing before: {broken}, {dead}."
        found = await host.holds("http.routes", before={ok: 401, moved: 302})
        assert not is_yes(found)
        assert found.sentence == f"1 of 2 addresses do not answer as expected: {ok} (200 instead of 401)."
        served.answers["/was-broken"] = 200
        assert is_yes(await host.holds("http.routes", before={broken: 502}))


async def test_where_the_proxy_itself_does_not_answer_nobody_else_is_asked(host: Bench) -> None:
    async with web({"/ping": 500, "/app": 200}) as served:
        ping, app = served.url("/ping"), served.url("/app")
        found = await host.holds("http.routes", first=[ping], urls=[app])
        assert not is_yes(found)
        assert found.sentence == f"The reverse proxy does not answer: {ping} (500)."
        assert len(served.asked) == 1
        served.answers["/ping"] = 200
        found = await host.holds("http.routes", first=[ping], urls=[app])
        assert is_yes(found)
        assert found.sentence == "2 addresses answer."


async def test_parameters_reach_the_door(host: Bench) -> None:
    async with web({"/": 200}, tls=True) as served:
        strict = await host.holds("http.routes", urls=["https://app.test/"], via=served.via)
        assert not is_yes(strict)
        assert "its certificate is not valid" in strict.sentence
        assert is_yes(
            await host.holds("http.routes", urls=["https://app.test/"], via=served.via, verify_tls=False)
        )
    async with web({"/": HANG}) as served:
        found = await host.holds("http.routes", urls=[served.url()], each_within="200ms")
        assert "no answer within 0.2 s" in found.sentence


async def test_nothing_to_ask_proves_nothing(host: Bench) -> None:
    assert (await host.holds("http.routes", before={})).answer is Answer.CANNOT_TELL
    allowed = await host.holds("http.routes", before={}, may_be_none=True)
    assert (allowed.answer, allowed.nothing_checked) == (Answer.YES, True)
