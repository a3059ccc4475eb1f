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
    Proof,
    Prove,
    count_nothing,
    engine_count,
    networks_to_watch,
)
from console.settings import Settings
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from screens.cli.commands.changing import changing, confirm, decline_early, require_root
from screens.cli.commands.common import connection_for, result_of, settings_of
from screens.output.stack_removal import RemovalProgress, exit_code, interrupted_lines, plan_lines, question

ENGINE_COUNTS_FROM = (1, 52)
"""The API version from which engines report their allocator's count (Docker 29)."""


def run(asked: Namespace) -> int:
    """Show the plan, ask, remove, prove, and return an exit code."""
    if asked.explain:
        from console.operations.stack_removal.plan import removal_script

        sys.stdout.write(removal_script(asked.stack, asked.timeout_s, MARGIN_S))
        return 0
    if not asked.demo:
        require_root("stack-rm")
    settings = settings_of(asked)
    with connection_for(asked, settings) as connection:
        decline_early(asked, result_of(EngineReader(connection).state(settings.snapshot.deadline_s)))
        # Typing may take long, so the plan is shown before the lock is held, and made again under it.
        shown = result_of(_plan(asked, connection))
        print(*plan_lines(shown), sep="\n", file=sys.stderr)
        confirm(asked, *question(shown))
        outcomes, proof = result_of(_remove(asked, settings, connection, shown))
    if asked.json:
        from screens.output.stack_removal import as_json

        sys.stdout.write(as_json(outcomes, proof, connection.host, shown.absent))
    else:
        from screens.output.operation_tables import render_removal
        from screens.output.tables import print_plainly

        print_plainly(render_removal(outcomes, proof, _again(asked, outcomes), shown.absent))
    return exit_code(outcomes, proof, shown.absent)


async def _plan(asked: Namespace, connection: EngineConnection) -> RemovalPlan:
    return plan_removal(asked.stack, await EngineReader(connection).stack_snapshot(), asked.timeout_s)


async def _remove(
    asked: Namespace, settings: Settings, connection: EngineConnection, shown: RemovalPlan
) -> tuple[tuple[RemovalOutcome, ...], Proof]:
    reader = EngineReader(connection)
    async with changing(asked, connection) as changer:
        snapshot = await reader.stack_snapshot()
        plan = plan_removal(asked.stack, snapshot, asked.timeout_s)
        if plan.object_ids != shown.object_ids:
            raise Declined(
                "The stacks changed since the plan was shown. Nothing was removed.",
                "Run the command again and check the new plan.",
            )
        prove, networks = _prover(asked, settings, connection, changer), networks_to_watch(plan, snapshot)
        removal = StackRemoval(plan, reader, changer, SystemClock(), RemovalProgress(sys.stderr).tell)
        try:
            before = await prove(networks)
            outcomes = await removal.run()
            is_known = all(outcome.state is not RemovalState.UNKNOWN for outcome in outcomes)
            after = await (prove if is_known else count_nothing)(networks)
        except asyncio.CancelledError:
            again = _again(asked, removal.outcomes)
            print(*interrupted_lines(removal.outcomes, again), sep="\n", file=sys.stderr)
            raise
    return outcomes, Proof(before, after)


def _prover(
    asked: Namespace, settings: Settings, connection: EngineConnection, changer: EngineChanger
) -> Prove:
    if asked.census:
        reader, mark = EngineReader(connection), own_probe_owner(machine_id())
        return census_count(
            CensusDependencies(reader, changer, SystemClock(), mark, settings.snapshot.deadline_s)
        )
    if connection.api_version < ENGINE_COUNTS_FROM:
        return count_nothing
    return engine_count(EngineReader(connection), SystemClock(), settings.snapshot)


def _again(asked: Namespace, outcomes: tuple[RemovalOutcome, ...]) -> str:
    """Return the command that finishes the removal, or nothing if it is finished."""
    left = [outcome.stack for outcome in outcomes if outcome.state is not RemovalState.REMOVED]
    if not left:
        return ""
    where = ["--host", asked.host] if asked.host else []
    more = ["--config", str(asked.config)] if asked.config else []
    return shlex.join(["vipconsole", "stack-rm", *where, *more, *left])
