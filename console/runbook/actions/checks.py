"""The gate before a maintenance: named checks of engine, swarm and host, all of which must hold."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, ClassVar, Literal, ParamSpec

from pydantic import BaseModel, Field

from console.diagnosis.assess import assess
from console.diagnosis.values import Severity, Snapshot
from console.errors import StepFailed, Unknown
from console.journal.reader import whose_host
from console.monitor.snapshot import take_snapshot
from console.runbook.answers import NOT_KNOWN, ReadOnly, Unread, all_of, cannot_tell, found, read
from console.runbook.contracts import (
    AbsolutePath,
    Answer,
    CheckResult,
    Context,
    Name,
    NetworkName,
    Parameters,
    Planned,
    Subnet4,
)
from console.runbook.language.values import Json
from console.settings import Thresholds
from console.storage.state import state_folder
from console.swarm.connection import parsed_version
from console.swarm.values import SwarmState
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


@dataclass(frozen=True, slots=True)
class Checked:
    """One check: what came of it, or why it has no meaning here."""

    code: str
    found: CheckResult
    is_skipped: bool = False


class ChecksAll(ReadOnly[ChecksParameters]):
    """Every check that is asked for holds; the engine that answers and is a manager is always one of them."""

    name: ClassVar[str] = "checks.all"
    parameters: ClassVar[type[BaseModel]] = ChecksParameters
    outputs: ClassVar[tuple[str, ...]] = ("checks",)

    async def plan(self, context: Context, parameters: ChecksParameters) -> Planned:
        """Make the checks, and tell what came of each."""
        checks = [check async for check in _all_checks(context, parameters)]
        return Planned(
            f"{plural(len(checks), 'check')}, all of which must hold.",
            reads=tuple(check.code for check in checks),
            checked=tuple(check.found for check in checks),
        )

    async def act(self, context: Context, parameters: ChecksParameters) -> Mapping[str, Json]:
        """Make the checks, and fail unless all hold. Those that do not apply here are reported and skipped."""
        checks = []
        async for check in _all_checks(context, parameters):
            checks.append(check)
            await context.say(f"{check.code}: {check.found.sentence}")
        counted = [check.found for check in checks if not check.is_skipped]
        if all_of(counted) is not Answer.YES:
            wrong = [result.sentence for result in counted if result.answer is not Answer.YES]
            raise StepFailed(" ".join(wrong), "Fix it and try again, or change what the runbook requires.")
        return {"checks": {check.code: check.found.sentence for check in checks}}

    async def verify(
        self, context: Context, parameters: ChecksParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Make the checks again, for what held once may not hold any more."""
        counted = [check.found async for check in _all_checks(context, parameters) if not check.is_skipped]
        return CheckResult(all_of(counted), " ".join(result.sentence for result in counted))


async def _all_checks(context: Context, wanted: ChecksParameters) -> AsyncIterator[Checked]:
    world = context.world
    settle = wanted.findings is not None
    seen = await take_snapshot(world.reader, world.log, world.clock, world.settings.snapshot, settle=settle)
    swarm = seen.swarm
    if isinstance(swarm.engine, Unknown):
        yield Checked("engine", cannot_tell(Unread(swarm.engine.reason, swarm.engine.hint)))
        return
    engine = swarm.engine
    yield Checked("engine", found(True, f"{engine.name} answers: Docker {engine.version}, a manager."))
    yield Checked("leader", _known(_leader, swarm, engine.node_id, wanted.leader))
    if wanted.api_min is not None:
        yield Checked("api_min", _api(engine.api_version, wanted.api_min))
    if wanted.findings is not None:
        yield Checked("findings", _findings(seen, world.settings.thresholds, wanted.findings))
    elsewhere = await whose_host(world.host, swarm.engine)
    if wanted.subnet_free is not None:
        yield Checked("subnet_free", _known(_subnet, seen, wanted.subnet_free, wanted.replaces, elsewhere))
    if wanted.disk_free_mb is not None:
        yield _skipped("disk_free_mb", elsewhere) or Checked(
            "disk_free_mb", await _disk(wanted.disk_free_mb, wanted.disk_paths)
        )
    if wanted.journal_readable:
        is_of_host = not world.log.is_recorded
        yield _skipped("journal_readable", elsewhere if is_of_host else None) or Checked(
            "journal_readable", _journal(seen)
        )


def _known(check: Callable[P, CheckResult], *args: P.args, **kwargs: P.kwargs) -> CheckResult:
    try:
        return check(*args, **kwargs)
    except NOT_KNOWN as error:
        return cannot_tell(error)


def _skipped(code: str, elsewhere: Unknown | None) -> Checked | None:
    """Return that a check of this host has no meaning, where the engine is another's."""
    if elsewhere is None:
        return None
    return Checked(code, CheckResult(Answer.CANNOT_TELL, f"Not checked: {elsewhere.reason}"), is_skipped=True)


def _leader(swarm: SwarmState, node_id: str, wanted: str) -> CheckResult:
    leader = next((node for node in read(swarm.nodes) if node.is_leader), None)
    if leader is None:
        return found(False, "The swarm has no leader, so it allocates nothing.")
    is_here = leader.id == node_id
    place = "this engine" if is_here else "not this engine"
    return found(is_here or wanted == "any", f"The leader is {leader.hostname}, {place}.")


def _api(version: tuple[int, int], wanted: str) -> CheckResult:
    shown = ".".join(map(str, version))
    return found(
        version >= parsed_version(wanted),
        f"The engine has API {shown}; the runbook requires {wanted} or later.",
    )


def _findings(seen: Snapshot, thresholds: Thresholds, wanted: FindingsAllowed) -> CheckResult:
    assessment = assess(seen, thresholds, (wanted.network,))
    bad = [
        finding
        for finding in assessment.findings
        if finding.severity.rank > Severity(wanted.worst).rank and finding.code not in wanted.accept
    ]
    evidence: dict[str, Json] = {finding.code: finding.severity.value for finding in assessment.findings}
    if not bad:
        return CheckResult(
            Answer.YES, f"No finding about {wanted.network} is worse than {wanted.worst}.", evidence
        )
    is_known = any(finding.severity is not Severity.UNKNOWN for finding in bad)
    said = " ".join(finding.sentence for finding in bad)
    return CheckResult(Answer.NO if is_known else Answer.CANNOT_TELL, said, evidence)


def _subnet(
    seen: Snapshot, subnet: IPv4Network, replaces: str | None, elsewhere: Unknown | None
) -> CheckResult:
    networks = [
        f"the network {network.name} ({one.network})"
        for network in read(seen.swarm.networks)
        if network.name != replaces
        for one in network.subnets
        if isinstance(one.network, IPv4Network) and one.network.overlaps(subnet)
    ]
    if elsewhere is not None:
        note = f" Routes of this host were not compared: {elsewhere.reason}"
    else:
        note = ""
        networks += [
            f"the route {route.network} ({route.device})"
            for route in read(seen.routes)
            if route.network.overlaps(subnet)
        ]
    if networks:
        return found(False, f"{subnet} overlaps {listed(networks, NAMED)}.{note}", overlaps=list(networks))
    return found(True, f"{subnet} overlaps no known network, route or address.{note}")


async def _disk(wanted_mib: int, paths: Sequence[str]) -> CheckResult:
    places = [Path(path) for path in paths] or [
        state_folder(),
        *(place for each in USUAL_PATHS if (place := Path(each)).exists()),
    ]
    try:
        free = {clean(str(path), 300): await asyncio.to_thread(_free_mib, path) for path in places}
    except Unread as error:
        return cannot_tell(error)
    short = [f"{path} has {mib} MiB free" for path, mib in free.items() if mib < wanted_mib]
    if short:
        return found(False, f"{listed(short)}; required: {wanted_mib} MiB.", free_mib=dict(free))
    return found(
        True, f"At least {min(free.values())} MiB are free on {listed(list(free))}.", free_mib=dict(free)
    )


def _free_mib(path: Path) -> int:
    # What is not there yet will be made under its nearest parent that is.
    try:
        there = next(each for each in (path, *path.parents) if each.exists())
        return shutil.disk_usage(there).free // _MIB
    except OSError as error:
        raise Unread(f"Free space on {clean(str(path), 300)} is unknown: {error.strerror}.") from error


def _journal(seen: Snapshot) -> CheckResult:
    journal = seen.journal
    if isinstance(journal, Unknown):
        return CheckResult(
            Answer.NO, f"dockerd's journal cannot be read. {journal.reason} {journal.hint}".strip()
        )
    return found(True, f"dockerd's journal can be read: {plural(journal.entries, 'recent line')}.")
