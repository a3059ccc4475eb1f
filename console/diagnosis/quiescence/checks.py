"""All checks of one look, and what the next look must know of it.

What blocks: a check that is busy, stuck or unknown. A check that has no meaning here is *not checked*, with its reason,
and does not block: those of this host where the engine is not its own, those of systemd on a machine without it, those
that nothing was configured for. A check that was asked for in the settings and cannot be made is unknown. Other logins
are a warning and never block, whether they could be read or not.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from console.diagnosis.quiescence import swarm as swarm_checks
from console.diagnosis.quiescence.crash_loops import remember
from console.diagnosis.quiescence.events import described, disturbing
from console.diagnosis.quiescence.host import check_host
from console.diagnosis.quiescence.services import find_trouble
from console.diagnosis.quiescence.swarm import find_leftovers
from console.diagnosis.quiescence.values import (
    Blocker,
    Change,
    Changes,
    Check,
    Judgement,
    Memory,
    Report,
    Rules,
    Seen,
    State,
)
from console.text import duration


def judge(seen: Seen, memory: Memory, rules: Rules) -> Judgement:
    """Return what a look amounts to, with what earlier looks told."""
    observation = seen.observation
    swarm, here = observation.swarm, observation.taken_at
    memory = replace(memory, past=remember(observation, memory.past))
    troubles = find_trouble(observation, memory, rules)
    troubles += find_leftovers(observation, memory, rules, troubles)
    excused = frozenset(one for each in troubles if each.is_excused for one in each.covers)
    changes = disturbing(seen.changes.heard, swarm, excused)
    of_swarm = (
        swarm_checks.check_managers(swarm),
        swarm_checks.check_updates(swarm, excused),
        swarm_checks.check_tasks(swarm, excused),
        swarm_checks.check_replicas(swarm, troubles),
        swarm_checks.check_stuck(swarm, troubles, rules),
        swarm_checks.check_stacks(swarm, rules.wanted.stacks),
    )
    shift = here - observation.now
    checks = [
        *(_moved(each, shift) for each in of_swarm),
        _check_changes(seen.changes, changes, seen.now_s, rules.dwell_s),
        *check_host(seen.activity, rules.wanted, here),
    ]
    keys = [(check.code, each.name) for check in checks for each in check.blockers]
    first = {key: memory.seen.get(key, here) for key in keys}
    report = Report(here, tuple(_dated(each, first) for each in checks))
    return Judgement(
        report,
        Memory({each.service_id: each.since for each in troubles}, first, memory.past),
        max((each.heard_s for each in changes), default=None),
    )


def _check_changes(changes: Changes, counted: Iterable[Change], now_s: float, dwell_s: float) -> Check:
    code, title = "changes", "changes told by the engine"
    if not dwell_s:
        return Check(code, title, State.UNCHECKED, note="A single look waits for none.")
    if changes.deaf is not None:
        return Check(code, title, State.UNKNOWN, note=changes.deaf.reason, hint=changes.deaf.hint)
    recent = described(each for each in counted if now_s - each.heard_s < dwell_s)
    if not recent:
        return Check(code, title, State.QUIET)
    return Check(
        code,
        title,
        State.BUSY,
        tuple(Blocker(name, what, last.heard_at) for name, (what, last) in recent.items()),
        hint=f"It is quiet when nothing has changed for {duration(dwell_s)}.",
    )


def _moved(check: Check, shift: timedelta) -> Check:
    """Return a check with its times by this machine's clock instead of the engine's."""
    return replace(
        check,
        blockers=tuple(replace(each, since=each.since and each.since + shift) for each in check.blockers),
    )


def _dated(check: Check, first: dict[tuple[str, str], datetime]) -> Check:
    return replace(
        check,
        blockers=tuple(
            replace(each, since=each.since or first[check.code, each.name]) for each in check.blockers
        ),
    )
