"""A swarm and a host as `quiet` sees them, for tests of what it makes of them."""

from typing import Any

from console.diagnosis.quiescence.checks import judge
from console.diagnosis.quiescence.values import (
    Changes,
    Check,
    CheckInputs,
    Judgement,
    PreviousChecks,
    QuiescenceRules,
    ReportedChange,
)
from console.errors import Unknown
from console.settings import QuiescenceSettings, Thresholds
from console.swarm.model import Event, Service, SwarmState
from tests.support.hosts import activity
from tests.support.swarms import NOW, ago, service, snapshot, swarm, task

RULES = QuiescenceRules(QuiescenceSettings(), Thresholds(), 60)
WEB = service("web")
RUNS = task("web")
EVERYTHING = {
    "managers", "updates", "tasks", "replicas", "stuck", "stacks", "changes",
    "tools", "jobs", "units", "timers", "run", "logins",
}  # fmt: skip


def seen(
    state: SwarmState,
    reported_changes: tuple[ReportedChange, ...] = (),
    why_no_events: Unknown | None = None,
    **host: Any,
) -> CheckInputs:
    return CheckInputs(snapshot(state), activity(**host), Changes(reported_changes, why_no_events), 1000.0)


def judged(
    state: SwarmState, *, rules: QuiescenceRules = RULES, previous: PreviousChecks | None = None, **more: Any
) -> Judgement:
    return judge(seen(state, **more), previous or PreviousChecks(), rules)


def check(code: str, state: SwarmState | None = None, **more: Any) -> Check:
    found = judged(state or swarm(services=[WEB], tasks=[RUNS]), **more)
    return next(each for each in found.report.checks if each.code == code)


def names(found: Check) -> list[str]:
    return [each.name for each in found.blockers]


def crash_loop(web: Service = WEB) -> SwarmState:
    failed = [
        task("web", state="failed", desired="shutdown", since=ago(each), error="exit (1)") for each in (9, 3)
    ]
    return swarm(services=[web], tasks=[*failed, task("web", state="starting", since=ago(1))])


def change(
    kind: str, action: str, name: str = "x", received_s: float = 990.0, more: dict[str, str] | None = None
) -> ReportedChange:
    local = kind == "container" or action in ("connect", "disconnect", "destroy")
    event = Event(kind, action, "local" if local else "swarm", f"id-{name}", name, NOW, more or {})
    return ReportedChange(event, NOW, received_s)


def of_web(action: str) -> ReportedChange:
    return change("container", action, "c1", more={"com.docker.swarm.service.id": "id-web"})
