"""Predicates about one overlay: what it is, how much room it has, and what is attached to it."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from console.addresses.accounting import account
from console.monitor.snapshot import take_snapshot
from console.runbook.answers import cannot_tell_on_error, check_result, overlays_by_name, quick_snapshot, read
from console.runbook.contracts import (
    Answer,
    CheckResult,
    Context,
    Name,
    NetworkName,
    Parameters,
    Subnet4,
)
from console.runbook.language.values import Json
from console.swarm.model import Network
from console.swarm.snapshots import AttachedService, OverlayAttachments
from console.text import listed, plural

NAMED = 5


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
            return check_result(
                False, f"{len(networks)} overlays have the name {parameters.name}: {listed(ids)}."
            )
        (network,) = networks
        subnets = [str(subnet.network) for subnet in network.subnets]
        wrong = _network_differences(network, subnets, parameters)
        description = f"{network.name} is {' and '.join(subnets) or 'without a subnet'}"
        return check_result(
            not wrong,
            f"{description}, and {'; '.join(wrong)}." if wrong else f"{description}.",
            id=network.id,
            subnets=list(subnets),
        )


def _network_differences(network: Network, subnets: list[str], parameters: NetworkIsParameters) -> list[str]:
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
        return check_result(
            False, f"{len(networks)} networks have the name {parameters.name}: {listed(ids)}."
        )


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
            network_account
            for network_account in account(snapshot.swarm, snapshot.earlier)
            if network_account.network.name == parameters.network
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


class ServiceBefore(Parameters):
    """A service as it was attached."""

    mode: str
    replicas: int | None = None
    endpoint_mode: str
    aliases: list[str] = Field(default=[])
    options: dict[str, str] = Field(default={})


class AttachedBefore(Parameters):
    """What was attached, as `evidence.capture` puts it out."""

    services: dict[str, ServiceBefore] = Field(default={}, description="By name.")
    containers: list[str] = Field(default=[], description="Containers attached by hand.")


class AsBeforeParameters(Parameters):
    """What must be attached as it was."""

    network: NetworkName
    before: AttachedBefore = Field(
        description="What was attached: `${steps.ID.outputs.attached}` of an `evidence.capture` step."
    )
    accept: list[Name] = Field(default=[], description="Services and containers (globs) that may differ.")


class AttachedAsBefore:
    """Everything that was attached is attached, with the same aliases, options, mode and replicas."""

    name: ClassVar[str] = "network.attached_as_before"
    parameters: ClassVar[type[BaseModel]] = AsBeforeParameters

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: AsBeforeParameters) -> CheckResult:
        """Tell whether everything is attached as it was, and name what is not. What came on top is told and no harm."""
        now = await context.world.reader.attachments(parameters.network)
        if now is None:
            return check_result(False, f"Overlay {parameters.network} not found.")
        before = parameters.before
        wrong = [
            difference
            for difference in _attachment_differences(before, now)
            if not _is_among(difference[0], parameters.accept)
        ]
        texts = [f"{name} {what}" for name, what in wrong]
        new = [service.name for service in now.services if service.name not in before.services]
        count = len(before.services) + len(before.containers)
        if wrong:
            sentence = (
                f"{len(wrong)} of {count} on {parameters.network} differ from before: {listed(texts, NAMED)}."
            )
        else:
            note = f" New on it: {listed(new, NAMED)}." if new else ""
            sentence = f"All {count} that were on {parameters.network} are on it as before.{note}"
        return check_result(not wrong, sentence, differences=dict(wrong), new=list(new))


def _attachment_differences(before: AttachedBefore, now: OverlayAttachments) -> Iterator[tuple[str, Json]]:
    services = {service.name: service for service in now.services}
    for name, was in before.services.items():
        what = _service_difference(was, services.get(name))
        if what:
            yield name, what
    for name in before.containers:
        if name not in now.containers:
            yield name, "is no longer attached"


def _service_difference(was: ServiceBefore, now: AttachedService | None) -> str:
    if now is None:
        return "is no longer attached"
    pairs = (
        ("aliases", sorted(was.aliases), sorted(now.aliases)),
        ("options", was.options, dict(now.options)),
        ("mode", was.mode, now.service.mode),
        ("replicas", was.replicas, now.service.replicas),
        ("endpoint mode", was.endpoint_mode, now.service.endpoint_mode),
    )
    wrong = [
        f"{what} {_value_text(new)} instead of {_value_text(old)}" for what, old, new in pairs if old != new
    ]
    return f"has {' and '.join(wrong)}" if wrong else ""


def _value_text(value: object) -> str:
    if isinstance(value, dict):
        value = [f"{key}={item}" for key, item in value.items()]
    return (listed(value) if value else "none") if isinstance(value, list) else str(value)


class IncludesParameters(Parameters):
    """What must be attached."""

    network: NetworkName
    services: list[Name] = Field(
        default=[], description="Names or globs of services; each must match at least one."
    )
    containers: list[Name] = Field(default=[], description="Names or globs of containers attached by hand.")


class AttachedIncludes:
    """These services and containers are attached to an overlay; others may be too."""

    name: ClassVar[str] = "network.attached_includes"
    parameters: ClassVar[type[BaseModel]] = IncludesParameters

    @cannot_tell_on_error
    async def check(self, context: Context, parameters: IncludesParameters) -> CheckResult:
        """Tell whether they are attached, and name those that are not."""
        now = await context.world.reader.attachments(parameters.network)
        if now is None:
            return check_result(False, f"Overlay {parameters.network} not found.")
        services = [service.name for service in now.services]
        missing = [
            *_unmet(parameters.services, services),
            *_unmet(parameters.containers, now.containers),
        ]
        count = plural(len(services), "service")
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            return check_result(
                False,
                f"{listed(missing, NAMED)} {verb} not attached to {parameters.network}.",
                missing=list(missing),
            )
        return check_result(True, f"All of them are attached to {parameters.network}, which has {count}.")


def _unmet(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    names = tuple(names)
    return [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
