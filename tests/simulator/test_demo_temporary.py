"""The temporary manager of a demo host: borrowed by a program that is not the simulation, in real time."""

import time
from pathlib import Path

import pytest

from console.simulator.host.control import SOCKET
from console.simulator.host.processes import wait_until
from console.simulator.host.temporary import TEMPORARY_SOCKET, temporary_engine
from tests.contract.calls import Calls
from tests.contract.pair import nodes
from tests.support.demo import DemoHost, demo_host
from tests.support.temporary import ACable

HERE, THERE = "192.0.2.10", "198.18.0.2"
WITHIN_S = 30.0


@pytest.fixture
def host(tmp_path: Path) -> DemoHost:
    return demo_host(tmp_path)


async def test_it_leads_the_demos_swarm_for_a_while_and_no_container_ends(host: DemoHost) -> None:
    temporary = temporary_engine(host.folder / SOCKET)
    await temporary.start(ACable())
    assert temporary.host == f"unix://{host.folder / SOCKET}".replace("docker.sock", TEMPORARY_SOCKET)
    # Another program finds it.
    assert await temporary_engine(host.folder / SOCKET).is_running()
    with (
        Calls(host.folder / SOCKET) as real,
        Calls((host.folder / SOCKET).with_name(TEMPORARY_SOCKET)) as other,
    ):

        def containers() -> set[str]:
            return {each["Id"] for each in real.call("GET", "/containers/json")}

        def change(through: Calls, address: str, **fields: object) -> None:
            node = next(each for each in nodes(through) if each["Status"]["Addr"] == address)
            path = f"/nodes/{node['ID']}/update?version={node['Version']['Index']}"
            through.call("POST", path, {**node["Spec"], **fields})

        def leads(through: Calls, address: str) -> bool:
            there = [each for each in nodes(through) if each["Status"]["Addr"] == address]
            return bool(there and there[0].get("ManagerStatus", {}).get("Leader"))

        before = containers()
        began_s = time.monotonic()
        body = {
            "RemoteAddrs": [f"{HERE}:2377"],
            "JoinToken": real.call("GET", "/swarm")["JoinTokens"]["Manager"],
            "AdvertiseAddr": THERE,
            "Availability": "drain",
        }
        other.call("POST", "/swarm/join", body)
        assert time.monotonic() - began_s >= 0.9
        assert len(nodes(other)) == 2
        change(other, HERE, Availability="pause")
        change(other, HERE, Role="worker")
        assert wait_until(lambda: leads(other, THERE), WITHIN_S)
        assert wait_until(
            lambda: [each["Status"]["State"] for each in nodes(other)] == ["ready", "ready"], WITHIN_S
        )
        assert nodes(real) == []
        change(other, HERE, Role="manager")
        assert wait_until(lambda: len(nodes(real)) == 2, WITHIN_S)
        change(other, HERE, Availability="active")
        change(real, THERE, Role="worker")
        assert wait_until(lambda: leads(real, HERE), WITHIN_S)
        other.call("POST", "/swarm/leave")
        real.call("DELETE", f"/nodes/{other_node(real)}?force=1")
        assert containers() == before
    await temporary.remove()
    assert await temporary.leftovers() == ()
    assert not ((host.folder / SOCKET).with_name(TEMPORARY_SOCKET)).exists()


def other_node(real: Calls) -> str:
    return next(str(each["ID"]) for each in nodes(real) if each["Status"]["Addr"] == THERE)
