"""An exporter over states that a test makes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from console.addresses.forecast import Point, Trend
from console.addresses.leaks import LeakLog
from console.alerts.decision import trial
from console.alerts.values import AlertState
from console.monitor.values import MonitorState
from console.recorder.values import EventKind, RecordedEvent
from console.settings import Thresholds
from console.storage.record import RecordStore
from screens.cli.exporter import ExporterListener
from screens.cli.service_arguments import Address
from tests.support.logs import NO_ADDRESS, log
from tests.support.monitor_states import monitor_state
from tests.support.monitors import HandClock
from tests.support.swarms import NOW, ago, entry, network, service, swarm, task

PROXY = "id-proxy"
FAILING = AlertState(
    pending=(trial(NOW, "here"),), failing_since=ago(60), failures=3, delivered=5, lost=2, lost_at=ago(9)
)


def full_state(second: str = "web") -> MonitorState:
    """Return a state in which there is something to tell of everything."""
    state = swarm(
        [network("proxy", "10.0.1.0/29"), network(second, "10.0.2.0/24")],
        [service("app_web", (PROXY, "10.0.1.2")), service("app_late", networks=[PROXY], updated=ago(600))],
        [task("app_web", (PROXY, "10.0.1.3")), task("app_late", state="new", since=ago(600))],
    )
    trends = {PROXY: Trend((Point(ago(7200), 1), Point(NOW, 3)), per_hour=1.0, full_in_hours=48.0)}
    leaks = LeakLog(entries=(entry(PROXY, "10.0.1.5"),), monitored_since=ago(86_400))
    return monitor_state(state, earlier=state, leak_log=leaks, log=log([NO_ADDRESS]), trends=trends)


@asynccontextmanager
async def exporting(
    folder: Path, clock: HandClock | None = None, alerts: AlertState = FAILING
) -> AsyncIterator[ExporterListener]:
    """Serve on a free port. A snapshot of `full_state` is from the clock's beginning."""
    store = RecordStore(folder)
    store.add("cluster", [RecordedEvent(NOW, EventKind.DEPLOY, "app_web", "It was deployed.")])
    listener = ExporterListener(
        Address("127.0.0.1", 0), Thresholds(), store, clock or HandClock(NOW), lambda: {"ops": alerts}
    )
    try:
        yield listener
    finally:
        await listener.close()


def fresh(state: MonitorState, clock: HandClock) -> MonitorState:
    """Return a state whose snapshot was taken just now."""
    return replace(state, snapshot=replace(state.snapshot, at_s=clock.monotonic()))


def page(address: Address) -> str:
    """Return what a scrape gets."""
    # The address is this machine's own.
    with urlopen(f"http://{address}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def samples(text: str) -> Iterator[Sample]:
    return (sample for family in text_string_to_metric_families(text) for sample in family.samples)


async def scrape(listener: ExporterListener) -> dict[str, list[Sample]]:
    """Return the samples by their names."""
    text = await asyncio.to_thread(page, listener.address)
    found: dict[str, list[Sample]] = {}
    for sample in samples(text):
        found.setdefault(sample.name, []).append(sample)
    return found
