"""Whether a manager can be borrowed on this host, told before anything is done."""

from pathlib import Path
from unittest.mock import patch

import pytest

from console.operations.borrow.options import BorrowOptions
from console.operations.borrow.this_host import may_change_interfaces, plan_here, why_not_here
from console.swarm.client import EngineConnection
from tests.simulator.swarms import a_network, a_swarm
from tests.support.engines import simulation

ALL, HARDENED = "000001ffffffffff", "0000000000080004"


@pytest.mark.parametrize(
    ("uid", "capabilities", "may"),
    [
        ("0\t0\t0\t0", ALL, True),
        ("0\t0\t0\t0", HARDENED, False),
        ("1000\t1000\t1000\t1000", "0000000000000000", True),
    ],
)
def test_root_in_a_hardened_unit_cannot_lay_a_cable(uid: str, capabilities: str, *, may: bool) -> None:
    status = f"Name:\tvipconsole\nUid:\t{uid}\nCapEff:\t{capabilities}\n"
    assert may_change_interfaces(status) is may


async def test_of_an_engine_that_is_not_this_hosts_own_it_is_refused(tmp_path: Path) -> None:
    engine = a_swarm()
    a_network(engine)
    with simulation(engine) as running:
        connection = EngineConnection(running.host, 10)
        try:
            refusal = await why_not_here(connection, BorrowOptions(tmp_path, "docker.service"), 10)
        finally:
            connection.close()
    assert refusal is not None
    assert refusal.reason.startswith("No second dockerd is started on this host.")


async def test_beside_a_demos_engine_one_can_be_borrowed_and_nothing_of_this_host_is_asked(
    tmp_path: Path,
) -> None:
    with simulation(a_swarm()) as running, patch("console.operations.borrow.this_host.ThisHost", None):
        connection = EngineConnection(running.host, 10)
        try:
            options = BorrowOptions(tmp_path, "docker.service", is_demo=True)
            assert await why_not_here(connection, options, 10) is None
            plan, facts = await plan_here(connection, options, 10)
        finally:
            connection.close()
    assert (plan.refusal, facts.manager_address) == ("", "192.0.2.10:2377")
    assert facts.folder == tmp_path / "borrow"


async def test_an_engine_that_is_gone_is_a_reason_too(tmp_path: Path) -> None:
    connection = EngineConnection("unix:///nonexistent", 1)
    try:
        assert await why_not_here(connection, BorrowOptions(tmp_path, "docker.service"), 1) is not None
    finally:
        connection.close()
