"""What a subnet, an address range, a gateway and several subnets give."""

import ipaddress

import pytest

from tests.contract.world import World


def addresses(subnet: str) -> list[str]:
    return [str(each) for each in ipaddress.ip_network(subnet)]


def assert_unallocated(world: World, network: str) -> None:
    """Fail if a network that was asked for before the latest one has a subnet."""
    seen = world.network(network)
    assert (seen["Driver"], seen["IPAM"]["Config"]) == ("", None)


@pytest.mark.parametrize("length", [30, 29, 27])
def test_three_addresses_of_a_subnet_are_never_given(world: World, length: int) -> None:
    subnet = world.fresh_subnet(length)
    network = world.create_overlay(world.fresh("pool"), subnet)

    assert world.walk_ring(network) == set(addresses(subnet)[2:-1])
    assert world.free_addresses(network) == set(addresses(subnet)[2:-1])


@pytest.mark.parametrize("length", [31, 32])
def test_a_subnet_too_small_for_a_gateway_and_a_holder(world: World, length: int) -> None:
    subnet = world.fresh_subnet(length)
    network = world.request_overlay(world.fresh("pool"), subnet)
    world.create_overlay(world.fresh("later"), world.fresh_subnet(30))

    if world.traits.allocates_tiny_subnets:
        assert world.subnets(network) == [subnet]
    else:
        assert_unallocated(world, network)


@pytest.mark.parametrize(
    ("eighth", "gateway", "given"),
    [
        # The first eighth of the subnet holds the network address, the last one its broadcast address.
        pytest.param(0, 1, range(2, 8), id="first"),
        pytest.param(3, 24, range(25, 32), id="middle"),
        pytest.param(7, 56, range(57, 63), id="last"),
    ],
)
def test_a_range_gives_its_first_free_address_to_the_gateway(
    world: World, eighth: int, gateway: int, given: range
) -> None:
    subnet = world.fresh_subnet(26)
    ip_range = f"{addresses(subnet)[eighth * 8]}/29"
    network = world.create_overlay(world.fresh("range"), subnet, ip_range=ip_range)

    expected = {"Subnet": subnet, "IPRange": ip_range, "Gateway": addresses(subnet)[gateway]}
    assert world.network(network)["IPAM"]["Config"] == [expected]
    assert world.walk_ring(network) == {addresses(subnet)[each] for each in given}


def test_a_gateway_outside_the_range_leaves_the_whole_range(world: World) -> None:
    subnet = world.fresh_subnet(26)
    every = addresses(subnet)
    network = world.create_overlay(world.fresh("range"), subnet, ip_range=f"{every[8]}/29", gateway=every[1])

    assert world.walk_ring(network) == set(every[8:16])


def test_a_chosen_gateway_is_the_only_one_taken(world: World) -> None:
    subnet = world.fresh_subnet(28)
    every = addresses(subnet)
    network = world.create_overlay(world.fresh("pool"), subnet, gateway=every[14])

    assert world.network(network)["IPAM"]["Config"] == [{"Subnet": subnet, "Gateway": every[14]}]
    assert world.walk_ring(network) == set(every[1:14])


def test_several_subnets_are_used_in_no_order(world: World) -> None:
    subnets = [world.fresh_subnet(29), world.fresh_subnet(29)]
    network = world.create_overlay(world.fresh("pools"), subnets)

    assert sorted(world.subnets(network)) == sorted(subnets)
    free = {each for subnet in subnets for each in addresses(subnet)[2:-1]}
    assert world.walk_ring(network) == world.free_addresses(network) == free


def test_without_a_subnet_the_next_of_the_default_pool_is_taken(world: World) -> None:
    taken = ipaddress.IPv4Network(world.subnets(world.create_overlay(world.fresh("default")))[0])
    following = ipaddress.IPv4Network(world.subnets(world.create_overlay(world.fresh("default")))[0])

    assert taken.prefixlen == following.prefixlen == 24
    assert following.network_address == taken.network_address + 256
    assert ipaddress.IPv4Network("10.0.0.0/8").supernet_of(following)


def test_a_default_subnet_that_is_taken_is_passed_over(world: World) -> None:
    last = ipaddress.IPv4Network(world.subnets(world.create_overlay(world.fresh("default")))[0])
    blocked = f"{last.network_address + 256}/24"
    world.create_overlay(world.fresh("chosen"), blocked)

    following = world.subnets(world.create_overlay(world.fresh("default")))
    assert following == [f"{last.network_address + 512}/24"]


def test_a_dual_stack_network_holds_one_address_of_either_kind_per_holder(world: World) -> None:
    subnet, six = world.fresh_subnet(28), f"fd00:{world.fresh('')}::/64"
    if not world.traits.allocates_ipv6:
        network = world.request_overlay(world.fresh("dual"), [subnet, six], ipv6=True)
        world.create_overlay(world.fresh("later"), world.fresh_subnet(30))
        assert_unallocated(world, network)
        return
    network = world.create_overlay(world.fresh("dual"), [subnet, six], ipv6=True)
    service = world.create_service(world.fresh("dual"), [network], replicas=0)

    seen = world.network(network)
    assert seen["EnableIPv6"] is True
    assert sorted(world.subnets(network)) == sorted([subnet, six])
    vip = ipaddress.ip_address(world.wait_for_vip(service, network))
    assert any(vip in ipaddress.ip_network(each) for each in (subnet, six))
