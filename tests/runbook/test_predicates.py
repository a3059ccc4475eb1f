"""Predicates about the swarm, each against a simulated engine: when they hold, when not, and when nobody can tell."""

from collections.abc import Iterator

import pytest

from console.errors import RunbookError
from console.runbook.contracts import Answer
from console.runbook.language.values import Json
from console.runbook.predicates.registry import PREDICATES
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.benches import Bench, bench, is_yes


@pytest.fixture
def quiet() -> Iterator[Bench]:
    with bench("quiet") as ready:
        yield ready


@pytest.fixture
def small() -> Iterator[Bench]:
    """An empty swarm with a /28 named proxy, of an engine that counts."""
    engine = a_swarm()
    a_network(engine)
    with bench(engine) as ready:
        yield ready


async def test_a_network_is_what_it_is(quiet: Bench) -> None:
    found = await quiet.holds("network.is", name="proxy", subnet="10.0.1.0/24", attachable=True)
    assert is_yes(found)
    assert found.sentence == "proxy is 10.0.1.0/24."
    assert found.evidence["subnets"] == ["10.0.1.0/24"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"name": "nobody"}, "Overlay nobody not found."),
        ({"name": "bridge"}, "Overlay bridge not found."),
        ({"name": "proxy", "subnet": "10.10.0.0/16"}, "proxy is 10.0.1.0/24, and not 10.10.0.0/16."),
        ({"name": "proxy", "attachable": False}, "proxy is 10.0.1.0/24, and attachable."),
    ],
)
async def test_a_network_is_not_what_it_is_not(quiet: Bench, wanted: dict[str, Json], said: str) -> None:
    found = await quiet.holds("network.is", **wanted)
    assert not is_yes(found)
    assert found.sentence == said


async def test_a_network_without_a_subnet_is_not_allocated(small: Bench) -> None:
    # The same subnet again: Swarm takes the network and never gives it anything.
    small.model.networks.create(
        {"Name": "late", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.0.1.0/28"}]}}
    )
    small.advance(5)
    found = await small.holds("network.is", name="late")
    assert not is_yes(found)
    assert found.sentence == "late is without a subnet, and Swarm has not allocated it."
    assert is_yes(await small.holds("network.is", name="late", allocated=False))


async def test_a_name_is_unique_or_not(quiet: Bench) -> None:
    assert is_yes(await quiet.holds("network.unique", name="proxy"))
    assert not is_yes(await quiet.holds("network.unique", name="nobody"))


async def test_headroom_is_counted_where_the_engine_counts(small: Bench) -> None:
    assert is_yes(await small.holds("network.headroom_min", network="proxy", addresses=13))
    found = await small.holds("network.headroom_min", network="proxy", addresses=14)
    assert not is_yes(found)
    assert found.sentence == "13 addresses of proxy are free; required: 14."
    assert not is_yes(await small.holds("network.headroom_min", network="nobody", addresses=1))


async def test_headroom_is_only_a_bound_where_it_does_not() -> None:
    engine = a_swarm("1.41")
    a_network(engine)
    with bench(engine) as older:
        found = await older.holds("network.headroom_min", network="proxy", addresses=13)
        assert found.answer is Answer.CANNOT_TELL
        assert "At most 13 addresses of proxy are free" in found.sentence
        assert is_yes(
            await older.holds("network.headroom_min", network="proxy", addresses=13, bound_suffices=True)
        )
        assert not is_yes(
            await older.holds("network.headroom_min", network="proxy", addresses=14, bound_suffices=True)
        )


async def test_services_run_as_wanted(quiet: Bench) -> None:
    found = await quiet.holds("services.converged")
    assert is_yes(found)
    assert found.sentence == "9 services running as specified."
    assert (await quiet.holds("services.converged", network="proxy")).evidence == {"services": 6}
    assert (await quiet.holds("services.converged", stack="traefik")).evidence == {"services": 2}
    assert (await quiet.holds("services.converged", services=["traefik_*"])).evidence == {"services": 2}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"services": ["nobody"]}, "Service nobody not found."),
        ({"network": "nobody"}, "Overlay nobody not found."),
        ({"stack": "nobody"}, "The stack nobody has no services."),
    ],
)
async def test_services_that_are_not_there_do_not_run(
    quiet: Bench, wanted: dict[str, Json], said: str
) -> None:
    found = await quiet.holds("services.converged", **wanted)
    assert not is_yes(found)
    assert found.sentence == said


async def test_services_that_do_not_run_are_named(small: Bench) -> None:
    a_service(small.model, "proxy", name="web", replicas=20)
    a_service(small.model, "proxy", name="other")
    small.advance(5)
    found = await small.holds("services.converged")
    assert not is_yes(found)
    assert found.sentence.startswith("2 services are not running as specified: ")
    assert "web has 0 of 20 running" in found.sentence
    assert "other has 0 of 1 running" in found.sentence
    assert is_yes(await small.holds("services.converged", accept=["w*", "other"]))


async def test_what_runs_only_just_may_still_fail(small: Bench) -> None:
    a_service(small.model, "proxy", name="web")
    small.advance(5)
    assert is_yes(await small.holds("services.converged"))
    found = await small.holds("services.converged", running_for="30s")
    assert not is_yes(found)
    assert "web has a task that has been running for" in found.sentence
    small.advance(30)
    assert is_yes(await small.holds("services.converged", running_for="30s"))


async def test_a_deploy_that_waits_for_an_address_is_stuck(small: Bench) -> None:
    assert is_yes(await small.holds("swarm.no_stuck_new"))
    a_service(small.model, "proxy", name="web", replicas=20)
    small.advance(30)
    assert is_yes(await small.holds("swarm.no_stuck_new"))
    found = await small.holds("swarm.no_stuck_new", older_than="10s")
    assert not is_yes(found)
    assert found.sentence == "1 service waits for an address: web for 30 s."
    small.advance(40)
    assert not is_yes(await small.holds("swarm.no_stuck_new"))


SWARM_PREDICATES: dict[str, dict[str, Json]] = {
    "network.is": {"name": "proxy"},
    "network.unique": {"name": "proxy"},
    "network.headroom_min": {"network": "proxy", "addresses": 1},
    "network.attached_includes": {"network": "proxy"},
    "network.attached_as_before": {"network": "proxy", "before": {}},
    "services.converged": {},
    "swarm.no_stuck_new": {},
}


@pytest.mark.parametrize("name", SWARM_PREDICATES)
@pytest.mark.parametrize("kind", ["status:500", "garbage", "refuse"])
async def test_an_engine_that_does_not_answer_proves_nothing(quiet: Bench, name: str, kind: str) -> None:
    quiet.running.break_call("*", kind)
    found = await quiet.holds(name, **SWARM_PREDICATES[name])
    assert found.answer is Answer.CANNOT_TELL
    assert found.sentence


async def test_parameters_are_held_against_their_model_again_in_the_run(quiet: Bench) -> None:
    with pytest.raises(
        RunbookError, match=r"network.is are wrong: unknown key sub .*; subnet must be an IPv4 subnet"
    ):
        await quiet.holds("network.is", name="proxy", subnet="here", sub="net")
    with pytest.raises(RunbookError, match=r"Unknown predicate network.iss \(did you mean network.is\?\)"):
        await quiet.holds("network.iss", name="proxy")


def test_what_a_predicate_is_called_begins_with_what_it_is_about() -> None:
    # A name without a dot would be taken for a step.
    assert all("." in name for name in PREDICATES)
