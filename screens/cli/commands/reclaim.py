"""`vipconsole reclaim`: gives leaked addresses back in the cheapest way that this swarm allows."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace

from console.clock import SystemClock
from console.durations import duration
from console.errors import Declined, EngineError, Unknown, UsageError
from console.frozen import frozen
from console.host.identity import machine_id
from console.host.lock_probe import decline_if_locked
from console.host.unit_chain import restart_daemon_unit
from console.journal.reader import whose_host
from console.operations.borrow.plan import BorrowFacts, plan_borrow, plan_ending
from console.operations.borrow.this_host import facts_here
from console.operations.handover import Ending, Handover, HandoverResult
from console.operations.probes import own_probe_owner
from console.operations.reclaim import DaemonRestart, ReclaimMethod, ReclaimPlan, ReclaimTarget, plan_reclaim
from console.settings import Settings
from console.storage.borrow import BorrowRecord, BorrowStore
from console.swarm.address import engine_or_context
from console.swarm.client import EngineConnection
from console.swarm.managers import roles_of
from console.swarm.model import SwarmState
from console.swarm.reader import EngineReader
from console.text import listed, plural
from screens.cli import borrow
from screens.cli.common import connection_for, result_of, settings_of, state_of
from screens.cli.preconditions import changer_for, check_preconditions, confirm, require_root
from screens.output.borrow import BorrowReport
from screens.output.plain import json_text, progress, say

SCHEMA = "vipconsole.reclaim/1"
GIVES_BACK = "This gives all leaked addresses back."


@frozen
class ReclaimResult:
    """The result of a reclaim."""

    sentence: str
    is_whole: bool
    """Whether all of it was done and everything that ran before is running."""
    behind: tuple[str, ...] = ()
    """What is not running again yet."""


def run(arguments: Namespace) -> int:
    """Show what it costs, ask, do it, and return an exit code."""
    if not arguments.demo:
        require_root("reclaim")
    settings = settings_of(arguments)
    with connection_for(_with_via_engine(arguments), settings) as connection:
        # While a borrowed manager is unfinished, the swarm may have no manager that answers.
        record = BorrowStore(state_of(arguments, connection)).read()
        if record is not None:
            return _finish_borrow(arguments, settings, connection, record)
        swarm, plan, _ = result_of(_plan(arguments, settings, connection))
        # First whether it can be done, then what it does to whom, then the question.
        if plan.refusal:
            raise Declined(plan.refusal, plan.hint)
        check_preconditions(arguments, swarm)
        progress(plan.cost)
        if plan.risk:
            progress(f"Risk: {plan.risk}")
        say((f"  {step}" for step in plan.steps), sys.stderr)
        gives = (
            "This restores the state before the interrupted hand-over." if plan.brings_back else GIVES_BACK
        )
        confirm(arguments, gives, plan.method.value)
        if plan.method is ReclaimMethod.BORROW:
            report = result_of(_borrow(arguments, settings, connection, plan))
            return borrow.write_report(report, SCHEMA, as_document=arguments.json)
        result = result_of(_reclaim(arguments, settings, connection, plan))
        after = result_of(EngineReader(connection).state(settings.snapshot.deadline_s))
    gains = _count_gains(swarm, after)
    code = 0 if result.is_whole else 1
    if arguments.json:
        sys.stdout.write(json_text({"schema": SCHEMA, "exit_code": code, "way": plan.method, "sentence": result.sentence,
                                    "freed": gains, "behind": list(result.behind)}))  # fmt: skip
    else:
        say((result.sentence, *_gain_lines(gains)))
    return code


def _with_via_engine(arguments: Namespace) -> Namespace:
    """Return the arguments with the engine of --via instead of the leader's."""
    if not arguments.via:
        return arguments
    if arguments.by in (ReclaimMethod.RESTART.value, ReclaimMethod.BORROW.value) or arguments.demo:
        raise UsageError("--via is for a hand-over only.", "Leave --via out.")
    return Namespace(**{**vars(arguments), "host": engine_or_context(arguments.via)})


def _finish_borrow(
    arguments: Namespace, settings: Settings, connection: EngineConnection, record: BorrowRecord
) -> int:
    plan = plan_ending(record)
    if not arguments.demo:
        decline_if_locked()
    progress(plan.cost)
    confirm(arguments, "This restores the state before the borrowed manager.", plan.method.value)
    report = result_of(borrow.finish(arguments, settings, connection, record))
    return borrow.write_report(report, SCHEMA, as_document=arguments.json)


async def _borrow(
    arguments: Namespace, settings: Settings, connection: EngineConnection, plan: ReclaimPlan
) -> BorrowReport:
    async with changer_for(arguments, connection) as changer:
        _, now, facts = await _plan(arguments, settings, connection)
        _require_same(now, plan)
        return await borrow.borrow(arguments, settings, connection, changer, facts)


def _require_same(now: ReclaimPlan, confirmed: ReclaimPlan) -> None:
    """Raise Declined where conditions changed while the operator typed."""
    if replace(now, cost="", hint="") != replace(confirmed, cost="", hint=""):
        raise Declined("Conditions changed since you confirmed. Nothing was done.", "Run the command again.")


async def _plan(
    arguments: Namespace, settings: Settings, connection: EngineConnection
) -> tuple[SwarmState, ReclaimPlan, BorrowFacts]:
    swarm = await EngineReader(connection).state(settings.snapshot.deadline_s)
    if isinstance(swarm.engine, Unknown):
        raise EngineError(swarm.engine.reason, swarm.engine.hint)
    if isinstance(swarm.nodes, Unknown):
        raise EngineError(swarm.nodes.reason, swarm.nodes.hint)
    roles = roles_of(swarm.nodes, swarm.engine.node_id)
    method = ReclaimMethod(arguments.by) if arguments.by else None
    refusal = await whose_host(connection.host, swarm.engine)
    facts = await facts_here(connection, borrow.options(arguments, settings, connection), swarm)
    target = ReclaimTarget(machine_id(), settings.docker_unit, refusal)
    return swarm, plan_reclaim(roles, swarm, method, target, plan_borrow(roles, facts)), facts


async def _reclaim(
    arguments: Namespace, settings: Settings, connection: EngineConnection, plan: ReclaimPlan
) -> ReclaimResult:
    reader, clock = EngineReader(connection), SystemClock()

    async with changer_for(arguments, connection) as changer:
        # Conditions may have changed while the operator typed, so they are checked again.
        _, now, _ = await _plan(arguments, settings, connection)
        _require_same(now, plan)
        if plan.method is ReclaimMethod.HANDOVER:
            outcome = await Handover(
                reader, changer, clock, str(own_probe_owner(machine_id())), progress
            ).run()
            return _handover_result(outcome)
        changer.announce(f"restart {settings.docker_unit}")
        restart = DaemonRestart(
            reader,
            clock,
            lambda: restart_daemon_unit(settings.docker_unit, settings.guard.recovery_s),
            progress,
        )
        restart_outcome = await restart.run(settings.guard.recovery_s)
    behind = (
        f", but not running yet: {listed(restart_outcome.behind)}"
        if restart_outcome.behind
        else ", and everything that ran before is running"
    )
    sentence = f"dockerd was restarted ({duration(restart_outcome.took_s)}){behind}."
    return ReclaimResult(sentence, not restart_outcome.behind, restart_outcome.behind)


def _handover_result(outcome: HandoverResult) -> ReclaimResult:
    took = duration(outcome.took_s)
    if outcome.ending is Ending.UNDONE:
        return ReclaimResult(
            f"An interrupted hand-over was undone: {outcome.old_leader} leads and is as it was before ({took}). "
            f"No address was given back. {outcome.because}".rstrip(),
            is_whole=False,
        )
    who = f"{outcome.new_leader} leads, {outcome.old_leader} is a manager again"
    return ReclaimResult(f"A hand-over was {outcome.ending}: {who} ({took}).", is_whole=True)


def _count_gains(before: SwarmState, after: SwarmState) -> dict[str, int]:
    """Return how many more addresses are free, by network, if the engine counts."""
    gains: dict[str, int] = {}
    if isinstance(before.networks, Unknown) or isinstance(after.networks, Unknown):
        return gains
    networks_before = {network.id: network for network in before.networks}
    for network in after.networks:
        network_before = networks_before.get(network.id)
        if (
            network_before is None
            or isinstance(network_before.detail, Unknown)
            or isinstance(network.detail, Unknown)
        ):
            continue
        if network.detail.use and network_before.detail.use:
            gains[network.name] = sum(use.available for use in network.detail.use.values()) - sum(
                use.available for use in network_before.detail.use.values()
            )
    return gains


def _gain_lines(gains: dict[str, int]) -> Iterator[str]:
    if not gains:
        yield "This engine does not count its addresses. To count them: vipconsole census NETWORK"
    for name, count in sorted(gains.items()):
        if count > 0:
            yield f"{name}: {plural(count, 'more address is', 'more addresses are')} free than before."
