"""The gate before a maintenance: named checks of engine, swarm and host, all of which must hold."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, ClassVar, Literal, ParamSpec

from pydantic import BaseModel, Field

from console.diagnosis.assess import assess
from console.diagnosis.values import Severity, Snapshot
from console.errors import StepFailed, Unknown
from console.frozen import frozen
from console.host.root import under_root
from console.journal.reader import whose_host
from console.monitor.snapshot import take_snapshot
from console.operations.network_recreation.refusals import ROUTES_OF_HOST
from console.runbook.answers import NOT_KNOWN, ReadOnly, Unreadable, all_of, cannot_tell, check_result, read
from console.runbook.contracts import (
    AbsolutePath,
    ActionPlan,
    Answer,
    CheckResult,
    Context,
    Name,
    NetworkName,
    Parameters,
    Subnet4,
)
from console.runbook.language.values import Json, NotChecked
from console.settings import Thresholds
from console.storage.state import state_folder
from console.swarm.client import parse_version
from console.swarm.model import SwarmState
from console.text import clean, listed, plural

USUAL_PATHS = ("/var/lib/docker", "/nix/store")
NAMED = 5
_MIB = 1024 * 1024
P = ParamSpec("P")


class FindingsAllowed(Parameters):
    """Which findings about a network are accepted."""

    network: NetworkName
    worst: Literal["ok", "warning", "unknown", "critical"] = Field(
        default="warning", description="The worst severity that a finding about it may have."
    )
    accept: list[Name] = Field(default=[], description="Codes of findings that are accepted at any severity.")


class ChecksParameters(Parameters):
    """What is checked besides that the engine answers and is a manager."""

    leader: Literal["any", "here"] = Field(
        default="any",
        description="Whether the swarm's leader may be any manager (`any`), or must be this engine (`here`).",
    )
    api_min: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")] | None = Field(
        default=None, description="The oldest version of the engine's API that is accepted."
    )
    findings: FindingsAllowed | None = Field(
        default=None, description="Which findings about a network are accepted."
    )
    subnet_free: Subnet4 | None = Field(
        default=None,
        description="A subnet that must overlap no network, and no route or address of this host.",
    )
    replaces: NetworkName | None = Field(
        default=None,
        description="The network that gets this subnet. An overlap with its present subnet is accepted.",
    )
    disk_free_mb: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="How many MiB must be free on this host."
    )
    disk_paths: list[AbsolutePath] = Field(
        default=[],
        description="Where they must be free; default: the state directory, and /var/lib/docker and /nix/store if "
        "they exist.",
    )
    journal_readable: bool = Field(
        default=False, description="Whether dockerd's journal must be readable here."
    )


@frozen
class MaintenanceCheck:
    """One check: its result, or why it does not apply here."""

    code: str
    result: CheckResult
    is_skipped: bool = False
    not_checked: NotChecked | None = None
    """A part that could not be checked; the rest of the check may have been made."""


class ChecksAll(ReadOnly[ChecksParameters]):
    """Every check that is asked for holds; the engine that answers and is a manager is always one of them."""

    name: ClassVar[str] = "checks.all"
    parameters: ClassVar[type[BaseModel]] = ChecksParameters
    outputs: ClassVar[tuple[str, ...]] = ("checks",)

    async def plan(self, context: Context, parameters: ChecksParameters) -> ActionPlan:
        """Make the checks, and tell each result."""
        checks = [check async for check in _all_checks(context, parameters)]
        made = tuple(check.result for check in checks if not check.is_skipped)
        return ActionPlan(
            f"{plural(len(made), 'check')}, all of which must hold.",
            reads=tuple(check.code for check in checks),
            checked=made,
            not_checked=tuple(check.not_checked for check in checks if check.not_checked),
        )

    async def act(self, context: Context, parameters: ChecksParameters) -> Mapping[str, Json]:
        """Make the checks, and fail unless all hold. Those that do not apply here are reported and skipped."""
        checks = []
        async for check in _all_checks(context, parameters):
            checks.append(check)
            await context.say(f"{check.code}: {check.result.sentence}")
        results = [check.result for check in checks if not check.is_skipped]
        if all_of(results) is not Answer.YES:
            wrong = [result.sentence for result in results if result.answer is not Answer.YES]
            raise StepFailed(" ".join(wrong), "Fix it and try again, or change what the runbook requires.")
        return {"checks": {check.code: check.result.sentence for check in checks}}

    async def verify(
        self, context: Context, parameters: ChecksParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Make the checks again, for what held once may not hold any more."""
        results = [check.result async for check in _all_checks(context, parameters) if not check.is_skipped]
        return CheckResult(all_of(results), " ".join(result.sentence for result in results))


async def _all_checks(context: Context, parameters: ChecksParameters) -> AsyncIterator[MaintenanceCheck]:
    world = context.world
    settle = parameters.findings is not None
    snapshot = await take_snapshot(
        world.reader, world.log, world.clock, world.settings.snapshot, settle=settle
    )
    swarm = snapshot.swarm
    if isinstance(swarm.engine, Unknown):
        yield MaintenanceCheck("engine", cannot_tell(Unreadable(swarm.engine.reason, swarm.engine.hint)))
        return
    engine = swarm.engine
    yield MaintenanceCheck(
        "engine", check_result(True, f"{engine.name} answers: Docker {engine.version}, a manager.")
    )
    yield MaintenanceCheck("leader", _check(_leader, swarm, engine.node_id, parameters.leader))
    if parameters.api_min is not None:
        yield MaintenanceCheck("api_min", _api(engine.api_version, parameters.api_min))
    if parameters.findings is not None:
        yield MaintenanceCheck(
            "findings", _findings(snapshot, world.settings.thresholds, parameters.findings)
        )
    elsewhere = await whose_host(world.host, swarm.engine)
    if parameters.subnet_free is not None:
        yield MaintenanceCheck(
            "subnet_free",
            _check(_subnet, snapshot, parameters.subnet_free, parameters.replaces, elsewhere),
            not_checked=None if elsewhere is None else NotChecked(ROUTES_OF_HOST, elsewhere.reason),
        )
    if parameters.disk_free_mb is not None:
        yield _skip("disk_free_mb", "free disk space", elsewhere) or MaintenanceCheck(
            "disk_free_mb", await _disk(parameters.disk_free_mb, parameters.disk_paths)
        )
    if parameters.journal_readable:
        is_of_host = not world.log.is_recorded
        is_elsewhere = elsewhere if is_of_host else None
        yield _skip("journal_readable", "dockerd's journal", is_elsewhere) or MaintenanceCheck(
            "journal_readable", _journal(snapshot)
        )


def _check(check: Callable[P, CheckResult], *args: P.args, **kwargs: P.kwargs) -> CheckResult:
    try:
        return check(*args, **kwargs)
    except NOT_KNOWN as error:
        return cannot_tell(error)


def _skip(code: str, what: str, elsewhere: Unknown | None) -> MaintenanceCheck | None:
    """Return that a check of this host has no meaning, where the engine is another's."""
    if elsewhere is None:
        return None
    return MaintenanceCheck(
        code,
        CheckResult(Answer.CANNOT_TELL, f"Not checked: {elsewhere.reason}"),
        is_skipped=True,
        not_checked=NotChecked(what, elsewhere.reason),
    )


def _leader(swarm: SwarmState, node_id: str, requirement: str) -> CheckResult:
    leader = next((node for node in read(swarm.nodes) if node.is_leader), None)
    if leader is None:
        return check_result(False, "The swarm has no leader, so it allocates nothing.")
    is_here = leader.id == node_id
    place = "this engine" if is_here else "not this engine"
    return check_result(is_here or requirement == "any", f"The leader is {leader.hostname}, {place}.")


def _api(version: tuple[int, int], minimum: str) -> CheckResult:
    text = ".".join(map(str, version))
    return check_result(
        version >= parse_version(minimum),
        f"The engine has API {text}; the runbook requires {minimum} or later.",
    )


def _findings(snapshot: Snapshot, thresholds: Thresholds, allowed_findings: FindingsAllowed) -> CheckResult:
    assessment = assess(snapshot, thresholds, (allowed_findings.network,))
    bad = [
        finding
        for finding in assessment.findings
        if finding.severity.rank > Severity(allowed_findings.worst).rank
        and finding.code not in allowed_findings.accept
    ]
    evidence: dict[str, Json] = {finding.code: finding.severity.value for finding in assessment.findings}
    if not bad:
        return CheckResult(
            Answer.YES,
            f"No finding about {allowed_findings.network} is worse than {allowed_findings.worst}.",
            evidence,
        )
    is_known = any(finding.severity is not Severity.UNKNOWN for finding in bad)
    sentences = " ".join(finding.sentence for finding in bad)
    return CheckResult(Answer.NO if is_known else Answer.CANNOT_TELL, sentences, evidence)


def _subnet(
    snapshot: Snapshot, subnet: IPv4Network, replaces: str | None, elsewhere: Unknown | None
) -> CheckResult:
    networks = [
        f"the network {network.name} ({network_subnet.network})"
        for network in read(snapshot.swarm.networks)
        if network.name != replaces
        for network_subnet in network.subnets
        if isinstance(network_subnet.network, IPv4Network) and network_subnet.network.overlaps(subnet)
    ]
    if elsewhere is not None:
        note = f" Routes of this host were not compared: {elsewhere.reason}"
    else:
        note = ""
        networks += [
            f"the route {route.network} ({route.device})"
            for route in read(snapshot.routes)
            if route.network.overlaps(subnet)
        ]
    if networks:
        return check_result(
            False, f"{subnet} overlaps {listed(networks, NAMED)}.{note}", overlaps=list(networks)
        )
    return check_result(True, f"{subnet} overlaps no known network, route or address.{note}")


async def _disk(required_mib: int, paths: Sequence[str]) -> CheckResult:
    places = [Path(path) for path in paths] or [
        state_folder(),
        *(place for path in USUAL_PATHS if (place := under_root(path)).exists()),
    ]
    try:
        free = {clean(str(path), 300): await asyncio.to_thread(_free_mib, path) for path in places}
    except Unreadable as error:
        return cannot_tell(error)
    short = [f"{path} has {mib} MiB free" for path, mib in free.items() if mib < required_mib]
    if short:
        return check_result(False, f"{listed(short)}; required: {required_mib} MiB.", free_mib=dict(free))
    return check_result(
        True, f"At least {min(free.values())} MiB are free on {listed(list(free))}.", free_mib=dict(free)
    )


def _free_mib(path: Path) -> int:
    # What is not there yet will be made under its nearest parent that is.
    try:
        nearest = next(folder for folder in (path, *path.parents) if folder.exists())
        return shutil.disk_usage(nearest).free // _MIB
    except OSError as error:
        raise Unreadable(
            f"Free space on {clean(str(path), 300)} is unknown: {error.strerror}.",
            "`df` shows whether it can be read.",
        ) from error


def _journal(snapshot: Snapshot) -> CheckResult:
    journal = snapshot.journal
    if isinstance(journal, Unknown):
        return CheckResult(
            Answer.NO, f"dockerd's journal cannot be read. {journal.reason} {journal.hint}".strip()
        )
    return check_result(True, f"dockerd's journal can be read: {plural(journal.entries, 'recent line')}.")
