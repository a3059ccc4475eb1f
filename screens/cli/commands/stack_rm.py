"""`vipconsole stack-rm`: removes stacks without losing addresses."""

import asyncio
import shlex
import sys
from argparse import Namespace

from console.clock import SystemClock
from console.errors import Declined
from console.host.identity import machine_id
from console.operations.census import CensusDependencies, census_count
from console.operations.probes import own_probe_owner
from console.operations.stack_removal.plan import MARGIN_S, RemovalPlan, plan_removal
from console.operations.stack_removal.removal import RemovalOutcome, RemovalState, StackRemoval
from console.operations.stack_removal.steps import (
    LeakComparison,
    Prove,
    count_nothing,
    engine_count,
    networks_to_watch,
)
from console.settings import Settings
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.model import COUNTING_API
from console.swarm.reader import EngineReader
from screens.cli.common import connection_for, result_of, settings_of
from screens.cli.preconditions import changer_for, check_preconditions, confirm, require_root
from screens.output.plain import print_plainly, say
from screens.output.stack_removal import RemovalProgress, exit_code, interrupted_lines, plan_lines, question
from screens.present.text import typed_here


def run(arguments: Namespace) -> int:
    """Show the plan, ask, remove, prove, and return an exit code."""
    if arguments.explain:
        from console.operations.stack_removal.plan import removal_script

        sys.stdout.write(removal_script(arguments.stack, arguments.timeout_s, MARGIN_S))
        return 0
    if not arguments.demo:
        require_root("stack-rm")
    settings = settings_of(arguments)
    with connection_for(arguments, settings) as connection:
        check_preconditions(
            arguments, result_of(EngineReader(connection).state(settings.snapshot.deadline_s))
        )
        # Typing may take long, so the plan is shown before the lock is held, and made again under it.
        plan = result_of(_plan(arguments, connection))
        say(plan_lines(plan), sys.stderr)
        confirm(arguments, *question(plan))
        outcomes, proof = result_of(_remove(arguments, settings, connection, plan))
    if arguments.json:
        from screens.output.stack_removal import as_json

        sys.stdout.write(as_json(outcomes, proof, connection.host, plan.absent))
    else:
        from screens.output.stack_removal import removal_verdict, render_removal

        text = render_removal(outcomes, proof, _finishing_command(arguments, outcomes), plan.absent)
        print_plainly(text, removal_verdict(outcomes, plan.absent))
    return exit_code(outcomes, proof, plan.absent)


async def _plan(arguments: Namespace, connection: EngineConnection) -> RemovalPlan:
    return plan_removal(arguments.stack, await EngineReader(connection).stack_snapshot(), arguments.timeout_s)


async def _remove(
    arguments: Namespace, settings: Settings, connection: EngineConnection, plan: RemovalPlan
) -> tuple[tuple[RemovalOutcome, ...], LeakComparison]:
    reader = EngineReader(connection)
    async with changer_for(arguments, connection) as changer:
        snapshot = await reader.stack_snapshot()
        new_plan = plan_removal(arguments.stack, snapshot, arguments.timeout_s)
        if new_plan.object_ids != plan.object_ids:
            raise Declined(
                "The stacks changed since the plan was shown. Nothing was removed.",
                "Run the command again and check the new plan.",
            )
        prove, networks = (
            _prover(arguments, settings, connection, changer),
            networks_to_watch(new_plan, snapshot),
        )
        removal = StackRemoval(new_plan, reader, changer, SystemClock(), RemovalProgress(sys.stderr).update)
        try:
            before = await prove(networks)
            outcomes = await removal.run()
            is_known = all(outcome.state is not RemovalState.UNKNOWN for outcome in outcomes)
            after = await (prove if is_known else count_nothing)(networks)
        except asyncio.CancelledError:
            command = _finishing_command(arguments, removal.outcomes)
            say(interrupted_lines(removal.outcomes, command), sys.stderr)
            raise
    return outcomes, LeakComparison(before, after)


def _prover(
    arguments: Namespace, settings: Settings, connection: EngineConnection, changer: EngineChanger
) -> Prove:
    if arguments.census:
        reader, mark = EngineReader(connection), own_probe_owner(machine_id())
        return census_count(
            CensusDependencies(reader, changer, SystemClock(), mark, settings.snapshot.deadline_s)
        )
    if connection.api_version < COUNTING_API:
        return count_nothing
    return engine_count(EngineReader(connection), SystemClock(), settings.snapshot)


def _finishing_command(arguments: Namespace, outcomes: tuple[RemovalOutcome, ...]) -> str:
    """Return the command that finishes the removal, or nothing if it is finished."""
    unfinished_stacks = [outcome.stack for outcome in outcomes if outcome.state is not RemovalState.REMOVED]
    if not unfinished_stacks:
        return ""
    where = ["--host", arguments.host] if arguments.host else []
    more = ["--config", str(arguments.config)] if arguments.config else []
    return typed_here(shlex.join(["vipconsole", "stack-rm", *where, *more, *unfinished_stacks]))
