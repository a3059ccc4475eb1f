"""In which order services of a network are stopped and come back, and when. Pure.

Each service is stopped as late as it can be without delaying the end of the last task: the longest stop grace first, the
others so much later as their own grace is shorter. The reverse proxy is the last to be stopped and the first to come back.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from console.frozen import frozen
from console.operations.network_recreation.record import ServiceRecord

STOP_LEAD_S = 1.0
"""So much earlier a service is stopped than its grace alone would allow. The engine passes the signal on a moment later, and
takes a while to clear up after a task: many that end in the same moment as the last one would delay the network's removal."""
PROXY_STOP_S = 3.0
"""How long a reverse proxy is expected to stop at most: nothing runs behind it any more, so no request keeps it up. Its own
grace, if shorter."""
MAX_INTERVAL_S = 2.0
"""The longest that a service waits for the one before it to start, however many tasks that has."""


@frozen
class Stop:
    """When a service is stopped."""

    service: ServiceRecord
    after_s: float
    """How long after the first one at the latest; earlier where all that were stopped before it have ended."""
    is_proxy: bool
    lasts_s: float
    """How long its tasks are expected to take at most: their stop grace."""


def task_count(service: ServiceRecord) -> int:
    """Return how many tasks a service asks for; of a global one, how many it has."""
    if service.mode == "global":
        return service.running
    return 1 if service.replicas is None else service.replicas


def is_proxy(service: ServiceRecord, first: Iterable[str]) -> bool:
    """Whether a service is the reverse proxy: it publishes a port, or is named by one of the globs `first`."""
    return service.publishes or any(fnmatchcase(service.name, pattern) for pattern in first)


def in_order(services: Iterable[ServiceRecord], first: Iterable[str]) -> tuple[ServiceRecord, ...]:
    """Return services in the order in which they are brought back: those named, those with published ports, the others.

    Of the others those with the fewest tasks come first, so that few wait for many; then those that are down the longest.
    Those without tasks come last: nobody waits for them, and the very last one waits for the containers.
    """
    patterns = tuple(first)

    def rank(service: ServiceRecord) -> tuple[bool, int, bool, int, float, str]:
        matches = [number for number, pattern in enumerate(patterns) if fnmatchcase(service.name, pattern)]
        return (
            not task_count(service),
            min(matches, default=len(patterns)),
            not service.publishes,
            task_count(service),
            -service.grace_s,
            service.name,
        )

    return tuple(sorted(services, key=rank))


def stop_schedule(services: Iterable[ServiceRecord], first: Iterable[str]) -> tuple[Stop, ...]:
    """Return when services are stopped, in that order: the longest stop grace first, the reverse proxy last.

    Of two with the same grace the one that comes back first is stopped first. Services without tasks have nothing to stop
    and wait for nobody.
    """
    patterns = tuple(first)
    order = in_order(services, patterns)
    proxies = [service for service in order if is_proxy(service, patterns) and task_count(service)]
    others = [service for service in order if service not in proxies]
    longest_s = max((service.grace_s for service in others if task_count(service)), default=0.0)
    stops = [
        Stop(
            service,
            max(0.0, longest_s - service.grace_s - STOP_LEAD_S),
            is_proxy=False,
            lasts_s=service.grace_s,
        )
        if task_count(service)
        else Stop(service, 0.0, is_proxy=False, lasts_s=0.0)
        for service in others
    ]
    # The sort is stable: services that are stopped at the same time stay in the order in which they come back.
    stops.sort(key=lambda stop: stop.after_s)
    last_s = max((stop.after_s for stop in stops), default=0.0)
    for service in proxies:
        lasts_s = min(service.grace_s, PROXY_STOP_S)
        stops.append(
            Stop(service, max(last_s, longest_s - lasts_s - STOP_LEAD_S), is_proxy=True, lasts_s=lasts_s)
        )
    return tuple(stops)


def ends_after_s(stops: Iterable[Stop]) -> float:
    """Return how long after the first stop the last task is expected to have ended at most."""
    return max((stop.after_s + stop.lasts_s for stop in stops), default=0.0)


def pause_after_s(service: ServiceRecord, nodes: int, interval_s: float) -> float:
    """Return how long after a service the next one comes, so that its tasks get ahead, with `interval_s` for each task."""
    tasks = nodes if service.replicas is None else service.replicas
    return min(MAX_INTERVAL_S, interval_s * tasks / nodes)
