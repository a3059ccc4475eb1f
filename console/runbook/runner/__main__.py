"""`python -m console.runbook.runner [--detach] FOLDER`: works on the run in a folder.

A runner as a process: its signals, its signs of life, and that there is only one for each run.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from console.clock import Clock, SystemClock
from console.concurrency import cancel_all
from console.errors import LockHeld, VipconsoleError
from console.host.lock import maintenance_lock
from console.host.lock_probe import LOCK
from console.journal.reader import DaemonLog, open_journal
from console.runbook.runner.context import RunWorld
from console.runbook.runner.loop import Runner
from console.runbook.runner.waits import LINGER_S, WaitPolicy
from console.runbook.store.folders import RUNNER_LOCK
from console.runbook.store.log import RunLog
from console.runbook.store.output import Output, beat
from console.swarm.client import EngineConnection

BEAT_EVERY_S = 1.0
OTHER_ENDS_WITHIN_S = 10.0
"""How long to wait for a runner that is about to end."""


async def run_runner(folder: Path, *, lock: Path = LOCK, linger_s: float = LINGER_S) -> int:
    """Work on a run. Return 0 where the log tells how far it came, and 3 where it could not be read or written."""
    clock = SystemClock()
    log = RunLog(folder, clock)
    wait_policy = WaitPolicy(log, clock, linger_s)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, wait_policy.ending.set)
    for signals in (signal.SIGHUP, signal.SIGINT):
        # A viewer of the run may go; the run stays.
        signal.signal(signals, signal.SIG_IGN)
    output = Output(folder)
    try:
        header = (await log.read()).header
        settings = header.settings
        connection = EngineConnection(header.host, settings.snapshot.call_timeout_s)
        try:
            world = RunWorld(connection, settings, clock, DaemonLog(open_journal(settings.docker_unit)))
            runner = Runner(log, world, output, wait_policy, lock)
            await _alone(runner, log, clock, connection)
        finally:
            connection.close()
    except VipconsoleError as error:
        sys.stderr.write(f"vipconsole: {error.sentence} {error.hint}\n")
        return 3
    finally:
        output.close()
        log.close()
    return 0


async def _alone(runner: Runner, log: RunLog, clock: Clock, connection: EngineConnection) -> None:
    """Let a runner work while no other one does.

    A viewer appends a decision first and then checks whether a runner is there. So a runner lets go first and
    then looks whether something was appended: one of them sees the other.
    """
    end_s = clock.monotonic() + OTHER_ENDS_WITHIN_S
    while True:
        try:
            async with maintenance_lock("the runner", log.view.who, clock, log.folder / RUNNER_LOCK):
                heartbeat = asyncio.create_task(_beat(log.folder, clock, connection))
                try:
                    await runner.work()
                finally:
                    await cancel_all(heartbeat)
        except LockHeld:
            if clock.monotonic() >= end_s:
                return
        else:
            if not await runner.has_work():
                return


async def _beat(folder: Path, clock: Clock, connection: EngineConnection) -> None:
    while True:
        since_s = connection.silent_since_s
        await asyncio.to_thread(beat, folder, None if since_s is None else clock.monotonic() - since_s)
        await clock.sleep(BEAT_EVERY_S)


def main(arguments: Sequence[str] | None = None) -> int:
    """Work on a run until it rests, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m console.runbook.runner", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--detach", action="store_true", help="work on in a process of its own session, and return at once"
    )
    options = parser.parse_args(arguments)
    os.umask(0o077)
    if options.detach:
        # The parent ends, so nobody has to wait for the child; and a session of its own has no terminal that could hang up.
        if os.fork():
            # At once: two processes of this name would only confuse a reader of the process list.
            os._exit(0)
        os.setsid()
    return asyncio.run(run_runner(options.folder))


if __name__ == "__main__":
    sys.exit(main())
