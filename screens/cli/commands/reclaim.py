"""`vipconsole reclaim`: gives leaked addresses back in the cheapest way that this swarm allows."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace

from console.clock import SystemClock
from console.errors import Declined, EngineError, Unknown, UsageError
from console.host.identity import machine_id
from console.host.unit_chain import restart_daemon_unit
from console.journal.reader import whose_host
from console.operations.probes import own_probe_owner
from console.operations.reclaim.handover import Ending, Handover, HandoverResult
from console.operations.reclaim.plan import ReclaimPlan, ReclaimTarget, Way, plan_reclaim
from console.operations.reclaim.restart import DaemonRestart
from console.settings import Settings
from console.swarm.client import EngineConnection, engine_or_context
from console.swarm.managers import roles_of
from console.swarm.model import SwarmState
from console.swarm.reader import EngineReader
from console.text import duration, listed, plural
from screens.cli.commands.changing import changing, confirm, decline_early, require_root
from screens.cli.commands.common import connection_for, result_of, settings_of

SCHEMA = "vipconsole.reclaim/1"
GIVES_BACK = "This gives all leaked addresses back."


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """The result of a reclaim."""

    sentence: str
    is_whole: bool
    """Whether all of it was done and everything that ran before is running."""
    behind: tuple[str, ...] = ()
    """What is not running again yet."""


def run(asked: Namespace) -> int:
    """Show what it costs, ask, do it, and return an exit code."""
    if not asked.demo:
        require_root("reclaim")
    settings = settings_of(asked)
    with connection_for(_through(asked), settings) as connection:
        swarm, plan = result_of(_plan(asked, settings, connection))
        # First whether it can be done, then what it does to whom, then the question.
        if plan.refusal:
            raise Declined(plan.refusal, plan.hint)
        decline_early(asked, swarm)
        print(f"vipconsole: {plan.cost}", *(f"  {step}" for step in plan.steps), sep="\n", file=sys.stderr)
        gives = (
            "This restores the state before the interrupted hand-over." if plan.brings_back else GIVES_BACK
        )
        confirm(asked, gives, plan.way.value)
        done = result_of(_reclaim(asked, settings, connection, plan))
        after = result_of(EngineReader(connection).state(settings.snapshot.deadline_s))
    gained = _freed(swarm, after)
    code = 0 if done.is_whole else 1
    if asked.json:
        print(json.dumps({"schema": SCHEMA, "exit_code": code, "way": plan.way, "sentence": done.sentence,
                          "freed": gained, "behind": list(done.behind)}, indent=1))  # fmt: skip
    else:
        print(done.sentence, *_gains(gained), sep="\n")
    return code


def _through(asked: Namespace) -> Namespace:
    """Return the arguments with the engine of --via instead of the leader's."""
    if not asked.via:
        return asked
    if asked.by == Way.RESTART.value or asked.demo:
        raise UsageError("--via is for a hand-over only.", "Leave --via out.")
    return Namespace(**{**vars(asked), "host": engine_or_context(asked.via)})


async def _plan(
    asked: Namespace, settings: Settings, connection: EngineConnection
) -> tuple[SwarmState, ReclaimPlan]:
    swarm = await EngineReader(connection).state(settings.snapshot.deadline_s)
    if isinstance(swarm.engine, Unknown):
        raise EngineError(swarm.engine.reason, swarm.engine.hint)
    if isinstance(swarm.nodes, Unknown):
        raise EngineError(swarm.nodes.reason, swarm.nodes.hint)
    roles = roles_of(swarm.nodes, swarm.engine.node_id)
    way = Way(asked.by) if asked.by else None
    refusal = await whose_host(connection.host, swarm.engine)
    return swarm, plan_reclaim(roles, swarm, way, ReclaimTarget(machine_id(), settings.docker_unit, refusal))


async def _reclaim(
    asked: Namespace, settings: Settings, connection: EngineConnection, plan: ReclaimPlan
) -> Reclaimed:
    reader, clock = EngineReader(connection), SystemClock()

    def tell(words: str) -> None:
        print(f"vipconsole: {words}", file=sys.stderr)

    async with changing(asked, connection) as changer:
        # Conditions may have changed while the operator typed, so they are checked again.
        _, now = await _plan(asked, settings, connection)
        if replace(now, cost="", hint="") != replace(plan, cost="", hint=""):
            raise Declined(
                "Conditions changed since you confirmed. Nothing was done.", "Run the command again."
            )
        if plan.way is Way.HANDOVER:
            handed = await Handover(reader, changer, clock, str(own_probe_owner(machine_id())), tell).run()
            return _handed(handed)
        changer.announce(f"restart {settings.docker_unit}")
        restart = DaemonRestart(
            reader, clock, lambda: restart_daemon_unit(settings.docker_unit, settings.guard.recovery_s), tell
        )
        done = await restart.run(settings.guard.recovery_s)
    behind = (
        f", but not running yet: {listed(done.behind)}"
        if done.behind
        else ", and everything that ran before is running"
    )
    sentence = f"dockerd was restarted ({duration(done.took_s)}){behind}."
    return Reclaimed(sentence, not done.behind, done.behind)


def _handed(handed: HandoverResult) -> Reclaimed:
    took = duration(handed.took_s)
    if handed.ending is Ending.UNDONE:
        return Reclaimed(
            f"An interrupted hand-over was undone: {handed.old_leader} leads and is as it was before ({took}). "
            f"No address was given back. {handed.because}".rstrip(),
            is_whole=False,
        )
    who = f"{handed.new_leader} leads, {handed.old_leader} is a manager again"
    return Reclaimed(f"A hand-over was {handed.ending}: {who} ({took}).", is_whole=True)


def _freed(before: SwarmState, after: SwarmState) -> dict[str, int]:
    """Return how many more addresses are free, by network, if the engine counts."""
    found: dict[str, int] = {}
    if isinstance(before.networks, Unknown) or isinstance(after.networks, Unknown):
        return found
    old = {network.id: network for network in before.networks}
    for network in after.networks:
        was = old.get(network.id)
        if was is None or isinstance(was.detail, Unknown) or isinstance(network.detail, Unknown):
            continue
        if network.detail.use and was.detail.use:
            found[network.name] = sum(one.available for one in network.detail.use.values()) - sum(
                one.available for one in was.detail.use.values()
            )
    return found


def _gains(freed: dict[str, int]) -> Iterator[str]:
    if not freed:
        yield "This engine does not count its addresses. To count them: vipconsole census NETWORK"
    for name, count in sorted(freed.items()):
        if count > 0:
            yield f"{name}: {plural(count, 'more address is', 'more addresses are')} free than before."
