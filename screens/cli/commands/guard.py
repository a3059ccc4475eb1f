"""`vipconsole guard`: the safety net to run before a batch of deploys."""

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable

from console.clock import SystemClock
from console.errors import Declined, LockHeld, NotAllowed, Unknown
from console.guard.actuator import Actuator, GuardOutcome, act
from console.guard.collector import Collector
from console.guard.policy import decide
from console.guard.values import GuardDecision, GuardInputs, GuardOptions, GuardVerdict
from console.host.identity import machine_id
from console.host.unit_chain import restart_daemon_unit
from console.operations.borrow.options import BorrowCaller, BorrowOptions
from console.operations.borrow.session import BorrowOutcome
from console.operations.probes import own_probe_owner
from console.settings import Settings
from console.storage.state import state_folder
from console.swarm.client import EngineConnection
from screens.cli.common import engine_and_log, result_of, settings_of, state_of
from screens.cli.preconditions import changer_for, may_change
from screens.output.guard import EXIT_CODES, as_json, as_metrics, more_lines, one_line
from screens.output.plain import progress, say


def run(arguments: Namespace) -> int:
    """Check, decide, act if needed and allowed, print the result in one line, and return the exit code."""
    settings = settings_of(arguments)
    options = GuardOptions(
        network=settings.network,
        need=arguments.need,
        may_restart=arguments.allow_restart or settings.guard.allow_restart,
        may_borrow=arguments.allow_borrow or settings.guard.allow_borrow,
        may_prune=settings.guard.prune and not arguments.no_prune,
        cooldown_s=settings.guard.cooldown_s,
    )
    clock = SystemClock()
    with engine_and_log(arguments, settings) as (connection, log):
        collector = Collector(
            connection,
            log,
            clock,
            settings,
            state_folder(),
            is_demo=arguments.demo,
            why_no_borrow=_asks_whether_to_borrow(arguments, connection, settings)
            if options.may_borrow
            else None,
        )
        inputs = result_of(collector.inputs())
        outcome = GuardOutcome(decide(inputs, options, settings.thresholds))
        if not arguments.dry_run:
            outcome, inputs = result_of(_act_if_needed(arguments, collector, options, outcome, inputs))
    room = _room(inputs, options)
    if arguments.prometheus:
        from console.storage.state import write_atomically

        write_atomically(arguments.prometheus, as_metrics(outcome, clock.now()), 0o644)
    if arguments.json:
        sys.stdout.write(as_json(outcome, room, connection.host, clock.now(), dry=arguments.dry_run))
    else:
        # What watches the guard reads one line.
        say((one_line(outcome, room),), wraps=False)
        say((*_dry_run_lines(outcome.decision, dry=arguments.dry_run), *more_lines(outcome.decision)))
    return EXIT_CODES[outcome.verdict]


async def _act_if_needed(
    arguments: Namespace,
    collector: Collector,
    options: GuardOptions,
    outcome: GuardOutcome,
    inputs: GuardInputs,
) -> tuple[GuardOutcome, GuardInputs]:
    decision = outcome.decision
    if decision.census_of and not arguments.demo and may_change():
        after_census = await _with_census(arguments, collector, options, decision)
        if after_census is None:
            return outcome, inputs
        inputs, decision = after_census
        outcome = GuardOutcome(decision)
    if decision.reclaim_method is None and not decision.prunes:
        return outcome, inputs
    if not may_change() and not arguments.demo:
        raise NotAllowed("The guard must act now, and only root may.", "Run it with sudo, or with --dry-run.")
    outcome = await _act(arguments, collector, options)
    return outcome, await collector.inputs()


async def _act(arguments: Namespace, collector: Collector, options: GuardOptions) -> GuardOutcome:
    settings = collector.settings
    try:
        async with changer_for(arguments, collector.connection) as changer:

            async def restart() -> None:
                changer.announce(f"restart {settings.docker_unit}")
                await restart_daemon_unit(settings.docker_unit, settings.guard.recovery_s)

            async def borrow() -> BorrowOutcome:
                from console.operations.borrow.this_host import borrow_here
                from screens.cli.borrow import sees_it_through, tell

                owner = str(own_probe_owner(machine_id()))
                caller = BorrowCaller(owner, changer.announce, tell)
                borrow_options = _borrow_options(arguments, settings, collector.connection)
                deadline_s = settings.snapshot.deadline_s
                with sees_it_through():
                    return await borrow_here(collector.connection, caller, borrow_options, deadline_s)

            return await act(collector, options, Actuator(changer, restart, progress, borrow))
    except (Declined, LockHeld) as error:
        # Another command has started since the check, or could not be seen from here.
        return GuardOutcome(GuardDecision(GuardVerdict.STOP, error.sentence, error.hint))


def _borrow_options(arguments: Namespace, settings: Settings, connection: EngineConnection) -> BorrowOptions:
    # The guard has no unlock key: a swarm that locks its managers refuses, and says so.
    return BorrowOptions(
        state_of(arguments, connection),
        settings.docker_unit,
        rotates_tokens=settings.reclaim.rotate_tokens,
        is_demo=arguments.demo,
    )


def _asks_whether_to_borrow(
    arguments: Namespace, connection: EngineConnection, settings: Settings
) -> Callable[[], Awaitable[Unknown | None]]:
    async def ask() -> Unknown | None:
        from console.operations.borrow.this_host import why_not_here

        options = _borrow_options(arguments, settings, connection)
        return await why_not_here(connection, options, settings.snapshot.deadline_s)

    return ask


async def _with_census(
    arguments: Namespace, collector: Collector, options: GuardOptions, decision: GuardDecision
) -> tuple[GuardInputs, GuardDecision] | None:
    """Take a census of the network whose leaks must be known, and decide again; None where it cannot be taken now."""
    from console.errors import VipconsoleError
    from console.operations.census import CensusDependencies, take_census
    from console.storage.census import write_census

    settings = collector.settings
    try:
        async with changer_for(arguments, collector.connection) as changer:
            progress(f"taking a census of {decision.census_of}")
            mark = own_probe_owner(machine_id())
            dependencies = CensusDependencies(
                collector.reader, changer, collector.clock, mark, settings.snapshot.deadline_s
            )
            result = await take_census(dependencies, decision.census_of)
    except (Declined, LockHeld) as error:
        progress(f"census skipped: {error.sentence}")
        return None
    except VipconsoleError as error:
        progress(f"census failed: {error.sentence}")
        return None
    census = result.evidence
    if census is None:
        return None
    write_census(collector.state, census)
    inputs = await collector.inputs()
    return inputs, decide(inputs, options, settings.thresholds)


def _dry_run_lines(decision: GuardDecision, *, dry: bool) -> tuple[str, ...]:
    if not dry:
        return ()
    lines = [f"would remove the unused overlay {prune}" for prune in decision.prunes]
    if decision.borrows:
        lines.append("would borrow a second manager for some seconds")
    if decision.restarts:
        lines.append("would restart the docker unit")
    return tuple(lines or ["would change nothing"])


def _room(inputs: GuardInputs, options: GuardOptions) -> tuple[int, int] | None:
    for account in inputs.assessment.accounts:
        if account.network.name == options.network:
            return account.free_at_most, account.capacity
    return None
