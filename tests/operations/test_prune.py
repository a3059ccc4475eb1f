"""Which overlays are removed because nobody uses them, on a simulated swarm."""

from console.operations.prune import KEEP_LABEL, PruneExclusions, PruneResult, prunable, prune
from console.simulator.engine import SimulatedEngine
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.engines import simulation

KEEP = PruneExclusions(("proxy", "shared-*"), 3600)


async def pruned(engine: SimulatedEngine, *names: str) -> tuple[list[str], PruneResult]:
    """Return what could go, and what came of removing these."""
    with simulation(engine) as running:
        connection = EngineConnection(running.host, 10)
        try:
            reader = EngineReader(connection)
            found = sorted(each.name for each in prunable(await reader.snapshot(), KEEP))
            return found, await prune(reader, EngineChanger(connection, lambda _: None), KEEP, names)
        finally:
            connection.close()


def names(engine: SimulatedEngine) -> set[str]:
    return {each.name for each in engine.store.networks.values()}


async def test_only_what_is_old_unused_and_not_kept_goes() -> None:
    engine = a_swarm()
    for number, name in enumerate(("proxy", "shared-a", "unused", "used", "stopping")):
        a_network(engine, name, f"10.9.{number}.0/24")
    engine.networks.create({"Name": "labelled", "Driver": "overlay", "Labels": {KEEP_LABEL: ""}})
    ids = {each.name: each.id for each in engine.store.networks.values()}
    a_service(engine, ids["used"], name="web")
    dying = a_service(engine, ids["stopping"], name="dying", grace_s=600.0)
    engine.advance(4000)
    engine.services.remove(dying)
    a_network(engine, "new", "10.9.9.0/24")
    engine.advance(5)
    everything = names(engine)
    found, outcome = await pruned(engine, *sorted(everything))
    assert found == ["unused"]
    assert outcome.removed_names == ("unused",)
    assert names(engine) == everything - {"unused"}
    kept = dict(outcome.kept_networks)
    assert kept["used"] == "web uses it"
    assert kept["stopping"] == "a task uses it"
    assert kept["new"] == "it is new"
    assert kept["proxy"] == kept["shared-a"] == kept["labelled"] == "its label says to keep it"


async def test_what_is_gone_already_is_no_failure() -> None:
    _, outcome = await pruned(a_swarm(), "never-was")
    assert outcome == PruneResult()
