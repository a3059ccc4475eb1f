"""What the doctor says of an engine is so for a real one and for a simulated one."""

from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

from console.diagnosis.values import Severity
from console.doctor.engine import examine_engine
from console.doctor.values import Patient
from console.errors import Unknown
from console.journal.reader import DaemonLog, open_journal
from console.settings import Settings
from console.swarm.names import overlay_names, service_names, stack_names
from tests.contract.world import NOWHERE, World
from tests.support.engines import reader_of


async def test_it_finds_a_manager_that_leads_and_the_network_that_is_set(
    world: World, tmp_path: Path
) -> None:
    name = world.fresh("shared")
    world.create_overlay(name, world.fresh_subnet(28))
    settings, subnet, now = Settings(network=name), IPv4Network("10.10.0.0/16"), datetime.now(UTC)
    with reader_of(f"unix://{world.socket}") as reader:
        patient = Patient(reader, DaemonLog(open_journal()), tmp_path, subnet, settings, now)
        engine, lag_s, found = await examine_engine(patient)
    assert not isinstance(engine, Unknown)
    assert lag_s is not None
    wrong = {each.subject for each in found if each.severity is not Severity.OK}
    # A private engine has its own network, and a simulated one another name.
    assert wrong == {"place"}
    by_subject = {each.subject: each for each in found}
    assert ("does not count" in by_subject["version"].sentence) != world.traits.counts_addresses
    assert "leads the swarm" in by_subject["leader"].sentence
    assert f"{name} is there" in by_subject["network"].sentence


def test_a_shell_is_offered_the_names_that_are_there(world: World) -> None:
    name = world.fresh("offered")
    network = world.create_overlay(name, world.fresh_subnet(28))
    world.create_service(f"{name}_app", [network], constraints=NOWHERE)
    host = f"unix://{world.socket}"
    assert {name, "ingress"} <= set(overlay_names(host, 20))
    assert f"{name}_app" in service_names(host, 20)
    assert overlay_names(host + ".none", 20) == stack_names(host + ".none", 20) == ()
