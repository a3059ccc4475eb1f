"""`checks.all`: the gate before a maintenance."""

from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest

from console.errors import StepFailed, Unknown
from console.host.activity import Route
from console.runbook.contracts import Answer
from console.runbook.language.values import Json
from tests.simulator.swarms import a_network, a_swarm
from tests.support.benches import Bench, bench, sentences


@pytest.fixture
def quiet() -> Iterator[Bench]:
    with bench("quiet") as ready:
        yield ready


@pytest.fixture
def evening() -> Iterator[Bench]:
    with bench("evening") as ready:
        yield ready


@pytest.fixture
def ours(quiet: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The same swarm, of an engine that is this host's own, which has one route beside it."""
    monkeypatch.setattr("console.journal.reader.why_engine_is_foreign", lambda *_: None)

    async def routes(_: float) -> tuple[Route, ...]:
        return (Route(IPv4Network("10.20.0.0/16"), "wg0"),)

    monkeypatch.setattr("console.monitor.snapshot.read_routes", routes)
    return quiet


async def test_what_holds_is_told_and_kept(quiet: Bench) -> None:
    outputs = await quiet.act(
        "checks.all", api_min="1.44", leader="here", findings={"network": "proxy"}, subnet_free="10.10.0.0/16"
    )
    kept = outputs["checks"]
    assert isinstance(kept, dict)
    assert set(kept) == {"engine", "leader", "api_min", "findings", "subnet_free"}
    assert kept["leader"] == "The leader is ci-host, this engine."
    assert kept["findings"] == "No finding about proxy is worse than warning."
    assert len(quiet.said) == 5


async def test_a_plan_tells_what_cannot_be_checked_from_another_host(quiet: Bench) -> None:
    plan = await quiet.plan("checks.all", subnet_free="10.10.0.0/16", disk_free_mb=1)
    assert plan.summary == "3 checks, all of which must hold."
    assert [part.what for part in plan.not_checked] == ["routes of the engine's host", "free disk space"]
    assert [each.answer for each in plan.checked] == [Answer.YES] * 3


async def test_here_everything_is_checked(ours: Bench) -> None:
    plan = await ours.plan("checks.all", subnet_free="10.10.0.0/16", disk_free_mb=1)
    assert (len(plan.checked), plan.not_checked) == (4, ())


async def test_the_plan_makes_the_checks_and_tells_what_came_of_them(quiet: Bench) -> None:
    plan = await quiet.plan("checks.all", api_min="9.0")
    assert plan.summary == "3 checks, all of which must hold."
    assert plan.reads == ("engine", "leader", "api_min")
    assert [each.answer for each in plan.checked] == [Answer.YES, Answer.YES, Answer.NO]
    assert not plan.changes


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"api_min": "9.0"}, r"The engine has API 1\.52; the runbook requires 9\.0 or later"),
        ({"subnet_free": "10.0.0.0/8"}, r"10\.0\.0\.0/8 overlaps .*the network proxy \(10\.0\.1\.0/24\)"),
        ({"subnet_free": "10.0.1.0/28"}, r"10\.0\.1\.0/28 overlaps the network proxy"),
    ],
)
async def test_what_does_not_hold_ends_the_step(quiet: Bench, wanted: dict[str, Json], said: str) -> None:
    with pytest.raises(StepFailed, match=said):
        await quiet.act("checks.all", **wanted)
    found = await quiet.verify("checks.all", {}, **wanted)
    assert found.answer is Answer.NO


async def test_the_network_that_is_replaced_may_overlap(quiet: Bench) -> None:
    await quiet.act("checks.all", subnet_free="10.0.1.0/24", replaces="proxy")


async def test_a_network_must_be_as_well_as_is_asked(evening: Bench) -> None:
    with pytest.raises(StepFailed, match="2 deploys wait for an address"):
        await evening.act("checks.all", findings={"network": "proxy"})
    await evening.act("checks.all", findings={"network": "proxy", "worst": "critical"})
    codes: list[Json] = ["deploy-waits", "network-filling", "network-full"]
    await evening.act("checks.all", findings={"network": "proxy", "accept": codes})
    with pytest.raises(StepFailed, match="There is no overlay named nobody"):
        await evening.act("checks.all", findings={"network": "nobody"})


async def test_the_leader_may_be_asked_for_here() -> None:
    with bench("cluster") as cluster:
        await cluster.act("checks.all")
        with pytest.raises(StepFailed, match="The leader is ci-host-2, not this engine"):
            await cluster.act("checks.all", leader="here")


async def test_what_is_about_this_host_has_no_meaning_for_an_engine_elsewhere(quiet: Bench) -> None:
    outputs = await quiet.act(
        "checks.all", disk_free_mb=10**9, journal_readable=True, subnet_free="10.10.0.0/16"
    )
    kept = outputs["checks"]
    assert isinstance(kept, dict)
    # A recorded journal is the operator's word.
    assert str(kept["journal_readable"]).startswith("dockerd's journal can be read")
    assert str(kept["disk_free_mb"]).startswith("Not checked: ")
    assert "Routes of this host were not compared: " in str(kept["subnet_free"])


async def test_routes_of_this_host_are_in_the_way_too(ours: Bench) -> None:
    await ours.act("checks.all", subnet_free="10.10.0.0/16")
    with pytest.raises(StepFailed, match=r"overlaps the route 10\.20\.0\.0/16 \(wg0\)"):
        await ours.act("checks.all", subnet_free="10.16.0.0/12")


async def test_routes_that_cannot_be_read_prove_nothing(ours: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unread(*_: object) -> Unknown:
        return Unknown("`ip` is not there.")

    monkeypatch.setattr("console.monitor.snapshot._routes", unread)
    with pytest.raises(StepFailed, match="`ip` is not there"):
        await ours.act("checks.all", subnet_free="10.10.0.0/16")
    assert (await ours.verify("checks.all", {}, subnet_free="10.10.0.0/16")).answer is Answer.CANNOT_TELL


async def test_space_on_this_host_is_counted(ours: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await ours.act("checks.all", disk_free_mb=1, disk_paths=["/", "/nonexistent/yet"])
    with pytest.raises(StepFailed, match=r"/ has [0-9]+ MiB free; required: 1000000000 MiB"):
        await ours.act("checks.all", disk_free_mb=10**9, disk_paths=["/"])

    def broken(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("console.runbook.actions.checks.shutil.disk_usage", broken)
    with pytest.raises(StepFailed, match="is unknown: Input/output error"):
        await ours.act("checks.all", disk_free_mb=1, disk_paths=["/"])


async def test_an_engine_that_does_not_answer_ends_it_all(quiet: Bench) -> None:
    quiet.running.break_call("*", "status:500")
    plan = await quiet.plan("checks.all", api_min="1.44")
    assert [each.answer for each in plan.checked] == [Answer.CANNOT_TELL]
    with pytest.raises(StepFailed, match="HTTP 500"):
        await quiet.act("checks.all")


async def test_a_swarm_without_a_network_of_the_name_is_free_of_it() -> None:
    engine = a_swarm()
    a_network(engine, "only", "10.0.5.0/24")
    with bench(engine) as host:
        assert (
            "overlaps no known network, route or address"
            in sentences((await host.plan("checks.all", subnet_free="10.0.6.0/24")).checked)[2]
        )
