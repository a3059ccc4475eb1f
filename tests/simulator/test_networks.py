import pytest

from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.filters import NO_SWARM, NOT_MANAGER
from tests.simulator.swarms import START, a_network, a_service, a_swarm, get

SUBNET = "10.0.1.0/28"


def test_by_name_the_leader_counts_and_by_full_id_the_node() -> None:
    engine = a_swarm()
    proxy = a_network(engine)
    a_service(engine, proxy)
    engine.advance(5.0)

    def counted(reference: str) -> dict[str, int]:
        return dict(get(engine, f"/v1.52/networks/{reference}").body["Status"]["IPAM"]["Subnets"][SUBNET])

    assert counted("proxy") == counted(proxy[:12]) == {"IPsInUse": 6, "DynamicIPsAvailable": 10}
    assert counted(proxy) == {"IPsInUse": 5, "DynamicIPsAvailable": 11}


def test_a_fresh_network_has_three_addresses_in_use() -> None:
    engine = a_swarm()
    a_network(engine, subnet="10.0.1.0/24")
    status = get(engine, "/networks/proxy").body["Status"]
    assert status == {"IPAM": {"Subnets": {"10.0.1.0/24": {"IPsInUse": 3, "DynamicIPsAvailable": 253}}}}


def test_with_a_range_only_its_addresses_are_available() -> None:
    engine = a_swarm()
    a_network(engine, subnet="10.0.1.0/24", IPRange="10.0.1.128/25", Gateway="10.0.1.1")
    status = get(engine, "/networks/proxy").body["Status"]
    assert status["IPAM"]["Subnets"]["10.0.1.0/24"] == {"IPsInUse": 3, "DynamicIPsAvailable": 127}


@pytest.mark.parametrize(("engine_api", "path"), [("1.51", "/networks/"), ("1.52", "/v1.51/networks/")])
def test_before_api_1_52_nothing_is_counted(engine_api: str, path: str) -> None:
    engine = a_swarm(engine_api)
    a_network(engine)
    assert "Status" not in get(engine, f"{path}proxy").body


def test_the_list_shows_neither_containers_nor_peers_nor_counts() -> None:
    engine = a_swarm()
    a_service(engine, a_network(engine))
    engine.advance(5.0)
    (shown,) = (each for each in get(engine, "/networks").body if each["Name"] == "proxy")
    assert not {"Containers", "Peers", "Status"} & set(shown)


def test_the_node_shows_its_balancer_and_its_peers() -> None:
    engine = a_swarm(others=[("second", "worker")])
    a_service(engine, a_network(engine), replicas=2)
    engine.advance(5.0)

    shown = get(engine, "/networks/proxy").body
    assert shown["Containers"]["lb-proxy"]["Name"] == "proxy-endpoint"
    assert (
        shown["Containers"]["lb-proxy"]["IPv4Address"] == f"{engine.addresses_of('proxy', 'balancer')[0]}/28"
    )
    assert len(shown["Containers"]) == 2
    assert [peer["IP"] for peer in shown["Peers"]] == ["192.0.2.10", "192.0.2.11"]
    ingress = get(engine, "/networks/ingress").body
    assert ingress["Containers"]["ingress-sbox"]["Name"] == "ingress-endpoint"


def test_an_overlapping_network_is_created_and_gets_no_subnet() -> None:
    engine = a_swarm()
    a_network(engine)
    a_network(engine, "late", "10.0.1.8/29")
    engine.advance(60.0)
    assert get(engine, "/networks/late").body["IPAM"] == {"Driver": "", "Options": None, "Config": None}

    engine.networks.remove("proxy")
    engine.advance(1.0)
    assert get(engine, "/networks/late").body["IPAM"]["Config"][0]["Subnet"] == "10.0.1.8/29"


def test_an_unallocated_network_may_hide_the_others_names() -> None:
    engine = a_swarm()
    proxy = a_network(engine)
    a_network(engine, "late", "10.0.1.8/29")
    assert get(engine, "/networks/proxy").status == 200

    engine.set_trap(unallocated_breaks_names=True)
    assert get(engine, "/networks/proxy").status == 404
    assert get(engine, "/v1.51/networks/proxy").status == 200
    assert get(engine, f"/networks/{proxy[:12]}").status == 200


def test_hidden_tasks_of_containers_are_listed_only_on_request() -> None:
    engine = a_swarm()
    a_network(engine)
    container = engine.containers.create(
        "alone", {"Image": "busybox", "NetworkingConfig": {"EndpointsConfig": {"proxy": {"Aliases": ["me"]}}}}
    )
    engine.containers.start(container)

    assert get(engine, "/tasks").body == []
    (task,) = get(engine, "/tasks", filters='{"runtime": ["attachment"]}').body
    assert task["Spec"]["NetworkAttachmentSpec"] == {"ContainerID": container}
    assert task["NetworksAttachments"][0]["Addresses"] == ["10.0.1.2/28"]
    shown = get(engine, "/containers/alone/json").body["NetworkSettings"]["Networks"]["proxy"]
    assert (shown["IPAddress"], shown["Aliases"]) == ("10.0.1.2", ["me"])
    assert engine.addresses_of("proxy", "balancer") == ["10.0.1.3"]

    engine.containers.stop("alone")
    assert get(engine, "/networks/proxy").body["Status"]["IPAM"]["Subnets"][SUBNET]["IPsInUse"] == 3


def test_a_container_that_finds_no_address_is_refused() -> None:
    engine = a_swarm()
    proxy = a_network(engine, subnet="10.0.1.0/30")
    a_service(engine, proxy, replicas=0)
    engine.advance(1.0)
    container = engine.containers.create(
        "alone", {"Image": "busybox", "HostConfig": {"NetworkMode": "proxy"}}
    )
    refused = engine.containers
    with pytest.raises(Exception, match="attaching to network failed"):
        refused.start(container)
    assert get(engine, "/tasks", filters='{"runtime": ["attachment"]}').body == []


@pytest.mark.parametrize(("membership", "text"), [("none", NO_SWARM), ("worker", NOT_MANAGER)])
def test_who_is_no_manager_shows_no_swarm(membership: str, text: str) -> None:
    engine = SimulatedEngine(
        EngineInfo(membership=membership), START, others=[("boss", "manager")], leader="boss"
    )
    for path in ("/services", "/tasks", "/nodes", "/swarm"):
        assert (get(engine, path).status, get(engine, path).body) == (503, {"message": text})
    info = get(engine, "/info").body["Swarm"]
    assert info["LocalNodeState"] == ("inactive" if membership == "none" else "active")
    assert info["ControlAvailable"] is False
    assert get(engine, "/networks/bridge").status == 200


def test_a_follower_says_who_leads() -> None:
    engine = a_swarm(others=[("boss", "manager")], leader="boss")
    leaders = [
        node["Description"]["Hostname"]
        for node in get(engine, "/nodes").body
        if node["ManagerStatus"].get("Leader")
    ]
    assert leaders == ["boss"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1.99/info", 400, "client version 1.99 is too new. Maximum supported API version is 1.52"),
        ("/v1.12/info", 400, "client version 1.12 is too old. Minimum supported API version is 1.44"),
        ("/nonsense", 404, "page not found"),
        ("/services/nope", 404, "service nope not found"),
        ("/tasks/nope", 404, "task nope not found"),
        ("/networks/nope", 404, "network nope not found"),
        ("/containers/nope/json", 404, "No such container: nope"),
        ('/tasks?{"bogus":["x"]}', 400, "Invalid filter 'bogus'"),
        ('/tasks?{"service":["nope"]}', 404, "service nope not found"),
    ],
)
def test_refusals_are_the_engines_own(path: str, status: int, message: str) -> None:
    path, _, filters = path.partition("?")
    given = get(a_swarm(), path, **({"filters": filters} if filters else {}))
    assert given.status == status
    assert given.body["message"].startswith(message)
