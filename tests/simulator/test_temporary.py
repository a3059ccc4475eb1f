"""A second engine that joins a simulated swarm of one manager, leads it for a moment, and leaves it again."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from console.simulator.engine import EngineInfo, SimulatedEngine
from tests.contract.calls import Calls, Refused
from tests.simulator.borrowing import HERE, THERE, Borrowing
from tests.simulator.swarms import START, a_network, a_service
from tests.support.engines import Simulation, simulation
from tests.support.simulated_handovers import containers, leader_of, roles
from tests.support.temporary import ACable, temporary_of


@pytest.fixture
def running() -> Iterator[Simulation]:
    engine = SimulatedEngine(EngineInfo("1.41"), START)
    with simulation(engine) as simulated:
        yield simulated


@pytest.fixture
async def borrowing(running: Simulation) -> Any:
    temporary = temporary_of(running)
    await temporary.start(ACable())
    both = Borrowing(running, temporary)
    yield both
    both.close()


def refused(calls: Calls, method: str, path: str) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        calls.call(method, path, {})
    return caught.value.status, caught.value.message


async def test_a_borrowed_manager_gives_every_leaked_address_back_and_no_container_ends(
    borrowing: Borrowing,
) -> None:
    model = borrowing.model
    proxy = a_network(model, subnet="10.0.1.0/26")
    own = a_network(model, "own", "10.0.2.0/26")
    a_service(model, proxy, name="traefik", replicas=3, constraint="node.role==manager")
    leaky = a_service(model, proxy, own, name="leaky", replicas=4)
    model.advance(10.0)
    model.services.remove(leaky)
    model.networks.remove(own)
    model.advance(20.0)
    before, ids = containers(model), model.node.id
    assert len(model.addresses_of("proxy", "leaked")) == 4
    borrowing.join()
    borrowing.pause_here()
    borrowing.demote_here()
    borrowing.pass_time(12.0)
    assert (leader_of(model), model.addresses_of("proxy", "leaked")) == (THERE, [])
    borrowing.promote_here()
    borrowing.pass_time(5.0)
    borrowing.activate_here()
    borrowing.demote_there()
    borrowing.pass_time(5.0)
    borrowing.leave_there()
    borrowing.remove_there()
    await borrowing.temporary.remove()
    borrowing.pass_time(60.0)
    assert roles(model) == {HERE: "manager"}
    assert (leader_of(model), model.node.id) == (HERE, ids)
    assert containers(model) == before
    assert model.addresses_of("proxy", "balancer") == [model.node.balancers[proxy].partition("/")[0]]
    # Every node has an address on `ingress`.
    assert len(model.addresses_of("ingress", "balancer")) == 1
    assert await borrowing.temporary.leftovers() == ()


async def test_its_socket_shows_its_own_place_in_the_swarm(borrowing: Borrowing) -> None:
    def place(calls: Calls) -> tuple[object, ...]:
        swarm = calls.call("GET", "/info")["Swarm"]
        return swarm["LocalNodeState"], swarm["ControlAvailable"], swarm["NodeAddr"]

    assert place(borrowing.other) == ("inactive", False, "")
    assert refused(borrowing.other, "GET", "/nodes")[0] == 503
    borrowing.join()
    assert place(borrowing.other) == ("active", True, "198.18.0.2")
    assert borrowing.other.call("GET", "/containers/json") == []
    borrowing.pause_here()
    borrowing.demote_here()
    borrowing.pass_time(1.0)
    assert place(borrowing.real) == ("active", False, "192.0.2.10")
    assert "Worker nodes" in refused(borrowing.real, "GET", "/nodes")[1]
    borrowing.pass_time(5.0)
    borrowing.promote_here()
    borrowing.pass_time(0.7)
    assert "Manager is being prepared" in refused(borrowing.real, "GET", "/nodes")[1]
    borrowing.pass_time(2.0)
    assert place(borrowing.real) == ("active", True, "192.0.2.10")


async def test_a_new_leader_shows_a_node_as_ready_then_unknown_until_it_registers(
    borrowing: Borrowing,
) -> None:
    borrowing.join()
    borrowing.pause_here()
    borrowing.demote_here()
    seen: list[tuple[bool, str]] = []
    for _ in range(40):
        borrowing.pass_time(0.1)
        state = (leader_of(borrowing.model) == THERE, borrowing.state(borrowing.other, HERE))
        if state not in seen[-1:]:
            seen.append(state)
    assert seen == [(False, "ready"), (True, "ready"), (True, "unknown"), (True, "ready")]


async def test_a_leader_of_two_answers_for_a_while_after_the_other_died_and_then_nobody_leads(
    borrowing: Borrowing,
) -> None:
    borrowing.join()
    await borrowing.temporary.kill()
    borrowing.pass_time(1.0)
    assert borrowing.shown(borrowing.real, THERE)["ManagerStatus"]["Reachability"] == "unreachable"
    borrowing.pass_time(15.0)
    status, message = refused(borrowing.real, "GET", "/nodes")
    assert (status, "The swarm does not have a leader." in message) == (500, True)
    assert "does not have a leader" in borrowing.real.call("GET", "/info")["Swarm"]["Error"]
    await borrowing.temporary.start(ACable())
    borrowing.pass_time(5.0)
    assert borrowing.state(borrowing.real, THERE) == "ready"


async def test_the_only_manager_that_died_leads_again_with_its_data(borrowing: Borrowing) -> None:
    borrowing.join()
    borrowing.pause_here()
    borrowing.demote_here()
    borrowing.pass_time(5.0)
    await borrowing.temporary.kill()
    assert not await borrowing.temporary.is_running()
    borrowing.pass_time(30.0)
    await borrowing.temporary.start(ACable())
    borrowing.pass_time(10.0)
    assert leader_of(borrowing.model) == THERE
    assert borrowing.state(borrowing.other, HERE) == "ready"
    borrowing.promote_here()
    borrowing.pass_time(10.0)
    assert roles(borrowing.model) == {HERE: "manager", THERE: "manager"}


async def test_a_promotion_waits_for_a_manager_that_leads(borrowing: Borrowing) -> None:
    borrowing.join()
    borrowing.pause_here()
    borrowing.demote_here()
    borrowing.pass_time(10.0)
    borrowing.promote_here()
    await borrowing.temporary.kill()
    borrowing.pass_time(30.0)
    assert roles(borrowing.model)[HERE] == "worker"
    await borrowing.temporary.start(ACable())
    borrowing.pass_time(10.0)
    assert roles(borrowing.model)[HERE] == "manager"


async def test_without_its_data_it_is_in_no_swarm_and_its_vote_is_lost(borrowing: Borrowing) -> None:
    borrowing.join()
    await borrowing.temporary.kill()
    await borrowing.temporary.lose_data()
    await borrowing.temporary.start(ACable())
    assert borrowing.other.call("GET", "/info")["Swarm"]["LocalNodeState"] == "inactive"
    borrowing.pass_time(60.0)
    assert refused(borrowing.real, "GET", "/nodes")[0] == 500


def is_up(borrowing: Borrowing) -> bool:
    return borrowing.model.store.find_node(THERE).is_up


async def test_its_unit_starts_it_again(borrowing: Borrowing) -> None:
    borrowing.join()
    await borrowing.temporary.kill(back_after_s=2.0)
    assert await borrowing.temporary.is_running()
    assert not is_up(borrowing)
    borrowing.pass_time(3.0)
    assert await borrowing.temporary.is_running()
    assert is_up(borrowing)
    await borrowing.temporary.start(ACable())
    assert borrowing.other.call("GET", "/info")["Swarm"]["LocalNodeState"] == "active"


async def test_a_unit_that_was_removed_starts_nothing(borrowing: Borrowing) -> None:
    await borrowing.temporary.kill(back_after_s=2.0)
    await borrowing.temporary.remove()
    borrowing.pass_time(3.0)
    assert await borrowing.temporary.leftovers() == ()


async def test_where_no_manager_answers_it_goes_on_trying_until_it_leaves(borrowing: Borrowing) -> None:
    body = {
        "RemoteAddrs": ["192.0.2.77:2377"],
        "JoinToken": borrowing.real.call("GET", "/swarm")["JoinTokens"]["Manager"],
    }
    before_s = borrowing.model.store.timeline.elapsed_s
    with pytest.raises(Refused, match="Timeout was reached before node joined"):
        borrowing.other.call("POST", "/swarm/join", body)
    assert borrowing.model.store.timeline.elapsed_s == before_s + 20.0
    assert borrowing.other.call("GET", "/info")["Swarm"]["LocalNodeState"] == "pending"
    borrowing.other.call("POST", "/swarm/leave?force=1")
    borrowing.join()
    assert borrowing.state(borrowing.other, THERE) == "ready"


async def test_its_calls_fail_by_faults_of_its_own(borrowing: Borrowing) -> None:
    fault = {"method": "POST", "path": "/swarm/join", "kind": "lose_answer"}
    client = borrowing.other.client
    assert client.post(f"{client.base_url}/_simulator/faults", json=fault).status_code == 200
    with pytest.raises(requests.ConnectionError):
        borrowing.join()
    # It has joined all the same.
    assert borrowing.state(borrowing.other, THERE) == "ready"


async def test_an_engine_that_was_stopped_drops_its_calls(borrowing: Borrowing) -> None:
    borrowing.running.control("stop", {})
    with pytest.raises(requests.ConnectionError):
        borrowing.real.call("GET", "/info")
    borrowing.running.control("restart", {})
    borrowing.pass_time(5.0)
    assert borrowing.state(borrowing.real, HERE) == "ready"
    assert leader_of(borrowing.model) == HERE


async def test_the_real_manager_that_died_while_the_other_led_is_a_worker_when_it_is_back(
    borrowing: Borrowing,
) -> None:
    proxy = a_network(borrowing.model)
    a_service(borrowing.model, proxy, replicas=2)
    borrowing.pass_time(5.0)
    borrowing.join()
    borrowing.pause_here()
    borrowing.demote_here()
    borrowing.pass_time(5.0)
    borrowing.running.control("stop", {})
    borrowing.pass_time(20.0)
    assert borrowing.state(borrowing.other, HERE) == "down"
    assert containers(borrowing.model) == {}
    borrowing.running.control("restart", {})
    borrowing.pass_time(20.0)
    assert borrowing.state(borrowing.other, HERE) == "ready"
    assert borrowing.model.identity.membership == "worker"
    borrowing.change(borrowing.other, HERE, Availability="active", Role="manager")
    borrowing.pass_time(20.0)
    assert len(containers(borrowing.model)) == 2
