"""Who holds an address of an overlay, and where that can be read."""

import ipaddress

from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.contract.world import NOWHERE, World, addresses_of


def bare(interface: str) -> str:
    return str(ipaddress.ip_interface(interface).ip)


def test_every_address_is_free_or_has_its_holder(world: World) -> None:
    subnet = world.fresh_subnet(28)
    name = world.fresh("shared")
    network = world.create_overlay(name, subnet, attachable=True)
    running = world.create_service(world.fresh("app"), [network], replicas=2)
    idle = world.create_service(world.fresh("idle"), [network], replicas=0)
    waiting = world.create_service(world.fresh("waiting"), [network], constraints=NOWHERE)
    container = world.attach_container(world.fresh("container"), network)
    world.wait_for_state(running, "running", 2)
    world.wait_for_state(waiting, "pending")
    world.wait_until(lambda: f"lb-{name}" in world.network(name)["Containers"], "the node has its endpoint")

    vips = [world.wait_for_vip(each, network) for each in (running, idle, waiting)]
    tasks = world.task_addresses(network)
    balancer = bare(world.network(name)["Containers"][f"lb-{name}"]["IPv4Address"])
    held = [*vips, *tasks, balancer]

    # Two running tasks, a waiting one, and the container's.
    assert len(tasks) == 4
    assert len(held) == len(set(held)) == 8
    given = {str(each) for each in list(ipaddress.ip_network(subnet).hosts())[1:]}
    assert world.free_addresses(network) == given - set(held)
    world.remove_container(container)


def test_the_local_inspection_names_tasks_and_the_node(world: World) -> None:
    name = world.fresh("local")
    network = world.create_overlay(name)
    service = world.create_service(world.fresh("app"), [network])
    (task,) = world.wait_for_state(service, "running")
    world.wait_until(lambda: f"lb-{name}" in world.network(name)["Containers"], "the node has its endpoint")

    local = world.network(name)["Containers"]

    own = local[task["Status"]["ContainerStatus"]["ContainerID"]]
    assert own["Name"] == f"{world.service(service)['Spec']['Name']}.1.{task['ID']}"
    assert bare(own["IPv4Address"]) == addresses_of(task, network)[0]
    assert local[f"lb-{name}"]["Name"] == f"{name}-endpoint"
    assert len(local) == 2
    assert [each["IP"] for each in world.network(name)["Peers"]] == [world.client.info()["Swarm"]["NodeAddr"]]


def test_the_balancer_leaves_with_the_last_task(world: World) -> None:
    subnet = world.fresh_subnet(29)
    name = world.fresh("leaving")
    network = world.create_overlay(name, subnet)
    service = world.create_service(world.fresh("app"), [network])
    world.wait_for_state(service, "running")

    world.remove_service(service)
    world.wait_until_gone([service])

    every = {str(each) for each in list(ipaddress.ip_network(subnet).hosts())[1:]}
    world.wait_until(lambda: world.free_addresses(network) == every, "every address is free")


def test_ingress_has_an_endpoint_of_the_node_and_one_vip_per_publishing_service(world: World) -> None:
    ingress = world.network("ingress")["Id"]
    own = world.create_overlay(world.fresh("own"))
    service = world.create_service(world.fresh("web"), [own], ports=[(18080, 80)])
    (task,) = world.wait_for_state(service, "running")

    endpoint = world.wait_until(
        lambda: world.network("ingress")["Containers"].get("ingress-sbox"),
        "the node has its ingress endpoint",
    )
    assert endpoint["Name"] == "ingress-endpoint"
    assert bare(endpoint["IPv4Address"]) == "10.0.0.2"
    assert {each["NetworkID"] for each in world.service(service)["Endpoint"]["VirtualIPs"]} == {own, ingress}
    assert len(addresses_of(task, own)) == len(addresses_of(task, ingress)) == 1
    assert world.service(service)["Endpoint"]["Ports"] == [
        {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 18080, "PublishMode": "ingress"}
    ]


def test_a_container_is_hidden_unless_asked_for(world: World) -> None:
    network = world.create_overlay(world.fresh("attachable"), attachable=True)
    container = world.attach_container(world.fresh("container"), network)

    shown = world.wait_until(
        lambda: [each for each in world.tasks(runtime=["attachment"]) if addresses_of(each, network)],
        "the attachment is listed",
    )

    assert len(shown) == 1
    assert shown[0]["Spec"]["NetworkAttachmentSpec"] == {"ContainerID": container}
    assert shown[0]["Spec"]["Runtime"] == "attachment"
    assert not shown[0].get("ServiceID")
    assert not any(addresses_of(each, network) for each in world.client.tasks())
    assert not any(addresses_of(each, network) for each in world.tasks(runtime=["container", ""]))

    world.remove_container(container)
    world.wait_until(lambda: not world.task_addresses(network), "the attachment has ended")


def test_a_dnsrr_service_has_no_vip(world: World) -> None:
    subnet = world.fresh_subnet(28)
    network = world.create_overlay(world.fresh("dnsrr"), subnet)
    service = world.create_service(
        world.fresh("dnsrr"), [network], mode="dnsrr", replicas=2, constraints=NOWHERE
    )
    world.wait_for_state(service, "pending", 2)

    # It looks like a service that found no address: only the spec tells them apart.
    assert world.service(service)["Endpoint"] == {"Spec": {}}
    assert world.service(service)["Spec"]["EndpointSpec"] == {"Mode": "dnsrr"}
    assert len(world.task_addresses(network, service)) == 2


def test_an_ended_task_still_names_an_address_that_is_free(world: World) -> None:
    network = world.create_overlay(world.fresh("ended"), world.fresh_subnet(28))
    service = world.create_service(
        world.fresh("crash"), [network], command=["sh", "-c", "exit 1"], restarts=False
    )

    (task,) = world.wait_for_state(service, "failed")

    (named,) = addresses_of(task, network)
    assert task["Status"]["Err"] == "task: non-zero exit (1)"
    assert task["Status"]["ContainerStatus"]["ExitCode"] == 1
    assert named in world.free_addresses(network)


async def test_what_is_attached_is_read_as_it_is_asked_for(world: World) -> None:
    name = world.fresh("attached")
    network = world.create_overlay(name, attachable=True)
    elsewhere = world.create_overlay(world.fresh("elsewhere"))
    app = world.create_service(world.fresh("app"), [network, elsewhere], replicas=2)
    world.create_service(world.fresh("other"), [elsewhere], constraints=NOWHERE)
    container_name = world.fresh("container")
    container = world.attach_container(container_name, network)
    world.wait_for_state(app, "running", 2)
    spec = world.service(app)["Spec"]
    (aliases,) = (
        each.get("Aliases") or [] for each in spec["TaskTemplate"]["Networks"] if each["Target"] == network
    )

    connection = EngineConnection(f"unix://{world.socket}", 30)
    try:
        reader = EngineReader(connection)
        found = await reader.attachments(name)
        nothing = await reader.attachments(world.fresh("nobody"))
    finally:
        connection.close()

    assert found is not None
    assert found.network_id == network
    (attached,) = found.services
    service = attached.service
    assert (service.name, service.mode, service.replicas, service.endpoint_mode) == (
        *(spec["Name"], "replicated", 2, "vip"),
    )
    assert (attached.aliases, attached.options) == (tuple(sorted(aliases)), {})
    assert found.containers == (container_name,)
    assert nothing is None
    world.remove_container(container)
