"""A service on a shared overlay and the tasks it had, asked why it does not run."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from console.diagnosis.why.evidence import Explanation
from console.diagnosis.why.explain import WhyAnswer, explain
from console.journal.matching import LogEvent, LogMatcher
from console.settings import Thresholds
from console.swarm.model import Network, Service, Task
from tests.journal.lines import entry, line
from tests.support.swarms import ago, network, service, snapshot, swarm, task

PROXY = "id-proxy"
ROOMY = network("proxy", "10.0.1.0/24")
SMALL = network("proxy", "10.0.1.0/29")
"""Five addresses."""
UNHEALTHY = "task: non-zero exit (137): dockerexec: unhealthy container"
LATELY = ago(100)
NO_VIP = "could not find an available IP while allocating VIP"
APP, OBJECT = "app", "a" * 25


def crowd(count: int = 5) -> list[Service]:
    """Services that hold so many addresses of the small proxy."""
    plain = [service(f"crowd{n}_x", (PROXY, f"10.0.1.{n + 2}")) for n in range(count)]
    return [replace(each, replicas=0) for each in plain]


def app(*, has_vip: bool = True, **more: object) -> Service:
    """Return the service that is asked about."""
    plain = service(APP, *([(PROXY, "10.0.1.100")] if has_vip else ()), networks=(PROXY,))
    return replace(plain, **more)  # type: ignore[arg-type] # fields are named where it is used


def one(**more: object) -> Task:
    """A task of the application that had its address, unless told otherwise."""
    plain = task(APP, (PROXY, "10.0.1.101"))
    return replace(plain, **more)  # type: ignore[arg-type] # the same


def failures(error: str, *, count: int = 3, state: str = "failed", code: int | None = 1) -> list[Task]:
    """Tasks of one slot that ended one after another, and the one that is about to start."""
    ended = [
        one(
            id=f"t{n}", state=state, desired_state="shutdown", error=error, exit_code=code,
            since=ago(10 * n + 5), created=ago(10 * n + 12),
        )
        for n in range(count)
    ]  # fmt: skip
    return [one(id="t-new", state="ready", desired_state="ready", since=ago(2), created=ago(2)), *ended]


def event(message: str, error: str, *, at: datetime = LATELY) -> LogEvent:
    """Return a line of dockerd's as it is recognised."""
    found = LogMatcher().recognise(replace(entry(line(message, error)), realtime=at))
    assert isinstance(found, LogEvent)
    return found


def ask(
    services: Iterable[Service],
    tasks: Iterable[Task] = (),
    networks: Iterable[Network] = (ROOMY,),
    *,
    names: tuple[str, ...] = (APP,),
    lines: dict[str, LogEvent] | None = None,
    api: tuple[int, int] = (1, 41),
) -> WhyAnswer:
    """Return why services run or do not."""
    state = swarm(networks, services, tasks, api=api)
    return explain(snapshot(state), Thresholds(), names, lines or {})


def why(*arguments: object, **more: object) -> Explanation:
    """Return the explanation of the one service that is asked about."""
    (found,) = ask(*arguments, **more).services  # type: ignore[arg-type] # passed on as they are
    return found.explanation


def value(told: Explanation, field: str) -> str:
    """Return the value of the first row of evidence of that field."""
    return next(each.value for each in told.evidence if each.field == field)


WAITING = one(state="new", attachments=(), since=ago(300), node_id="")
