"""Who may change a swarm in which services are parked."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from console.errors import Declined, EngineError
from console.operations.claims import Claimant, clear_the_way, decline_if_claimed
from console.operations.probes import ProbeOwner, probe_spec
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.model import Service
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_swarm
from tests.support.engines import simulation
from tests.support.swarms import service


def parked(name: str, by: str) -> Service:
    return replace(service(name), parked_by=by)


THEIRS = parked("shop_app", "there/run-7")
FORGOTTEN = parked("wiki_app", "here/run-1")
COMMAND = Claimant("here", frozenset(("run-2",)))
RUN = replace(COMMAND, run="run-2")
MENDING = replace(RUN, brings_back=True)


@dataclass(frozen=True)
class Row:
    name: str
    services: tuple[Service, ...]
    claimant: Claimant
    says: str = ""
    hint: str = ""


TABLE = (
    Row("nothing is parked", (service("web"),), COMMAND),
    Row("parked by another machine", (THEIRS,), COMMAND, "1 service is parked (shop_app) by run run-7 of machine there",
        "vipconsole resume run-7"),
    Row("so it is for a run", (service("web"), THEIRS), RUN, "of machine there"),
    Row("so it is for one that would bring back its own", (THEIRS,), MENDING, "of machine there", "deploy the stacks again"),
    Row("all of that run are named", (THEIRS, parked("a", "there/run-7"), parked("b", "elsewhere/run-7")), COMMAND,
        "2 services are parked (shop_app, a) by run run-7 of machine there"),
    Row("parked by a run that is kept no more", (FORGOTTEN,), COMMAND, "(wiki_app) by run run-1, which is no longer stored",
        "recreates their network"),
    Row("so it is for a run that has nothing to do with it", (FORGOTTEN,), RUN, "no longer stored on this machine"),
    Row("but not for the one that mends it", (FORGOTTEN,), MENDING),
    Row("given up, or rolled back after it was over", (parked("a", "here/run-2"),), COMMAND),
    Row("its own outage has to end, whatever others do", (parked("a", "here/run-2"), THEIRS), RUN),
    Row("a label that tells nothing", (parked("a", "?"),), MENDING, "by an unknown program",
        "`docker service inspect a` shows the label vipconsole.parked"),
)  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_whoever_has_no_part_in_what_is_parked_is_declined(row: Row) -> None:
    if not row.says:
        decline_if_claimed(row.services, row.claimant)
        return
    with pytest.raises(Declined) as declined:
        decline_if_claimed(row.services, row.claimant)
    assert row.says in declined.value.sentence
    assert row.hint in declined.value.hint


async def test_nothing_is_cleaned_up_where_somebody_else_is_at_work() -> None:
    engine = a_swarm("1.41")
    probe: Any = probe_spec(ProbeOwner("here", 5), a_network(engine))
    engine.services.create(probe)
    theirs = {"vipconsole.parked": '{"machine": "there", "run": "run-7"}'}
    engine.services.create({**probe, "Name": "shop_app", "Labels": theirs})
    with simulation(engine) as running:
        connection = EngineConnection(running.host, 30)
        reader, changer = EngineReader(connection), EngineChanger(connection, lambda _: None)
        with pytest.raises(Declined, match="run-7 of machine there"):
            await clear_the_way(reader, changer, COMMAND, 10)
        assert {each.name for each in engine.store.services.values()} == {probe["Name"], "shop_app"}

        mine = replace(COMMAND, machine="there", runs=frozenset(("run-7",)))
        with pytest.raises(Declined, match="machine here, process 5"):
            await clear_the_way(reader, changer, mine, 10)

        running.break_call("/services", "garbage")
        with pytest.raises(EngineError):
            await clear_the_way(reader, changer, COMMAND, 10)
        connection.close()


async def test_nothing_is_changed_while_another_machine_hands_over_the_lead() -> None:
    engine = a_swarm()
    engine.node.labels["vipconsole.handover"] = "there/7"
    with simulation(engine) as running:
        connection = EngineConnection(running.host, 10)
        reader, changer = EngineReader(connection), EngineChanger(connection, lambda _: None)
        try:
            with pytest.raises(Declined, match=r"Another machine is handing over the lead.*machine there"):
                await clear_the_way(reader, changer, COMMAND, 10)
            await clear_the_way(reader, changer, replace(COMMAND, machine="there"), 10)
            running.break_call("/nodes", "status:500")
            with pytest.raises(EngineError):
                await clear_the_way(reader, changer, COMMAND, 10)
        finally:
            connection.close()
