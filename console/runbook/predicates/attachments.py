"""Predicates about what is attached to an overlay."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import ClassVar

from pydantic import BaseModel, Field

from console.runbook.answers import check_result, cannot_tell_on_error
from console.runbook.contracts import CheckResult, Context, Name, NetworkName, Parameters
from console.runbook.language.values import Json
from console.swarm.snapshots import AttachedService, Attachments
from console.text import listed, plural

NAMED = 5


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
        now = await context.world.reader.attached(parameters.network)
        if now is None:
            return check_result(False, f"Overlay {parameters.network} not found.")
        before = parameters.before
        wrong = [
            difference
            for difference in _differences(before, now)
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


def _differences(before: AttachedBefore, now: Attachments) -> Iterator[tuple[str, Json]]:
    services = {service.name: service for service in now.services}
    for name, was in before.services.items():
        what = _difference(was, services.get(name))
        if what:
            yield name, what
    for name in before.containers:
        if name not in now.containers:
            yield name, "is no longer attached"


def _difference(was: ServiceBefore, now: AttachedService | None) -> str:
    if now is None:
        return "is no longer attached"
    pairs = (
        ("aliases", sorted(was.aliases), sorted(now.aliases)),
        ("options", was.options, dict(now.options)),
        ("mode", was.mode, now.service.mode),
        ("replicas", was.replicas, now.service.replicas),
        ("endpoint mode", was.endpoint_mode, now.service.endpoint_mode),
    )
    wrong = [f"{what} {_value_text(new)} instead of {_value_text(old)}" for what, old, new in pairs if old != new]
    return f"has {' and '.join(wrong)}" if wrong else ""


def _value_text(value: object) -> str:
    if isinstance(value, dict):
        value = [f"{key}={each}" for key, each in value.items()]
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
        now = await context.world.reader.attached(parameters.network)
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


def attachments_as_output(attachments: Attachments) -> Json:
    """Return what is attached as `network.attached_as_before` takes it. It holds no environment and no arguments."""
    return {
        "services": {
            service.name: {
                "mode": service.service.mode,
                "replicas": service.service.replicas,
                "endpoint_mode": service.service.endpoint_mode,
                "aliases": list(service.aliases),
                "options": dict(service.options),
            }
            for service in attachments.services
        },
        "containers": list(attachments.containers),
    }
