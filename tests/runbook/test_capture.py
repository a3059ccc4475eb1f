"""`evidence.capture`: a look that is kept, and what compares with it afterwards."""

import json
from collections.abc import Iterator

import pytest

from console.errors import Declined
from console.runbook.language.values import Json
from tests.support.benches import Bench, bench, is_yes
from tests.support.web import web


def only(part: Json) -> dict[str, Json]:
    assert isinstance(part, list)
    (one,) = part
    assert isinstance(one, dict)
    return one


@pytest.fixture
def evening() -> Iterator[Bench]:
    with bench("evening") as ready:
        yield ready


async def test_what_is_seen_is_kept_with_its_date_and_can_be_compared(evening: Bench) -> None:
    async with web({"/": 200, "/gone": 502}) as served:
        urls: list[Json] = [served.url(), served.url("/gone")]
        kept = await evening.act("evidence.capture", network="proxy", urls=urls)
        assert kept["taken_at"] == evening.clock.now().isoformat()
        account = only(kept["network"])
        figures = {
            key: account[key] for key in ("name", "subnets", "capacity", "accounted", "leaked", "free")
        }
        assert figures == {
            "name": "proxy", "subnets": ["10.0.1.0/24"], "capacity": 253, "accounted": 237, "leaked": 12, "free": 4,
        }  # fmt: skip
        services = kept["services"]
        assert isinstance(services, dict)
        # A deploy waits for an address.
        assert 0 < int(str(services["running"])) < int(str(services["all"]))
        assert kept["routes"] == {served.url(): 200, served.url("/gone"): 502}
        assert isinstance(kept["findings"], list)
        assert "deploy-waits" in [each["code"] for each in kept["findings"] if isinstance(each, dict)]
        # It goes through a file and comes back.
        again = json.loads(json.dumps(dict(kept)))
        assert is_yes(
            await evening.holds("network.attached_as_before", network="proxy", before=again["attached"])
        )
        assert is_yes(await evening.holds("http.routes", before=again["routes"]))


async def test_nothing_is_looked_at_but_what_is_asked_for(evening: Bench) -> None:
    kept = await evening.act("evidence.capture")
    assert (kept["network"], kept["attached"], kept["routes"]) == (None, None, {})
    plan = await evening.plan("evidence.capture", urls=["http://app.test/"])
    assert plan.calls == ("GET http://app.test/",)
    assert plan.not_checked == ()
    # A runbook that names the parameter wants to compare them.
    plan = await evening.plan("evidence.capture", urls=[])
    assert [part.why for part in plan.not_checked] == ["No URLs are set."]
    assert (await evening.plan("evidence.capture")).not_checked == ()


async def test_a_network_that_is_not_there_cannot_be_kept(evening: Bench) -> None:
    with pytest.raises(Declined, match="There is no overlay named nobody"):
        await evening.act("evidence.capture", network="nobody")


async def test_what_is_not_known_is_not_kept_as_a_number() -> None:
    with bench("older") as older:
        kept = await older.act("evidence.capture", network="proxy")
        account = only(kept["network"])
        assert (account["leaked"], account["free"], account["free_at_most"]) == (None, None, 16)
