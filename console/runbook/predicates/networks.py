"""Predicates about one overlay: what it is, and how much room it has."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from console.addresses.accounting import account
from console.monitor.snapshot import take_snapshot
from console.runbook.answers import check_result, overlays_by_name, quick_snapshot, read, cannot_tell_on_error
from console.runbook.contracts import Answer, CheckResult, Context, NetworkName, Parameters, Subnet4
from console.swarm.values import Network
from console.text import listed, plural


class NetworkIsParameters(Parameters):
    """What an overlay must be."""

    name: NetworkName
    subnet: Subnet4 | None = Field(default=None, description="The subnet that it must have.")
    allocated: bool = Field(default=True, description="Whether Swarm must have allocated its subnet.")
    attachable: bool | None = Field(default=None, description="Whether containers may be attached by hand.")


class NetworkIs:
    """There is one overlay of this name, and it is as described."""

    name: ClassVar[str] = "network.is"
    parameters: ClassVar[type[BaseModel]] = NetworkIsParameters

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: NetworkIsParameters) -> CheckResult:
        """Tell whether the overlay is as described."""
        networks = overlays_by_name(await quick_snapshot(context), parameters.name)
        if not networks:
            return check_result(False, f"Overlay {parameters.name} not found.")
        if len(networks) > 1:
            ids = [network.id[:12] for network in networks]
            return check_result(False, f"{len(networks)} overlays have the name {parameters.name}: {listed(ids)}.")
        (network,) = networks
        subnets = [str(subnet.network) for subnet in network.subnets]
        wrong = _differences(network, subnets, parameters)
        description = f"{network.name} is {' and '.join(subnets) or 'without a subnet'}"
        return check_result(
            not wrong,
            f"{description}, and {'; '.join(wrong)}." if wrong else f"{description}.",
            id=network.id,
            subnets=list(subnets),
        )


def _differences(network: Network, subnets: list[str], parameters: NetworkIsParameters) -> list[str]:
    wrong = []
    if parameters.allocated and not network.is_allocated:
        wrong.append("Swarm has not allocated it")
    if parameters.subnet is not None and str(parameters.subnet) not in subnets:
        wrong.append(f"not {parameters.subnet}")
    if parameters.attachable is not None and parameters.attachable is not network.attachable:
        wrong.append("attachable" if network.attachable else "not attachable")
    return wrong


class NameParameters(Parameters):
    """An overlay's name."""

    name: NetworkName


class NetworkUnique:
    """Exactly one network, of whatever driver, has this name."""

    name: ClassVar[str] = "network.unique"
    parameters: ClassVar[type[BaseModel]] = NameParameters

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: NameParameters) -> CheckResult:
        """Tell whether the name is one network's."""
        networks = [
            network
            for network in read((await quick_snapshot(context)).networks)
            if network.name == parameters.name
        ]
        ids = [f"{network.id[:12]} ({network.driver or 'no driver'})" for network in networks]
        if len(networks) == 1:
            return check_result(True, f"{parameters.name} is one network, {ids[0]}.")
        if not networks:
            return check_result(False, f"Network {parameters.name} not found.")
        return check_result(False, f"{len(networks)} networks have the name {parameters.name}: {listed(ids)}.")


class HeadroomParameters(Parameters):
    """How many addresses must be free."""

    network: NetworkName
    addresses: Annotated[int, Field(ge=1)] = Field(description="How many addresses must be free at least.")
    bound_suffices: bool = Field(
        default=False,
        description="Whether an upper bound is enough where the engine does not count leaked addresses (before "
        "Docker 29).",
    )


class NetworkHeadroomMin:
    """So many addresses of an overlay are free."""

    name: ClassVar[str] = "network.headroom_min"
    parameters: ClassVar[type[BaseModel]] = HeadroomParameters

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: HeadroomParameters) -> CheckResult:
        """Tell whether enough is free. What is only an upper bound proves nothing unless it is taken for enough."""
        world, required = context.world, parameters.addresses
        snapshot = await take_snapshot(world.reader, world.log, world.clock, world.settings.snapshot)
        read(snapshot.swarm.networks)
        accounts = [
            network_account for network_account in account(snapshot.swarm, snapshot.earlier) if network_account.network.name == parameters.network
        ]
        if len(accounts) != 1:
            return check_result(False, f"Overlay {parameters.network} not found, or several have this name.")
        free, is_exact = accounts[0].free_at_most, accounts[0].free_is_exact
        bound = "" if is_exact else "at most "
        are = plural(free, "address of {0} is free", "addresses of {0} are free").format(parameters.network)
        sentence = f"{bound.capitalize()}{are}; required: {required}."
        evidence = {"free": free, "is_exact": is_exact, "capacity": accounts[0].capacity}
        if free < required:
            return CheckResult(Answer.NO, sentence, evidence)
        if is_exact or parameters.bound_suffices:
            return CheckResult(Answer.YES, sentence, evidence)
        return CheckResult(
            Answer.CANNOT_TELL,
            f"{sentence} Leaks are unknown here, so fewer may be free.",
            evidence,
        )
