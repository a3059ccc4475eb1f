"""A recorder's alerts in a process of its own, to be killed: `python -m tests.alerts.mortal STATE SENT COUNT`.

It sees a new network become full every few milliseconds, and tells it by a real program that writes into SENT.
"""

import asyncio
import sys
from functools import partial
from pathlib import Path

from console.alerts.alert import Alert
from console.alerts.deliverer import AlertDependencies
from console.alerts.listener import AlertListener
from console.clock import SystemClock
from console.concurrency import until
from tests.alerts.states import found, state_of

SCRIPT = 'tr -d "\\n" < /dev/stdin >> "$1"; echo >> "$1"'


async def has_sent_all(listener: AlertListener) -> bool:
    return not listener.states["ops"].pending


async def main(state: Path, sent: str, count: int) -> None:
    alert = Alert("ops", ("/bin/sh", "-c", SCRIPT, "sh", sent))
    clock = SystemClock()
    listener = AlertListener((alert,), state, AlertDependencies(clock, print))
    for number in range(1, count + 1):
        await listener.take(state_of(*(found(subject=f"n{name}") for name in range(number))))
        await asyncio.sleep(0.005)
    await until(partial(has_sent_all, listener), clock, 100, 0.005)
    await listener.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
