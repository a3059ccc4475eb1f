"""A monitor in a thread of its own and in real time, for tests that act on real engines meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from console.journal.reader import DaemonLog
from console.monitor.monitor import Monitor, Sources
from console.monitor.values import MonitorState
from console.settings import Settings
from console.swarm.client import EngineConnection
from tests.support.monitors import NO_LOG


class LiveMonitor:
    """What a monitor shows."""

    def __init__(self) -> None:
        self.monitor_states: list[MonitorState] = [MonitorState()]
        self._news = threading.Condition()

    @property
    def monitor_state(self) -> MonitorState:
        return self.monitor_states[-1]

    def show(self, monitor_state: MonitorState) -> None:
        with self._news:
            self.monitor_states.append(monitor_state)
            self._news.notify_all()

    def until(
        self, holds: Callable[[MonitorState], object], what: str, within_s: float = 60.0
    ) -> MonitorState:
        """Return the first monitor state from now on, the present one included, of which something holds."""
        with self._news:
            if not self._news.wait_for(lambda: holds(self.monitor_states[-1]), within_s):
                raise AssertionError(
                    f"not within {within_s:g} s: {what}; ledger {self.monitor_state.leak_log}"
                )
            return self.monitor_states[-1]


@contextmanager
def live(
    host: str, settings: Settings | None = None, log: DaemonLog = NO_LOG, state: Path | None = None
) -> Iterator[LiveMonitor]:
    """Watch an engine from a thread until the block ends."""
    shown = LiveMonitor()
    ready, failed = threading.Event(), list[BaseException]()
    stop: list[Callable[[], object]] = []

    async def watch() -> None:
        connection = EngineConnection(host, 10)
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ending.set))
        ready.set()

        async def follow() -> None:
            monitor = Monitor(Sources(connection, log, state), settings or Settings())
            async with aclosing(monitor.monitor_states()) as monitor_states:
                async for each in monitor_states:
                    shown.show(each)

        following = asyncio.create_task(follow())
        waiting = asyncio.create_task(ending.wait())
        await asyncio.wait((following, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        following.cancel()
        (found, _) = await asyncio.gather(following, waiting, return_exceptions=True)
        connection.close()
        if isinstance(found, Exception):
            raise found

    def run() -> None:
        try:
            asyncio.run(watch())
        except BaseException as error:  # noqa: BLE001 - it is raised where the test is
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=run, name="watching")
    thread.start()
    ready.wait(60)
    try:
        yield shown
    finally:
        for each in stop:
            each()
        thread.join(60)
    if failed:
        raise failed[0]
