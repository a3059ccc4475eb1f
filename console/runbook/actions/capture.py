"""Takes a dated snapshot that is stored with the run, for its report and for comparing afterwards."""

from collections.abc import Collection, Mapping
from typing import ClassVar

from pydantic import BaseModel, Field

from console.addresses.accounting import NetworkAccount
from console.diagnosis.assess import assess
from console.diagnosis.quiescence.crash_loops import has_its_replicas, tasks_by_service
from console.errors import Declined, Unknown, known
from console.monitor.snapshot import take_snapshot
from console.runbook.answers import ReadOnly, read
from console.runbook.contracts import ActionPlan, Context, NetworkName, Url
from console.runbook.language.values import Json, NotChecked
from console.runbook.predicates.host import HttpParameters, ask_all, statuses
from console.swarm.model import SwarmState
from console.swarm.snapshots import OverlayAttachments
from console.text import name_hint, plural


class CaptureParameters(HttpParameters):
    """What is read besides the swarm as a whole."""

    network: NetworkName | None = Field(
        default=None, description="An overlay: its addresses, and everything attached to it."
    )
    urls: list[Url] = Field(default=[], max_length=200, description="URLs whose HTTP status is stored.")


class EvidenceCapture(ReadOnly[CaptureParameters]):
    """Keeps how things are now."""

    name: ClassVar[str] = "evidence.capture"
    parameters: ClassVar[type[BaseModel]] = CaptureParameters
    outputs: ClassVar[tuple[str, ...]] = (
        "taken_at", "engine", "findings", "network", "attached", "routes", "services",
    )  # fmt: skip

    async def plan(self, context: Context, parameters: CaptureParameters) -> ActionPlan:
        """Tell what will be read."""
        reads = ["findings about the whole swarm"]
        if parameters.network:
            reads.append(f"addresses of {parameters.network} and what is attached to it")
        if parameters.urls:
            reads.append(f"the HTTP status of {plural(len(parameters.urls), 'URL')}")
        # The runbook names the parameter, so somebody meant to set it.
        has_no_urls = "urls" in parameters.model_fields_set and not parameters.urls
        return ActionPlan(
            "Take a snapshot, and store it with the run.",
            reads=tuple(reads),
            calls=_calls(parameters),
            not_checked=(NotChecked("whether applications answer", "No URLs are set."),)
            if has_no_urls
            else (),
        )

    async def act(self, context: Context, parameters: CaptureParameters) -> Mapping[str, Json]:
        """Take the snapshot and return it, without environment, arguments and config data."""
        world = context.world
        snapshot = await take_snapshot(world.reader, world.log, world.clock, world.settings.snapshot)
        engine = read(snapshot.swarm.engine)
        names = () if parameters.network is None else (parameters.network,)
        assessment = assess(snapshot, world.settings.thresholds, names)
        outputs: dict[str, Json] = {
            # By the engine's own clock, as everything that is compared with it.
            "taken_at": engine.time.isoformat(),
            "engine": {
                "name": engine.name,
                "version": engine.version,
                "api": ".".join(map(str, engine.api_version)),
                "cluster": engine.cluster_id,
            },
            "findings": [
                {"code": finding.code, "severity": finding.severity.value, "sentence": finding.sentence}
                for finding in assessment.findings
            ],
            "network": None,
            "attached": None,
            "routes": {},
            "services": None,
        }
        if parameters.network is not None:
            attachments = await world.reader.attachments(parameters.network)
            if attachments is None:
                overlays = [
                    network.name for network in known(snapshot.swarm.networks, ()) if network.is_overlay
                ]
                raise Declined(
                    f"There is no overlay named {parameters.network}.",
                    name_hint(parameters.network, overlays, "overlays"),
                )
            outputs["network"] = [_account(account) for account in assessment.accounts]
            outputs["attached"] = attachments_as_output(attachments)
            outputs["services"] = _running(
                snapshot.swarm, {service.service.id for service in attachments.services}
            )
            count = len(attachments.services) + len(attachments.containers)
            await context.say(
                f"{plural(count, 'service or container', 'services and containers')} on {parameters.network}"
            )
        else:
            outputs["services"] = _running(snapshot.swarm, None)
        if parameters.urls:
            replies = await ask_all(parameters.urls, parameters.http_options())
            outputs["routes"] = statuses(replies)
            for url, reply in replies.items():
                await context.say(f"{url}: {reply.summary}")
        return outputs


def _account(account: NetworkAccount) -> Json:
    """Return the figures of a network; what is not known is null."""
    return {
        "name": account.network.name,
        "id": account.network.id,
        "subnets": [str(subnet.network) for subnet in account.network.subnets],
        "capacity": account.capacity,
        "accounted": account.accounted,
        "leaked": account.leaked,
        "free": account.free_at_most if account.free_is_exact else None,
        "free_at_most": account.free_at_most,
    }


def _running(swarm: SwarmState, ids: Collection[str] | None) -> Json:
    """Return how many services that ask for tasks run them all; null where that is not known."""
    if isinstance(swarm.services, Unknown) or isinstance(swarm.tasks, Unknown):
        return None
    tasks = tasks_by_service(swarm.tasks)
    services = [
        service
        for service in swarm.services
        if (ids is None or service.id in ids)
        and not (service.is_job or service.is_probe)
        and service.replicas != 0
    ]
    running = sum(has_its_replicas(service, tasks.get(service.id, ())) for service in services)
    return {"running": running, "all": len(services)}


def _calls(parameters: CaptureParameters) -> tuple[str, ...]:
    return tuple(f"GET {url}" for url in parameters.urls)


def attachments_as_output(attachments: OverlayAttachments) -> Json:
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
