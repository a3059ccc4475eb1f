"""`vipconsole census`: names the leaked addresses of an overlay, and stores the result for `glance`."""

import asyncio
import os
import signal
import sys
from argparse import Namespace

from console.clock import SystemClock
from console.errors import ExitCode, HostError
from console.host.identity import machine_id
from console.operations.census import (
    CensusDependencies,
    decline_unless_walkable,
    take_census,
    walkable_network,
)
from console.operations.census_walk import CensusResult, WalkableNetwork
from console.operations.probes import own_probe_owner
from console.settings import Settings
from console.storage.census import write_census
from console.storage.state import state_folder
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from console.text import plural
from screens.cli.common import connection_for, result_of, settings_of
from screens.cli.preconditions import changer_for, check_preconditions, confirm, require_root
from screens.output.census import CensusProgress, as_json, exit_code


def run(arguments: Namespace) -> int:
    """Ask for confirmation, walk, print and store the result, and return the exit code."""
    if not arguments.demo:
        require_root("census")
    settings = settings_of(arguments)
    (name,) = arguments.network
    with connection_for(arguments, settings) as connection:
        swarm = result_of(EngineReader(connection).state(settings.snapshot.deadline_s))
        check_preconditions(arguments, swarm)
        walkable = walkable_network(swarm, name)
        decline_unless_walkable(walkable, is_large_allowed=arguments.large)
        if walkable.free_at_most:
            confirm(arguments, _warning(walkable), walkable.account.network.name)
        try:
            result = result_of(_take(arguments, connection, settings, walkable))
        except asyncio.CancelledError:
            return ExitCode.INTERRUPTED
    failure = _store(arguments, result)
    is_stored = failure is None and result.evidence is not None and not arguments.demo
    code = exit_code(result) if failure is None else ExitCode.UNKNOWN
    if arguments.json:
        sys.stdout.write(as_json(result, code, is_stored=is_stored))
    else:
        from screens.output.census import render_census, render_verdict
        from screens.output.plain import print_plainly

        print_plainly(render_census(result, is_stored=is_stored), render_verdict(result))
    if failure is not None:
        raise failure
    return code


def _store(arguments: Namespace, result: CensusResult) -> HostError | None:
    """Store the census for `glance`; return why it could not be stored."""
    # The demo's swarm is a new one every time.
    if result.evidence is None or arguments.demo:
        return None
    try:
        write_census(state_folder(), result.evidence)
    except HostError as error:
        return error
    return None


def _warning(walkable: WalkableNetwork) -> str:
    network, free = walkable.account.network, walkable.free_at_most
    often = (
        " (several times each, because the engine picks a subnet at random)" if walkable.subnets > 1 else ""
    )
    return (
        f"A census of {network.name} walks all its free addresses, at least twice. For each of at most "
        f"{plural(free, 'address', 'addresses')} it creates a service without tasks and removes it again{often}. "
        "It changes nothing else."
    )


async def _take(
    arguments: Namespace, connection: EngineConnection, settings: Settings, walkable: WalkableNetwork
) -> CensusResult:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    # As ctrl+c does: the probe is removed on the way out.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    printer = CensusProgress(sys.stderr, os.environ)

    async def show(walk: int, steps: int, whole: int) -> None:
        printer.update(walk, steps, whole)

    try:
        async with changer_for(arguments, connection) as changer:
            dependencies = CensusDependencies(
                EngineReader(connection),
                changer,
                SystemClock(),
                own_probe_owner(machine_id()),
                settings.snapshot.deadline_s,
            )
            return await take_census(
                dependencies,
                walkable.account.network.id,
                is_large_allowed=arguments.large,
                progress=show,
            )
    finally:
        printer.end()
