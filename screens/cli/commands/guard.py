"""`vipconsole guard`: the safety net to run before a batch of deploys."""

import os
import sys
from argparse import Namespace

from console.clock import SystemClock
from console.errors import Declined, LockHeld, NotAllowed
from console.guard.actuator import Hands, Outcome, act
from console.guard.collector import Scout
from console.guard.policy import decide
from console.guard.shortage import Decision, Situation, Verdict, Wishes
from console.host.unit_chain import restart_daemon_unit
from console.storage.state import state_folder
from screens.cli.commands.changing import changing
from screens.cli.commands.common import connection_for, journal_for, result_of, settings_of
from screens.output.guard import EXIT_CODES, as_json, as_metrics, more_lines, one_line


def run(asked: Namespace) -> int:
    """Check, decide, act if needed and allowed, say so in one line, and return the exit code."""
    settings = settings_of(asked)
    wishes = Wishes(
        network=settings.network,
        need=asked.need,
        may_restart=asked.allow_restart or settings.guard.allow_restart,
        may_prune=settings.guard.prune and not asked.no_prune,
        cooldown_s=settings.guard.cooldown_s,
    )
    clock = SystemClock()
    with connection_for(asked, settings) as connection:
        scout = Scout(
            connection, journal_for(asked, settings), clock, settings, state_folder(), is_demo=asked.demo
        )
        situation = result_of(scout.situation())
        outcome = Outcome(decide(situation, wishes, settings.thresholds))
        if not asked.dry_run:
            outcome, situation = result_of(_go_on(asked, scout, wishes, outcome, situation))
    room = _room(situation, wishes)
    if asked.prometheus:
        from console.storage.state import write_atomically

        write_atomically(asked.prometheus, as_metrics(outcome, clock.now()), 0o644)
    if asked.json:
        sys.stdout.write(as_json(outcome, room, connection.host, clock.now(), dry=asked.dry_run))
    else:
        print(one_line(outcome, room))
        for each in (*_would(outcome.decision, dry=asked.dry_run), *more_lines(outcome.decision)):
            print(each)
    return EXIT_CODES[outcome.verdict]


async def _go_on(
    asked: Namespace, scout: Scout, wishes: Wishes, seen: Outcome, situation: Situation
) -> tuple[Outcome, Situation]:
    decision = seen.decision
    if decision.census_of and not asked.demo and os.geteuid() == 0:
        taken = await _with_census(asked, scout, wishes, decision)
        if taken is None:
            return seen, situation
        situation, decision = taken
        seen = Outcome(decision)
    if not (decision.restarts or decision.prunes):
        return seen, situation
    if os.geteuid() != 0 and not asked.demo:
        raise NotAllowed("The guard must act now, and only root may.", "Run it with sudo, or with --dry-run.")
    outcome = await _act(asked, scout, wishes)
    return outcome, await scout.situation()


async def _act(asked: Namespace, scout: Scout, wishes: Wishes) -> Outcome:
    settings = scout.settings
    try:
        async with changing(asked, scout.connection) as changer:

            async def restart() -> None:
                changer.announce(f"restart {settings.docker_unit}")
                await restart_daemon_unit(settings.docker_unit, settings.guard.recovery_s)

            return await act(scout, wishes, Hands(changer, restart, _tell))
    except (Declined, LockHeld) as error:
        # Another command has started since the check, or could not be seen from here.
        return Outcome(Decision(Verdict.STOP, error.sentence, error.hint))


async def _with_census(
    asked: Namespace, scout: Scout, wishes: Wishes, decision: Decision
) -> tuple[Situation, Decision] | None:
    """Take a census of the network whose leaks must be known, and decide again; None where it cannot be taken now."""
    from console.errors import VipconsoleError
    from console.host.identity import machine_id
    from console.operations.census.census import Means, take_census
    from console.operations.probes import own_mark
    from console.storage.census import keep_census

    settings = scout.settings
    try:
        async with changing(asked, scout.connection) as changer:
            _tell(f"taking a census of {decision.census_of}")
            mark = own_mark(machine_id())
            means = Means(scout.reader, changer, scout.clock, mark, settings.look.deadline_s)
            result = await take_census(means, decision.census_of)
    except (Declined, LockHeld) as error:
        _tell(f"census skipped: {error.sentence}")
        return None
    except VipconsoleError as error:
        _tell(f"census failed: {error.sentence}")
        return None
    census = result.evidence
    if census is None:
        return None
    keep_census(scout.state, census)
    situation = await scout.situation()
    return situation, decide(situation, wishes, settings.thresholds)


def _would(decision: Decision, *, dry: bool) -> tuple[str, ...]:
    if not dry:
        return ()
    would = [f"would remove the unused overlay {each}" for each in decision.prunes]
    if decision.restarts:
        would.append("would restart the docker unit")
    return tuple(would or ["would change nothing"])


def _room(situation: Situation, wishes: Wishes) -> tuple[int, int] | None:
    for each in situation.assessment.accounts:
        if each.network.name == wishes.network:
            return each.free_at_most, each.capacity
    return None


def _tell(words: str) -> None:
    print(f"vipconsole: {words}", file=sys.stderr)
